// SPDX-License-Identifier: Apache-2.0
// Wilcoxon, Mann-Whitney, Kolmogorov-Smirnov, McNemar (metrics/two_sample_tests.h).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "metrics/distributions.h"
#include "metrics/samples.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

constexpr double kMostExactProducts = 1e6;  // n_a n_b of the exact Mann-Whitney: 8 MB, 10 ms
constexpr size_t kMostExactSteps = 10000;   // SciPy's ks_2samp

void check_pairs(const Sample& a, const Sample& b) {
  require(a.size() == b.size(), "paired test: {} and {} values; expected as many of each", a.size(),
          b.size());
}

/// Two-sided p of a positive rank sum under every choice of signs. Mid-ranks are halves, so twice
/// them are whole numbers and sums can be indices.
double signed_rank_exact(const std::vector<double>& ranks, double plus) {
  std::vector<double> probability = {1};
  for (const double rank : ranks) {
    const auto step = static_cast<size_t>(std::lround(2 * rank));
    std::vector<double> next(probability.size() + step, 0);
    for (size_t i = 0; i < probability.size(); ++i) {
      next[i] += probability[i] / 2;
      next[i + step] += probability[i] / 2;
    }
    probability = std::move(next);
  }
  const auto place = static_cast<size_t>(std::lround(2 * plus));
  double below = 0, above = 0;
  for (size_t i = 0; i < probability.size(); ++i) {
    if (i <= place) below += probability[i];
    if (i >= place) above += probability[i];
  }
  return std::min(1.0, 2 * std::min(below, above));
}

/// P(U <= u) for sizes m <= n without ties, u <= m n / 2. The counts are the Gaussian binomial
/// coefficients: a product over i of (1 - x^(n + i)) / (1 - x^i), each partial product with
/// positive coefficients. The lowest n + 1 of them are exact, so small p keep their digits.
double mann_whitney_exact(int64_t m, int64_t n, int64_t u) {
  std::vector<long double> counts(static_cast<size_t>(u) + 1, 0);
  counts[0] = 1;
  long double all = 1;
  for (int64_t i = 1; i <= m; ++i) {
    for (int64_t k = u; k >= n + i; --k)
      counts[static_cast<size_t>(k)] -= counts[static_cast<size_t>(k - n - i)];
    for (int64_t k = i; k <= u; ++k)
      counts[static_cast<size_t>(k)] += counts[static_cast<size_t>(k - i)];
    all *= static_cast<long double>(n + i) / static_cast<long double>(i);
  }
  long double sum = 0;
  for (const auto count : counts) sum += count;
  return static_cast<double>(sum / all);
}

/// Largest |i n_b - j n_a| over the merged samples: D n_a n_b as a whole number.
int64_t largest_step(Sample a, Sample b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  const auto n_a = static_cast<int64_t>(a.size()), n_b = static_cast<int64_t>(b.size());
  int64_t i = 0, j = 0, largest = 0;
  while (i < n_a && j < n_b) {
    const double value = std::min(a[static_cast<size_t>(i)], b[static_cast<size_t>(j)]);
    while (i < n_a && a[static_cast<size_t>(i)] == value) ++i;
    while (j < n_b && b[static_cast<size_t>(j)] == value) ++j;
    largest = std::max(largest, std::abs(i * n_b - j * n_a));
  }
  return largest;
}

/// P(D n m >= step): the share of the lattice paths from (0,0) to (m,n), all equally likely, that
/// reach |i n - j m| >= step. Seen from its end, a path came to (i,j) from (i-1,j) with probability
/// i / (i + j). Sums of positive terms only.
double smirnov_exact(int64_t m, int64_t n, int64_t step) {
  std::vector<double> reached(static_cast<size_t>(n) + 1);
  std::vector<double> share(static_cast<size_t>(m + n) + 1);
  for (size_t k = 1; k < share.size(); ++k) share[k] = 1 / static_cast<double>(k);
  for (int64_t j = 0; j <= n; ++j) reached[static_cast<size_t>(j)] = j * m >= step ? 1 : 0;
  for (int64_t i = 1; i <= m; ++i) {
    reached[0] = i * n >= step ? 1 : reached[0];
    for (int64_t j = 1; j <= n; ++j) {
      double& here = reached[static_cast<size_t>(j)];
      const double inverse = share[static_cast<size_t>(i + j)];
      here = std::abs(i * n - j * m) >= step
                 ? 1
                 : (static_cast<double>(i) * here +
                    static_cast<double>(j) * reached[static_cast<size_t>(j - 1)]) *
                       inverse;
    }
  }
  return reached.back();
}

}  // namespace

TestResult wilcoxon_signed_rank(const Sample& a, const Sample& b) {
  check_pairs(a, b);
  std::vector<double> sizes;
  std::vector<bool> positive;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    sizes.push_back(std::abs(a[i] - b[i]));
    positive.push_back(a[i] > b[i]);
  }
  TestResult result;
  result.n = static_cast<int64_t>(sizes.size());
  result.dropped = {{"zeros", static_cast<int64_t>(a.size() - sizes.size())}};
  if (sizes.empty()) {
    result.not_computed = a.empty() ? "no pair" : "all differences are 0: there is nothing to rank";
    return result;
  }
  const auto ranked = mid_ranks(sizes);
  double plus = 0;
  for (size_t i = 0; i < sizes.size(); ++i) plus += positive[i] ? ranked.ranks[i] : 0;
  const auto n = static_cast<double>(sizes.size());
  const double total = n * (n + 1) / 2, minus = total - plus;
  const double variance = n * (n + 1) * (2 * n + 1) / 24 - ranked.tie_sum / 48;
  const double normal = normal_two_sided((plus - total / 2) / std::sqrt(variance));
  const bool exact = sizes.size() <= kExactSignedRanks;
  result.figures = {{"W", std::min(plus, minus)},
                    {"W_plus", plus},
                    {"W_minus", minus},
                    {"p_normal", normal},
                    {"rank_biserial", (plus - minus) / total}};
  result.p = exact ? signed_rank_exact(ranked.ranks, plus) : normal;
  const bool ties = ranked.tie_sum > 0;
  if (exact)
    result.method = ties ? "exact, over all signs of the mid-ranks" : "exact";
  else
    result.method = ties ? "normal approximation, corrected for ties" : "normal approximation";
  return checked(result);
}

TestResult mann_whitney(const Sample& a, const Sample& b) {
  Sample all = a;
  all.insert(all.end(), b.begin(), b.end());
  const auto ranked = mid_ranks(all);
  const auto n_a = static_cast<double>(a.size()), n_b = static_cast<double>(b.size());
  const double rank_sum = std::accumulate(
      ranked.ranks.begin(), ranked.ranks.begin() + static_cast<int64_t>(a.size()), 0.0);
  const double u = rank_sum - n_a * (n_a + 1) / 2, larger = std::max(u, n_a * n_b - u);
  TestResult result;
  result.n = static_cast<int64_t>(all.size());
  result.figures = {{"U", u}, {"rank_biserial", 2 * u / (n_a * n_b) - 1}};
  const bool ties = ranked.tie_sum > 0;
  if (!ties && std::min(n_a, n_b) <= 8 && n_a * n_b <= kMostExactProducts) {
    const auto m = static_cast<int64_t>(std::min(n_a, n_b));
    const auto n = static_cast<int64_t>(std::max(n_a, n_b));
    result.p = std::min(1.0, 2 * mann_whitney_exact(m, n, std::llround(n_a * n_b - larger)));
    result.method = "exact";
    return checked(result);
  }
  const double n = n_a + n_b;
  const double variance = n_a * n_b / 12 * ((n + 1) - ranked.tie_sum / (n * (n - 1)));
  const auto [smallest, largest] = std::minmax_element(all.begin(), all.end());
  if (*smallest == *largest) {
    result.p = 1;
    result.note = "all values are equal";
    return checked(result);
  }
  const double z = (larger - n_a * n_b / 2 - 0.5) / std::sqrt(variance);
  result.p = std::min(1.0, 2 * normal_upper(z));
  result.method = ties ? "normal approximation, corrected for ties and continuity"
                       : "normal approximation, corrected for continuity";
  return checked(result);
}

TestResult kolmogorov_smirnov(const Sample& a, const Sample& b, double most_cells) {
  const auto n_a = static_cast<double>(a.size()), n_b = static_cast<double>(b.size());
  const int64_t step = largest_step(a, b);
  TestResult result;
  result.n = static_cast<int64_t>(a.size() + b.size());
  const double d = static_cast<double>(step) / (n_a * n_b);
  result.figures = {{"D", d}};
  if (std::max(a.size(), b.size()) <= kMostExactSteps && n_a * n_b <= most_cells) {
    result.p = smirnov_exact(static_cast<int64_t>(a.size()), static_cast<int64_t>(b.size()), step);
    result.method = "exact";
  } else {
    result.p = kolmogorov_upper(std::sqrt(n_a * n_b / (n_a + n_b)) * d);
    result.method = "Kolmogorov's limit";
  }
  return checked(result);
}

TestResult mcnemar_exact(const Sample& a, const Sample& b) {
  check_pairs(a, b);
  int64_t only_a = 0, only_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    for (const double value : {a[i], b[i]})
      if (value != 0 && value != 1)
        return not_computed(static_cast<int64_t>(a.size()),
                            fmt::format("expected values 0 and 1, found {:.6g}", value));
    only_a += a[i] > b[i];
    only_b += b[i] > a[i];
  }
  TestResult result;
  result.n = static_cast<int64_t>(a.size());
  if (a.empty()) return not_computed(0, "no pair");
  result.figures = {{"only_a", static_cast<double>(only_a)},
                    {"only_b", static_cast<double>(only_b)}};
  result.p = std::min(1.0, 2 * binomial_half_lower(std::min(only_a, only_b), only_a + only_b));
  result.method = "exact";
  if (only_a + only_b == 0) result.note = "no pair differs";
  return result;
}

}  // namespace scintigen
