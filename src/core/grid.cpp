// SPDX-License-Identifier: Apache-2.0
#include "core/grid.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace scintigen {
namespace {

constexpr double kKernelReach = 3.5;  // sigmas

// Every output is the sum over `from` in rising order, along each axis, however the loops lie: the
// bits do not depend on them.

/// `count` lines of `length` neighbouring voxels.
void blur_rows(float* voxels, int64_t count, int64_t length, const std::vector<float>& kernel) {
  const auto radius = static_cast<int64_t>(kernel.size() / 2);
  std::vector<float> line(static_cast<size_t>(length));
  for (int64_t row = 0; row < count; ++row, voxels += length) {
    std::copy(voxels, voxels + length, line.begin());
    std::fill(voxels, voxels + length, 0.0F);
    for (int64_t off = -radius; off <= radius; ++off) {
      const float weight = kernel[static_cast<size_t>(off + radius)];
      const float* const in = line.data();
      const int64_t end = std::min(length, length - off);
      for (int64_t to = std::max<int64_t>(0, -off); to < end; ++to)
        voxels[to] += weight * in[to + off];
    }
  }
}

/// Along the axis whose neighbours lie `stride` apart: [outer][length][stride].
void blur_axis(float* voxels, int64_t outer, int64_t length, int64_t stride, double sigma) {
  if (sigma <= 0) return;
  const auto kernel = gaussian_kernel(sigma);
  if (stride == 1) return blur_rows(voxels, outer, length, kernel);
  const auto radius = static_cast<int64_t>(kernel.size() / 2);
  constexpr int64_t kAtOnce = 256;  // columns whose lines stay in the cache
  std::vector<float> lines(static_cast<size_t>(length * kAtOnce));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t first_column = 0; first_column < stride; first_column += kAtOnce) {
      const int64_t columns = std::min(kAtOnce, stride - first_column);
      float* const base = voxels + o * length * stride + first_column;
      for (int64_t k = 0; k < length; ++k)
        std::copy_n(base + k * stride, columns, lines.data() + k * kAtOnce);
      for (int64_t to = 0; to < length; ++to) {
        float* const out = base + to * stride;
        std::fill_n(out, columns, 0.0F);
        const int64_t last = std::min(length - 1, to + radius);
        for (int64_t from = std::max<int64_t>(0, to - radius); from <= last; ++from) {
          const float weight = kernel[static_cast<size_t>(from - to + radius)];
          const float* const in = lines.data() + from * kAtOnce;
          for (int64_t s = 0; s < columns; ++s) out[s] += weight * in[s];
        }
      }
    }
}

}  // namespace

Grid centred_grid(int64_t ni, int64_t nj, int64_t nk, double spacing_mm,
                  const std::array<int, 3>& directions) {
  Grid grid{ni, nj, nk, {}};
  grid.voxel_to_world[3][3] = 1;
  const std::array<int64_t, 3> n = {ni, nj, nk};
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto row = static_cast<size_t>(std::abs(directions[axis]) - 1);
    const double step = directions[axis] > 0 ? spacing_mm : -spacing_mm;
    grid.voxel_to_world[row][axis] = step;
    grid.voxel_to_world[row][3] = -step * static_cast<double>(n[axis] - 1) / 2;
  }
  return grid;
}

Grid grid_of(const Volume& volume) {
  return {volume.voxels.size(2), volume.voxels.size(1), volume.voxels.size(0),
          volume.voxel_to_world};
}

Volume empty_volume(const Grid& grid, const std::string& unit) {
  Volume volume;
  volume.voxels = torch::zeros({grid.nk, grid.nj, grid.ni}, torch::kFloat);
  volume.voxel_to_world = grid.voxel_to_world;
  volume.unit = unit;
  return volume;
}

std::string describe_grid(const Grid& grid) {
  const auto spacing = spacing_mm(grid.voxel_to_world);
  return fmt::format("{} x {} x {} voxels of {:.4g} x {:.4g} x {:.4g} mm", grid.ni, grid.nj,
                     grid.nk, spacing[0], spacing[1], spacing[2]);
}

std::vector<float> gaussian_kernel(double sigma) {
  const auto radius = static_cast<int64_t>(std::ceil(kKernelReach * sigma));
  std::vector<float> kernel(static_cast<size_t>(2 * radius + 1));
  double sum = 0;
  for (int64_t k = -radius; k <= radius; ++k)
    sum += kernel[static_cast<size_t>(k + radius)] =
        static_cast<float>(std::exp(-0.5 * static_cast<double>(k * k) / (sigma * sigma)));
  for (float& weight : kernel) weight = static_cast<float>(weight / sum);
  return kernel;
}

void gaussian_blur(float* voxels, int64_t ni, int64_t nj, int64_t nk,
                   const std::array<double, 3>& sigma_voxels) {
  blur_axis(voxels, nk * nj, ni, 1, sigma_voxels[0]);
  blur_axis(voxels, nk, nj, ni, sigma_voxels[1]);
  blur_axis(voxels, 1, nk, nj * ni, sigma_voxels[2]);
}

}  // namespace scintigen
