// SPDX-License-Identifier: Apache-2.0
// Where the voxels of a volume lie.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/affine.h"

namespace scintigen {

/// Shape and place of a volume; i is the fastest axis.
struct Grid {
  int64_t ni = 0, nj = 0, nk = 0;
  Affine voxel_to_world{};
  int64_t voxels() const { return ni * nj * nk; }
  bool operator==(const Grid& other) const {
    return ni == other.ni && nj == other.nj && nk == other.nk &&
           voxel_to_world == other.voxel_to_world;
  }
};

/// A grid of `spacing_mm` cubes centred on the world's origin, axes along `directions` (columns of
/// a signed permutation of x, y, z: {-1,-2,3} stores the patient's right, then front, then feet
/// first).
Grid centred_grid(int64_t ni, int64_t nj, int64_t nk, double spacing_mm,
                  const std::array<int, 3>& directions = {1, 2, 3});

/// Shape and place of a volume.
Grid grid_of(const Volume& volume);

Volume empty_volume(const Grid& grid, const std::string& unit);

/// "256 x 256 x 192 voxels of 1 x 1 x 1 mm": for messages and logs.
std::string describe_grid(const Grid& grid);

/// Weights of a Gaussian, cut at 3.5 sigma and normalised; the middle one is its centre.
std::vector<float> gaussian_kernel(double sigma);

/// Separable Gaussian of [nk,nj,ni] in place; sigma in voxels along each of i, j, k; zero outside.
/// 0 leaves an axis alone. Kernel cut at 3.5 sigma and normalised.
void gaussian_blur(float* voxels, int64_t ni, int64_t nj, int64_t nk,
                   const std::array<double, 3>& sigma_voxels);

}  // namespace scintigen
