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
constexpr int64_t kFewestOfClass = 4;

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

torch::Tensor one_class(const torch::Tensor& slices) {
  return torch::zeros({slices.size(0)}, torch::kLong);
}

struct ClassErrors {
  double counts = 0, balance = 0, deviation = 0, log_ratio = 0;
};

ClassErrors errors_of(const torch::Tensor& synthetic, const torch::Tensor& held_out) {
  const auto mask = brain_mask(held_out);
  const auto deviation = [&](const torch::Tensor& slices) {
    const auto inside = pixelwise_deviation(slices).masked_select(mask);
    return inside.numel() > 0 ? std::max(inside.mean().item<double>(), 1e-6) : 1;
  };
  ClassErrors errors;
  errors.counts = standardised_difference(mean_counts(synthetic), mean_counts(held_out));
  errors.balance = standardised_difference(left_right_ratio(synthetic).log().abs(),
                                           left_right_ratio(held_out).log().abs());
  errors.log_ratio = std::log(deviation(synthetic) / deviation(held_out));
  errors.deviation = std::abs(errors.log_ratio);
  return errors;
}

/// Mean over the classes that both sides have enough slices of.
ClassErrors mean_errors(const torch::Tensor& synthetic, const torch::Tensor& synthetic_classes,
                        const torch::Tensor& held_out, const torch::Tensor& held_out_classes) {
  ClassErrors sum;
  int64_t counted = 0;
  const int64_t classes = held_out_classes.max().item<int64_t>() + 1;
  for (int64_t number = 0; number < classes; ++number) {
    const auto made = synthetic.index({synthetic_classes == number});
    const auto real = held_out.index({held_out_classes == number});
    if (made.size(0) < kFewestOfClass || real.size(0) < kFewestOfClass) continue;
    const auto errors = errors_of(made, real);
    sum.counts += errors.counts;
    sum.balance += errors.balance;
    sum.deviation += errors.deviation;
    sum.log_ratio += errors.log_ratio;
    ++counted;
  }
  if (counted == 0) return errors_of(synthetic, held_out);
  const auto n = static_cast<double>(counted);
  return {sum.counts / n, sum.balance / n, sum.deviation / n, sum.log_ratio / n};
}

}  // namespace

torch::Tensor classes_of(const torch::Tensor& conditions) {
  if (conditions.size(1) == 0) return torch::zeros({conditions.size(0)}, torch::kLong);
  return std::get<1>(at::unique_dim(conditions, 0, /*sorted=*/true, /*return_inverse=*/true));
}

SliceScorer::SliceScorer(torch::Tensor training, torch::Tensor held_out, torch::Tensor classes,
                         int64_t components)
    : training_(std::move(training)),
      held_out_(std::move(held_out)),
      classes_(classes.defined() ? std::move(classes) : one_class(held_out_)) {
  require(training_.size(0) >= 4 && held_out_.size(0) >= 4,
          "scores: {} training and {} held-out slices; expected at least 4 of each",
          training_.size(0), held_out_.size(0));
  require(classes_.dim() == 1 && classes_.size(0) == held_out_.size(0),
          "scores: {} classes for {} held-out slices; expected one each", classes_.numel(),
          held_out_.size(0));
  components_ =
      principal_components(training_, std::min<int64_t>(components, training_.size(0) - 1));
  held_out_features_ = components_.project(held_out_);
  energy_training_ =
      energy_distance(components_.project(training_), held_out_features_, /*unbiased=*/true);
  const auto n = static_cast<double>(held_out_.size(0));
  held_out_spread_ =
      at::cdist(held_out_features_, held_out_features_).sum().item<double>() / (n * (n - 1));
  held_out_nearest_ = relative_nearest(held_out_, training_).median().item<double>();
}

SliceScores SliceScorer::operator()(const torch::Tensor& synthetic,
                                    const torch::Tensor& classes) const {
  const auto own_classes = classes.defined() ? classes : one_class(synthetic);
  require(own_classes.dim() == 1 && own_classes.size(0) == synthetic.size(0),
          "scores: {} classes for {} synthetic slices; expected one each", own_classes.numel(),
          synthetic.size(0));
  SliceScores scores;
  scores.energy = energy_distance(components_.project(synthetic), held_out_features_,
                                  /*unbiased=*/true);
  scores.energy_training = energy_training_;
  scores.distance = std::sqrt(std::max(scores.energy, 0.0) / std::max(held_out_spread_, 1e-12));
  const auto errors = mean_errors(synthetic, own_classes, held_out_, classes_);
  scores.mean_count_error = errors.counts;
  scores.left_right_error = errors.balance;
  scores.deviation_error = errors.deviation;
  scores.deviation_ratio = std::exp(errors.log_ratio);
  const auto nearest = relative_nearest(synthetic, training_);
  scores.nearest_ratio = nearest.median().item<double>() / held_out_nearest_;
  scores.copies =
      (nearest < kCopyFraction * held_out_nearest_).to(torch::kDouble).mean().item<double>();
  scores.vetoed = scores.copies > kCopyVeto;
  scores.score = scores.distance + scores.mean_count_error + scores.left_right_error +
                 scores.deviation_error + (scores.vetoed ? kVetoPenalty : 0);
  return scores;
}

std::vector<std::pair<std::string, double>> named(const SliceScores& scores) {
  return {{"score", scores.score},
          {"energy", scores.energy},
          {"energy_training", scores.energy_training},
          {"distance", scores.distance},
          {"mean_count_error", scores.mean_count_error},
          {"left_right_error", scores.left_right_error},
          {"deviation_error", scores.deviation_error},
          {"deviation_ratio", scores.deviation_ratio},
          {"nearest_ratio", scores.nearest_ratio},
          {"copies", scores.copies}};
}

}  // namespace scintigen
