// SPDX-License-Identifier: Apache-2.0
#include "metrics/distributions.h"

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kRootHalf = 0.70710678118654752440;

}  // namespace

double t_upper(double t, double df) {
  return boost::math::cdf(boost::math::complement(boost::math::students_t(df), t));
}

double t_two_sided(double t, double df) { return 2 * t_upper(std::abs(t), df); }

double t_quantile(double upper, double df) {
  return boost::math::quantile(boost::math::complement(boost::math::students_t(df), upper));
}

double f_upper(double f, double df1, double df2) {
  return boost::math::cdf(boost::math::complement(boost::math::fisher_f(df1, df2), f));
}

double chi_squared_upper(double x, double df) {
  return boost::math::cdf(boost::math::complement(boost::math::chi_squared(df), x));
}

double normal_upper(double z) { return 0.5 * std::erfc(z * kRootHalf); }

double normal_two_sided(double z) { return std::erfc(std::abs(z) * kRootHalf); }

double kolmogorov_upper(double x) {
  if (x <= 0) return 1;
  constexpr double pi = 3.14159265358979323846;
  double sum = 0;
  if (x < 1) {  // Jacobi's theta transform converges where the alternating series does not
    for (int j = 1; j <= 15; j += 2) sum += std::exp(-j * j * pi * pi / (8 * x * x));
    return 1 - std::sqrt(2 * pi) / x * sum;
  }
  for (int j = 8; j >= 1; --j) sum += (j % 2 == 1 ? 2 : -2) * std::exp(-2.0 * j * j * x * x);
  return sum;
}

double binomial_half_lower(int64_t successes, int64_t trials) {
  if (successes >= trials) return 1;
  return boost::math::cdf(boost::math::binomial(static_cast<double>(trials), 0.5),
                          static_cast<double>(successes));
}

ConfidenceInterval noncentrality_interval(double t, double df, double level) {
  require(std::abs(t) <= 200, "noncentrality interval: |t| is {:.4g}; expected at most 200",
          std::abs(t));
  const double tail = (1 - level) / 2;
  // P(T <= t | delta) falls from 1 to 0 as delta grows.
  const auto noncentrality_at = [&](double lower_probability) {
    const auto excess = [&](double delta) {
      return boost::math::cdf(boost::math::non_central_t(df, delta), t) - lower_probability;
    };
    double reach = 2 + 3 * std::sqrt(1 + t * t / (2 * df));
    double low = t - reach, high = t + reach;
    for (int i = 0; i < 20 && excess(low) < 0; ++i) low -= reach *= 1.5;
    for (int i = 0; i < 20 && excess(high) > 0; ++i) high += reach *= 1.5;
    boost::uintmax_t steps = 200;
    const auto root = boost::math::tools::toms748_solve(
        excess, low, high, boost::math::tools::eps_tolerance<double>(46), steps);
    return (root.first + root.second) / 2;
  };
  try {
    return {noncentrality_at(1 - tail), noncentrality_at(tail), level};
  } catch (const std::exception&) {
    throw Error("noncentrality interval: the search does not converge at t {:.4g}, df {:.4g}", t,
                df);
  }
}

}  // namespace scintigen
