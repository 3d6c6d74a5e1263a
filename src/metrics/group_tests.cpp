// SPDX-License-Identifier: Apache-2.0
#include "metrics/group_tests.h"

#include <algorithm>
#include <cmath>

#include "metrics/distributions.h"

namespace scintigen {
namespace {

const char* const kAllEqual = "all values are equal: there is nothing to compare";
const char* const kNoReplicates =
    "every group has one value: the variation within groups is unknown";

int64_t count_of(const std::vector<ValueGroup>& groups) {
  int64_t n = 0;
  for (const auto& group : groups) n += static_cast<int64_t>(group.values.size());
  return n;
}

}  // namespace

double welch_degrees_of_freedom(const SampleMoments& a, const SampleMoments& b) {
  const auto n_a = static_cast<double>(a.n), n_b = static_cast<double>(b.n);
  const double part_a = a.variance / n_a, part_b = b.variance / n_b;
  const double share = part_a / (part_a + part_b);  // not squares of variances, which may underflow
  return 1 / (share * share / (n_a - 1) + (1 - share) * (1 - share) / (n_b - 1));
}

OneWayLayout one_way_layout(const std::vector<ValueGroup>& groups) {
  const auto moments = moments_of(groups);
  OneWayLayout layout;
  layout.n = count_of(groups);
  const auto n = static_cast<double>(layout.n);
  double lowest = moments.front().smallest, highest = moments.front().largest;
  for (const auto& group : moments) {
    lowest = std::min(lowest, group.smallest);
    highest = std::max(highest, group.largest);
  }
  layout.all_equal = lowest == highest;
  double shifted = 0;  // grand mean above the lowest value
  for (const auto& group : moments)
    shifted += static_cast<double>(group.n) / n * (group.mean - lowest);
  for (const auto& group : moments) {
    const double away = group.mean - lowest - shifted;
    layout.sum_between += static_cast<double>(group.n) * away * away;
    if (group.n > 1) layout.sum_within += group.variance * static_cast<double>(group.n - 1);
  }
  layout.df_between = static_cast<double>(groups.size()) - 1;
  layout.df_within = n - static_cast<double>(groups.size());
  return layout;
}

TestResult one_way_anova(const std::vector<ValueGroup>& groups) {
  const auto layout = one_way_layout(groups);
  if (layout.all_equal) return not_computed(layout.n, kAllEqual);
  if (layout.df_within < 1) return not_computed(layout.n, kNoReplicates);
  TestResult result;
  result.n = layout.n;
  const double total = layout.sum_between + layout.sum_within;
  if (layout.sum_within == 0) {
    result.p = 0;
    result.note = "no variation within the groups and means that differ: F is infinite";
  } else {
    const double f = layout.sum_between / layout.df_between / layout.mean_within();
    result.figures.emplace_back("F", f);
    result.p = std::isfinite(f) ? f_upper(f, layout.df_between, layout.df_within) : f;
  }
  result.figures.emplace_back("df1", layout.df_between);
  result.figures.emplace_back("df2", layout.df_within);
  result.figures.emplace_back("eta_squared", layout.sum_between / total);
  result.figures.emplace_back("omega_squared",
                              (layout.sum_between - layout.df_between * layout.mean_within()) /
                                  (total + layout.mean_within()));
  return checked(result);
}

TestResult welch_anova(const std::vector<ValueGroup>& groups) {
  const auto moments = moments_of(groups);
  const int64_t n = count_of(groups);
  double lowest = moments.front().smallest, least = 0;
  for (size_t i = 0; i < groups.size(); ++i) {
    lowest = std::min(lowest, moments[i].smallest);
    if (moments[i].n < 2)
      return not_computed(n, "group '" + groups[i].name +
                                 "' has one value: its variance is unknown; expected two or more");
    if (moments[i].constant())
      return not_computed(n, "group '" + groups[i].name +
                                 "' has no variance: its values are equal, and its weight would be "
                                 "infinite");
    const double variance_of_mean = moments[i].variance / static_cast<double>(moments[i].n);
    if (i == 0 || variance_of_mean < least) least = variance_of_mean;
  }
  // Weights n / variance, relative to the greatest so that none overflows.
  std::vector<double> weights;
  double weight_sum = 0, mean = 0;
  for (const auto& group : moments) {
    weights.push_back(least / (group.variance / static_cast<double>(group.n)));
    weight_sum += weights.back();
    mean += weights.back() * (group.mean - lowest);
  }
  mean /= weight_sum;
  const auto k = static_cast<double>(groups.size());
  double between = 0, lambda = 0;
  for (size_t i = 0; i < moments.size(); ++i) {
    const double away = moments[i].mean - lowest - mean;
    between += weights[i] / least * away * away / (k - 1);
    const double rest = 1 - weights[i] / weight_sum;
    lambda += rest * rest / static_cast<double>(moments[i].n - 1);
  }
  lambda *= 3 / (k * k - 1);
  TestResult result;
  result.n = n;
  const double f = between / (1 + 2 * (k - 2) * lambda / 3);
  result.figures = {{"F", f}, {"df1", k - 1}, {"df2", 1 / lambda}};
  result.p = std::isfinite(f) && lambda > 0 ? f_upper(f, k - 1, 1 / lambda) : NAN;
  return checked(result);
}

TestResult kruskal_wallis(const std::vector<ValueGroup>& groups) {
  std::vector<double> all;
  for (const auto& group : groups) all.insert(all.end(), group.values.begin(), group.values.end());
  const auto n = static_cast<double>(all.size());
  const auto ranked = mid_ranks(all);
  const double left = 1 - ranked.tie_sum / (n * n * n - n);
  const auto [smallest, largest] = std::minmax_element(all.begin(), all.end());
  if (*smallest == *largest) return not_computed(static_cast<int64_t>(all.size()), kAllEqual);
  double sum = 0;
  size_t place = 0;
  for (const auto& group : groups) {
    double away = 0;
    for (size_t i = 0; i < group.values.size(); ++i) away += ranked.ranks[place++] - (n + 1) / 2;
    sum += away * away / static_cast<double>(group.values.size());
  }
  const double h = 12 / (n * (n + 1)) * sum / left;
  const auto df = static_cast<double>(groups.size()) - 1;
  TestResult result;
  result.n = static_cast<int64_t>(all.size());
  result.figures = {{"H", h}, {"df", df}, {"epsilon_squared", h / (n - 1)}};
  result.p = chi_squared_upper(h, df);
  result.method = ranked.tie_sum > 0 ? "chi squared, corrected for ties" : "chi squared";
  return checked(result);
}

}  // namespace scintigen
