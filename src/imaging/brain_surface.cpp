// SPDX-License-Identifier: Apache-2.0
#include "imaging/brain_surface.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "imaging/even_out.h"

namespace scintigen {
namespace {

constexpr int kSplits = 4, kFirstSplits = 3;  // 2562 vertices; the first run is only to start well
constexpr int kIterations = 500, kGuidedIterations = 250;
constexpr double kBrainReachMm = 150;    // from the vertex of the head down to below the cerebellum
constexpr double kLeastPlaneMm2 = 2000;  // of a plane that belongs to the head
constexpr double kSmallRadiusMm = 3.33, kLargeRadiusMm = 10;
constexpr double kIntensityStep = 0.05;
constexpr double kDarkReachMm = 7, kBrightReachMm = 3, kProbeMm = 1;
// Shorter than the paper's 20 and 10 mm: from the first sphere those reach into the ventricles, and
// the surface folds there.
constexpr double kGuideBandMm = 6, kInsetMm = 5;  // the guided start lies that far inside
constexpr double kMostRayMm = 150;
constexpr double kCutPart = 5e-4;
constexpr int kMostRounds = 4;
constexpr double kMoreSmoothness = 1.6;

double dot(const Point& a, const Point& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

struct Start {
  Point centre{};
  double radius_mm = 0;
  float median = 0;  // of the head within that sphere
};

float median_inside(const HeadImage& head, const Point& centre, double radius) {
  std::vector<float> values;
  const Grid& g = head.grid;
  for (int64_t k = 0; k < g.nk; ++k)
    for (int64_t j = 0; j < g.nj; ++j)
      for (int64_t i = 0; i < g.ni; ++i) {
        const Point p = head.point(i, j, k);
        const Point d = {p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]};
        const float value = head.voxels[static_cast<size_t>(i + g.ni * (j + g.nj * k))];
        if (dot(d, d) < radius * radius && value > head.low && value < head.high)
          values.push_back(value);
      }
  require(!values.empty(), "brain extraction: nothing bright at the head's centre; is it a T1?");
  const auto middle = values.begin() + static_cast<int64_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Centre of gravity of what is brighter than air in the upper part of the head, and the radius of
/// a sphere of its volume.
Start find_start(const HeadImage& head) {
  const Grid& g = head.grid;
  const double cube = head.spacing();
  std::vector<double> count(static_cast<size_t>(g.nk), 0);
  for (int64_t k = 0; k < g.nk; ++k)
    for (int64_t p = 0; p < g.ni * g.nj; ++p)
      count[static_cast<size_t>(k)] +=
          head.voxels[static_cast<size_t>(p + k * g.ni * g.nj)] > head.background;
  int64_t top = g.nk - 1;
  while (top > 0 && count[static_cast<size_t>(top)] * cube * cube < kLeastPlaneMm2) --top;
  const int64_t bottom =
      std::max<int64_t>(0, top - static_cast<int64_t>(std::lround(kBrainReachMm / cube)));
  Point sum{};
  double weights = 0, voxels = 0;
  for (int64_t k = bottom; k <= top; ++k)
    for (int64_t j = 0; j < g.nj; ++j)
      for (int64_t i = 0; i < g.ni; ++i) {
        const float value = head.voxels[static_cast<size_t>(i + g.ni * (j + g.nj * k))];
        if (value <= head.background) continue;
        const double weight = std::min(value, head.high) - head.low;
        const Point p = head.point(i, j, k);
        for (size_t axis = 0; axis < 3; ++axis) sum[axis] += weight * p[axis];
        weights += weight;
        ++voxels;
      }
  require(weights > 0, "brain extraction: no head above the background; is it a T1?");
  Start start;
  for (size_t axis = 0; axis < 3; ++axis) start.centre[axis] = sum[axis] / weights;
  start.radius_mm = std::cbrt(voxels * cube * cube * cube * 3 / (4 * M_PI));
  start.median = median_inside(head, start.centre, start.radius_mm);
  return start;
}

/// Evolves a sphere to the brain's edge; names as in the paper.
class Evolution {
 public:
  Evolution(const HeadImage& head, ClosedSurface start, float median,
            const SurfaceSettings& settings, const CubeField* guide = nullptr)
      : head_(head), settings_(settings), guide_(guide), t_m_(median), surface_(std::move(start)) {}

  ClosedSurface run(int iterations) {
    std::vector<Point> moved(surface_.vertices.size());
    for (int step = 0; step < iterations; ++step) {
      const auto normals = surface_.normals();
      const double edge = surface_.mean_edge_mm();
      at::parallel_for(0, static_cast<int64_t>(moved.size()), 128, [&](int64_t begin, int64_t end) {
        for (int64_t v = begin; v < end; ++v)
          moved[static_cast<size_t>(v)] =
              next_place(static_cast<size_t>(v), normals[static_cast<size_t>(v)], edge);
      });
      std::swap(moved, surface_.vertices);
    }
    return std::move(surface_);
  }

 private:
  Point next_place(size_t v, const Point& normal, double edge) const {
    const Point& x = surface_.vertices[v];
    Point mean{};
    for (const int32_t other : surface_.neighbours[v])
      for (size_t axis = 0; axis < 3; ++axis)
        mean[axis] += surface_.vertices[static_cast<size_t>(other)][axis];
    Point s{};
    for (size_t axis = 0; axis < 3; ++axis)
      s[axis] = mean[axis] / double(surface_.neighbours[v].size()) - x[axis];
    const double along = dot(s, normal);  // s_n; above 0 where the surface is hollow
    double pull = intensity(x, normal);
    if (guide_ != nullptr) pull = guided(pull, guide_->at(x));
    const double force = smoothing(along, edge) * along + kIntensityStep * pull * edge;
    Point y{};
    for (size_t axis = 0; axis < 3; ++axis)
      y[axis] = x[axis] + 0.5 * (s[axis] - along * normal[axis]) + force * normal[axis];
    return y;
  }

  /// f_2: curvature tighter than a sulcus' is taken back, wide bends are left alone.
  double smoothing(double along, double edge) const {
    constexpr double kMiddle = (1 / kSmallRadiusMm + 1 / kLargeRadiusMm) / 2,
                     kSlope = 6 / (1 / kSmallRadiusMm - 1 / kLargeRadiusMm);
    const double curvature = 2 * std::abs(along) / (edge * edge);
    const double f2 = (1 + std::tanh(kSlope * (curvature - kMiddle))) / 2;
    return std::min(1.0, f2 * settings_.smoothness);
  }

  /// f_3: above 0 where what lies below the vertex is as bright as brain.
  double intensity(const Point& x, const Point& normal) const {
    float least = t_m_, most = head_.background;
    for (double depth = 0; depth <= kDarkReachMm; depth += kProbeMm) {
      const float value =
          head_.at({x[0] - depth * normal[0], x[1] - depth * normal[1], x[2] - depth * normal[2]});
      least = std::min(least, value);
      if (depth <= kBrightReachMm) most = std::max(most, value);
    }
    least = std::max(least, head_.low);
    most = std::min(most, t_m_);
    const double edge = head_.low + settings_.fraction * (most - head_.low);
    return 2 * (least - edge) / std::max(1e-12F, most - head_.low);
  }

  /// Near the guide's edge the T1 decides, at kGuideBandMm and beyond the guide.
  static double guided(double pull, double distance) {
    const double part = std::min(1.0, std::abs(distance) / kGuideBandMm);
    const double weight = part * part;
    return (1 - weight) * pull + weight * (distance > 0 ? -1 : 1);
  }

  const HeadImage& head_;
  const SurfaceSettings& settings_;
  const CubeField* const guide_;
  const float t_m_;
  ClosedSurface surface_;
};

double cut_part(const ClosedSurface& surface, const Grid& grid) {
  const auto winding = winding_numbers(surface, grid);
  const auto inside = winding.gt(0).sum().item<int64_t>();
  const auto cut = winding.gt(1).logical_or(winding.lt(0)).sum().item<int64_t>();
  return double(cut) / double(std::max<int64_t>(1, inside));
}

/// The centre of what was found, the radius of a sphere of its volume, the median within.
Start start_again(const HeadImage& head, double volume_mm3, const torch::Tensor& inside) {
  const auto places = inside.nonzero().to(torch::kDouble);
  Start start;
  require(places.size(0) > 0, "brain extraction: the surface shrank to nothing; is it a T1 head?");
  const auto middle = places.mean(0);
  start.centre = transform_point(
      head.grid.voxel_to_world,
      {middle[2].item<double>(), middle[1].item<double>(), middle[0].item<double>()});
  start.radius_mm = std::cbrt(std::abs(volume_mm3) * 3 / (4 * M_PI));
  start.median = median_inside(head, start.centre, start.radius_mm);
  return start;
}

ClosedSurface sphere(const Start& start, int splits) {
  ClosedSurface surface = icosphere(splits);
  for (Point& p : surface.vertices)
    for (size_t axis = 0; axis < 3; ++axis)
      p[axis] = start.centre[axis] + start.radius_mm / 2 * p[axis];
  return surface;
}

/// A sphere whose rays end where they enter what lies deeper than kInsetMm.
ClosedSurface inside_guide(const CubeField& guide, const Point& centre) {
  ClosedSurface surface = icosphere(kSplits);
  for (Point& p : surface.vertices) {
    double reach = kMostRayMm;
    const auto at = [&](double mm) -> Point {
      return {centre[0] + mm * p[0], centre[1] + mm * p[1], centre[2] + mm * p[2]};
    };
    while (reach > 1 && guide.at(at(reach)) > -kInsetMm) reach -= 1;
    p = at(reach);
  }
  return surface;
}

/// Runs with more smoothness until the surface does not cut itself; the best.
BrainSurface run_until_simple(const HeadImage& head, const ClosedSurface& start, float median,
                              SurfaceSettings settings, const CubeField* guide, int iterations) {
  BrainSurface best;
  for (int round = 0; round < kMostRounds; ++round, settings.smoothness *= kMoreSmoothness) {
    BrainSurface found;
    found.surface = Evolution(head, start, median, settings, guide).run(iterations);
    found.cut_part = cut_part(found.surface, head.grid);
    found.rounds = round;
    if (round == 0 || found.cut_part < best.cut_part) best = std::move(found);
    if (best.cut_part < kCutPart) break;
  }
  return best;
}

}  // namespace

BrainSurface find_brain_surface(HeadImage& head, const SurfaceSettings& settings) {
  const Start start = find_start(head);
  const auto first =
      Evolution(head, sphere(start, kFirstSplits), start.median, settings).run(kIterations);
  const auto inside = winding_numbers(first, head.grid).gt(0);
  even_out(head, inside);
  const Start again = start_again(head, first.volume_mm3(), inside);
  return run_until_simple(head, sphere(again, kSplits), again.median, settings, nullptr,
                          kIterations);
}

BrainSurface find_brain_surface_near(HeadImage& head, const CubeField& guide,
                                     const SurfaceSettings& settings) {
  const auto inside = torch::from_blob(const_cast<float*>(guide.voxels.data()),
                                       {guide.grid.nk, guide.grid.nj, guide.grid.ni}, torch::kFloat)
                          .lt(-kInsetMm);
  const double cube = guide.spacing();
  const double volume = double(inside.sum().item<int64_t>()) * cube * cube * cube;
  require(volume > 0, "brain extraction: the template's brain does not lie in the head");
  even_out(head, inside);
  const Start start = start_again(head, volume, inside);
  return run_until_simple(head, inside_guide(guide, start.centre), start.median, settings, &guide,
                          kGuidedIterations);
}

}  // namespace scintigen
