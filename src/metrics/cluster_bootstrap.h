// SPDX-License-Identifier: Apache-2.0
// Bootstrap intervals of group means and their differences, whole clusters (patients) drawn at a
// time (Field and Welsh 2007: cluster bootstrap). Checked for invariance, coverage and agreement
// with the t interval in tests/metrics/test_cluster_bootstrap.cpp.
#pragma once
#include <cstdint>
#include <vector>

#include "metrics/test_result.h"

namespace scintigen {

/// One value with the group and the cluster that it belongs to, both numbered from 0.
struct ClusteredValue {
  size_t group = 0, cluster = 0;
  double value = 0;
};

struct BootstrapMeans {
  int64_t clusters = 0, resamples = 0;
  int64_t empty_resamples = 0;             ///< left out: some group had no cluster in them
  bool by_group = false;                   ///< drawn within each group, since no cluster is in two
  std::string not_computed;                ///< why there are no means
  std::vector<std::vector<double>> means;  ///< [group][resample]

  /// Percentile intervals, linear between order statistics.
  ConfidenceInterval of_mean(size_t group, double level = 0.95) const;
  ConfidenceInterval of_difference(size_t a, size_t b, double level = 0.95) const;
};

/// Draws the clusters of each group with replacement or, where a cluster has values in two groups,
/// all clusters together, so that what is paired stays paired. Resample r depends on (seed, r)
/// alone. Every group needs a value. Refused by text (not_computed): fewer than 2 clusters in a
/// group; resamples times clusters above 2e8 (seconds).
/// throws  Error: resamples outside 100 to 1,000,000.
BootstrapMeans bootstrap_means(const std::vector<ClusteredValue>& values, size_t groups,
                               uint64_t seed, int64_t resamples);

}  // namespace scintigen
