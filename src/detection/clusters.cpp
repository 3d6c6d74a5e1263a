// SPDX-License-Identifier: Apache-2.0
#include "detection/clusters.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/connected_components.h"
#include "core/error.h"
#include "core/resample.h"

namespace scintigen {
namespace {

void check(const Volume& scores, const ClusterRule& rule, const torch::Tensor& mask) {
  const auto& voxels = scores.voxels;
  require(voxels.defined() && voxels.dim() == 3 && voxels.scalar_type() == torch::kFloat,
          "clusters: the score map is not float32 [D,H,W]");
  require(!mask.defined() || mask.sizes() == voxels.sizes(),
          "clusters: mask and score map have other shapes");
  require(std::isfinite(rule.threshold), "clusters: threshold of {}; expected a number",
          rule.threshold);
  require(rule.least_ml >= 0, "clusters: least size of {} ml; expected 0 or more", rule.least_ml);
  require(std::abs(determinant(scores.voxel_to_world)) > 0,
          "clusters: the score map's voxels have no volume (singular affine)");
}

/// Scores as "how far out": the larger, the more it stands out; -infinity outside the mask.
torch::Tensor outstanding(const Volume& scores, Direction direction, const torch::Tensor& mask) {
  auto out = direction == Direction::kAbove ? scores.voxels : -scores.voxels;
  const auto finite = out.isfinite();
  const auto inside = mask.defined() ? mask.ne(0) : torch::ones_like(finite);
  require(finite.logical_or(inside.logical_not()).all().item<bool>(),
          "clusters: the score map holds values that are not finite; mask them");
  return out.masked_fill(inside.logical_not(), -std::numeric_limits<float>::infinity())
      .contiguous();
}

double outwards(double value, Direction direction) {
  return direction == Direction::kAbove ? value : -value;
}

double voxel_ml(const Volume& scores) {
  return std::abs(determinant(scores.voxel_to_world)) / 1000;
}

/// Voxels of the smallest cluster that is kept; a size to a millionth of a voxel is that size.
int64_t least_voxels(const Volume& scores, const ClusterRule& rule) {
  const double voxels = std::ceil(rule.least_ml / voxel_ml(scores) - 1e-6);
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::min(voxels, static_cast<double>(scores.voxels.numel()) + 1)));
}

/// What is summed over the voxels of a cluster.
struct Sums {
  int64_t voxels = 0, peak_at = 0;
  double scores = 0;
  float peak = 0;                           // outwards
  std::array<double, 3> place = {0, 0, 0};  // of voxel indices i, j, k
};

std::vector<Sums> sums_of(const Components& components, const torch::Tensor& scores,
                          const torch::Tensor& out) {
  std::vector<Sums> sums(components.sizes.size());
  const auto* const label = components.labels.data_ptr<int32_t>();
  const auto values = scores.contiguous();
  const auto* const score = values.data_ptr<float>();
  const auto* const outward = out.data_ptr<float>();
  int64_t v = 0;
  for (int64_t k = 0; k < out.size(0); ++k)
    for (int64_t j = 0; j < out.size(1); ++j)
      for (int64_t i = 0; i < out.size(2); ++i, ++v) {
        if (label[v] == 0) continue;
        Sums& own = sums[static_cast<size_t>(label[v])];
        if (own.voxels == 0 || outward[v] > own.peak) own.peak = outward[v], own.peak_at = v;
        ++own.voxels;
        own.scores += static_cast<double>(score[v]);
        own.place[0] += static_cast<double>(i);
        own.place[1] += static_cast<double>(j);
        own.place[2] += static_cast<double>(k);
      }
  return sums;
}

Cluster cluster_of(const Sums& sums, const Volume& scores, Direction direction) {
  const auto n = static_cast<double>(sums.voxels);
  const int64_t width = scores.voxels.size(2), height = scores.voxels.size(1);
  Cluster cluster;
  cluster.voxels = sums.voxels;
  cluster.volume_ml = n * voxel_ml(scores);
  cluster.peak = outwards(static_cast<double>(sums.peak), direction);
  cluster.peak_mm = transform_point(scores.voxel_to_world,
                                    {static_cast<double>(sums.peak_at % width),
                                     static_cast<double>(sums.peak_at / width % height),
                                     static_cast<double>(sums.peak_at / (width * height))});
  cluster.centre_mm = transform_point(scores.voxel_to_world,
                                      {sums.place[0] / n, sums.place[1] / n, sums.place[2] / n});
  cluster.mean = sums.scores / n;
  return cluster;
}

/// Gives ranks; `found` comes in order of first voxels, with `label` that of the components.
void rank(std::vector<Cluster>& found, Direction direction) {
  double largest = 0, furthest = 0;
  for (const auto& one : found) {
    largest = std::max(largest, static_cast<double>(one.voxels));
    furthest = std::max(furthest, std::abs(one.mean));
  }
  for (auto& one : found)
    one.rank_score = static_cast<double>(one.voxels) / largest / 2 +
                     (furthest > 0 ? std::abs(one.mean) / furthest / 2 : 0);
  std::stable_sort(found.begin(), found.end(), [&](const Cluster& a, const Cluster& b) {
    if (a.rank_score != b.rank_score) return a.rank_score > b.rank_score;
    return outwards(a.peak, direction) > outwards(b.peak, direction);
  });
}

/// Clusters that grow while voxels join in order of their scores.
class Growing {
 public:
  Growing(at::IntArrayRef shape, int64_t least)
      : depth_(shape[0]), height_(shape[1]), width_(shape[2]), least_(least) {
    parent_.assign(static_cast<size_t>(depth_ * height_ * width_), kOutside);
  }

  void add(int64_t v) {
    parent_[static_cast<size_t>(v)] = -1;
    if (least_ <= 1) ++clusters_;
    const int64_t i = v % width_, j = v / width_ % height_, k = v / (width_ * height_);
    for (int64_t c = std::max<int64_t>(0, k - 1); c <= std::min(depth_ - 1, k + 1); ++c)
      for (int64_t b = std::max<int64_t>(0, j - 1); b <= std::min(height_ - 1, j + 1); ++b)
        for (int64_t a = std::max<int64_t>(0, i - 1); a <= std::min(width_ - 1, i + 1); ++a) {
          const int64_t other = (c * height_ + b) * width_ + a;
          if (other != v && parent_[static_cast<size_t>(other)] != kOutside) join(v, other);
        }
  }

  /// Of at least the least size.
  int64_t clusters() const { return clusters_; }

 private:
  static constexpr int32_t kOutside = std::numeric_limits<int32_t>::min();

  int64_t root(int64_t v) {
    while (parent_[static_cast<size_t>(v)] >= 0) {
      const int32_t up = parent_[static_cast<size_t>(v)];
      if (parent_[static_cast<size_t>(up)] >= 0)
        parent_[static_cast<size_t>(v)] = parent_[static_cast<size_t>(up)];
      v = up;
    }
    return v;
  }

  void join(int64_t a, int64_t b) {
    a = root(a), b = root(b);
    if (a == b) return;
    const int64_t size_a = -parent_[static_cast<size_t>(a)],
                  size_b = -parent_[static_cast<size_t>(b)];
    clusters_ += (size_a + size_b >= least_) - (size_a >= least_) - (size_b >= least_);
    if (size_a < size_b) std::swap(a, b);
    parent_[static_cast<size_t>(a)] = static_cast<int32_t>(-(size_a + size_b));
    parent_[static_cast<size_t>(b)] = static_cast<int32_t>(a);
  }

  int64_t depth_, height_, width_, least_, clusters_ = 0;
  std::vector<int32_t> parent_;  // a root holds minus its size
};

}  // namespace

Clusters find_clusters(const Volume& scores, const ClusterRule& rule, const torch::Tensor& mask) {
  check(scores, rule, mask);
  const auto out = outstanding(scores, rule.direction, mask);
  // In double: a threshold between two floats must not round to one of them.
  const auto beyond = out.to(torch::kDouble).ge(outwards(rule.threshold, rule.direction));
  const auto components = connected_components(beyond, Neighbours::kCorners26);
  const auto sums = sums_of(components, scores.voxels, out);
  const int64_t least = least_voxels(scores, rule);
  Clusters clusters;
  clusters.rule = rule;
  for (size_t label = 1; label < sums.size(); ++label) {
    if (sums[label].voxels < least) continue;
    clusters.found.push_back(cluster_of(sums[label], scores, rule.direction));
    clusters.found.back().label = static_cast<int32_t>(label);
  }
  rank(clusters.found, rule.direction);
  std::vector<int32_t> new_label(sums.size(), 0);
  for (size_t r = 0; r < clusters.found.size(); ++r) {
    auto& label = clusters.found[r].label;
    new_label[static_cast<size_t>(label)] = static_cast<int32_t>(r + 1);
    label = static_cast<int32_t>(r + 1);
  }
  clusters.labels = components.labels;
  auto* const label = clusters.labels.data_ptr<int32_t>();
  for (int64_t v = 0; v < clusters.labels.numel(); ++v)
    label[v] = new_label[static_cast<size_t>(label[v])];
  return clusters;
}

std::vector<double> thresholds_for_at_most(const Volume& scores, const ClusterRule& rule,
                                           int64_t most, const torch::Tensor& mask) {
  check(scores, rule, mask);
  require(most >= 1, "clusters: at most {} clusters; expected 1 or more", most);
  require(scores.voxels.numel() < (int64_t{1} << 31), "clusters: {} voxels; expected under 2^31",
          scores.voxels.numel());
  const auto out = outstanding(scores, rule.direction, mask).flatten();
  const auto candidates =
      out.to(torch::kDouble).ge(outwards(rule.threshold, rule.direction)).nonzero().flatten();
  const auto values = out.index({candidates});
  const auto order = values.argsort(0, /*descending=*/true);
  const auto sorted = values.index({order}).contiguous(),
             places = candidates.index({order}).contiguous();
  const auto* const value = sorted.data_ptr<float>();
  const auto* const place = places.data_ptr<int64_t>();
  Growing growing(scores.voxels.sizes(), least_voxels(scores, rule));
  std::vector<double> thresholds;
  double last = rule.threshold;
  const auto wanted = static_cast<size_t>(most);
  for (int64_t v = 0; v < sorted.numel() && thresholds.size() < wanted;) {
    const float level = value[v];
    // The first level of all: beyond it there is nothing.
    if (v == 0)
      last = outwards(std::nextafter(static_cast<double>(level), HUGE_VAL), rule.direction);
    for (; v < sorted.numel() && value[v] == level; ++v) growing.add(place[v]);
    // So many clusters are too many for every smaller n, from here on.
    const auto passed = std::min(most, std::max<int64_t>(0, growing.clusters() - 1));
    thresholds.resize(std::max(thresholds.size(), static_cast<size_t>(passed)), last);
    last = outwards(static_cast<double>(level), rule.direction);
  }
  thresholds.resize(wanted, rule.threshold);
  return thresholds;
}

double threshold_for_at_most(const Volume& scores, const ClusterRule& rule, int64_t most,
                             const torch::Tensor& mask) {
  return thresholds_for_at_most(scores, rule, most, mask).back();
}

void name_regions(Clusters& clusters, const LabelImage& atlas, const Affine& scores_to_atlas,
                  double reach_mm) {
  for (auto& cluster : clusters.found)
    cluster.region = atlas.region_near(transform_point(scores_to_atlas, cluster.peak_mm), reach_mm);
}

Clusters clusters_on(const Clusters& clusters, const Grid& scores, const Grid& target,
                     const SpatialMap& target_to_scores) {
  const double volume = determinant(target_to_scores.affine());
  require(std::isfinite(volume) && volume != 0, "clusters: the map to their space is singular");
  Clusters moved = clusters;
  const Volume labels{clusters.labels.to(torch::kFloat), scores.voxel_to_world, "1"};
  moved.labels = resample(labels, target, target_to_scores, Interpolation::kNearest)
                     .voxels.to(torch::kInt)
                     .contiguous();
  const auto counts = moved.labels.flatten()
                          .to(torch::kLong)
                          .bincount({}, static_cast<int64_t>(moved.found.size()) + 1);
  const SpatialMap to_target = inverse(target_to_scores);
  const double voxel_ml = std::abs(determinant(target.voxel_to_world)) / 1000;
  for (auto& one : moved.found) {
    one.voxels = counts[one.label].item<int64_t>();
    if (target_to_scores.is_affine())
      one.volume_ml /= std::abs(volume);
    else  // it changes from place to place: what was counted
      one.volume_ml = static_cast<double>(one.voxels) * voxel_ml;
    one.peak_mm = to_target(one.peak_mm);
    one.centre_mm = to_target(one.centre_mm);
  }
  return moved;
}

void set_uptake_t(Clusters& clusters, const torch::Tensor& uptake_t) {
  require(uptake_t.sizes() == clusters.labels.sizes(),
          "clusters: the map of uptake has another shape than the scores");
  const auto label = clusters.labels.flatten().to(torch::kLong);
  const auto count = static_cast<int64_t>(clusters.found.size()) + 1;
  const auto sums = label.bincount(uptake_t.flatten().to(torch::kDouble), count);
  const auto voxels = label.bincount({}, count);
  clusters.with_uptake_t = true;
  for (auto& one : clusters.found)
    one.uptake_t = sums[one.label].item<double>() / voxels[one.label].item<double>();
}

Table cluster_table(const std::vector<const Clusters*>& all) {
  Table table{"clusters.tsv",
              {"cluster", "direction", "voxels", "volume_ml", "peak", "peak_x", "peak_y", "peak_z",
               "centre_x", "centre_y", "centre_z", "mean", "rank_score", "region"},
              {}};
  const bool with_uptake_t = !all.empty() && all.front()->with_uptake_t;
  if (with_uptake_t) table.columns.emplace_back("uptake_t");
  const auto rounded = [](double value) { return fmt::format("{:.6g}", value); };
  const auto mm = [](double value) { return fmt::format("{:.2f}", value + 0.0); };
  for (const auto* clusters : all)
    for (const auto& one : clusters->found) {
      std::vector<std::string> row = {
          std::to_string(one.label),
          clusters->rule.direction == Direction::kAbove ? "above" : "below",
          std::to_string(one.voxels),
          rounded(one.volume_ml),
          rounded(one.peak),
          mm(one.peak_mm[0]),
          mm(one.peak_mm[1]),
          mm(one.peak_mm[2]),
          mm(one.centre_mm[0]),
          mm(one.centre_mm[1]),
          mm(one.centre_mm[2]),
          rounded(one.mean),
          rounded(one.rank_score),
          one.region.empty() ? "n/a" : one.region};
      if (with_uptake_t) row.push_back(rounded(one.uptake_t));
      table.add_row(std::move(row));
    }
  return table;
}

}  // namespace scintigen
