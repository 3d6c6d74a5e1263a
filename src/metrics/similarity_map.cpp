// SPDX-License-Identifier: Apache-2.0
#include "metrics/similarity_map.h"

#include <ATen/Parallel.h>

#include <utility>

#include "core/instruction_clones.h"

namespace scintigen {
namespace {

/// What one plane of windows is computed from.
struct Plane {
  const float *a, *b;   // the first slice under the windows
  const uint8_t* mask;  // of the slice in their middle; null = none
  int64_t slice, height, width;
  const double* weights;
  double covariance_factor, c1, c2;
  double* room;  // room_doubles()
};

constexpr int64_t kSums = 4;  // a, b, a^2 + b^2, ab

int64_t room_doubles(int64_t taps, int64_t width) {
  return (taps + 1) * kSums * width + width;  // a ring of rows, one row of sums, one of the map
}

/// Weighted sums of one row across the slices under the window. All inputs are float32: products
/// are exact in double.
template <size_t... S>
SCINTIGEN_INLINE void sum_across_slices(const Plane& plane, int64_t row, double* __restrict to,
                                        std::index_sequence<S...>) {
  constexpr size_t kSlices = sizeof...(S);
  const int64_t width = plane.width;
  const float *const a[kSlices] = {(plane.a + static_cast<int64_t>(S) * plane.slice +
                                    row * width)...},
                     *const b[kSlices] = {
                         (plane.b + static_cast<int64_t>(S) * plane.slice + row * width)...};
  const double weights[kSlices] = {(kSlices == 1 ? 1.0 : plane.weights[S])...};
#pragma omp simd
  for (int64_t x = 0; x < width; ++x) {
    double sum_a = 0, sum_b = 0, squares = 0, products = 0;
    const auto add = [&](double value_a, double value_b, double weight)
        __attribute__((always_inline)) {
      sum_a += weight * value_a;
      sum_b += weight * value_b;
      squares += weight * (value_a * value_a + value_b * value_b);
      products += weight * (value_a * value_b);
    };
    (add(static_cast<double>(a[S][x]), static_cast<double>(b[S][x]), weights[S]), ...);
    to[x] = sum_a;
    to[width + x] = sum_b;
    to[2 * width + x] = squares;
    to[3 * width + x] = products;
  }
}

/// Weighted sum of rows of the ring; `first` is the uppermost.
template <size_t... T>
SCINTIGEN_INLINE void sum_across_rows(const double* ring, int64_t first, int64_t count,
                                      const double* weights, double* __restrict to,
                                      std::index_sequence<T...>) {
  constexpr auto kTaps = static_cast<int64_t>(sizeof...(T));
  const double* const rows[kTaps] = {(ring + (first + static_cast<int64_t>(T)) % kTaps * count)...};
  const double w[kTaps] = {weights[T]...};
#pragma omp simd
  for (int64_t x = 0; x < count; ++x) to[x] = ((w[T] * rows[T][x]) + ...);
}

/// Weighted sums along the row, and SSIM of each window; adds to the sums.
template <size_t... T>
SCINTIGEN_INLINE void map_row(const Plane& plane, const double* sums, double* __restrict map,
                              SimilaritySums& total, std::index_sequence<T...>) {
  constexpr auto kTaps = static_cast<int64_t>(sizeof...(T));
  const int64_t width = plane.width, windows = width - kTaps + 1;
  const double* const of_a = sums;
  const double *const of_b = sums + width, *const of_squares = sums + 2 * width,
                      *const of_products = sums + 3 * width;
  const double w[kTaps] = {plane.weights[T]...};
  const double factor = plane.covariance_factor, c1 = plane.c1, c2 = plane.c2;
  double ssim = 0, contrast = 0;
#pragma omp simd reduction(+ : ssim, contrast)
  for (int64_t x = 0; x < windows; ++x) {
    const double mean_a = ((w[T] * of_a[x + static_cast<int64_t>(T)]) + ...);
    const double mean_b = ((w[T] * of_b[x + static_cast<int64_t>(T)]) + ...);
    const double squares = ((w[T] * of_squares[x + static_cast<int64_t>(T)]) + ...);
    const double products = ((w[T] * of_products[x + static_cast<int64_t>(T)]) + ...);
    const double mean_squares = mean_a * mean_a + mean_b * mean_b, mean_product = mean_a * mean_b;
    const double variances = factor * (squares - mean_squares);
    const double covariance = factor * (products - mean_product);
    const double structure = (2 * covariance + c2) / (variances + c2);
    map[x] = (2 * mean_product + c1) / (mean_squares + c1) * structure;
    ssim += map[x];
    contrast += structure;
  }
  total.ssim += ssim;
  total.contrast += contrast;
  total.windows += windows;
}

SCINTIGEN_INLINE void add_in_mask(const double* map, const uint8_t* mask, int64_t windows,
                                  SimilaritySums& total) {
  double ssim = 0;
  int64_t inside = 0;
#pragma omp simd reduction(+ : ssim, inside)
  for (int64_t x = 0; x < windows; ++x) {
    ssim += mask[x] != 0 ? map[x] : 0.0;
    inside += mask[x] != 0 ? 1 : 0;
  }
  total.ssim_in_mask += ssim;
  total.windows_in_mask += inside;
}

template <int64_t Taps, size_t Slices>
SCINTIGEN_INLINE SimilaritySums sum_plane(const Plane& plane) {
  const std::make_index_sequence<static_cast<size_t>(Taps)> taps;
  const int64_t count = kSums * plane.width;
  double *const ring = plane.room, *const sums = ring + Taps * count, *const map = sums + count;
  SimilaritySums total;
  for (int64_t row = 0; row < plane.height; ++row) {
    sum_across_slices(plane, row, ring + row % Taps * count, std::make_index_sequence<Slices>());
    if (row < Taps - 1) continue;
    sum_across_rows(ring, row - (Taps - 1), count, plane.weights, sums, taps);
    map_row(plane, sums, map, total, taps);
    if (plane.mask != nullptr)
      add_in_mask(map, plane.mask + (row - Taps / 2) * plane.width + Taps / 2,
                  plane.width - Taps + 1, total);
  }
  return total;
}

using SumPlane = SimilaritySums (*)(const Plane&);

SCINTIGEN_CLONES SimilaritySums gaussian_in_slice(const Plane& plane) {
  return sum_plane<kGaussianTaps, 1>(plane);
}
SCINTIGEN_CLONES SimilaritySums uniform_in_slice(const Plane& plane) {
  return sum_plane<kUniformTaps, 1>(plane);
}
SCINTIGEN_CLONES SimilaritySums gaussian_in_volume(const Plane& plane) {
  return sum_plane<kGaussianTaps, kGaussianTaps>(plane);
}
SCINTIGEN_CLONES SimilaritySums uniform_in_volume(const Plane& plane) {
  return sum_plane<kUniformTaps, kUniformTaps>(plane);
}

/// `above`: slices between a plane's first slice and the one in the middle of its windows.
template <class Wanted>
std::vector<SimilaritySums> sum_planes(const SimilarityInput& input, const SimilarityKernel& kernel,
                                       int64_t planes, int64_t above, SumPlane work,
                                       const Wanted& wanted) {
  std::vector<SimilaritySums> sums(static_cast<size_t>(planes));
  const int64_t slice = input.height * input.width;
  const auto taps = static_cast<int64_t>(kernel.weights.size());
  at::parallel_for(0, planes, 1, [&](int64_t begin, int64_t end) {
    std::vector<double> room(static_cast<size_t>(room_doubles(taps, input.width)));
    for (int64_t k = begin; k < end; ++k) {
      if (!wanted(k)) continue;
      const uint8_t* mask = input.mask ? input.mask + (k + above) * slice : nullptr;
      sums[static_cast<size_t>(k)] = work(
          {input.a + k * slice, input.b + k * slice, mask, slice, input.height, input.width,
           kernel.weights.data(), kernel.covariance_factor, kernel.c1, kernel.c2, room.data()});
    }
  });
  return sums;
}

}  // namespace

std::vector<SimilaritySums> sum_by_slice(const SimilarityInput& input,
                                         const SimilarityKernel& kernel,
                                         const std::vector<bool>& counted) {
  const bool gaussian = kernel.weights.size() == kGaussianTaps;
  return sum_planes(input, kernel, input.depth, 0, gaussian ? gaussian_in_slice : uniform_in_slice,
                    [&](int64_t k) { return counted[static_cast<size_t>(k)]; });
}

std::vector<SimilaritySums> sum_by_plane(const SimilarityInput& input,
                                         const SimilarityKernel& kernel) {
  const auto taps = static_cast<int64_t>(kernel.weights.size());
  return sum_planes(input, kernel, input.depth - taps + 1, taps / 2,
                    taps == kGaussianTaps ? gaussian_in_volume : uniform_in_volume,
                    [](int64_t) { return true; });
}

}  // namespace scintigen
