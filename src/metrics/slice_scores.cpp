// SPDX-License-Identifier: Apache-2.0
#include "metrics/slice_scores.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kCopyVeto = 0.05;
constexpr double kCopyFraction = 0.5;
constexpr double kVetoPenalty = 1000;
constexpr double kNothingKnown = 100;

/// Pixels that a real slice fills on average: the place to compare variety in.
torch::Tensor brain_mask(const torch::Tensor& slices) { return slices.mean(0) > 0.2; }

/// Distance to the nearest training slice as a fraction of that slice's own root mean square: a
/// slice that is mostly empty is near to any other that is, without being its copy.
torch::Tensor relative_nearest(const torch::Tensor& slices, const torch::Tensor& training) {
  const auto nearest = nearest_slices(slices, training);
  const auto size = training.to(torch::kDouble).square().mean({1, 2}).sqrt();
  return nearest.distance / size.index_select(0, nearest.index).clamp_min(1e-12);
}

/// Where a value is not defined (an empty slice, a slice on one side only) it is left out; where
/// fewer than two are left on a side, nothing is known of that side and the difference is a large
/// one.
double standardised_difference(const torch::Tensor& synthetic, const torch::Tensor& real) {
  const auto defined = [](const torch::Tensor& values) {
    return values.masked_select(values.isfinite());
  };
  const auto of_synthetic = defined(synthetic), of_real = defined(real);
  if (of_synthetic.size(0) < 2 || of_real.size(0) < 2) return kNothingKnown;
  const double deviation = of_real.std().item<double>();
  return std::abs((of_synthetic.mean() - of_real.mean()).item<double>()) /
         std::max(deviation, 1e-6);
}

}  // namespace

SliceScorer::SliceScorer(torch::Tensor training, torch::Tensor held_out, int64_t components)
    : training_(std::move(training)), held_out_(std::move(held_out)) {
  require(training_.size(0) >= 4 && held_out_.size(0) >= 4,
          "scores: {} training and {} held-out slices; expected at least 4 of each",
          training_.size(0), held_out_.size(0));
  components_ =
      principal_components(training_, std::min<int64_t>(components, training_.size(0) - 1));
  held_out_features_ = components_.project(held_out_);
  energy_training_ = energy_distance(components_.project(training_), held_out_features_);
  held_out_nearest_ = relative_nearest(held_out_, training_).median().item<double>();
}

SliceScores SliceScorer::operator()(const torch::Tensor& synthetic) const {
  SliceScores scores;
  scores.energy = energy_distance(components_.project(synthetic), held_out_features_);
  scores.energy_training = energy_training_;
  scores.mean_count_error = standardised_difference(mean_counts(synthetic), mean_counts(held_out_));
  scores.left_right_error = standardised_difference(left_right_ratio(synthetic).log().abs(),
                                                    left_right_ratio(held_out_).log().abs());
  const auto mask = brain_mask(held_out_);
  const auto deviation = [&](const torch::Tensor& slices) {
    return pixelwise_deviation(slices).masked_select(mask).mean().item<double>();
  };
  scores.deviation_ratio = deviation(synthetic) / std::max(deviation(held_out_), 1e-12);
  const auto nearest = relative_nearest(synthetic, training_);
  scores.nearest_ratio = nearest.median().item<double>() / held_out_nearest_;
  scores.copies =
      (nearest < kCopyFraction * held_out_nearest_).to(torch::kDouble).mean().item<double>();
  scores.vetoed = scores.copies > kCopyVeto;
  scores.score = scores.energy / std::max(energy_training_, 1e-12) + scores.mean_count_error +
                 scores.left_right_error +
                 std::abs(std::log(std::max(scores.deviation_ratio, 1e-6))) +
                 (scores.vetoed ? kVetoPenalty : 0);
  return scores;
}

std::vector<std::pair<std::string, double>> named(const SliceScores& scores) {
  return {{"score", scores.score},
          {"energy", scores.energy},
          {"energy_training", scores.energy_training},
          {"mean_count_error", scores.mean_count_error},
          {"left_right_error", scores.left_right_error},
          {"deviation_ratio", scores.deviation_ratio},
          {"nearest_ratio", scores.nearest_ratio},
          {"copies", scores.copies}};
}

}  // namespace scintigen
