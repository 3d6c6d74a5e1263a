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
      scores_(static_cast<size_t>(controls)) {
  require(controls >= 4 && folds >= 2 && folds <= controls &&
              controls - (controls + folds - 1) / folds >= 2,
          "--folds {}: expected 0, or 2 to {} (the number of controls, at least 4), with 2 "
          "controls left",
          folds, controls);
  for (int64_t fold = 0; fold < folds; ++fold) {
    const int64_t size = (controls - fold + folds - 1) / folds;
    without_.push_back(std::make_unique<OneClassSolver>(controls - size, features, settings));
  }
}

const std::vector<double>& HeldOutScorer::score(const float* rows) {
  for (int64_t fold = 0; fold < folds_; ++fold) {
    float* to = kept_.data();
    for (int64_t i = 0; i < controls_; ++i)
      if (i % folds_ != fold) to = std::copy_n(rows + i * features_, features_, to);
    auto& solver = *without_[static_cast<size_t>(fold)];
    solver.take_examples(kept_.data());
    const auto fit = solver.solve();
    const double scale = static_cast<double>(controls_) / static_cast<double>(solver.controls());
    for (int64_t i = fold; i < controls_; i += folds_)
      scores_[static_cast<size_t>(i)] =
          scale * decide_one_class(kept_.data(), solver.coefficients(), solver.controls(),
                                   features_, rows + i * features_, fit.gamma, fit.rho);
  }
  return scores_;
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

void ZDistribution::add_voxel(const std::vector<double>& scores) {
  const auto others = static_cast<double>(scores.size()) - 1;
  double sum = 0, square = 0;
  for (const double score : scores) sum += score, square += score * score;
  for (const double score : scores) {
    const double mean = (sum - score) / others;
    const double deviation =
        std::sqrt(std::max(0.0, square - score * score - others * mean * mean) / (others - 1));
    if (deviation <= kLeastScoreDeviation) continue;
    ++counts_[static_cast<size_t>(bin_of((score - mean) / deviation))];
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
