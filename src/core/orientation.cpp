// SPDX-License-Identifier: Apache-2.0
#include "core/orientation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace scintigen {

std::array<size_t, 3> nearest_patient_axes(const Affine& voxel_to_world) {
  const auto length = spacing_mm(voxel_to_world);
  // Each axis' own nearest could take one patient axis twice near 45 degrees.
  std::array<size_t, 3> order{0, 1, 2}, best = order;
  double most = -1;
  do {
    double agreement = 0;
    for (size_t v = 0; v < 3; ++v) agreement += std::abs(voxel_to_world[order[v]][v]) / length[v];
    if (agreement > most + 1e-9) {
      most = agreement;
      best = order;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

std::string orientation_letters(const Affine& voxel_to_world) {
  static constexpr const char* kEnds[] = {"LR", "PA", "IS"};
  const auto axes = nearest_patient_axes(voxel_to_world);
  std::string letters;
  for (size_t v = 0; v < 3; ++v) letters += kEnds[axes[v]][voxel_to_world[axes[v]][v] > 0 ? 1 : 0];
  return letters;
}

Grid canonical_orientation(const Grid& grid) {
  const auto axes = nearest_patient_axes(grid.voxel_to_world);
  const std::array<int64_t, 3> sides = {grid.ni, grid.nj, grid.nk};
  Grid turned;
  int64_t* const turned_sides[3] = {&turned.ni, &turned.nj, &turned.nk};
  turned.voxel_to_world[3][3] = 1;
  for (size_t w = 0; w < 3; ++w) turned.voxel_to_world[w][3] = grid.voxel_to_world[w][3];
  for (size_t v = 0; v < 3; ++v) {
    const size_t to = axes[v];
    *turned_sides[to] = sides[v];
    const bool reverse = grid.voxel_to_world[to][v] < 0;
    for (size_t w = 0; w < 3; ++w) {
      const double step = grid.voxel_to_world[w][v];
      turned.voxel_to_world[w][to] = reverse ? -step : step;
      if (reverse) turned.voxel_to_world[w][3] += static_cast<double>(sides[v] - 1) * step;
    }
  }
  return turned;
}

Volume canonical_orientation(const Volume& volume) {
  const auto axes = nearest_patient_axes(volume.voxel_to_world);
  Volume turned;
  turned.unit = volume.unit;
  turned.voxel_to_world = canonical_orientation(grid_of(volume)).voxel_to_world;
  std::array<int64_t, 3> order{};  // of the tensor's dimensions, which count k, j, i
  std::vector<int64_t> reversed;
  for (size_t v = 0; v < 3; ++v) {
    const size_t to = axes[v];
    const auto dimension = static_cast<int64_t>(2 - v);
    order[2 - to] = dimension;
    if (volume.voxel_to_world[to][v] < 0) reversed.push_back(static_cast<int64_t>(2 - to));
  }
  turned.voxels = volume.voxels.permute(order).flip(reversed).contiguous();
  return turned;
}

}  // namespace scintigen
