// SPDX-License-Identifier: Apache-2.0
#include "simulate/osem.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/instruction_clones.h"
#include "simulate/scan_columns.h"

namespace scintigen {
namespace {

/// Counts per line added to both data and model, relative to the mean: lines that see next to
/// nothing keep a finite ratio, and neither side is biased.
constexpr double kFaintLine = 1e-4;
constexpr float kUnseen = 1e-6f;  // sensitivity relative to the highest: no update below

/// views: forward projection -> factor * counts / expectation, in place.
SCINTIGEN_CLONES void correction_of(float* __restrict views, const float* __restrict counts,
                                    const float* __restrict background,
                                    const float* __restrict factor, float faint, int64_t length) {
#pragma omp simd
  for (int64_t i = 0; i < length; ++i) {
    const float seen = factor[i] * views[i], positive = seen > 0 ? seen : 0.0f;
    views[i] = factor[i] * ((counts[i] + faint) / (positive + background[i] + faint));
  }
}

SCINTIGEN_CLONES void multiply_image(float* __restrict image, const float* __restrict correction,
                                     const float* __restrict sensitivity, float least,
                                     int64_t length) {
#pragma omp simd
  for (int64_t i = 0; i < length; ++i) {
    const float ratio = sensitivity[i] > least ? correction[i] / sensitivity[i] : 0.0f;
    image[i] *= ratio > 0 ? ratio : 0.0f;
  }
}

class Osem {
 public:
  Osem(Projector& projector, const OsemData& data, int64_t subsets)
      : projector_(projector),
        data_(data),
        subsets_(subsets),
        ones_(static_cast<size_t>(projector.view_size()), 1.0f),
        zeros_(static_cast<size_t>(projector.view_size()), 0.0f),
        views_(projector.projection_size()),
        correction_(projector.image_size()),
        sensitivity_(static_cast<size_t>(subsets)) {
    mean_counts_ = total_of(data.counts) / static_cast<double>(data.counts.size());
    start();
  }
  void step(int64_t subset, bool keep_sensitivity);
  std::vector<float> take_image() { return std::move(image_); }

 private:
  void start();
  void back_subset(int64_t subset, std::vector<float>& image);
  const float* line_values(const std::vector<float>& values, int64_t view,
                           const std::vector<float>& otherwise) const {
    return values.empty() ? otherwise.data() : values.data() + view * projector_.view_size();
  }

  Projector& projector_;
  const OsemData& data_;
  int64_t subsets_;
  double mean_counts_ = 0;
  std::vector<float> ones_, zeros_;  // a view
  std::vector<float> views_, image_, correction_;
  std::vector<std::vector<float>> sensitivity_;
};

/// Uniform within the support. Its height matters little: the first step sets the scale.
void Osem::start() {
  const auto& geometry = projector_.geometry();
  double mean_factor = 1;
  if (!data_.factor.empty())
    mean_factor = total_of(data_.factor) / static_cast<double>(data_.factor.size());
  const auto height =
      static_cast<float>(std::max(mean_counts_, 1e-12) / std::max(mean_factor, 1e-12) /
                         static_cast<double>(geometry.side));
  image_.assign(projector_.image_size(), 0.0f);
  for (int64_t y = 0; y < geometry.side; ++y)
    for (int64_t x = 0; x < geometry.side; ++x)
      if (projector_.support().at(y, x))
        std::fill_n(image_.begin() + (y * geometry.side + x) * geometry.slices, geometry.slices,
                    height);
}

void Osem::back_subset(int64_t subset, std::vector<float>& image) {
  std::fill(image.begin(), image.end(), 0.0f);
  for (int64_t r = subset; r < projector_.rotations(); r += subsets_)
    projector_.back(views_.data(), r, image.data());
}

void Osem::step(int64_t subset, bool keep_sensitivity) {
  const int64_t size = projector_.view_size();
  auto& sensitivity = sensitivity_[static_cast<size_t>(subset)];
  if (sensitivity.empty()) {
    for (int64_t r = subset; r < projector_.rotations(); r += subsets_)
      for (const int64_t view : projector_.views_of(r))
        std::copy_n(line_values(data_.factor, view, ones_), size, views_.begin() + view * size);
    sensitivity.resize(projector_.image_size());
    back_subset(subset, sensitivity);
  }
  const auto faint = static_cast<float>(std::max(kFaintLine * mean_counts_, 1e-20));
  for (int64_t r = subset; r < projector_.rotations(); r += subsets_) {
    projector_.forward(image_.data(), r, views_.data());
    for (const int64_t view : projector_.views_of(r))
      correction_of(views_.data() + view * size, data_.counts.data() + view * size,
                    line_values(data_.background, view, zeros_),
                    line_values(data_.factor, view, ones_), faint, size);
  }
  back_subset(subset, correction_);
  const float least = kUnseen * *std::max_element(sensitivity.begin(), sensitivity.end());
  multiply_image(image_.data(), correction_.data(), sensitivity.data(), least,
                 static_cast<int64_t>(image_.size()));
  if (!keep_sensitivity) std::vector<float>().swap(sensitivity);
}

}  // namespace

std::vector<int64_t> subset_order(int64_t subsets) {
  constexpr double golden = 0.38196601125010515;  // 1 - 1 / golden ratio
  int64_t stride = std::max<int64_t>(std::llround(golden * static_cast<double>(subsets)), 1);
  while (std::gcd(stride, subsets) != 1) ++stride;  // subsets - 1 at the latest
  std::vector<int64_t> order(static_cast<size_t>(subsets));
  for (int64_t j = 0; j < subsets; ++j) order[static_cast<size_t>(j)] = j * stride % subsets;
  return order;
}

std::vector<float> osem(Projector& projector, const OsemData& data, int64_t iterations,
                        int64_t subsets) {
  require(subsets >= 1 && subsets <= projector.rotations(),
          "OSEM: expected 1 to {} subsets (opposite views count once), found {}",
          projector.rotations(), subsets);
  for (const auto* views : {&data.counts, &data.background, &data.factor})
    require(
        views->size() == projector.projection_size() || (views->empty() && views != &data.counts),
        "OSEM: expected {} values in the views, found {}", projector.projection_size(),
        views->size());
  Osem state(projector, data, subsets);
  const auto order = subset_order(subsets);
  for (int64_t iteration = 0; iteration < iterations; ++iteration)
    for (const int64_t subset : order) state.step(subset, iteration + 1 < iterations);
  return state.take_image();
}

}  // namespace scintigen
