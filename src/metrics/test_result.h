// SPDX-License-Identifier: Apache-2.0
// What every statistical test hands back: named figures, a p-value, what was dropped, or why there
// is no p-value. Never a NaN.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace scintigen {

struct ConfidenceInterval {
  double low = 0, high = 0;
  double level = 0.95;  ///< coverage
};

/// One test. Where it cannot be computed, `not_computed` says why and `p` is empty. A statistic
/// that is infinite (no variation within groups whose means differ) is left out of `figures`, p is
/// its limit 0 and `note` says so.
struct TestResult {
  int64_t n = 0;  ///< values (pairs, for paired tests) that entered
  std::vector<std::pair<std::string, double>> figures;  ///< "F", "df1", ...: in order, finite
  std::optional<double> p;                              ///< in [0, 1]
  std::optional<ConfidenceInterval> interval;
  std::string interval_of;  ///< what the interval is about: "difference of means", ...
  std::string method;       ///< "exact", "normal approximation, ...": where a test has several
  std::string note;
  std::vector<std::pair<std::string, int64_t>> dropped;  ///< "zeros", ...: how many
  std::string not_computed;

  /// The figure by name; throws Error that lists the figures there are.
  double figure(const std::string& name) const;
};

/// One comparison of an all-pairs or many-to-one procedure; difference = mean(a) - mean(b).
struct PairComparison {
  std::string a, b;
  int64_t n_a = 0, n_b = 0;
  std::optional<double> difference;
  TestResult test;
};

/// n and a reason.
TestResult not_computed(int64_t n, std::string reason);

/// Empties what is not finite: returns `result`, or a not_computed() that names the first figure
/// that is no number (values too large or too close for double precision).
TestResult checked(TestResult result);

}  // namespace scintigen
