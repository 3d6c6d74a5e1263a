// SPDX-License-Identifier: Apache-2.0
// t tests, equivalence and effect sizes (metrics/two_sample_tests.h).
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "metrics/distributions.h"
#include "metrics/group_tests.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

constexpr double kLevel = 0.95;
const char* const kNothing = "equal means and no variation: there is nothing to compare";

/// A difference of means with its standard error, or why there is none.
struct Difference {
  int64_t n = 0;
  double value = 0, error = 0, df = 0;
  std::string refusal;
};

Difference independent_difference(const Sample& a, const Sample& b) {
  const auto first = moments_of(a), second = moments_of(b);
  Difference difference;
  difference.n = first.n + second.n;
  difference.value = first.mean - second.mean;
  if (first.n < 2 || second.n < 2) {
    difference.refusal =
        fmt::format("{} and {} values: a variance needs two in each group", first.n, second.n);
    return difference;
  }
  const double part_a = first.variance / static_cast<double>(first.n);
  const double part_b = second.variance / static_cast<double>(second.n);
  difference.error = std::sqrt(part_a + part_b);
  const bool constant = first.constant() && second.constant();
  if (!constant) difference.df = welch_degrees_of_freedom(first, second);
  if (!constant && !(difference.error > 0))
    difference.refusal = "values are too close together for double precision; scale them up";
  if (constant && difference.value == 0) difference.refusal = kNothing;
  return difference;
}

std::vector<double> paired_differences(const Sample& a, const Sample& b) {
  require(a.size() == b.size(), "paired test: {} and {} values; expected as many of each", a.size(),
          b.size());
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  return differences;
}

Difference paired_difference(const Sample& a, const Sample& b) {
  const auto moments = moments_of(paired_differences(a, b));
  Difference difference;
  difference.n = moments.n;
  difference.value = moments.mean;
  if (moments.n < 2) {
    difference.refusal =
        fmt::format("{} pair{}: a variance needs two", moments.n, moments.n == 1 ? "" : "s");
    return difference;
  }
  double size = 0;
  for (size_t i = 0; i < a.size(); ++i) size = std::max({size, std::abs(a[i]), std::abs(b[i])});
  // 1.1 - 1 and 2.1 - 2 differ by rounding alone.
  const bool constant =
      moments.largest - moments.smallest <= 4 * std::numeric_limits<double>::epsilon() * size;
  difference.df = static_cast<double>(moments.n - 1);
  difference.error = constant ? 0 : std::sqrt(moments.variance / static_cast<double>(moments.n));
  if (!constant && !(difference.error > 0))
    difference.refusal = "differences are too close together for double precision; scale them up";
  if (constant && moments.smallest <= 0 && moments.largest >= 0) difference.refusal = kNothing;
  return difference;
}

TestResult t_test(const Difference& difference) {
  if (!difference.refusal.empty()) return not_computed(difference.n, difference.refusal);
  TestResult result;
  result.n = difference.n;
  if (difference.error == 0) {
    result.figures = {{"difference", difference.value}};
    result.p = 0;
    result.note = "no variation and a difference: t is infinite";
    return result;
  }
  const double t = difference.value / difference.error;
  result.figures = {{"t", t}, {"df", difference.df}, {"difference", difference.value}};
  result.p = std::isfinite(t) ? t_two_sided(t, difference.df) : NAN;
  const double reach = t_quantile((1 - kLevel) / 2, difference.df) * difference.error;
  result.interval = {difference.value - reach, difference.value + reach, kLevel};
  result.interval_of = "difference of means";
  return checked(result);
}

TestResult two_one_sided(const Difference& difference, double margin) {
  require(std::isfinite(margin) && margin > 0,
          "equivalence: margin is {}; expected a number above 0 in the unit of the values", margin);
  const bool refused = !difference.refusal.empty() && difference.refusal != kNothing;
  if (refused) return not_computed(difference.n, difference.refusal);
  TestResult result;
  result.n = difference.n;
  result.figures = {{"margin", margin}};
  if (difference.error == 0) {
    if (std::abs(difference.value) == margin)
      return not_computed(difference.n, "no variation, and the difference equals the margin");
    result.figures.emplace_back("difference", difference.value);
    result.p = std::abs(difference.value) < margin ? 0 : 1;
    result.note = "no variation: both t are infinite";
    return result;
  }
  const double lower = (difference.value + margin) / difference.error;
  const double upper = (difference.value - margin) / difference.error;
  result.figures.emplace_back("t_lower", lower);
  result.figures.emplace_back("t_upper", upper);
  result.figures.emplace_back("df", difference.df);
  result.figures.emplace_back("difference", difference.value);
  if (!std::isfinite(lower) || !std::isfinite(upper)) return checked(result);
  result.p = std::max(t_upper(lower, difference.df), t_upper(-upper, difference.df));
  const double reach = t_quantile(0.05, difference.df) * difference.error;
  result.interval = {difference.value - reach, difference.value + reach, 0.9};
  result.interval_of = "difference of means";
  return checked(result);
}

/// Standardised difference d, its small-sample correction and the interval of the latter; `scale`:
/// noncentrality = scale * population effect.
TestResult standardised(int64_t n, double d, double df, double scale, const char* d_name,
                        const char* g_name) {
  TestResult result;
  result.n = n;
  result.figures = {{d_name, d}};
  if (df < 2 || !std::isfinite(d)) {
    result.note = "too few values for Hedges' correction";
    return checked(result);
  }
  const double correction =
      std::exp(std::lgamma(df / 2) - 0.5 * std::log(df / 2) - std::lgamma((df - 1) / 2));
  result.figures.emplace_back(g_name, correction * d);
  try {
    const auto interval = noncentrality_interval(d * scale, df, kLevel);
    result.interval = {correction * interval.low / scale, correction * interval.high / scale,
                       kLevel};
    result.interval_of = g_name;
  } catch (const Error& error) {
    result.note = error.what();
  }
  return checked(result);
}

}  // namespace

TestResult welch_t(const Sample& a, const Sample& b) {
  return t_test(independent_difference(a, b));
}

TestResult paired_t(const Sample& a, const Sample& b) { return t_test(paired_difference(a, b)); }

TestResult tost_welch(const Sample& a, const Sample& b, double margin) {
  return two_one_sided(independent_difference(a, b), margin);
}

TestResult tost_paired(const Sample& a, const Sample& b, double margin) {
  return two_one_sided(paired_difference(a, b), margin);
}

TestResult effect_size(const Sample& a, const Sample& b) {
  const auto first = moments_of(a), second = moments_of(b);
  const auto n_a = static_cast<double>(first.n), n_b = static_cast<double>(second.n);
  const int64_t n = first.n + second.n;
  if (n < 3) return not_computed(n, "one value in each group: the pooled SD is unknown");
  const double squares = first.variance * (n_a - 1) + second.variance * (n_b - 1);
  if (!(squares > 0)) return not_computed(n, "no variation within the groups: the pooled SD is 0");
  const double df = n_a + n_b - 2;
  const double d = (first.mean - second.mean) / std::sqrt(squares / df);
  return standardised(n, d, df, std::sqrt(n_a * n_b / (n_a + n_b)), "cohens_d", "hedges_g");
}

TestResult paired_effect_size(const Sample& a, const Sample& b) {
  const auto difference = paired_difference(a, b);
  if (difference.n < 2 || !(difference.error > 0))
    return not_computed(difference.n, difference.n < 2
                                          ? difference.refusal
                                          : "the differences have no variation: their SD is 0");
  const double root = std::sqrt(static_cast<double>(difference.n));
  return standardised(difference.n, difference.value / (difference.error * root), difference.df,
                      root, "cohens_dz", "hedges_gz");
}

}  // namespace scintigen
