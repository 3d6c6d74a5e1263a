// SPDX-License-Identifier: Apache-2.0
#include "cohort/paired_baselines.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/grid.h"

namespace scintigen {
namespace {

constexpr int64_t kClasses = 8;      // hats on [-1,1], the first being the background
constexpr int64_t kFitSlices = 240;  // enough for some twenty weights, and seconds at 256 x 256
constexpr int64_t kFitBatch = 8;
constexpr double kSigmaOfFwhm = 0.42466090014400953;
constexpr std::array<double, 5> kFwhms_mm = {0, 4, 8, 12, 16};
constexpr double kRidge = 1e-6;  // part of the mean diagonal: classes that no voxel is in

/// Running sums of a least-squares problem.
struct NormalEquations {
  torch::Tensor gram, right;
  double squares = 0;
  int64_t rows = 0;

  /// maps [B,M,S,S], target [B,1,S,S]; an intercept is added.
  void add(const torch::Tensor& maps, const torch::Tensor& target) {
    const auto count = maps.size(1);
    auto x = maps.permute({0, 2, 3, 1}).reshape({-1, count}).to(torch::kDouble);
    x = at::cat({at::ones({x.size(0), 1}, torch::kDouble), x}, 1);
    const auto y = target.reshape({-1, 1}).to(torch::kDouble);
    const auto here = x.t().matmul(x), there = x.t().matmul(y);
    gram = gram.defined() ? gram + here : here;
    right = right.defined() ? right + there : there;
    squares += y.square().sum().item<double>();
    rows += y.size(0);
  }
  /// Weights, and what they leave: the residual sum of squares.
  std::pair<std::vector<double>, double> solve() const {
    const auto ridge = kRidge * gram.diagonal().mean();
    auto loaded = gram + ridge * at::eye(gram.size(0), torch::kDouble);
    loaded[0][0] -= ridge;
    const auto w = at::linalg_pinv(loaded).matmul(right);
    const double left = squares - 2 * w.t().matmul(right).item<double>() +
                        w.t().matmul(gram).matmul(w).item<double>();
    const auto flat = w.flatten().contiguous();
    return {{flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()}, left};
  }
};

torch::Tensor maps_of(const std::string& name, const torch::Tensor& inputs) {
  return name == "smoothed_input" ? inputs : class_memberships(inputs);
}

BlurredSum fit_sum(const PairedSlices& training, const std::string& name, double pixel_mm,
                   const std::vector<int64_t>& rows) {
  std::vector<NormalEquations> problems(kFwhms_mm.size());
  for (size_t first = 0; first < rows.size(); first += kFitBatch) {
    const auto end = std::min(rows.size(), first + kFitBatch);
    const auto batch = training.gather(
        {rows.begin() + static_cast<int64_t>(first), rows.begin() + static_cast<int64_t>(end)});
    const auto maps = maps_of(name, batch.inputs);
    for (size_t f = 0; f < problems.size(); ++f)
      problems[f].add(blurred(maps, kFwhms_mm[f] / pixel_mm), batch.targets);
  }
  BlurredSum best;
  double least = 0;
  for (size_t f = 0; f < problems.size(); ++f) {
    auto [weights, left] = problems[f].solve();
    if (f > 0 && left >= least) continue;
    least = left;
    best = {kFwhms_mm[f] / pixel_mm, std::move(weights)};
  }
  return best;
}

torch::Tensor mean_slices(const PairedSlices& training) {
  const int64_t places = places_of(training.people()), side = training.settings().side;
  auto sums = torch::zeros({places, side, side}, torch::kFloat);
  auto counts = torch::zeros({places, 1, 1}, torch::kFloat);
  for (int64_t row = 0; row < training.size(); row += kFitBatch) {
    std::vector<int64_t> rows;
    for (int64_t r = row; r < std::min(training.size(), row + kFitBatch); ++r) rows.push_back(r);
    const auto targets = training.gather(rows).targets;
    for (size_t n = 0; n < rows.size(); ++n) {
      const auto& [person, k] = training.row(rows[n]);
      const int64_t place = training.people()[person].place_of(k, places);
      sums[place] += targets[static_cast<int64_t>(n)][0];
      counts[place] += 1;
    }
  }
  return (sums / counts).to(torch::kHalf);
}

}  // namespace

torch::Tensor blurred(const torch::Tensor& images, double fwhm_px) {
  if (fwhm_px <= 0) return images;
  const auto taps = gaussian_kernel(fwhm_px * kSigmaOfFwhm);
  const auto length = static_cast<int64_t>(taps.size()), reach = length / 2;
  const auto kernel = at::tensor(at::ArrayRef<float>(taps), torch::kFloat);
  const auto sizes = images.sizes();
  const auto planes = images.reshape({-1, 1, sizes[2], sizes[3]});
  const auto padded = at::replication_pad2d(planes, {reach, reach, reach, reach});
  const auto rows = at::conv2d(padded, kernel.view({1, 1, length, 1}));
  return at::conv2d(rows, kernel.view({1, 1, 1, length})).reshape(sizes);
}

torch::Tensor class_memberships(const torch::Tensor& inputs) {
  const auto place = ((inputs + 1) / 2).clamp(0, 1) * (kClasses - 1);
  std::vector<torch::Tensor> hats;
  for (int64_t c = 0; c < inputs.size(1); ++c)
    for (int64_t k = 1; k < kClasses; ++k)
      hats.push_back((1 - (place.narrow(1, c, 1) - static_cast<double>(k)).abs()).clamp_min(0));
  return at::cat(hats, 1);
}

PairedBaselines fit_baselines(const PairedSlices& training, double pixel_mm) {
  PairedBaselines baselines;
  baselines.level_mean = mean_slices(training);
  std::vector<int64_t> rows;
  const int64_t count = std::min(kFitSlices, training.size());
  for (int64_t n = 0; n < count; ++n) rows.push_back((2 * n + 1) * training.size() / (2 * count));
  baselines.fitted_slices = count;
  baselines.smoothed_input = fit_sum(training, "smoothed_input", pixel_mm, rows);
  baselines.tissue_regression = fit_sum(training, "tissue_regression", pixel_mm, rows);
  return baselines;
}

PairedBaselines baselines_without_pairs(const PairedSlices& targets, size_t channels) {
  PairedBaselines baselines;
  baselines.level_mean = mean_slices(targets);
  const double mean = baselines.level_mean.mean(torch::kDouble).item<double>();
  const auto constant = [&](size_t maps) {
    BlurredSum sum;
    sum.weights.assign(maps + 1, 0);
    sum.weights.front() = mean;
    return sum;
  };
  baselines.smoothed_input = constant(channels);
  baselines.tissue_regression = constant(channels * static_cast<size_t>(kClasses - 1));
  return baselines;
}

torch::Tensor predict(const PairedBaselines& baselines, const std::string& name,
                      const torch::Tensor& inputs, const std::vector<int64_t>& places) {
  require(std::find(kBaselineNames.begin(), kBaselineNames.end(), name) != kBaselineNames.end(),
          "no baseline is named {}", name);
  if (name == "level_mean")
    return baselines.level_mean
        .index_select(0, at::tensor(at::ArrayRef<int64_t>(places), torch::kLong))
        .to(torch::kFloat)
        .unsqueeze(1);
  const auto& sum =
      name == "smoothed_input" ? baselines.smoothed_input : baselines.tissue_regression;
  const auto maps = blurred(maps_of(name, inputs), sum.fwhm_px);
  auto made = torch::full({inputs.size(0), 1, inputs.size(2), inputs.size(3)}, sum.weights.front(),
                          torch::kFloat);
  for (int64_t m = 0; m < maps.size(1); ++m)
    made += maps.narrow(1, m, 1) * sum.weights[static_cast<size_t>(m + 1)];
  return made.clamp(-1, 1);
}

nlohmann::ordered_json to_json(const PairedBaselines& baselines) {
  const auto sum = [](const BlurredSum& of) -> nlohmann::ordered_json {
    return {{"fwhm_px", of.fwhm_px}, {"weights", of.weights}};
  };
  return {{"fitted_slices", baselines.fitted_slices},
          {"smoothed_input", sum(baselines.smoothed_input)},
          {"tissue_regression", sum(baselines.tissue_regression)}};
}

PairedBaselines baselines_from_json(const nlohmann::ordered_json& json, torch::Tensor level_mean,
                                    size_t channels, const std::string& where) {
  PairedBaselines baselines;
  try {
    json.at("fitted_slices").get_to(baselines.fitted_slices);
    for (const auto& [name, into] :
         {std::pair{"smoothed_input", &baselines.smoothed_input},
          std::pair{"tissue_regression", &baselines.tissue_regression}}) {
      json.at(name).at("fwhm_px").get_to(into->fwhm_px);
      json.at(name).at("weights").get_to(into->weights);
    }
  } catch (const nlohmann::json::exception&) {
    throw Error("{}: the baselines are incomplete; the file is damaged", where);
  }
  const auto blurs = [](const BlurredSum& of) { return of.fwhm_px >= 0 && of.fwhm_px < 512; };
  require(baselines.smoothed_input.weights.size() == channels + 1 &&
              baselines.tissue_regression.weights.size() ==
                  channels * static_cast<size_t>(kClasses - 1) + 1 &&
              blurs(baselines.smoothed_input) && blurs(baselines.tissue_regression),
          "{}: the baselines are not of {} channels", where, channels);
  baselines.level_mean = std::move(level_mean);
  return baselines;
}

}  // namespace scintigen
