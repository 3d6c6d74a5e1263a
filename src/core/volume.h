// SPDX-License-Identifier: Apache-2.0
// A scan: voxels with a place in the world and a unit.
#pragma once
#include <torch/types.h>

#include <array>
#include <cmath>
#include <string>

namespace scintigen {

/// Row-major 4 x 4: voxel index (i,j,k,1) -> world (x,y,z,1) in mm, RAS+ (+x = Right,
/// +y = Anterior, +z = Superior). i is the fastest axis.
using Affine = std::array<std::array<double, 4>, 4>;

struct Volume {
  torch::Tensor voxels;     ///< float32 [D,H,W] = [k,j,i], CPU, contiguous
  Affine voxel_to_world{};  ///< mm, RAS+
  std::string unit;         ///< "counts", "Bq/mL", "SUVR", "1"; empty = not known
};

/// Length of each voxel axis in mm: {i, j, k}.
inline std::array<double, 3> spacing_mm(const Affine& voxel_to_world) {
  std::array<double, 3> spacing{};
  for (size_t axis = 0; axis < 3; ++axis)
    spacing[axis] =
        std::hypot(voxel_to_world[0][axis], voxel_to_world[1][axis], voxel_to_world[2][axis]);
  return spacing;
}

}  // namespace scintigen
