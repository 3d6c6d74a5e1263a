// SPDX-License-Identifier: Apache-2.0
#include "metrics/image_pair.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/instruction_clones.h"

namespace scintigen {
namespace {

struct SliceSpan {
  float lowest, highest;
  int64_t not_finite;
};

SCINTIGEN_CLONES SliceSpan span_of(const float* values, int64_t count) {
  float lowest = std::numeric_limits<float>::infinity(), highest = -lowest;
  int64_t finite = 0;
#pragma omp simd reduction(min : lowest) reduction(max : highest) reduction(+ : finite)
  for (int64_t i = 0; i < count; ++i) {
    lowest = values[i] < lowest ? values[i] : lowest;
    highest = values[i] > highest ? values[i] : highest;
    finite += std::fabs(values[i]) <= std::numeric_limits<float>::max() ? 1 : 0;
  }
  return {lowest, highest, count - finite};
}

SCINTIGEN_CLONES int64_t count_outside(const float* values, int64_t count, float low, float high) {
  int64_t inside = 0;
#pragma omp simd reduction(+ : inside)
  for (int64_t i = 0; i < count; ++i) inside += values[i] >= low && values[i] <= high ? 1 : 0;
  return count - inside;
}

std::vector<SliceSpan> spans_of(const torch::Tensor& image) {
  const int64_t pixels = image.size(1) * image.size(2);
  const float* values = image.data_ptr<float>();
  std::vector<SliceSpan> spans(static_cast<size_t>(image.size(0)));
  at::parallel_for(0, image.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      spans[static_cast<size_t>(k)] = span_of(values + k * pixels, pixels);
  });
  return spans;
}

torch::Tensor checked_image(const torch::Tensor& image, const std::string& name) {
  require(image.defined() && image.dim() == 3 && image.is_floating_point(),
          "{}: expected an image [D,H,W] of floating point; found {}", name,
          image.defined() ? fmt::format("[{}] of {}", fmt::join(image.sizes(), ","),
                                        std::string(image.dtype().name()))
                          : std::string("nothing"));
  require(image.numel() > 0, "{}: has no voxels; [{}]", name, fmt::join(image.sizes(), ","));
  return image.detach().to(torch::kCPU, torch::kFloat).contiguous();
}

std::vector<SliceSpan> finite_spans(const torch::Tensor& image, const std::string& name) {
  auto spans = spans_of(image);
  int64_t bad = 0, first = -1;
  for (size_t k = 0; k < spans.size(); ++k) {
    if (spans[k].not_finite > 0 && first < 0) first = static_cast<int64_t>(k);
    bad += spans[k].not_finite;
  }
  require(bad == 0,
          "{}: {} voxel{} not finite, the first in slice {}; expected numbers; replace them first",
          name, bad, bad == 1 ? " is" : "s are", first);
  return spans;
}

torch::Tensor checked_mask(const torch::Tensor& mask, const ImagePair& pair,
                           const ImageNames& names) {
  require(mask.sizes() == pair.a.sizes(), "{}: mask is [{}] and {} is [{}]; expected one grid",
          names.mask, fmt::join(mask.sizes(), ","), names.a, fmt::join(pair.a.sizes(), ","));
  if (mask.is_floating_point())
    finite_spans(mask.detach().to(torch::kCPU, torch::kFloat).contiguous(), names.mask);
  return mask.detach().to(torch::kCPU).ne(0).to(torch::kByte).contiguous();
}

}  // namespace

int64_t ImagePair::slices_counted() const {
  return std::count(counted.begin(), counted.end(), true);
}

ImagePair image_pair(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& mask,
                     const ImageNames& names) {
  ImagePair pair;
  pair.a = checked_image(a, names.a);
  pair.b = checked_image(b, names.b);
  require(pair.a.sizes() == pair.b.sizes(),
          "{} is [{}] and {} is [{}]; expected one grid; resample one to the other first", names.a,
          fmt::join(pair.a.sizes(), ","), names.b, fmt::join(pair.b.sizes(), ","));
  const auto of_a = finite_spans(pair.a, names.a), of_b = finite_spans(pair.b, names.b);
  for (size_t k = 0; k < of_a.size(); ++k)
    pair.counted.push_back(of_a[k].lowest != of_a[k].highest || of_b[k].lowest != of_b[k].highest ||
                           of_a[k].lowest != of_b[k].lowest);
  if (mask.defined()) {
    pair.mask = checked_mask(mask, pair, names);
    pair.mask_voxels = pair.mask.sum().item<int64_t>();
    require(pair.mask_voxels > 0, "{}: mask is empty; expected voxels other than 0", names.mask);
  }
  return pair;
}

void check_range(const DataRange& range) {
  require(std::isfinite(range.width) && range.width > 0,
          "data range: expected a number > 0, found {}", range.width);
  require(std::isfinite(range.low), "data range: expected a finite lowest value, found {}",
          range.low);
}

int64_t voxels_outside(const torch::Tensor& image, const DataRange& range) {
  // A value that was rounded to float32, or scaled and back, may lie a few units beyond the limit.
  const double breath = 1e-6 * (range.width + std::fabs(range.low));
  const auto low = static_cast<float>(range.low - breath),
             high = static_cast<float>(range.low + range.width + breath);
  const int64_t pixels = image.size(1) * image.size(2);
  const float* values = image.data_ptr<float>();
  std::vector<int64_t> outside(static_cast<size_t>(image.size(0)));
  at::parallel_for(0, image.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      outside[static_cast<size_t>(k)] = count_outside(values + k * pixels, pixels, low, high);
  });
  return std::accumulate(outside.begin(), outside.end(), int64_t{0});
}

std::pair<double, double> value_span(const torch::Tensor& image) {
  const auto spans = spans_of(image);
  float lowest = spans.front().lowest, highest = spans.front().highest;
  for (const auto& span : spans) {
    lowest = std::min(lowest, span.lowest);
    highest = std::max(highest, span.highest);
  }
  return {lowest, highest};
}

}  // namespace scintigen
