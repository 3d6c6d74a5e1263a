// SPDX-License-Identifier: Apache-2.0
#include "metrics/cluster_bootstrap.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr double kMostDraws = 2e8;

/// What one cluster adds to one group.
struct Share {
  size_t group = 0;
  double sum = 0, count = 0;
};

ConfidenceInterval percentiles(std::vector<double> values, double level) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double fraction) {
    const double place = fraction * static_cast<double>(values.size() - 1);
    const auto low = static_cast<size_t>(place);
    const size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (place - static_cast<double>(low)) * (values[high] - values[low]);
  };
  return {at((1 - level) / 2), at((1 + level) / 2), level};
}

/// Clusters as lists of their shares.
std::vector<std::vector<Share>> shares_of(const std::vector<ClusteredValue>& values) {
  size_t clusters = 0;
  for (const auto& value : values) clusters = std::max(clusters, value.cluster + 1);
  std::vector<std::vector<Share>> shares(clusters);
  for (const auto& value : values) {
    auto& own = shares[value.cluster];
    auto place = std::find_if(own.begin(), own.end(),
                              [&](const Share& share) { return share.group == value.group; });
    if (place == own.end()) place = own.insert(own.end(), {value.group, 0, 0});
    place->sum += value.value;
    place->count += 1;
  }
  return shares;
}

/// The clusters among which draws are made: one pool for all, or one for each group.
std::vector<std::vector<size_t>> pools_of(const std::vector<std::vector<Share>>& shares,
                                          size_t groups, bool by_group) {
  std::vector<std::vector<size_t>> pools(by_group ? groups : 1);
  for (size_t cluster = 0; cluster < shares.size(); ++cluster)
    if (!shares[cluster].empty())
      pools[by_group ? shares[cluster].front().group : 0].push_back(cluster);
  return pools;
}

}  // namespace

ConfidenceInterval BootstrapMeans::of_mean(size_t group, double level) const {
  require(not_computed.empty() && group < means.size() && !means[group].empty(),
          "bootstrap: no means of group {} ({})", group, not_computed);
  return percentiles(means[group], level);
}

ConfidenceInterval BootstrapMeans::of_difference(size_t a, size_t b, double level) const {
  require(not_computed.empty() && std::max(a, b) < means.size() && !means[a].empty(),
          "bootstrap: no means of groups {} and {} ({})", a, b, not_computed);
  std::vector<double> differences(means[a].size());
  for (size_t i = 0; i < differences.size(); ++i) differences[i] = means[a][i] - means[b][i];
  return percentiles(std::move(differences), level);
}

BootstrapMeans bootstrap_means(const std::vector<ClusteredValue>& values, size_t groups,
                               uint64_t seed, int64_t resamples) {
  require(resamples >= 100 && resamples <= 1000000,
          "bootstrap: {} resamples; expected 100 to 1000000", resamples);
  const auto shares = shares_of(values);
  BootstrapMeans result;
  std::vector<int64_t> clusters_in(groups, 0);
  result.by_group = true;
  for (const auto& own : shares) {
    result.clusters += own.empty() ? 0 : 1;
    if (own.size() > 1) result.by_group = false;
    for (const auto& share : own) ++clusters_in[share.group];
  }
  result.resamples = resamples;
  for (size_t group = 0; group < groups; ++group)
    if (clusters_in[group] < 2)
      result.not_computed = "a group has one cluster: nothing varies between resamples";
  if (static_cast<double>(result.clusters) * static_cast<double>(resamples) > kMostDraws)
    result.not_computed = fmt::format(
        "{} resamples of {} clusters are more than {:.0e} draws; ask for fewer resamples",
        resamples, result.clusters, kMostDraws);
  if (!result.not_computed.empty()) return result;
  const auto pools = pools_of(shares, groups, result.by_group);
  result.means.resize(groups);
  std::vector<double> sums(groups), counts(groups);
  for (int64_t resample = 0; resample < resamples; ++resample) {
    Random random(seed, "bootstrap", static_cast<uint64_t>(resample));
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(counts.begin(), counts.end(), 0.0);
    for (const auto& pool : pools) {
      const auto last = static_cast<int64_t>(pool.size()) - 1;
      for (size_t draw = 0; draw < pool.size(); ++draw) {
        for (const auto& share : shares[pool[static_cast<size_t>(random.integer(0, last))]]) {
          sums[share.group] += share.sum;
          counts[share.group] += share.count;
        }
      }
    }
    if (std::find(counts.begin(), counts.end(), 0.0) != counts.end()) {
      ++result.empty_resamples;
      continue;
    }
    for (size_t group = 0; group < groups; ++group)
      result.means[group].push_back(sums[group] / counts[group]);
  }
  if (2 * result.empty_resamples > resamples)
    result.not_computed = "more than half of the resamples left a group empty: too few clusters";
  return result;
}

}  // namespace scintigen
