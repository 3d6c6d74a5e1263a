// SPDX-License-Identifier: Apache-2.0
// Kernel matrix of a one-class machine, for a file that has said what Floats and Wholes are, how
// many lanes they have (kLanes), and in which versions to compile (SCINTIGEN_VERSIONS):
// one_class_eight.cpp, one_class_sixteen.cpp.
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

/// K[i..i+R-1][j..j+15] from x [features][stride].
template <int R>
SCINTIGEN_INLINE void kernel_tile(const float* x, const float* squares, int64_t i, int64_t j,
                                  int64_t features, int64_t stride, float gamma, float* kernel) {
  constexpr int kParts = kMachineLanes / kLanes;
  const float *left = x + i, *right = x + j;
  Floats sum[R][kParts] = {};
  for (int64_t k = 0; k < features; ++k, left += stride, right += stride) {
    Floats part[kParts];
#pragma GCC unroll 2
    for (int p = 0; p < kParts; ++p) part[p] = lanes(right + p * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int p = 0; p < kParts; ++p) sum[r][p] += left[r] * part[p];
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < kParts; ++p) {
      const int64_t column = j + p * kLanes;
      kernel_values(sum[r][p], squares[i + r], squares + column, gamma);
      lanes(kernel + (i + r) * stride + column) = sum[r][p];
    }
}

/// Memory that will be read later, fetched a little with every tile: all at once would wait for it.
class Ahead {
 public:
  SCINTIGEN_INLINE Ahead(const float* from, int64_t count)
      : at_(from), end_(from == nullptr ? from : from + count) {}
  SCINTIGEN_INLINE void fetch_some() {
    for (int line = 0; line < 16 && at_ < end_; ++line, at_ += 16) __builtin_prefetch(at_, 0, 2);
  }

 private:
  const float *at_, *end_;
};

/// R rows of the kernel matrix, from the block on the diagonal to the right.
template <int R>
SCINTIGEN_INLINE void kernel_rows(const float* x, const float* squares, int64_t i, int64_t features,
                                  int64_t stride, float gamma, float* kernel, Ahead& ahead) {
  for (int64_t j = i / kMachineLanes * kMachineLanes; j < stride; j += kMachineLanes) {
    ahead.fetch_some();
    kernel_tile<R>(x, squares, i, j, features, stride, gamma, kernel);
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

SCINTIGEN_VERSIONS
double centre_examples(const float* examples, int64_t controls, int64_t features, int64_t stride,
                       float* centred, float* squares) {
  double sum = 0, mean_square = 0;
  std::fill(squares, squares + stride, 0.0f);
  for (int64_t k = 0; k < features; ++k) {
    const float* x = examples + k * stride;
    float* y = centred + k * stride;
    const float first = x[0];  // sums about it: no cancellation where the mean is large
    Floats shifted{};
    int64_t i = 0;
    for (; i + kLanes <= controls; i += kLanes) shifted += lanes(x + i) - first;
    float rest = 0;
    for (; i < controls; ++i) rest += x[i] - first;
    const float mean = first + (sum_of(shifted) + rest) / static_cast<float>(controls);
    for (i = 0; i < stride; i += kLanes) {
      const Floats value = lanes(x + i) - mean;
      lanes(y + i) = value;
      lanes(squares + i) += value * value;
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

SCINTIGEN_VERSIONS
void rbf_kernel(const float* centred, const float* squares, int64_t controls, int64_t features,
                int64_t stride, float gamma, float* kernel, const float* next_rows) {
  Ahead ahead(next_rows, controls * features);
  int64_t i = 0;
  for (; i < controls && i + kTileRows <= stride; i += kTileRows)  // the last may pass the controls
    kernel_rows<kTileRows>(centred, squares, i, features, stride, gamma, kernel, ahead);
  for (; i < controls; ++i)
    kernel_rows<1>(centred, squares, i, features, stride, gamma, kernel, ahead);
  mirror(kernel, stride);
  for (i = 0; i < controls; ++i) {
    kernel[i * stride + i] = 1.0f;
    std::fill(kernel + i * stride + controls, kernel + (i + 1) * stride, 0.0f);
  }
  std::fill(kernel + controls * stride, kernel + stride * stride, 0.0f);
}

}  // namespace
}  // namespace scintigen
