// SPDX-License-Identifier: Apache-2.0
// Tail probabilities and quantiles of the distributions that tests refer to. t, F, chi squared,
// noncentral t and binomial are Boost.Math's; the others are summed here. All take finite
// arguments, return values in [0, 1] and are checked against SciPy in
// tests/metrics/test_distributions.cpp.
#pragma once
#include <cstdint>

#include "metrics/test_result.h"

namespace scintigen {

double t_upper(double t, double df);               ///< P(T > t), df > 0
double t_two_sided(double t, double df);           ///< P(|T| > |t|)
double t_quantile(double upper, double df);        ///< t with P(T > t) = upper, upper in (0, 0.5]
double f_upper(double f, double df1, double df2);  ///< P(F > f), f >= 0
double chi_squared_upper(double x, double df);     ///< P(X > x), x >= 0
double normal_upper(double z);                     ///< P(Z > z)
double normal_two_sided(double z);                 ///< P(|Z| > |z|)

/// P(K > x) of Kolmogorov's limit distribution, 2 sum (-1)^(j-1) exp(-2 j^2 x^2).
double kolmogorov_upper(double x);

/// P(B <= successes), B binomial with `trials` and probability 1/2.
double binomial_half_lower(int64_t successes, int64_t trials);

/// Interval of the noncentrality of a t statistic: the two noncentralities at which `t` stands at
/// the (1 - level) / 2 quantiles (Steiger and Fouladi 1997). throws Error where |t| > 200 or the
/// search does not converge.
ConfidenceInterval noncentrality_interval(double t, double df, double level);

}  // namespace scintigen
