// SPDX-License-Identifier: Apache-2.0
// Step 2 of evaluate_slices(): pixel-wise mean and SD by condition, and their ratio.
#include <ATen/ATen.h>

#include <cmath>

#include "metrics/evaluation_parts.h"
#include "metrics/jackknife.h"

namespace scintigen {
namespace {

constexpr double kNoVariety = 1e-5;
constexpr double kMaskThreshold = 0.2;  // of the mean slice, as select's

/// Sums by group of a set's slices in one condition, so that any group can be left out.
struct GroupSums {
  torch::Tensor sum, square;  // [G,H*W]
  std::vector<double> count;

  /// Mean over the mask of the pixel-wise SD of all slices but those of `left_out` (-1: none).
  double deviation(const torch::Tensor& mask, int64_t left_out) const {
    double n = 0;
    for (const double own : count) n += own;
    auto total = sum.sum(0), squares = square.sum(0);
    if (left_out >= 0) {
      n -= count[static_cast<size_t>(left_out)];
      total = total - sum[left_out];
      squares = squares - square[left_out];
    }
    const auto variance = ((squares - total.square() / n) / (n - 1)).clamp_min(0);
    // Images that are all the same leave rounding, which is no variety.
    return std::max(variance.sqrt().masked_select(mask).mean().item<double>(), kNoVariety);
  }
};

GroupSums sums_of(const torch::Tensor& slices, const std::vector<int64_t>& groups, int64_t count) {
  const auto flat = slices.to(torch::kDouble).flatten(1);
  const auto index = torch::tensor(groups, torch::kLong);
  GroupSums sums;
  sums.sum = at::zeros({count, flat.size(1)}, torch::kDouble).index_add(0, index, flat);
  sums.square = at::zeros({count, flat.size(1)}, torch::kDouble).index_add(0, index, flat.square());
  sums.count.assign(static_cast<size_t>(count), 0);
  for (const int64_t group : groups) sums.count[static_cast<size_t>(group)] += 1;
  return sums;
}

/// ln of the mean SD, and its jackknife variance.
struct LogDeviation {
  double value = 0;
  std::optional<double> variance;
  int64_t groups = 0;
};

LogDeviation log_deviation(const torch::Tensor& slices, const std::vector<std::string>& patients,
                           const torch::Tensor& mask) {
  LogDeviation result;
  const auto groups = jackknife_groups(patients);
  const auto sums = sums_of(slices, groups.of_row, groups.count);
  result.value = std::log(sums.deviation(mask, -1));
  result.groups = groups.count;
  std::vector<double> without;
  for (int64_t group = 0; group < groups.count; ++group) {
    const double rest =
        static_cast<double>(slices.size(0)) - sums.count[static_cast<size_t>(group)];
    if (rest < 2) return result;
    without.push_back(std::log(sums.deviation(mask, group)));
  }
  result.variance = jackknife_variance(without);
  return result;
}

}  // namespace

ConditionMaps map_condition(const SortedSets& sets, size_t condition) {
  ConditionMaps maps;
  maps.condition = sets.conditions[condition];
  torch::Tensor mask;
  LogDeviation reference;
  for (size_t set = 0; set < sets.sets.size(); ++set) {
    const auto rows = sets.rows_of(set, condition);
    auto& mean = maps.mean.emplace_back();
    auto& deviation = maps.deviation.emplace_back();
    auto& ratio = maps.deviation_ratio.emplace_back();
    auto& interval = maps.ratio_interval.emplace_back();
    if (rows.size() < 2) continue;
    const auto slices = sets.sets[set]->slices.index_select(0, torch::tensor(rows, torch::kLong));
    mean = slices.to(torch::kDouble).mean(0);
    deviation = slices.to(torch::kDouble).std(0, true);
    if (set == 0) mask = (mean > kMaskThreshold).flatten();
    if (!mask.defined() || !mask.any().item<bool>()) continue;
    std::vector<std::string> patients;
    for (const int64_t row : rows) patients.push_back(sets.patients[set][static_cast<size_t>(row)]);
    const auto own = log_deviation(slices, patients, mask);
    if (set == 0) reference = own;
    if (!std::isfinite(own.value) || !std::isfinite(reference.value)) continue;
    ratio = set == 0 ? 1.0 : std::exp(own.value - reference.value);
    if (set == 0 || !own.variance || !reference.variance) continue;
    const double half = jackknife_half_width(*own.variance + *reference.variance,
                                             std::min(own.groups, reference.groups));
    if (std::isfinite(half))
      interval = ConfidenceInterval{*ratio * std::exp(-half), *ratio * std::exp(half), 0.95};
  }
  return maps;
}

}  // namespace scintigen
