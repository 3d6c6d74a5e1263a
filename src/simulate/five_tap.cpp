// SPDX-License-Identifier: Apache-2.0
#include "simulate/five_tap.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/instruction_clones.h"

namespace scintigen {
namespace {

constexpr double kMostVariance = 0.6;  // of one step: the kernel stays far from its limits

/// One step: rows of `wanted` from the rows of `held`. `padded` is a row with two zeros at each
/// end.
SCINTIGEN_CLONES void blur_step(const float* from, RowRange held, RowRange wanted, int64_t length,
                                FiveTap across, FiveTap along, const float* zeros, float* padded,
                                float* to) {
  float* __restrict middle = padded + 2;
  for (int64_t row = wanted.first; row < wanted.last; ++row) {
    const float* rows[5];
    for (int64_t k = 0; k < 5; ++k) {
      const int64_t at = row + k - 2;
      rows[k] = at >= held.first && at < held.last ? from + at * length : zeros;
    }
    const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3], *r4 = rows[4];
#pragma omp simd
    for (int64_t z = 0; z < length; ++z)
      middle[z] =
          across.centre * r2[z] + across.first * (r1[z] + r3[z]) + across.second * (r0[z] + r4[z]);
    float* __restrict out = to + row * length;
#pragma omp simd
    for (int64_t z = 0; z < length; ++z)
      out[z] = along.centre * middle[z] + along.first * (middle[z - 1] + middle[z + 1]) +
               along.second * (middle[z - 2] + middle[z + 2]);
  }
}

int64_t mirrored(int64_t index, int64_t count) {
  while (index < 0 || index >= count) index = index < 0 ? -1 - index : 2 * count - 1 - index;
  return index;
}

/// One step along the middle axis of [outer][count][inner].
SCINTIGEN_CLONES void smooth_axis(const float* from, int64_t outer, int64_t count, int64_t inner,
                                  FiveTap tap, float* to) {
  for (int64_t o = 0; o < outer; ++o) {
    const float* block = from + o * count * inner;
    for (int64_t i = 0; i < count; ++i) {
      const float *r0 = block + mirrored(i - 2, count) * inner,
                  *r1 = block + mirrored(i - 1, count) * inner, *r2 = block + i * inner,
                  *r3 = block + mirrored(i + 1, count) * inner,
                  *r4 = block + mirrored(i + 2, count) * inner;
      float* __restrict out = to + (o * count + i) * inner;
#pragma omp simd
      for (int64_t z = 0; z < inner; ++z)
        out[z] = tap.centre * r2[z] + tap.first * (r1[z] + r3[z]) + tap.second * (r0[z] + r4[z]);
    }
  }
}

}  // namespace

FiveTap::FiveTap(double variance) {
  const double b = (3 * variance * variance - variance) / 24, a = (variance - 8 * b) / 2;
  second = static_cast<float>(b);
  first = static_cast<float>(a);
  centre = static_cast<float>(1 - 2 * a - 2 * b);
}

int64_t five_tap_steps(double variance) {
  return static_cast<int64_t>(std::ceil(std::max(variance, 0.0) / kMostVariance));
}

RowRange united(RowRange a, RowRange b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.first, b.first), std::max(a.last, b.last)};
}

PlaneBlur::PlaneBlur(int64_t rows, int64_t length)
    : rows_(rows),
      length_(length),
      zeros_(static_cast<size_t>(length), 0.0f),
      padded_(static_cast<size_t>(length) + 4, 0.0f) {}

RowRange PlaneBlur::apply(double across, double along, RowRange held, float*& plane,
                          float*& spare) {
  const int64_t steps = five_tap_steps(std::max(across, along));
  if (steps == 0 || held.empty()) return held;
  const auto count = static_cast<double>(steps);
  const FiveTap across_tap(std::max(across, 0.0) / count), along_tap(std::max(along, 0.0) / count);
  for (int64_t step = 0; step < steps; ++step) {
    const RowRange wanted{std::max<int64_t>(held.first - 2, 0), std::min(held.last + 2, rows_)};
    blur_step(plane, held, wanted, length_, across_tap, along_tap, zeros_.data(), padded_.data(),
              spare);
    std::swap(plane, spare);
    held = wanted;
  }
  return held;
}

void smooth_columns(std::vector<float>& columns, int64_t side, int64_t slices, double in_plane,
                    double axial) {
  std::vector<float> spare(columns.size());
  const auto along = [&](int64_t outer, int64_t count, int64_t inner, double variance) {
    const int64_t steps = five_tap_steps(variance);
    for (int64_t step = 0; step < steps; ++step) {
      smooth_axis(columns.data(), outer, count, inner,
                  FiveTap(variance / static_cast<double>(steps)), spare.data());
      columns.swap(spare);
    }
  };
  along(1, side, side * slices, in_plane);
  along(side, side, slices, in_plane);
  along(side * side, slices, 1, axial);
}

}  // namespace scintigen
