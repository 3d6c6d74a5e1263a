// SPDX-License-Identifier: Apache-2.0
// Tukey-Kramer, Games-Howell and Dunnett (metrics/group_tests.h).
#include <cmath>

#include "core/error.h"
#include "metrics/distributions.h"
#include "metrics/group_tests.h"
#include "metrics/simultaneous_distributions.h"

namespace scintigen {
namespace {

constexpr double kLevel = 0.95;

void check_groups(const std::vector<ValueGroup>& groups) {
  require(groups.size() <= kMostGroupsInPairs,
          "{} groups make {} pairs; comparisons of pairs take at most {} groups: choose rows, or "
          "quote the test of all groups",
          groups.size(), groups.size() * (groups.size() - 1) / 2, kMostGroupsInPairs);
}

PairComparison pair_of(const std::vector<ValueGroup>& groups,
                       const std::vector<SampleMoments>& moments, size_t a, size_t b) {
  PairComparison pair;
  pair.a = groups[a].name;
  pair.b = groups[b].name;
  pair.n_a = moments[a].n;
  pair.n_b = moments[b].n;
  pair.difference = moments[a].mean - moments[b].mean;
  pair.test.n = moments[a].n + moments[b].n;
  return pair;
}

/// Why a difference whose standard error is 0 has no statistic, or p = 0 in the limit.
void without_variation(PairComparison& pair, const char* statistic) {
  if (*pair.difference == 0) {
    pair.test.not_computed = "equal means and no variation: there is nothing to compare";
    return;
  }
  pair.test.p = 0;
  pair.test.note = fmt::format(
      "no variation within the groups and means that differ: {} is infinite", statistic);
}

/// Statistic difference / error, its p by `upper`, and difference +- critical error.
template <class Upper>
void compare(PairComparison& pair, const char* statistic, double error, double df, double critical,
             Upper upper) {
  const double value = *pair.difference / error;
  const int64_t n = pair.test.n;
  pair.test.figures = {{statistic, value}, {"df", df}};
  pair.test.p = std::isfinite(value) ? upper(std::abs(value)) : NAN;
  pair.test.interval = {*pair.difference - critical * error, *pair.difference + critical * error,
                        kLevel};
  pair.test.interval_of = "difference of means, simultaneous";
  pair.test.n = n;
  pair.test = checked(pair.test);
}

}  // namespace

std::vector<PairComparison> tukey_kramer(const std::vector<ValueGroup>& groups) {
  check_groups(groups);
  const auto moments = moments_of(groups);
  const auto layout = one_way_layout(groups);
  const auto count = static_cast<int>(groups.size());
  const bool usable = layout.df_within >= 1 && layout.sum_within > 0;
  const double critical =
      usable ? studentized_range_quantile(1 - kLevel, count, layout.df_within) : 0;
  std::vector<PairComparison> pairs;
  for (size_t a = 0; a < groups.size(); ++a) {
    for (size_t b = a + 1; b < groups.size(); ++b) {
      auto pair = pair_of(groups, moments, a, b);
      if (layout.df_within < 1) {
        pair.test.not_computed =
            "every group has one value: the variation within groups is unknown";
      } else if (!usable) {
        without_variation(pair, "q");
      } else {
        const double error =
            std::sqrt(layout.mean_within() / 2 *
                      (1 / static_cast<double>(pair.n_a) + 1 / static_cast<double>(pair.n_b)));
        compare(pair, "q", error, layout.df_within, critical,
                [&](double q) { return studentized_range_upper(q, count, layout.df_within); });
      }
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

std::vector<PairComparison> games_howell(const std::vector<ValueGroup>& groups) {
  check_groups(groups);
  const auto moments = moments_of(groups);
  const auto count = static_cast<int>(groups.size());
  std::vector<PairComparison> pairs;
  for (size_t a = 0; a < groups.size(); ++a) {
    for (size_t b = a + 1; b < groups.size(); ++b) {
      auto pair = pair_of(groups, moments, a, b);
      if (pair.n_a < 2 || pair.n_b < 2) {
        pair.test.not_computed = fmt::format("group '{}' has one value: its variance is unknown",
                                             pair.n_a < 2 ? pair.a : pair.b);
      } else if (moments[a].constant() && moments[b].constant()) {
        without_variation(pair, "q");
      } else {
        const double error = std::sqrt((moments[a].variance / static_cast<double>(pair.n_a) +
                                        moments[b].variance / static_cast<double>(pair.n_b)) /
                                       2);
        const double df = welch_degrees_of_freedom(moments[a], moments[b]);
        if (!(error > 0) || !std::isfinite(error)) {
          pair.test.not_computed = "the standard error is beyond double precision";
        } else {
          compare(pair, "q", error, df, studentized_range_quantile(1 - kLevel, count, df),
                  [&](double q) { return studentized_range_upper(q, count, df); });
        }
      }
      pairs.push_back(std::move(pair));
    }
  }
  return pairs;
}

std::vector<PairComparison> dunnett(const std::vector<ValueGroup>& groups, size_t control) {
  check_groups(groups);
  require(control < groups.size(), "dunnett: control {} of {} groups", control, groups.size());
  const auto moments = moments_of(groups);
  const auto layout = one_way_layout(groups);
  const auto n_control = static_cast<double>(moments[control].n);
  std::vector<double> loadings;
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto n = static_cast<double>(moments[i].n);
    if (i != control) loadings.push_back(std::sqrt(n / (n + n_control)));
  }
  const bool usable = layout.df_within >= 1 && layout.sum_within > 0;
  const double critical = usable ? dunnett_quantile(1 - kLevel, loadings, layout.df_within) : 0;
  std::vector<PairComparison> pairs;
  for (size_t a = 0; a < groups.size(); ++a) {
    if (a == control) continue;
    auto pair = pair_of(groups, moments, a, control);
    if (layout.df_within < 1) {
      pair.test.not_computed = "every group has one value: the variation within groups is unknown";
    } else if (!usable) {
      without_variation(pair, "t");
    } else {
      const double error =
          std::sqrt(layout.mean_within() * (1 / static_cast<double>(pair.n_a) + 1 / n_control));
      compare(pair, "t", error, layout.df_within, critical,
              [&](double t) { return dunnett_upper(t, loadings, layout.df_within); });
    }
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace scintigen
