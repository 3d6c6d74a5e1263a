// SPDX-License-Identifier: Apache-2.0
#include "core/same_grid.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "core/affine.h"
#include "core/error.h"

namespace scintigen {
namespace {

/// [i,j,k], as other programs print a NIfTI file's shape.
std::vector<int64_t> file_shape(const Volume& volume) {
  auto shape = volume.voxels.sizes().vec();
  std::reverse(shape.begin(), shape.end());
  return shape;
}

}  // namespace

double corner_distance_mm(const Affine& a, const Affine& b, torch::IntArrayRef shape) {
  double farthest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    Point index{};
    for (size_t axis = 0; axis < 3; ++axis)
      index[axis] = corner >> axis & 1 ? static_cast<double>(shape[2 - axis] - 1) : 0.0;
    const auto p = transform_point(a, index), q = transform_point(b, index);
    farthest = std::max(farthest, std::hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]));
  }
  return farthest;
}

void require_same_grid(const Volume& a, const std::string& name_a, const Volume& b,
                       const std::string& name_b) {
  require(a.voxels.sizes() == b.voxels.sizes(),
          "{} has {} voxels and {} has {}; expected one grid; resample one to the other first",
          name_a, fmt::join(file_shape(a), " x "), name_b, fmt::join(file_shape(b), " x "));
  const double apart_mm = corner_distance_mm(a.voxel_to_world, b.voxel_to_world, a.voxels.sizes());
  require(apart_mm <= kSameGrid_mm,
          "{} and {} lie elsewhere: a corner voxel is {:.4g} mm apart, expected at most {} mm; "
          "resample one to the other first",
          name_a, name_b, apart_mm, kSameGrid_mm);
}

}  // namespace scintigen
