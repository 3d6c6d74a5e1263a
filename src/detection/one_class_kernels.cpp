// SPDX-License-Identifier: Apache-2.0
#include "detection/one_class_kernels.h"

#include <algorithm>

#include "models/eight_lanes.h"

namespace scintigen {
namespace {

constexpr int64_t kTileRows = 4;  // of the kernel matrix: 4 x 16 sums in 8 registers of AVX2

/// Eight kernel values of inner products, in place.
SCINTIGEN_INLINE void kernel_values(Eight& value, float own, const float* squares, float gamma) {
  value = own + eight(squares) - 2.0f * value;
  value = gamma * (value > 0.0f ? value : Eight{});
  exp_minus_eight(value);
}

/// K[i..i+3][j..j+15] from x [features][stride].
SCINTIGEN_INLINE void kernel_tile(const float* x, const float* squares, int64_t i, int64_t j,
                                  int64_t features, int64_t stride, float gamma, float* kernel) {
  const float *left = x + i, *right = x + j;
  Eight a0{}, a1{}, b0{}, b1{}, c0{}, c1{}, d0{}, d1{};
  for (int64_t k = 0; k < features; ++k, left += stride, right += stride) {
    const Eight u = eight(right), v = eight(right + 8);
    a0 += left[0] * u, a1 += left[0] * v;
    b0 += left[1] * u, b1 += left[1] * v;
    c0 += left[2] * u, c1 += left[2] * v;
    d0 += left[3] * u, d1 += left[3] * v;
  }
  Eight sums[kTileRows][2] = {{a0, a1}, {b0, b1}, {c0, c1}, {d0, d1}};
  for (int64_t r = 0; r < kTileRows; ++r)
    for (int64_t half = 0; half < 2; ++half) {
      kernel_values(sums[r][half], squares[i + r], squares + j + 8 * half, gamma);
      eight(kernel + (i + r) * stride + j + 8 * half) = sums[r][half];
    }
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

}  // namespace

SCINTIGEN_CLONES
void pack_examples(const float* rows, int64_t controls, int64_t features, int64_t stride,
                   float* examples) {
  int64_t i = 0;
  for (; i + 8 <= controls; i += 8) {
    const float* from = rows + i * features;
    int64_t k = 0;
    for (; k + 8 <= features; k += 8) {
      Eight part[8];
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) std::memcpy(&part[r], from + r * features + k, sizeof(Eight));
      transpose_eight(part);
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) eight(examples + (k + r) * stride + i) = part[r];
    }
    for (; k < features; ++k)
      for (int64_t r = 0; r < 8; ++r) examples[k * stride + i + r] = from[r * features + k];
  }
  for (; i < controls; ++i)
    for (int64_t k = 0; k < features; ++k) examples[k * stride + i] = rows[i * features + k];
}

SCINTIGEN_CLONES
double centre_examples(const float* examples, int64_t controls, int64_t features, int64_t stride,
                       float* centred, float* squares) {
  double sum = 0, mean_square = 0;
  std::fill(squares, squares + stride, 0.0f);
  for (int64_t k = 0; k < features; ++k) {
    const float* x = examples + k * stride;
    float* y = centred + k * stride;
    const float first = x[0];  // sums about it: no cancellation where the mean is large
    Eight shifted{};
    int64_t i = 0;
    for (; i + 8 <= controls; i += 8) shifted += eight(x + i) - first;
    float rest = 0;
    for (; i < controls; ++i) rest += x[i] - first;
    const float mean = first + (sum_of(shifted) + rest) / static_cast<float>(controls);
    for (i = 0; i < stride; i += 8) {
      const Eight value = eight(x + i) - mean;
      eight(y + i) = value;
      eight(squares + i) += value * value;
    }
    std::fill(y + controls, y + stride, 0.0f);
    sum += mean;
    mean_square += static_cast<double>(mean) * mean;
  }
  std::fill(squares + controls, squares + stride, 0.0f);
  double within = 0;
  for (int64_t i = 0; i < controls; ++i) within += squares[i];
  const auto count = static_cast<double>(features);
  return within / (count * static_cast<double>(controls)) +
         std::max(0.0, mean_square / count - sum / count * (sum / count));
}

SCINTIGEN_CLONES
void rbf_kernel(const float* centred, const float* squares, int64_t controls, int64_t features,
                int64_t stride, float gamma, float* kernel) {
  for (int64_t i = 0; i < stride; i += kTileRows)
    for (int64_t j = i / kMachineLanes * kMachineLanes; j < stride; j += kMachineLanes)
      kernel_tile(centred, squares, i, j, features, stride, gamma, kernel);
  mirror(kernel, stride);
  for (int64_t i = 0; i < controls; ++i) {
    kernel[i * stride + i] = 1.0f;
    std::fill(kernel + i * stride + controls, kernel + (i + 1) * stride, 0.0f);
  }
  std::fill(kernel + controls * stride, kernel + stride * stride, 0.0f);
}

}  // namespace scintigen
