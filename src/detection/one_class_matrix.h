// SPDX-License-Identifier: Apache-2.0
// Kernel matrix of a one-class machine, for a file that has said what Floats and Wholes are, how
// many lanes they have (kLanes), how large a tile is (kTileRows, kTileParts registers), and in
// which versions to compile (SCINTIGEN_VERSIONS): one_class_eight.cpp, one_class_sixteen.cpp.
#pragma once
#include <algorithm>

#include "detection/one_class_kernels.h"
#include "models/vector_lanes.h"

namespace scintigen {
namespace {

SCINTIGEN_INLINE const Floats& lanes(const float* p) { return *reinterpret_cast<const Floats*>(p); }
SCINTIGEN_INLINE Floats& lanes(float* p) { return *reinterpret_cast<Floats*>(p); }

/// x = exp(-x) of x >= 0 within 2 ulp, in place; beyond 87 it saturates.
SCINTIGEN_INLINE void exp_minus(Floats& x) {
  const Floats most = Floats{} + 87.0f;
  const Floats y = -(x < most ? x : most);
  const Floats shifted =
      y * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to an integer in the low bits
  const Floats n = shifted - 12582912.0f;
  const Floats r = (y - n * 0.693145752f) - n * 1.42860677e-6f;
  Floats p = Floats{} + 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = (p * r) * r + r + 1.0f;
  Wholes bits, exponent;
  std::memcpy(&exponent, &shifted, sizeof(exponent));
  std::memcpy(&bits, &p, sizeof(bits));
  bits += exponent << 23;
  std::memcpy(&x, &bits, sizeof(x));
}

/// Kernel values of inner products, in place.
SCINTIGEN_INLINE void kernel_values(Floats& value, float own, const float* squares, float gamma) {
  value = own + lanes(squares) - 2.0f * value;
  value = gamma * (value > 0.0f ? value : Floats{});
  exp_minus(value);
}

/// K[i..i+R-1][j..] of P registers, from x [features][stride].
template <int R, int P>
SCINTIGEN_INLINE void kernel_tile(const float* x, const float* squares, int64_t i, int64_t j,
                                  int64_t features, int64_t stride, float gamma, float* kernel) {
  const float *left = x + i, *right = x + j;
  Floats sum[R][P] = {};
  for (int64_t k = 0; k < features; ++k, left += stride, right += stride) {
    Floats part[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) part[p] = lanes(right + p * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) sum[r][p] += left[r] * part[p];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const int64_t column = j + p * kLanes;
      kernel_values(sum[r][p], squares[i + r], squares + column, gamma);
      lanes(kernel + (i + r) * stride + column) = sum[r][p];
    }
}

/// R rows of the kernel matrix, from the block on the diagonal to the right.
template <int R>
SCINTIGEN_INLINE void kernel_rows(const float* x, const float* squares, int64_t i, int64_t features,
                                  int64_t stride, float gamma, float* kernel) {
  int64_t j = i / kMachineLanes * kMachineLanes;
  for (; j + kTileParts * kLanes <= stride; j += kTileParts * kLanes)
    kernel_tile<R, kTileParts>(x, squares, i, j, features, stride, gamma, kernel);
  for (; j < stride; j += kMachineLanes)
    kernel_tile<R, kMachineLanes / kLanes>(x, squares, i, j, features, stride, gamma, kernel);
}

/// Copies the blocks above the diagonal below it, eight by eight.
SCINTIGEN_INLINE void mirror(float* kernel, int64_t stride) {
  for (int64_t i = kMachineLanes; i < stride; i += 8)
    for (int64_t j = 0; j < i / kMachineLanes * kMachineLanes; j += 8) {
      Eight part[8];
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) part[r] = eight(kernel + (j + r) * stride + i);
      transpose_eight(part);
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) eight(kernel + (i + r) * stride + j) = part[r];
    }
}

/// used = 1 for the controls among the last kMachineLanes lanes, where those past them lie, too.
SCINTIGEN_INLINE void last_lanes(int64_t controls, int64_t stride, float* used) {
  for (int64_t i = 0; i < kMachineLanes; ++i)
    used[i] = stride - kMachineLanes + i < controls ? 1.0f : 0.0f;
}

SCINTIGEN_VERSIONS
double centre_examples(const float* examples, int64_t controls, int64_t features, int64_t stride,
                       float* centred, float* squares) {
  const int64_t whole = stride - kMachineLanes;
  alignas(64) float used[kMachineLanes];
  last_lanes(controls, stride, used);
  double sum = 0, mean_square = 0;
  std::fill(squares, squares + stride, 0.0f);
  for (int64_t k = 0; k < features; ++k) {
    const float* x = examples + k * stride;
    float* y = centred + k * stride;
    const float first = x[0];  // sums about it: no cancellation where the mean is large
    Floats shifted{};
    int64_t i = 0;
    for (; i < whole; i += kLanes) shifted += lanes(x + i) - first;
    for (; i < stride; i += kLanes)
      shifted += lanes(used + i - whole) > 0.0f ? lanes(x + i) - first : Floats{};
    const float mean = first + sum_of(shifted) / static_cast<float>(controls);
    for (i = 0; i < whole; i += kLanes) {
      const Floats value = lanes(x + i) - mean;
      lanes(y + i) = value;
      lanes(squares + i) += value * value;
    }
    for (; i < stride; i += kLanes) {
      const Floats value = lanes(used + i - whole) > 0.0f ? lanes(x + i) - mean : Floats{};
      lanes(y + i) = value;
      lanes(squares + i) += value * value;
    }
    sum += mean;
    mean_square += static_cast<double>(mean) * mean;
  }
  double within = 0;
  for (int64_t i = 0; i < controls; ++i) within += squares[i];
  const auto count = static_cast<double>(features);
  return within / (count * static_cast<double>(controls)) +
         std::max(0.0, mean_square / count - sum / count * (sum / count));
}

SCINTIGEN_VERSIONS
void rbf_kernel(const float* centred, const float* squares, int64_t controls, int64_t features,
                int64_t stride, float gamma, float* kernel) {
  int64_t i = 0;
  for (; i < controls && i + kTileRows <= stride; i += kTileRows)  // the last may pass the controls
    kernel_rows<kTileRows>(centred, squares, i, features, stride, gamma, kernel);
  for (; i < controls; ++i) kernel_rows<1>(centred, squares, i, features, stride, gamma, kernel);
  mirror(kernel, stride);
  alignas(64) float used[kMachineLanes];
  last_lanes(controls, stride, used);
  for (i = 0; i < controls; ++i) {
    kernel[i * stride + i] = 1.0f;
    float* last = kernel + (i + 1) * stride - kMachineLanes;
    for (int64_t j = 0; j < kMachineLanes; j += kLanes)
      lanes(last + j) = lanes(used + j) > 0.0f ? lanes(last + j) : Floats{};
  }
  std::fill(kernel + controls * stride, kernel + stride * stride, 0.0f);
}

}  // namespace
}  // namespace scintigen
