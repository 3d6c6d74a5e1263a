// SPDX-License-Identifier: Apache-2.0
#include "detection/detection_curve.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr double kNearMm = 10, kPart = 0.1;
constexpr double kNormal = 1.959963984540054;  // 97.5 % of the normal distribution

using Voxel = std::array<int64_t, 3>;  // k, j, i

std::vector<Voxel> voxels_of(const torch::Tensor& mask) {
  const auto found = (mask > 0).nonzero().contiguous();
  std::vector<Voxel> voxels(static_cast<size_t>(found.size(0)));
  const auto* at = found.data_ptr<int64_t>();
  for (size_t v = 0; v < voxels.size(); ++v) voxels[v] = {at[3 * v], at[3 * v + 1], at[3 * v + 2]};
  return voxels;
}

std::array<double, 3> centre_mm(const std::vector<Voxel>& voxels, const Affine& to_world) {
  std::array<double, 3> sum{}, world{};
  for (const auto& voxel : voxels)
    for (size_t axis = 0; axis < 3; ++axis) sum[axis] += static_cast<double>(voxel[2 - axis]);
  for (size_t row = 0; row < 3; ++row) {
    world[row] = to_world[row][3];
    for (size_t axis = 0; axis < 3; ++axis)
      world[row] += to_world[row][axis] * sum[axis] / static_cast<double>(voxels.size());
  }
  return world;
}

/// A lesion, and whether voxels hit it.
class Target {
 public:
  Target(const torch::Tensor& lesion, const Affine& to_world, HitRule rule)
      : inside_((lesion > 0).contiguous()), to_world_(to_world), rule_(rule) {
    const auto voxels = voxels_of(inside_);
    size_ = static_cast<int64_t>(voxels.size());
    if (size_ > 0) centre_ = centre_mm(voxels, to_world);
  }

  bool hit_by(const std::vector<Voxel>& cluster) const {
    if (size_ == 0 || cluster.empty()) return false;
    if (rule_ == HitRule::kCentre) {
      const auto centre = centre_mm(cluster, to_world_);
      return std::hypot(centre[0] - centre_[0], centre[1] - centre_[1], centre[2] - centre_[2]) <=
             kNearMm;
    }
    const auto* inside = inside_.data_ptr<bool>();
    const int64_t height = inside_.size(1), width = inside_.size(2);
    const auto shared = std::count_if(cluster.begin(), cluster.end(), [&](const Voxel& v) {
      return inside[(v[0] * height + v[1]) * width + v[2]];
    });
    return rule_ == HitRule::kVoxel
               ? shared > 0
               : static_cast<double>(shared) >= kPart * static_cast<double>(size_);
  }

 private:
  torch::Tensor inside_;
  Affine to_world_;
  HitRule rule_;
  int64_t size_ = 0;
  std::array<double, 3> centre_{};
};

/// Voxels of each cluster, by rank.
std::vector<std::vector<Voxel>> members(const Clusters& clusters) {
  std::vector<std::vector<Voxel>> found(clusters.found.size());
  const auto labels = clusters.labels.contiguous();
  const auto* label = labels.data_ptr<int32_t>();
  for (const auto& voxel : voxels_of(labels))
    found[static_cast<size_t>(
              label[(voxel[0] * labels.size(1) + voxel[1]) * labels.size(2) + voxel[2]] - 1)]
        .push_back(voxel);
  return found;
}

void require_same_grid(const torch::Tensor& labels, const torch::Tensor& other, const char* what) {
  require(other.dim() == 3 && other.sizes() == labels.sizes(),
          "detection: the {} is on another grid than the score map", what);
}

}  // namespace

PatientHit judge_clusters(const Clusters& clusters, const torch::Tensor& lesion,
                          const Affine& voxel_to_world, HitRule rule) {
  require_same_grid(clusters.labels, lesion, "lesion");
  const Target target(lesion, voxel_to_world, rule);
  PatientHit result;
  for (const auto& cluster : members(clusters)) {
    ++result.clusters;
    const bool hit = target.hit_by(cluster);
    result.misses += !hit;
    if (hit && result.rank == 0) result.rank = result.clusters;
  }
  return result;
}

std::vector<DetectionPoint> detection_curve(const std::vector<std::vector<PatientHit>>& patients) {
  require(!patients.empty(), "detection curve: no patients");
  std::vector<DetectionPoint> curve(patients[0].size());
  const auto n = static_cast<double>(patients.size());
  for (const auto& patient : patients) {
    require(patient.size() == curve.size(), "detection curve: {} and {} numbers of clusters",
            curve.size(), patient.size());
    for (size_t k = 0; k < curve.size(); ++k) {
      curve[k].clusters += static_cast<double>(patient[k].clusters) / n;
      curve[k].misses += static_cast<double>(patient[k].misses) / n;
      curve[k].sensitivity += patient[k].hit() ? 1 / n : 0;
    }
  }
  for (auto& point : curve) {  // Wilson 1927
    const double p = point.sensitivity, z2 = kNormal * kNormal;
    const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    const double half = kNormal * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
    point.lower = std::max(0.0, middle - half);
    point.upper = std::min(1.0, middle + half);
  }
  return curve;
}

double chance_of_hit(const Clusters& clusters, const torch::Tensor& mask,
                     const torch::Tensor& lesion, const Affine& voxel_to_world, HitRule rule,
                     uint64_t seed, int64_t draws) {
  require_same_grid(clusters.labels, lesion, "lesion");
  require_same_grid(clusters.labels, mask, "mask");
  const Target target(lesion, voxel_to_world, rule);
  const auto inside = (mask > 0).contiguous();
  const auto* in = inside.data_ptr<bool>();
  const int64_t depth = inside.size(0), height = inside.size(1), width = inside.size(2);
  const auto places = voxels_of(inside);
  require(!places.empty() && draws > 0, "detection: an empty mask or no draws");
  // Each cluster's voxels around its middle.
  auto all = members(clusters);
  for (auto& cluster : all) {
    Voxel centre{};
    for (size_t axis = 0; axis < 3; ++axis) {
      double sum = 0;
      for (const auto& voxel : cluster) sum += static_cast<double>(voxel[axis]);
      centre[axis] = std::llround(sum / static_cast<double>(cluster.size()));
    }
    for (auto& voxel : cluster)
      for (size_t axis = 0; axis < 3; ++axis) voxel[axis] -= centre[axis];
  }
  int64_t hits = 0;
  std::vector<Voxel> moved;
  for (int64_t draw = 0; draw < draws; ++draw) {
    Random random(seed, "random clusters", static_cast<uint64_t>(draw));
    for (const auto& cluster : all) {
      const auto& place =
          places[static_cast<size_t>(random.integer(0, static_cast<int64_t>(places.size()) - 1))];
      moved.clear();
      for (const auto& voxel : cluster) {
        const Voxel to{voxel[0] + place[0], voxel[1] + place[1], voxel[2] + place[2]};
        if (to[0] >= 0 && to[0] < depth && to[1] >= 0 && to[1] < height && to[2] >= 0 &&
            to[2] < width && in[(to[0] * height + to[1]) * width + to[2]])
          moved.push_back(to);
      }
      if (target.hit_by(moved)) {
        ++hits;
        break;
      }
    }
  }
  return static_cast<double>(hits) / static_cast<double>(draws);
}

PatientCurve patient_curve(const Volume& scores, const torch::Tensor& mask,
                           const torch::Tensor& lesion, const ClusterRule& rule, int64_t most,
                           HitRule hit_rule, const ChanceDraws& chance) {
  PatientCurve curve;
  auto at = rule;
  for (const double threshold : thresholds_for_at_most(scores, rule, most, mask)) {
    if (!curve.hits.empty() && threshold == at.threshold) {  // the same clusters once more
      curve.hits.push_back(curve.hits.back());
      if (chance.draws > 0) curve.chance.push_back(curve.chance.back());
      continue;
    }
    at.threshold = threshold;
    const auto clusters = find_clusters(scores, at, mask);
    curve.hits.push_back(judge_clusters(clusters, lesion, scores.voxel_to_world, hit_rule));
    if (chance.draws > 0)
      curve.chance.push_back(chance_of_hit(clusters, mask, lesion, scores.voxel_to_world, hit_rule,
                                           chance.seed, chance.draws));
  }
  return curve;
}

}  // namespace scintigen
