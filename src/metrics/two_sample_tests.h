// SPDX-License-Identifier: Apache-2.0
// Tests of two samples, independent or paired. Samples hold at least one finite value each; a
// difference is a minus b. What cannot be computed is handed back with its reason. Checked against
// SciPy and statsmodels in tests/metrics/test_statistics_golden.cpp and by
// tools/compare_statistics.py.
#pragma once
#include <vector>

#include "metrics/test_result.h"

namespace scintigen {

using Sample = std::vector<double>;

/// Welch's t (Welch 1947), two-sided. Figures t, df, difference; 95 % interval.
TestResult welch_t(const Sample& a, const Sample& b);

/// Paired t, two-sided: t = mean(d) / (sd / sqrt n), d = a - b. Figures t, df, difference; 95 %
/// interval. throws Error where the lengths differ (as every paired test here does).
TestResult paired_t(const Sample& a, const Sample& b);

/// Two one-sided tests of |difference of means| < margin (Schuirmann 1987), Welch's variances.
/// Figures margin, t_lower, t_upper, df, difference; p is the larger of the two; 90 % interval:
/// equivalent at 5 % exactly where it lies within +- margin. throws Error unless margin > 0.
TestResult tost_welch(const Sample& a, const Sample& b, double margin);
TestResult tost_paired(const Sample& a, const Sample& b, double margin);

/// Cohen's d with pooled SD and Hedges' g = J d, J = Gamma(df/2) / (sqrt(df/2) Gamma((df-1)/2))
/// (Hedges 1981). Figures cohens_d, hedges_g (df >= 2); 95 % interval of g from the noncentral t.
TestResult effect_size(const Sample& a, const Sample& b);

/// The same of paired differences: cohens_dz = mean(d) / sd(d), hedges_gz.
TestResult paired_effect_size(const Sample& a, const Sample& b);

/// Wilcoxon signed rank, two-sided. Zero differences are dropped and counted. Up to
/// kExactSignedRanks differences: the exact distribution over all signs of the mid-ranks (ties
/// included); beyond: normal with tie correction, no continuity correction. Figures W = the smaller
/// rank sum, W_plus, W_minus, p_normal, rank_biserial = (W_plus - W_minus) / (W_plus + W_minus)
/// (Kerby 2014).
TestResult wilcoxon_signed_rank(const Sample& a, const Sample& b);
constexpr size_t kExactSignedRanks = 50;

/// Mann-Whitney, two-sided. Without ties and with at most 8 values in the smaller sample (SciPy's
/// rule) exact, else normal with tie and continuity correction. Figures U (pairs with a > b, ties
/// half), rank_biserial = 2 U / (n_a n_b) - 1.
TestResult mann_whitney(const Sample& a, const Sample& b);

/// Two-sample Kolmogorov-Smirnov, two-sided. Up to 10,000 values a sample (SciPy's rule) and
/// `most_cells` = n_a n_b: the exact path count (Hodges 1958), conservative with ties; beyond:
/// Kolmogorov's limit. Figure D.
TestResult kolmogorov_smirnov(const Sample& a, const Sample& b, double most_cells = 1e8);

/// Exact McNemar of paired 0/1 values: binomial over the discordant pairs, two-sided (McNemar
/// 1947). Figures only_a, only_b. Refuses other values than 0 and 1.
TestResult mcnemar_exact(const Sample& a, const Sample& b);

}  // namespace scintigen
