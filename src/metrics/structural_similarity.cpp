// SPDX-License-Identifier: Apache-2.0
#include "metrics/structural_similarity.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "metrics/similarity_map.h"

namespace scintigen {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kSigma = 1.5, kK1 = 0.01, kK2 = 0.03;
constexpr std::array<double, 5> kScaleWeights = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

SimilarityKernel kernel_of(SimilarityWindow window, SimilarityExtent extent, double range) {
  SimilarityKernel kernel;
  kernel.c1 = kK1 * range * (kK1 * range);
  kernel.c2 = kK2 * range * (kK2 * range);
  if (window == SimilarityWindow::kUniform) {
    kernel.weights.assign(kUniformTaps, 1.0 / kUniformTaps);
    const double n = std::pow(kUniformTaps, extent == SimilarityExtent::kVolume ? 3 : 2);
    kernel.covariance_factor = n / (n - 1);
    return kernel;
  }
  for (int64_t tap = 0; tap < kGaussianTaps; ++tap) {
    const double x = static_cast<double>(tap - kGaussianTaps / 2) / kSigma;
    kernel.weights.push_back(std::exp(-0.5 * x * x));
  }
  const double sum = std::accumulate(kernel.weights.begin(), kernel.weights.end(), 0.0);
  for (double& weight : kernel.weights) weight /= sum;
  return kernel;
}

int64_t shortest_side(const ImagePair& pair, SimilarityExtent extent) {
  const int64_t in_slice = std::min(pair.height(), pair.width());
  return extent == SimilarityExtent::kVolume ? std::min(in_slice, pair.depth()) : in_slice;
}

/// "[D,H,W] image; expected at least 11 x 11 pixels".
void require_size(const ImagePair& pair, SimilarityExtent extent, int64_t smallest,
                  const char* what) {
  require(shortest_side(pair, extent) >= smallest,
          "{}: the image is {} x {} x {} (slices x rows x columns); expected at least {}{} x {}",
          what, pair.depth(), pair.height(), pair.width(),
          extent == SimilarityExtent::kVolume ? fmt::format("{} x ", smallest) : std::string(),
          smallest, smallest);
}

std::vector<SimilaritySums> sums_of(const ImagePair& pair, SimilarityExtent extent,
                                    const SimilarityKernel& kernel) {
  const SimilarityInput input{pair.a.data_ptr<float>(),
                              pair.b.data_ptr<float>(),
                              pair.mask_data(),
                              pair.depth(),
                              pair.height(),
                              pair.width()};
  return extent == SimilarityExtent::kSlice ? sum_by_slice(input, kernel, pair.counted)
                                            : sum_by_plane(input, kernel);
}

double mean_of(double sum, int64_t count) {
  return count > 0 ? sum / static_cast<double>(count) : kNone;
}

SimilaritySums total_of(const std::vector<SimilaritySums>& planes) {
  SimilaritySums total;
  for (const auto& plane : planes) {
    total.ssim += plane.ssim;
    total.contrast += plane.contrast;
    total.windows += plane.windows;
    total.ssim_in_mask += plane.ssim_in_mask;
    total.windows_in_mask += plane.windows_in_mask;
  }
  return total;
}

/// The mean of 2 (or 1 in depth) x 2 x 2 blocks; the last of an odd side meets itself.
torch::Tensor halved(const torch::Tensor& image, SimilarityExtent extent) {
  const int64_t depth = image.size(0), height = image.size(1), width = image.size(2);
  const int64_t deep = extent == SimilarityExtent::kVolume ? 2 : 1;
  const int64_t planes = (depth + deep - 1) / deep, rows = (height + 1) / 2,
                columns = (width + 1) / 2;
  auto half = at::empty({planes, rows, columns}, image.options());
  const float* from = image.data_ptr<float>();
  float* to = half.data_ptr<float>();
  at::parallel_for(0, planes, 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin * rows; plane < end * rows; ++plane) {
      const int64_t k = plane / rows, j = plane % rows;
      const int64_t below = std::min(2 * j + 1, height - 1);
      const int64_t next = std::min(deep * k + deep - 1, depth - 1);
      const float *r0 = from + (deep * k * height + 2 * j) * width,
                  *r1 = from + (deep * k * height + below) * width,
                  *r2 = from + (next * height + 2 * j) * width,
                  *r3 = from + (next * height + below) * width;
      for (int64_t i = 0; i < columns; ++i) {
        const int64_t left = 2 * i, right = std::min(left + 1, width - 1);
        const double sum = (static_cast<double>(r0[left]) + r0[right] + r1[left] + r1[right]) +
                           (static_cast<double>(r2[left]) + r2[right] + r3[left] + r3[right]);
        to[plane * columns + i] = static_cast<float>(sum / 8);
      }
    }
  });
  return half;
}

double scale_factor(double mean, size_t scale) {
  return std::pow(std::max(mean, 0.0), kScaleWeights[scale]);
}

}  // namespace

int64_t smallest_side(SimilarityWindow window) {
  return window == SimilarityWindow::kGaussian ? kGaussianTaps : kUniformTaps;
}

Similarity structural_similarity(const ImagePair& pair, const DataRange& range,
                                 SimilarityWindow window, SimilarityExtent extent) {
  check_range(range);
  require_size(pair, extent, smallest_side(window), "SSIM");
  const auto planes = sums_of(pair, extent, kernel_of(window, extent, range.width));
  const auto total = total_of(planes);
  Similarity result;
  result.windows = total.windows;
  result.windows_in_mask = total.windows_in_mask;
  if (extent == SimilarityExtent::kVolume) {
    result.contrast = {mean_of(total.contrast, total.windows)};
    result.value = mean_of(total.ssim, total.windows);
    result.in_mask = mean_of(total.ssim_in_mask, total.windows_in_mask);
    return result;
  }
  double sum = 0, sum_in_mask = 0;
  for (const auto& slice : planes) {
    result.contrast.push_back(mean_of(slice.contrast, slice.windows));
    if (slice.windows == 0) continue;
    sum += mean_of(slice.ssim, slice.windows);
    ++result.slices;
    if (slice.windows_in_mask == 0) continue;
    sum_in_mask += mean_of(slice.ssim_in_mask, slice.windows_in_mask);
    ++result.slices_in_mask;
  }
  result.value = mean_of(sum, result.slices);
  result.in_mask = mean_of(sum_in_mask, result.slices_in_mask);
  return result;
}

Similarity multi_scale_similarity(const ImagePair& pair, const DataRange& range,
                                  SimilarityExtent extent) {
  check_range(range);
  require_size(pair, extent, kSmallestMultiScaleSide, "multi-scale SSIM");
  return multi_scale_similarity(pair, range, extent,
                                structural_similarity({pair.a, pair.b, {}, pair.counted, 0}, range,
                                                      SimilarityWindow::kGaussian, extent));
}

Similarity multi_scale_similarity(const ImagePair& pair, const DataRange& range,
                                  SimilarityExtent extent, const Similarity& finest) {
  check_range(range);
  require_size(pair, extent, kSmallestMultiScaleSide, "multi-scale SSIM");
  require(finest.contrast.size() ==
              (extent == SimilarityExtent::kSlice ? static_cast<size_t>(pair.depth()) : 1),
          "multi-scale SSIM: the finest scale is of another pair or extent");
  const auto kernel = kernel_of(SimilarityWindow::kGaussian, extent, range.width);
  ImagePair scaled{pair.a, pair.b, {}, pair.counted, 0};
  std::vector<double> products;  // one a slice, or one
  for (const double mean : finest.contrast) products.push_back(scale_factor(mean, 0));
  for (size_t scale = 1; scale < kScaleWeights.size(); ++scale) {
    scaled.a = halved(scaled.a, extent);
    scaled.b = halved(scaled.b, extent);
    auto planes = sums_of(scaled, extent, kernel);
    if (extent == SimilarityExtent::kVolume) planes = {total_of(planes)};
    const bool coarsest = scale + 1 == kScaleWeights.size();
    for (size_t k = 0; k < planes.size(); ++k) {
      const auto& plane = planes[k];
      products[k] *=
          scale_factor(mean_of(coarsest ? plane.ssim : plane.contrast, plane.windows), scale);
    }
  }
  Similarity result;
  result.windows = finest.windows;
  double sum = 0;
  int64_t count = 0;
  for (size_t k = 0; k < products.size(); ++k) {
    if (extent == SimilarityExtent::kSlice && !pair.counted[k]) continue;
    sum += products[k];
    ++count;
  }
  result.slices = extent == SimilarityExtent::kSlice ? count : 0;
  result.value = mean_of(sum, count);
  result.in_mask = kNone;
  return result;
}

}  // namespace scintigen
