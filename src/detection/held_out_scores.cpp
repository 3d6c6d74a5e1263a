// SPDX-License-Identifier: Apache-2.0
#include "detection/held_out_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace scintigen {
namespace {

// Bin b holds z in (kLowest + (b - 1) kWidth, kLowest + b kWidth]; the first and the last are open.
constexpr double kLowest = -40, kWidth = 0.005;
constexpr int64_t kBins = 10002;  // to z = 10

}  // namespace

HeldOutScorer::HeldOutScorer(int64_t controls, int64_t features, const OneClassSettings& settings,
                             int64_t folds)
    : controls_(controls),
      features_(features),
      folds_(folds),
      kept_(static_cast<size_t>(controls * features)),
      scores_(static_cast<size_t>(controls)),
      z_(static_cast<size_t>(controls)) {
  require(folds >= 3 && folds <= controls && controls - fold_size(0) - fold_size(1) >= 2,
          "--folds {}: expected 0, or 3 to {} (the number of controls), with 2 controls left when "
          "two parts are out",
          folds, controls);
  for (const int64_t size : {fold_size(0), fold_size(folds - 1)})
    for (const int64_t second : {int64_t{0}, fold_size(1), fold_size(folds - 1)})
      solvers_.try_emplace(controls - size - second, controls - size - second, features, settings);
}

template <class LeftOut>
HeldOutScorer::Machine HeldOutScorer::fit_without(const float* rows, const LeftOut& left_out) {
  float* to = kept_.data();
  for (int64_t i = 0; i < controls_; ++i)
    if (!left_out(i % folds_)) to = std::copy_n(rows + i * features_, features_, to);
  auto& solver = solvers_.at((to - kept_.data()) / features_);
  solver.take_examples(kept_.data());
  return {solver, solver.solve()};
}

double HeldOutScorer::decide(const Machine& machine, const float* row) const {
  return decide_one_class(kept_.data(), machine.solver.coefficients(), machine.solver.controls(),
                          features_, row, machine.fit.gamma, machine.fit.rho);
}

const std::vector<double>& HeldOutScorer::score(const float* rows) {
  for (int64_t fold = 0; fold < folds_; ++fold) {
    const auto machine = fit_without(rows, [&](int64_t of) { return of == fold; });
    const double scale =
        static_cast<double>(controls_) / static_cast<double>(machine.solver.controls());
    for (int64_t i = fold; i < controls_; i += folds_)
      scores_[static_cast<size_t>(i)] = scale * decide(machine, rows + i * features_);
  }
  return scores_;
}

const std::vector<double>& HeldOutScorer::z_as_new(const float* rows) {
  // For each fold a detector of the others' controls; of its held-out scores sum and squares.
  std::vector<double> sum(static_cast<size_t>(folds_), 0), square(sum);
  const auto add = [&](const Machine& machine, int64_t detector_without, int64_t fold) {
    const double scale = static_cast<double>(controls_ - fold_size(detector_without)) /
                         static_cast<double>(machine.solver.controls());
    for (int64_t i = fold; i < controls_; i += folds_) {
      const double score = scale * decide(machine, rows + i * features_);
      sum[static_cast<size_t>(detector_without)] += score;
      square[static_cast<size_t>(detector_without)] += score * score;
    }
  };
  for (int64_t first = 0; first < folds_; ++first)
    for (int64_t second = first + 1; second < folds_; ++second) {
      const auto machine =
          fit_without(rows, [&](int64_t of) { return of == first || of == second; });
      add(machine, first, second);
      add(machine, second, first);
    }
  for (int64_t i = 0; i < controls_; ++i) {
    const auto fold = static_cast<size_t>(i % folds_);
    const auto others = static_cast<double>(controls_ - fold_size(i % folds_));
    const double mean = sum[fold] / others;
    const double deviation =
        std::sqrt(std::max(0.0, square[fold] - others * mean * mean) / (others - 1));
    // The machine without the fold is its detector's own: not multiplied.
    const double own = scores_[static_cast<size_t>(i)] * others / static_cast<double>(controls_);
    z_[static_cast<size_t>(i)] = deviation > kLeastScoreDeviation
                                     ? (own - mean) / deviation
                                     : std::numeric_limits<double>::quiet_NaN();
  }
  return z_;
}

ZDistribution::ZDistribution() : counts_(static_cast<size_t>(kBins), 0) {}

ZDistribution::ZDistribution(const torch::Tensor& counts) : ZDistribution() {
  require(counts.scalar_type() == torch::kLong && counts.numel() == kBins,
          "distribution of z: not what this version writes; fit again");
  const auto whole = counts.contiguous();
  std::copy_n(whole.data_ptr<int64_t>(), kBins, counts_.begin());
  total_ = std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
}

int64_t ZDistribution::bin_of(double z) {
  return std::clamp<int64_t>(
      static_cast<int64_t>(std::ceil(std::clamp((z - kLowest) / kWidth, -1.0, double{kBins}))), 0,
      kBins - 1);
}

void ZDistribution::add(const std::vector<double>& z) {
  for (const double value : z) {
    if (std::isnan(value)) continue;
    ++counts_[static_cast<size_t>(bin_of(value))];
    ++total_;
  }
}

void ZDistribution::add(const ZDistribution& other) {
  for (size_t b = 0; b < counts_.size(); ++b) counts_[b] += other.counts_[b];
  total_ += other.total_;
}

torch::Tensor ZDistribution::counts() const {
  auto counts = torch::empty({kBins}, torch::kLong);
  std::copy(counts_.begin(), counts_.end(), counts.data_ptr<int64_t>());
  return counts;
}

torch::Tensor ZDistribution::p_values(const torch::Tensor& z) const {
  std::vector<float> p(counts_.size());
  int64_t below = 0;
  for (size_t b = 0; b < p.size(); ++b) {
    below += counts_[b];
    p[b] = static_cast<float>(static_cast<double>(1 + below) / static_cast<double>(1 + total_));
  }
  const auto from = z.to(torch::kFloat).contiguous();
  auto result = torch::empty_like(from);
  for (int64_t v = 0; v < from.numel(); ++v)
    result.data_ptr<float>()[v] =
        p[static_cast<size_t>(bin_of(static_cast<double>(from.data_ptr<float>()[v])))];
  return result;
}

double ZDistribution::z_at(double p) const {
  double z = -std::numeric_limits<double>::infinity();
  int64_t below = 0;
  for (int64_t b = 0; b < kBins - 1; ++b) {
    below += counts_[static_cast<size_t>(b)];
    if (static_cast<double>(1 + below) > p * static_cast<double>(1 + total_)) break;
    z = kLowest + static_cast<double>(b) * kWidth;
  }
  return z;
}

}  // namespace scintigen
