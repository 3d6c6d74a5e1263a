// SPDX-License-Identifier: Apache-2.0
// Tests of several independent groups at once. Every function takes two groups or more, each with
// at least one value, and hands back a reason instead of a figure where there is none (all values
// equal, too few values). Checked against SciPy and statsmodels in
// tests/metrics/test_statistics_golden.cpp and by tools/compare_statistics.py.
#pragma once
#include <vector>

#include "metrics/samples.h"
#include "metrics/test_result.h"

namespace scintigen {

/// Mean squares of a one-way layout.
struct OneWayLayout {
  int64_t n = 0;
  double df_between = 0, df_within = 0;
  double sum_between = 0, sum_within = 0;  ///< sums of squares
  bool all_equal = false;                  ///< no variation at all
  double mean_within() const { return sum_within / df_within; }
};
OneWayLayout one_way_layout(const std::vector<ValueGroup>& groups);

/// One-way analysis of variance (Fisher 1925). Figures F, df1, df2, eta_squared = SSB / SST,
/// omega_squared = (SSB - df1 MSW) / (SST + MSW) (Hays 1963; may be below 0).
TestResult one_way_anova(const std::vector<ValueGroup>& groups);

/// Welch's analysis of variance (Welch 1951): no equal variances. Figures F, df1, df2. Every group
/// needs two values that differ.
TestResult welch_anova(const std::vector<ValueGroup>& groups);

/// Kruskal-Wallis H with correction for ties, chi squared with k - 1 degrees of freedom
/// (Kruskal and Wallis 1952). Figures H, df, epsilon_squared = H / (n - 1) (Kelley; Tomczak 2014).
TestResult kruskal_wallis(const std::vector<ValueGroup>& groups);

/// Tukey-Kramer: all pairs, pooled variance (Kramer 1956). Figures q, df; simultaneous 95 %
/// intervals. throws Error for more than kMostGroupsInPairs groups.
std::vector<PairComparison> tukey_kramer(const std::vector<ValueGroup>& groups);

/// Games-Howell: all pairs, variances of their own, Welch's degrees of freedom (Games and Howell
/// 1976). Figures q, df. A pair with a group of one value, or without variance, is refused.
/// throws Error for more than kMostGroupsInPairs groups.
std::vector<PairComparison> games_howell(const std::vector<ValueGroup>& groups);

/// Dunnett, two-sided: each group (a) against the control (b), pooled variance (Dunnett 1955).
/// Figures t, df; simultaneous 95 % intervals. control: index in groups.
/// throws Error for more than kMostGroupsInPairs groups.
std::vector<PairComparison> dunnett(const std::vector<ValueGroup>& groups, size_t control);

/// More groups than this make pairs nobody reads, and seconds of quadrature.
constexpr size_t kMostGroupsInPairs = 50;

/// Welch and Satterthwaite's degrees of freedom of the difference of two means.
double welch_degrees_of_freedom(const SampleMoments& a, const SampleMoments& b);

}  // namespace scintigen
