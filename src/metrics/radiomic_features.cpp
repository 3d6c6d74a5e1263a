// SPDX-License-Identifier: Apache-2.0
#include "metrics/radiomic_features.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "metrics/slice_statistics.h"

namespace scintigen {
namespace {

constexpr size_t kLevels = 32;
constexpr uint8_t kOutside = 255;                  // of the mask; not a level
constexpr int64_t kBands = 6, kFewestPixels = 16;  // of a side: each ring holds a frequency
constexpr double kLeastPower = 1e-12;

/// Columns; radiomic_feature_names() is in this order.
enum Feature : size_t {
  kMean,
  kDeviation,
  kSkewness,
  kKurtosis,
  kTenth,
  kMedian,
  kNinetieth,
  kEntropy,
  kContrast,
  kInverseDifference,
  kSecondMoment,
  kCorrelation,
  kJointEntropy,
  kPower,
  kLnLeftRight = kPower + kBands,
  kAbsLnLeftRight,
  kArea,
  kPerimeter,
  kGradient,
  kFeatures
};

struct Picture {
  const double* value;
  int64_t height, width;
};

/// Percentiles 10, 50, 90, linear between neighbours as NumPy's default. Reorders the values.
void percentiles(std::vector<double>& values, double* into) {
  auto first = values.begin();
  for (const auto& [feature, part] : {std::pair{kTenth, 0.1}, {kMedian, 0.5}, {kNinetieth, 0.9}}) {
    const double place = part * static_cast<double>(values.size() - 1), whole = std::floor(place);
    const auto below = values.begin() + static_cast<int64_t>(whole);
    std::nth_element(first, below, values.end());
    const double above =
        below + 1 < values.end() ? *std::min_element(below + 1, values.end()) : *below;
    into[feature] = *below + (place - whole) * (above - *below);
    first = below;
  }
}

/// Moments of values that are not all equal; else they stay 0, not rounding over rounding.
void moments(const std::vector<double>& values, double* into) {
  const auto n = static_cast<double>(values.size());
  double second = 0, third = 0, fourth = 0;
  for (const double value : values) {
    const double d = value - into[kMean], square = d * d;
    second += square, third += square * d, fourth += square * square;
  }
  second /= n, third /= n, fourth /= n;
  into[kDeviation] = std::sqrt(second);
  into[kSkewness] = third / std::pow(second, 1.5);
  into[kKurtosis] = fourth / (second * second) - 3;
}

double plus_entropy(double count, double total) {
  return count > 0 ? -count / total * std::log2(count / total) : 0;
}

/// Counts of pairs of levels, [first][second].
using CoOccurrence = std::array<std::array<int32_t, kLevels>, kLevels>;

/// Adds a quarter of one direction's features.
void texture_of_direction(const CoOccurrence& pairs, double* into) {
  double total = 0, mean = 0, contrast = 0, inverse = 0, squares = 0, entropy = 0, product = 0,
         variance = 0;
  for (const auto& row : pairs)
    for (const int32_t count : row) total += 2 * count;
  if (total == 0) {
    into[kInverseDifference] += 0.25;
    into[kSecondMoment] += 0.25;
    return;
  }
  for (size_t a = 0; a < kLevels; ++a)
    for (size_t b = 0; b < kLevels; ++b)
      mean += static_cast<double>(a) * (pairs[a][b] + pairs[b][a]) / total;
  for (size_t a = 0; a < kLevels; ++a)
    for (size_t b = 0; b < kLevels; ++b) {
      const double count = pairs[a][b] + pairs[b][a];  // symmetric
      if (count == 0) continue;
      const double p = count / total, from = static_cast<double>(a), to = static_cast<double>(b);
      const double apart = (from - to) * (from - to);
      contrast += p * apart;
      inverse += p / (1 + apart);
      squares += p * p;
      entropy += plus_entropy(count, total);
      product += p * (from - mean) * (to - mean);
      variance += p * (from - mean) * (from - mean);
    }
  into[kContrast] += contrast / 4;
  into[kInverseDifference] += inverse / 4;
  into[kSecondMoment] += squares / 4;
  into[kJointEntropy] += entropy / 4;
  if (variance > 1e-12) into[kCorrelation] += product / variance / 4;  // else one level alone
}

/// level: kLevels values and kOutside.
void texture(const std::vector<uint8_t>& level, int64_t height, int64_t width, double* into) {
  static constexpr int64_t kSteps[4][2] = {{0, 1}, {1, 1}, {1, 0}, {1, -1}};  // row, column
  for (const auto& step : kSteps) {
    CoOccurrence pairs{};
    for (int64_t row = 0; row + step[0] < height; ++row)
      for (int64_t column = step[1] < 0 ? 1 : 0; column + step[1] < width && column < width;
           ++column) {
        const auto here = level[static_cast<size_t>(row * width + column)];
        const auto there = level[static_cast<size_t>((row + step[0]) * width + column + step[1])];
        if (here != kOutside && there != kOutside) ++pairs[here][there];
      }
    texture_of_direction(pairs, into);
  }
}

void shape_and_edges(const Picture& picture, const std::vector<uint8_t>& level, double threshold,
                     double* into) {
  const int64_t height = picture.height, width = picture.width, half = width / 2;
  double area = 0, perimeter = 0, gradient = 0;
  bool right = false, left = false;  // of the patient
  const auto inside = [&](int64_t row, int64_t column) {
    return row >= 0 && column >= 0 && row < height && column < width &&
           level[static_cast<size_t>(row * width + column)] != kOutside;
  };
  const auto slope = [&](int64_t at, int64_t place, int64_t length, int64_t step) {
    const int64_t before = place > 0, after = place + 1 < length;
    return (picture.value[at + after * step] - picture.value[at - before * step]) /
           static_cast<double>(before + after);
  };
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column) {
      if (!inside(row, column)) continue;
      const int64_t at = row * width + column;
      area += 1;
      right = right || column < half;
      left = left || column >= width - half;
      perimeter += !inside(row - 1, column) + !inside(row + 1, column) + !inside(row, column - 1) +
                   !inside(row, column + 1);
      const double down = slope(at, row, height, width), across = slope(at, column, width, 1);
      gradient += std::sqrt(down * down + across * across);
    }
  into[kArea] = area / static_cast<double>(height * width);
  into[kPerimeter] = perimeter / area;
  into[kGradient] = gradient / area;
  // Overwritten by the ratio where both halves have one.
  into[kLnLeftRight] = left == right ? 0 : left ? -std::log(threshold) : std::log(threshold);
}

void features_of_slice(const Picture& picture, double threshold, double* into) {
  const auto pixels = static_cast<size_t>(picture.height * picture.width);
  const double edge = threshold * *std::max_element(picture.value, picture.value + pixels);
  std::vector<double> values;
  values.reserve(pixels);
  std::vector<uint8_t> level(pixels, kOutside);
  for (size_t p = 0; p < pixels; ++p)
    if (picture.value[p] > edge) values.push_back(picture.value[p]);
  if (!values.empty()) {
    const auto n = static_cast<double>(values.size());
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    const double low = *least, width = *most - low;
    into[kMean] = std::accumulate(values.begin(), values.end(), 0.0) / n;
    if (width > 0) moments(values, into);
    percentiles(values, into);
    std::array<int32_t, kLevels> histogram{};
    for (size_t p = 0; p < pixels; ++p) {
      if (!(picture.value[p] > edge)) continue;
      const double bin = width > 0 ? std::floor(kLevels * (picture.value[p] - low) / width) : 0;
      level[p] = static_cast<uint8_t>(std::min(bin, static_cast<double>(kLevels - 1)));
      ++histogram[level[p]];
    }
    for (const int32_t count : histogram) into[kEntropy] += plus_entropy(count, n);
    shape_and_edges(picture, level, threshold, into);
  }
  texture(level, picture.height, picture.width, into);
}

/// [H * (W / 2 + 1), 6]: what takes |F|^2 of the half plane to the mean power of each ring.
torch::Tensor ring_weights(int64_t height, int64_t width) {
  const int64_t half = width / 2 + 1;
  auto weights = at::zeros({height * half, kBands}, torch::kDouble);
  double* const weight = weights.data_ptr<double>();
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < half; ++column) {
      const double across = static_cast<double>(column) / static_cast<double>(width);
      const double along =
          static_cast<double>(std::min(row, height - row)) / static_cast<double>(height);
      const double place = 2 * kBands * std::hypot(across, along);
      // A frequency on a border belongs to the coarser ring, whichever way it is rounded.
      const auto band = static_cast<int64_t>(std::ceil(place - 1e-9)) - 1;
      if (band < 0 || band >= kBands) continue;
      // The half of the plane that a real picture's transform leaves out is the mirror of this one.
      const bool alone = column == 0 || 2 * column == width;
      weight[(row * half + column) * kBands + band] = alone ? 1 : 2;
    }
  return weights / (weights.sum(0) * static_cast<double>(height * width));
}

/// What LibTorch does at once: the power spectrum and the ratio of the halves.
void fill_spectrum_and_ratio(const torch::Tensor& slices, double threshold,
                             const torch::Tensor& rings, torch::Tensor features) {
  const auto power =
      at::view_as_real(at::fft_rfft2(slices)).square().sum(-1).flatten(1).matmul(rings);
  features.narrow(1, kPower, kBands).copy_(power.clamp_min(kLeastPower).log());
  const auto ln_ratio = left_right_ratio(slices, threshold).log();
  auto column = features.select(1, kLnLeftRight);
  column.copy_(at::where(ln_ratio.isfinite(), ln_ratio, column));
  features.select(1, kAbsLnLeftRight).copy_(column.abs());
}

std::string found_text(const torch::Tensor& tensor) {
  return tensor.defined() ? fmt::format("[{}] of {}", fmt::join(tensor.sizes(), ","),
                                        std::string(tensor.dtype().name()))
                          : "nothing";
}

torch::Tensor checked_slices(const torch::Tensor& slices) {
  require(slices.defined() && slices.dim() == 3 && slices.is_floating_point(),
          "radiomic features: expected slices [N,H,W] of floating point; found {}",
          found_text(slices));
  require(slices.size(1) >= kFewestPixels && slices.size(2) >= kFewestPixels,
          "radiomic features: slices of {} x {} pixels; expected at least {} x {}", slices.size(1),
          slices.size(2), kFewestPixels, kFewestPixels);
  auto values = slices.detach().to(torch::kCPU, torch::kDouble).contiguous();
  if (values.size(0) == 0) return values;
  const auto flat = values.flatten(1);  // not a number is neither of the two
  const auto good = (flat.amin(1) >= 0).logical_and(flat.amax(1) <= 1);
  if (!good.all().item<bool>())
    throw Error(
        "radiomic features: slice {} holds a value outside of [0,1]; divide each slice by "
        "its maximum",
        good.logical_not().nonzero()[0].item<int64_t>());
  return values;
}

torch::Tensor checked_features(const torch::Tensor& features) {
  require(features.defined() && features.dim() == 2 && features.is_floating_point(),
          "feature scaling: expected features [N,F] of floating point; found {}",
          found_text(features));
  require(features.isfinite().all().item<bool>(), "feature scaling: a feature is not finite");
  return features.detach().to(torch::kCPU, torch::kDouble);
}

}  // namespace

const std::vector<std::string>& radiomic_feature_names() {
  static const std::vector<std::string> names = {"mean",
                                                 "standard_deviation",
                                                 "skewness",
                                                 "excess_kurtosis",
                                                 "percentile_10",
                                                 "median",
                                                 "percentile_90",
                                                 "intensity_entropy",
                                                 "glcm_contrast",
                                                 "glcm_inverse_difference_moment",
                                                 "glcm_angular_second_moment",
                                                 "glcm_correlation",
                                                 "glcm_joint_entropy",
                                                 "log_power_1",
                                                 "log_power_2",
                                                 "log_power_3",
                                                 "log_power_4",
                                                 "log_power_5",
                                                 "log_power_6",
                                                 "ln_left_right",
                                                 "abs_ln_left_right",
                                                 "mask_area_fraction",
                                                 "perimeter_to_area",
                                                 "gradient_magnitude"};
  return names;
}

torch::Tensor radiomic_features(const torch::Tensor& slices, double threshold) {
  const c10::NoGradGuard no_gradients;
  require(threshold > 0 && threshold < 1, "radiomic features: threshold must be in (0,1); found {}",
          threshold);
  const auto values = checked_slices(slices);
  const int64_t count = values.size(0), height = values.size(1), width = values.size(2);
  constexpr auto kColumns = static_cast<int64_t>(kFeatures);
  auto features = at::zeros({count, kColumns}, torch::kDouble);
  if (count == 0) return features;
  const double* const value = values.data_ptr<double>();
  double* const into = features.data_ptr<double>();
  at::parallel_for(0, count, 16, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      features_of_slice({value + n * height * width, height, width}, threshold,
                        into + n * kColumns);
  });
  const auto rings = ring_weights(height, width);
  constexpr int64_t kBlock = 64;  // stays in the cache
  for (int64_t first = 0; first < count; first += kBlock)
    fill_spectrum_and_ratio(values.slice(0, first, first + kBlock), threshold, rings,
                            features.slice(0, first, first + kBlock));
  return features;
}

FeatureScaling feature_scaling(const torch::Tensor& reference) {
  const c10::NoGradGuard no_gradients;
  const auto values = checked_features(reference);
  require(values.size(0) >= 2, "feature scaling: needs at least 2 rows; found {}", values.size(0));
  const auto deviation = values.std(0, true);
  const auto varies = deviation > 1e-9 * values.abs().amax(0);
  FeatureScaling scaling;
  scaling.features = values.size(1);
  for (int64_t f = 0; f < values.size(1); ++f)
    if (varies[f].item<bool>()) scaling.kept.push_back(f);
  require(!scaling.kept.empty(), "feature scaling: all {} rows are equal; nothing varies",
          values.size(0));
  const auto kept = at::tensor(scaling.kept, torch::kLong);
  scaling.mean = values.mean(0).index_select(0, kept);
  scaling.deviation = deviation.index_select(0, kept);
  return scaling;
}

torch::Tensor FeatureScaling::apply(const torch::Tensor& values) const {
  const c10::NoGradGuard no_gradients;
  const auto checked = checked_features(values);
  require(checked.size(1) == features, "feature scaling: was made of {} features; found {}",
          features, checked.size(1));
  return (checked.index_select(1, at::tensor(kept, torch::kLong)) - mean) / deviation;
}

}  // namespace scintigen
