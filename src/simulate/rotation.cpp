// SPDX-License-Identifier: Apache-2.0
#include "simulate/rotation.h"

#include <algorithm>
#include <cmath>

#include "core/instruction_clones.h"

namespace scintigen {
namespace {

/// The four columns about a turned point; a column outside the support has weight 0 and stands for
/// column 0, which may be read and written at no harm.
struct Corners {
  int64_t offset[4];
  float weight[4];
};

inline __attribute__((always_inline)) bool corners_at(const Turn& turn, int64_t u, int64_t w,
                                                      Corners& corners) {
  const Support& support = *turn.support;
  const int64_t side = support.side();
  const double centre = 0.5 * static_cast<double>(side - 1);
  const double across = static_cast<double>(u) - centre, depth = static_cast<double>(w) - centre;
  const double reach = centre + 0.5;  // further out all four columns are outside the disc
  if (across * across + depth * depth > reach * reach) return false;
  const double x = centre + across * turn.cosine - depth * turn.sine;
  const double y = centre + across * turn.sine + depth * turn.cosine;
  const int64_t x0 = static_cast<int64_t>(x + 2) - 2, y0 = static_cast<int64_t>(y + 2) - 2;
  const uint8_t* inside = support.from(y0, x0);
  const uint8_t flags[4] = {inside[0], inside[1], inside[support.stride()],
                            inside[support.stride() + 1]};
  if ((flags[0] | flags[1] | flags[2] | flags[3]) == 0) return false;
  // x + 2 may have been rounded up to a whole number.
  const auto fx = static_cast<float>(std::max(x - static_cast<double>(x0), 0.0)),
             fy = static_cast<float>(std::max(y - static_cast<double>(y0), 0.0));
  const float weights[4] = {(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx};
  for (int64_t k = 0; k < 4; ++k) {
    corners.weight[k] = flags[k] != 0 ? weights[k] : 0.0f;
    corners.offset[k] = flags[k] != 0 ? ((y0 + k / 2) * side + x0 + k % 2) * turn.slices : 0;
  }
  return true;
}

}  // namespace

Support::Support(int64_t side)
    : side_(side), inside_(static_cast<size_t>((side + 2 * kRim) * (side + 2 * kRim)), 0) {}

Support Support::disc(int64_t side) {
  Support support(side);
  const double centre = 0.5 * static_cast<double>(side - 1);
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x)
      support.inside_[static_cast<size_t>(support.place(y, x))] =
          std::hypot(static_cast<double>(y) - centre, static_cast<double>(x) - centre) <=
          centre - 1;  // every turned neighbour of such a column is a voxel too
  return support;
}

Support Support::of(const std::vector<float>& columns, int64_t side, int64_t slices) {
  Support support = disc(side);
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      const float* column = columns.data() + (y * side + x) * slices;
      auto& inside = support.inside_[static_cast<size_t>(support.place(y, x))];
      if (inside != 0 && std::all_of(column, column + slices, [](float v) { return v == 0; }))
        inside = 0;
    }
  }
  return support;
}

SCINTIGEN_CLONES RowRange turn_plane(const Turn& turn, const float* columns, int64_t w,
                                     float* plane) {
  const int64_t side = turn.support->side(), slices = turn.slices;
  RowRange rows;
  Corners corners;
  for (int64_t u = 0; u < side; ++u) {
    float* __restrict out = plane + u * slices;
    if (!corners_at(turn, u, w, corners)) {
      if (!rows.empty()) std::fill_n(out, slices, 0.0f);  // a gap, or after the last
      continue;
    }
    const float *c0 = columns + corners.offset[0], *c1 = columns + corners.offset[1],
                *c2 = columns + corners.offset[2], *c3 = columns + corners.offset[3];
    const float w0 = corners.weight[0], w1 = corners.weight[1], w2 = corners.weight[2],
                w3 = corners.weight[3];
#pragma omp simd
    for (int64_t z = 0; z < slices; ++z) out[z] = w0 * c0[z] + w1 * c1[z] + w2 * c2[z] + w3 * c3[z];
    if (rows.empty()) rows.first = u;
    rows.last = u + 1;
  }
  return rows;
}

RowRange rows_of_plane(const Turn& turn, int64_t w) {
  RowRange rows;
  Corners corners;
  for (int64_t u = 0; u < turn.support->side(); ++u) {
    if (!corners_at(turn, u, w, corners)) continue;
    if (rows.empty()) rows.first = u;
    rows.last = u + 1;
  }
  return rows;
}

SCINTIGEN_CLONES void turn_plane_back(const Turn& turn, const float* plane, RowRange rows,
                                      int64_t w, float* columns) {
  const int64_t slices = turn.slices;
  Corners corners;
  for (int64_t u = rows.first; u < rows.last; ++u) {
    if (!corners_at(turn, u, w, corners)) continue;
    const float* __restrict from = plane + u * slices;
    for (int64_t k = 0; k < 4; ++k) {
      const float weight = corners.weight[k];
      if (weight == 0) continue;
      float* __restrict to = columns + corners.offset[k];
#pragma omp simd
      for (int64_t z = 0; z < slices; ++z) to[z] += weight * from[z];
    }
  }
}

}  // namespace scintigen
