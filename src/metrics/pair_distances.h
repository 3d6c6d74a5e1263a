// SPDX-License-Identifier: Apache-2.0
// All measures of distribution_distances.h for one pair of sets, and for the same pair with rows
// left out: distances and kernels are computed once.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metrics/jackknife.h"
#include "metrics/test_result.h"

namespace scintigen {

struct MeasureOfPair {
  std::string key;
  std::optional<double> value;
  std::optional<ConfidenceInterval> interval;  ///< 95 %
  std::string why;                             ///< where there is no value
};

/// Features of one set and the jackknife groups of its rows.
struct FeatureSample {
  torch::Tensor features;  ///< [N,K]
  JackknifeGroups groups;
};

/// energy, kernel (both unbiased), sliced_wasserstein, frechet (where both sets have more rows than
/// features), and on the first min(N, M) rows of each: precision, recall, density, coverage,
/// neighbour_accuracy. Intervals: delete-a-group jackknife of both sides, clamped to [0, 1] where
/// the measure is a share.
/// throws  Error: as distribution_distances.h; fewer than 7 rows a side
/// Checked tests/metrics/test_pair_distances.cpp: equal to distribution_distances.h; the
///         energy distance's interval covers the truth in at least 88 of 100 draws
std::vector<MeasureOfPair> measure_pair(const FeatureSample& real, const FeatureSample& synthetic,
                                        uint64_t seed);

}  // namespace scintigen
