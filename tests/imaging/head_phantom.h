// SPDX-License-Identifier: Apache-2.0
// A head of ellipsoids as T1 and as tracer uptake, placed anywhere: known maps for registration.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/affine.h"
#include "core/grid.h"
#include "core/random.h"

namespace scintigen {

enum class PhantomScan { kT1, kUptake };

struct HeadPhantom {
  bool asymmetric = true;
  double noise = 0;         ///< SD as part of the brightest tissue
  double smoothing_mm = 3;  ///< SD
  uint64_t seed = 1;
};

/// How far p is inside the ellipsoid: > 0 inside.
inline double depth_in(const Point& p, const Point& centre, const Point& radii) {
  double sum = 0;
  for (size_t axis = 0; axis < 3; ++axis)
    sum += (p[axis] - centre[axis]) * (p[axis] - centre[axis]) / (radii[axis] * radii[axis]);
  return 1 - std::sqrt(sum);
}

/// Intensity at a point of the head's own frame (mm, RAS+).
inline float phantom_value(const Point& p, PhantomScan scan, bool asymmetric) {
  const bool t1 = scan == PhantomScan::kT1;
  if (depth_in(p, {0, 0, 0}, {80, 100, 90}) < 0) return 0;
  if (depth_in(p, {0, 0, 0}, {75, 95, 85}) < 0) return t1 ? 1.0F : 0.15F;
  if (depth_in(p, {0, 0, 4}, {70, 88, 76}) < 0) return t1 ? 0.1F : 0.05F;
  const Point mirrored = {std::fabs(p[0]), p[1], p[2]};
  if (depth_in(mirrored, {10, 0, 10}, {7, 32, 14}) > 0) return t1 ? 0.15F : 0.05F;
  if (depth_in(mirrored, {26, 5, 5}, {11, 18, 14}) > 0) return t1 ? 0.55F : 0.95F;
  if (depth_in(p, {0, -55, -45}, {45, 30, 24}) > 0) return t1 ? 0.6F : 0.8F;
  if (asymmetric && depth_in(p, {40, -30, 30}, {18, 22, 16}) > 0) return t1 ? 0.2F : 0.1F;
  if (asymmetric && depth_in(p, {-45, 35, 10}, {12, 20, 18}) > 0) return t1 ? 0.65F : 1.0F;
  const double folds = std::sin(p[0] / 6) * std::sin(p[1] / 7 + 1) * std::sin(p[2] / 6.5 + 2);
  const double fold = asymmetric ? folds : std::fabs(folds);
  const bool grey = depth_in(p, {0, 0, 4}, {70, 88, 76}) < 0.14 + 0.1 * fold;
  return grey ? (t1 ? 0.6F : 1.0F) : (t1 ? 0.9F : 0.3F);
}

/// The head through `head_to_world` on `grid`.
inline Volume head_phantom(const Grid& grid, const Affine& head_to_world, PhantomScan scan,
                           const HeadPhantom& head) {
  Volume volume = empty_volume(grid, "1");
  const Affine to_head = compose(inverse(head_to_world), grid.voxel_to_world);
  auto* value = volume.voxels.data_ptr<float>();
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i)
        *value++ = phantom_value(
            transform_point(
                to_head, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)}),
            scan, head.asymmetric);
  const auto spacing = spacing_mm(grid.voxel_to_world);
  const double sigma = head.smoothing_mm;
  gaussian_blur(volume.voxels.data_ptr<float>(), grid.ni, grid.nj, grid.nk,
                {sigma / spacing[0], sigma / spacing[1], sigma / spacing[2]});
  if (head.noise > 0)
    volume.voxels += static_cast<float>(head.noise) *
                     Random(head.seed, "phantom noise").normal_tensor(volume.voxels.sizes());
  return volume;
}

/// A motion of up to 30 mm and 20 degrees.
inline Affine drawn_motion(uint64_t seed) {
  Random random(seed, "phantom motion");
  Point turn{}, shift{};
  for (size_t axis = 0; axis < 3; ++axis) {
    turn[axis] = 0.2 * (2 * random.uniform() - 1);
    shift[axis] = 17 * (2 * random.uniform() - 1);
  }
  return rigid_affine(turn, shift);
}

/// Mean distance of two maps over the brain's box.
inline double map_distance_mm(const Affine& a, const Affine& b) {
  double sum = 0;
  int count = 0;
  for (double x : {-60.0, 0.0, 60.0})
    for (double y : {-75.0, 0.0, 75.0})
      for (double z : {-60.0, 0.0, 60.0}) {
        const Point p = transform_point(a, {x, y, z}), q = transform_point(b, {x, y, z});
        sum += std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
        ++count;
      }
  return sum / count;
}

}  // namespace scintigen
