// SPDX-License-Identifier: Apache-2.0
#include "detection/one_class_kernels.h"

#include <algorithm>

#include "models/eight_lanes.h"

namespace scintigen {
namespace {

constexpr int kTileRows = 5;  // of the kernel matrix: 5 x 16 sums in 10 registers of AVX2

/// Eight kernel values of inner products, in place.
SCINTIGEN_INLINE void kernel_values(Eight& value, float own, const float* squares, float gamma) {
  value = own + eight(squares) - 2.0f * value;
  value = gamma * (value > 0.0f ? value : Eight{});
  exp_minus_eight(value);
}

/// K[i..i+R-1][j..j+15] from x [features][stride].
template <int R>
SCINTIGEN_INLINE void kernel_tile(const float* x, const float* squares, int64_t i, int64_t j,
                                  int64_t features, int64_t stride, float gamma, float* kernel) {
  const float *left = x + i, *right = x + j;
  Eight low[R] = {}, high[R] = {};
  for (int64_t k = 0; k < features; ++k, left += stride, right += stride) {
    const Eight u = eight(right), v = eight(right + 8);
#pragma GCC unroll 5
    for (int r = 0; r < R; ++r) {
      low[r] += left[r] * u;
      high[r] += left[r] * v;
    }
  }
#pragma GCC unroll 5
  for (int r = 0; r < R; ++r) {
    float* row = kernel + (i + r) * stride + j;
    kernel_values(low[r], squares[i + r], squares + j, gamma);
    kernel_values(high[r], squares[i + r], squares + j + 8, gamma);
    eight(row) = low[r];
    eight(row + 8) = high[r];
  }
}

/// R rows of the kernel matrix, from the block on the diagonal to the right.
template <int R>
SCINTIGEN_INLINE void kernel_rows(const float* x, const float* squares, int64_t i, int64_t features,
                                  int64_t stride, float gamma, float* kernel) {
  for (int64_t j = i / kMachineLanes * kMachineLanes; j < stride; j += kMachineLanes)
    kernel_tile<R>(x, squares, i, j, features, stride, gamma, kernel);
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
    for (int64_t line = 0; line < 8 * features; line += 16)  // the rows after these eight
      __builtin_prefetch(from + 8 * features + line);
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
  int64_t i = 0;
  for (; i + kTileRows <= controls; i += kTileRows)
    kernel_rows<kTileRows>(centred, squares, i, features, stride, gamma, kernel);
  for (; i < controls; ++i) kernel_rows<1>(centred, squares, i, features, stride, gamma, kernel);
  mirror(kernel, stride);
  for (i = 0; i < controls; ++i) {
    kernel[i * stride + i] = 1.0f;
    std::fill(kernel + i * stride + controls, kernel + (i + 1) * stride, 0.0f);
  }
  std::fill(kernel + controls * stride, kernel + stride * stride, 0.0f);
}

}  // namespace scintigen
