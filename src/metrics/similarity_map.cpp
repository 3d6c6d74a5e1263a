// SPDX-License-Identifier: Apache-2.0
#include "metrics/similarity_map.h"

#include <ATen/Parallel.h>

#include <utility>

#include "core/instruction_clones.h"

namespace scintigen {
namespace {

constexpr int64_t kSums = 4;   // a, b, a^2 + b^2, ab
constexpr int64_t kLanes = 8;  // doubles in the widest vector: loops over multiples have no rest
struct alignas(64) Lanes {
  double values[kLanes] = {};
};

/// Lanes that hold `count` doubles.
constexpr int64_t lanes_for(int64_t count) { return (count + kLanes - 1) / kLanes; }

/// What one plane of windows is computed from.
struct Plane {
  const float *a, *b;   // the first slice under the windows
  const uint8_t* mask;  // of the slice in their middle; null = none
  int64_t slice, height, width;
  const double* weights;
  double covariance_factor, c1, c2;
  Lanes* room;  // room_lanes(), zeros at first
};

/// A ring of rows of sums; the sums of a row down the window, and (with what the last window reads
/// beyond the row) along it; two rows of the map.
int64_t room_lanes(int64_t taps, int64_t width) {
  return (taps + 2) * kSums * lanes_for(width) + lanes_for(kGaussianTaps) + 2 * lanes_for(width);
}

/// Weighted sums of one row across the slices under the window. All inputs are float32: products
/// are exact in double.
template <size_t... S>
SCINTIGEN_INLINE void sum_across_slices(const Plane& plane, int64_t row, int64_t pitch,
                                        double* __restrict to, std::index_sequence<S...>) {
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
    to[pitch + x] = sum_b;
    to[2 * pitch + x] = squares;
    to[3 * pitch + x] = products;
  }
}

/// to[x] = sum over t of weights[t] rows[t][x], `lanes` x kLanes of them.
template <size_t... T>
SCINTIGEN_INLINE void add_weighted(const double* const* rows, const double* weights, int64_t lanes,
                                   double* __restrict to, std::index_sequence<T...>) {
  const double* const r[] = {rows[T]...};
  const double w[] = {weights[T]...};
#pragma omp simd
  for (int64_t x = 0; x < lanes * kLanes; ++x) to[x] = ((w[T] * r[T][x]) + ...);
}

/// SSIM of each window of a row, and its second factor, from the windows' four sums. Apart from the
/// sums along the row: GCC makes a scalar chain of loads that overlap from one turn to the next.
SCINTIGEN_INLINE void map_row(const Plane& plane, const double* sums, int64_t pitch, int64_t lanes,
                              double* __restrict ssim, double* __restrict contrast) {
  const double* const of_a = sums;
  const double *const of_b = sums + pitch, *const of_squares = of_b + pitch,
                      *const of_products = of_squares + pitch;
  const double factor = plane.covariance_factor, c1 = plane.c1, c2 = plane.c2;
#pragma omp simd
  for (int64_t x = 0; x < lanes * kLanes; ++x) {
    const double a = of_a[x], b = of_b[x];
    const double mean_squares = a * a + b * b, mean_product = a * b;
    const double variances = factor * (of_squares[x] - mean_squares);
    const double covariance = factor * (of_products[x] - mean_product);
    const double structure = (2 * covariance + c2) / (variances + c2);
    contrast[x] = structure;
    ssim[x] = (2 * mean_product + c1) / (mean_squares + c1) * structure;
  }
}

/// Adds the first `windows` of the rows, and sets what follows them to 0.
SCINTIGEN_INLINE void add_row(double* ssim, double* contrast, int64_t windows, int64_t lanes,
                              SimilaritySums& total) {
  for (int64_t x = windows; x < lanes * kLanes; ++x) ssim[x] = contrast[x] = 0;
  double ssim_sum = 0, contrast_sum = 0;
#pragma omp simd reduction(+ : ssim_sum, contrast_sum)
  for (int64_t x = 0; x < lanes * kLanes; ++x) {
    ssim_sum += ssim[x];
    contrast_sum += contrast[x];
  }
  total.ssim += ssim_sum;
  total.contrast += contrast_sum;
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
  const int64_t row_lanes = lanes_for(plane.width), pitch = row_lanes * kLanes;
  const int64_t windows = plane.width - Taps + 1, lanes = lanes_for(windows);
  double *const ring = plane.room->values, *const along = ring + Taps * kSums * pitch,
                *const ssim = along + kSums * pitch, *const contrast = ssim + pitch,
                *const down = contrast + pitch;
  SimilaritySums total;
  for (int64_t row = 0; row < plane.height; ++row) {
    sum_across_slices(plane, row, pitch, ring + row % Taps * kSums * pitch,
                      std::make_index_sequence<Slices>());
    if (row < Taps - 1) continue;
    const double* under[Taps];
    for (int64_t t = 0; t < Taps; ++t) under[t] = ring + (row + 1 + t) % Taps * kSums * pitch;
    add_weighted(under, plane.weights, kSums * row_lanes, down, taps);
    for (int64_t sum = 0; sum < kSums; ++sum) {
      for (int64_t t = 0; t < Taps; ++t) under[t] = down + sum * pitch + t;
      add_weighted(under, plane.weights, lanes, along + sum * pitch, taps);
    }
    map_row(plane, along, pitch, lanes, ssim, contrast);
    add_row(ssim, contrast, windows, lanes, total);
    if (plane.mask != nullptr)
      add_in_mask(ssim, plane.mask + (row - Taps / 2) * plane.width + Taps / 2, windows, total);
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
    std::vector<Lanes> room(static_cast<size_t>(room_lanes(taps, input.width)));
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
