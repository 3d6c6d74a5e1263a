// SPDX-License-Identifier: Apache-2.0
#include "simulate/poisson.h"

#include <array>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kInversionBelow = 10;
constexpr int64_t kLongestSearch = 200;  // P(k > 200 | mean 10) < 1e-150: only rounding gets there

/// log k! by Stirling's series, error below 1e-12; small k by table. Not lgamma, which writes a
/// global variable.
double log_factorial(double k) {
  static const std::array<double, 16> table = [] {
    std::array<double, 16> logs{};
    for (size_t n = 1; n < logs.size(); ++n)
      logs[n] = logs[n - 1] + std::log(static_cast<double>(n));
    return logs;
  }();
  if (k < static_cast<double>(table.size())) return table[static_cast<size_t>(k)];
  constexpr double half_log_two_pi = 0.91893853320467274178;
  const double r = 1 / k, r2 = r * r;
  return (k + 0.5) * std::log(k) - k + half_log_two_pi +
         r * (1.0 / 12 - r2 * (1.0 / 360 - r2 * (1.0 / 1260 - r2 / 1680)));
}

double by_inversion(double mean, Random& random) {
  double rest = random.uniform(), probability = std::exp(-mean);
  int64_t k = 0;
  while (rest >= probability && k < kLongestSearch) {
    rest -= probability;
    ++k;
    probability *= mean / static_cast<double>(k);
  }
  return static_cast<double>(k);
}

double by_transformed_rejection(double mean, Random& random) {
  const double b = 0.931 + 2.53 * std::sqrt(mean), a = -0.059 + 0.02483 * b;
  const double accept_at_once = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = random.uniform() - 0.5, v = random.uniform();
    const double rim = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / rim + b) * u + mean + 0.43);
    if (rim >= 0.07 && v <= accept_at_once) return k;
    if (!(k >= 0) || (rim < 0.013 && v > rim)) continue;  // a rim of 0 makes k minus infinity
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    if (std::log(v * inverse_alpha / (a / (rim * rim) + b)) <=
        k * std::log(mean) - mean - log_factorial(k))
      return k;
  }
}

}  // namespace

double poisson_draw(double mean, Random& random) {
  require(mean >= 0 && mean <= 1e12, "Poisson draw: expected a mean of 0 to 1e12, found {}", mean);
  if (mean == 0) return 0;
  return mean < kInversionBelow ? by_inversion(mean, random)
                                : by_transformed_rejection(mean, random);
}

}  // namespace scintigen
