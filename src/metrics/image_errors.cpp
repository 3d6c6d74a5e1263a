// SPDX-License-Identifier: Apache-2.0
#include "metrics/image_errors.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/instruction_clones.h"

namespace scintigen {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct ErrorSums {
  double absolute = 0, square = 0;  // of A - B
  double a = 0, a_square = 0;
  float a_lowest = std::numeric_limits<float>::infinity(), a_highest = -a_lowest;
  int64_t voxels = 0;
};

SCINTIGEN_CLONES ErrorSums sums_of(const float* a, const float* b, int64_t count) {
  ErrorSums s;
  double absolute = 0, square = 0, sum = 0, a_square = 0;
  float lowest = s.a_lowest, highest = s.a_highest;
#pragma omp simd reduction(+ : absolute, square, sum, a_square) reduction(min : lowest) \
    reduction(max : highest)
  for (int64_t i = 0; i < count; ++i) {
    const double value = a[i], difference = value - b[i];
    absolute += std::fabs(difference);
    square += difference * difference;
    sum += value;
    a_square += value * value;
    lowest = a[i] < lowest ? a[i] : lowest;
    highest = a[i] > highest ? a[i] : highest;
  }
  return {absolute, square, sum, a_square, lowest, highest, count};
}

ErrorSums sums_in_mask(const float* a, const float* b, const uint8_t* mask, int64_t count) {
  ErrorSums s;
  for (int64_t i = 0; i < count; ++i) {
    if (mask[i] == 0) continue;
    const double value = a[i], difference = value - b[i];
    s.absolute += std::fabs(difference);
    s.square += difference * difference;
    s.a += value;
    s.a_square += value * value;
    s.a_lowest = std::min(s.a_lowest, a[i]);
    s.a_highest = std::max(s.a_highest, a[i]);
    ++s.voxels;
  }
  return s;
}

double psnr_of(double square, int64_t voxels, double range) {
  if (square == 0) return std::numeric_limits<double>::infinity();
  return 20 * std::log10(range / std::sqrt(square / static_cast<double>(voxels)));
}

double divided(double value, double by) { return by != 0 ? value / by : kNone; }

ImageErrors errors_of(const ImagePair& pair, const std::vector<ErrorSums>& slices, double range) {
  ImageErrors errors;
  ErrorSums all;
  double decibels = 0;
  for (size_t k = 0; k < slices.size(); ++k) {
    const auto& slice = slices[k];
    all.absolute += slice.absolute;
    all.square += slice.square;
    all.a += slice.a;
    all.a_square += slice.a_square;
    all.a_lowest = std::min(all.a_lowest, slice.a_lowest);
    all.a_highest = std::max(all.a_highest, slice.a_highest);
    all.voxels += slice.voxels;
    if (!pair.counted[k] || slice.voxels == 0) continue;
    const double psnr = psnr_of(slice.square, slice.voxels, range);
    ++(std::isinf(psnr) ? errors.slices_identical : errors.slices);
    if (!std::isinf(psnr)) decibels += psnr;
  }
  const auto voxels = static_cast<double>(all.voxels);
  errors.voxels = all.voxels;
  errors.rmse = std::sqrt(all.square / voxels);
  errors.mae = all.absolute / voxels;
  errors.nrmse_euclidean = divided(errors.rmse, std::sqrt(all.a_square / voxels));
  errors.nrmse_mean = divided(errors.rmse, all.a / voxels);
  errors.nrmse_min_max =
      divided(errors.rmse, static_cast<double>(all.a_highest) - static_cast<double>(all.a_lowest));
  errors.psnr = psnr_of(all.square, all.voxels, range);
  errors.psnr_by_slice = errors.slices > 0 ? decibels / static_cast<double>(errors.slices) : kNone;
  return errors;
}

ImageErrors measure(const ImagePair& pair, const DataRange& range, bool in_mask) {
  check_range(range);
  const int64_t pixels = pair.height() * pair.width();
  const float *a = pair.a.data_ptr<float>(), *b = pair.b.data_ptr<float>();
  const uint8_t* mask = pair.mask_data();
  std::vector<ErrorSums> slices(static_cast<size_t>(pair.depth()));
  at::parallel_for(0, pair.depth(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      const int64_t at = k * pixels;
      slices[static_cast<size_t>(k)] = in_mask ? sums_in_mask(a + at, b + at, mask + at, pixels)
                                               : sums_of(a + at, b + at, pixels);
    }
  });
  return errors_of(pair, slices, range.width);
}

}  // namespace

ImageErrors image_errors(const ImagePair& pair, const DataRange& range) {
  return measure(pair, range, false);
}

ImageErrors image_errors_in_mask(const ImagePair& pair, const DataRange& range) {
  require(pair.masked(), "image errors: there is no mask");
  return measure(pair, range, true);
}

}  // namespace scintigen
