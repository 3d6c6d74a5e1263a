// SPDX-License-Identifier: Apache-2.0
// The distributions behind comparisons of many means: the studentised range (Tukey-Kramer,
// Games-Howell) and the two-sided many-to-one t (Dunnett). Deterministic quadrature, no draws.
// Checked against SciPy's studentized_range and against nested SciPy quadrature in
// tests/metrics/test_distributions.cpp; absolute error below 1e-11 there.
#pragma once
#include <vector>

namespace scintigen {

/// P(Q > q): Q = (largest - smallest of `groups` standard normals) / s, df s^2 ~ chi^2_df
/// (Tukey 1949; integral of Lund and Lund 1983, AS 190). q >= 0, groups >= 2, df >= 1.
double studentized_range_upper(double q, int groups, double df);

/// q with P(Q > q) = upper, upper in (0, 1).
double studentized_range_quantile(double upper, int groups, double df);

/// P(max_i |T_i| > t), T multivariate t with correlations rho_ij = l_i l_j (Dunnett 1955; here
/// l_i = sqrt(n_i / (n_i + n_0))). t >= 0, 0 <= l_i < 1, df >= 1.
double dunnett_upper(double t, const std::vector<double>& loadings, double df);

/// t with P(max_i |T_i| > t) = upper, upper in (0, 1).
double dunnett_quantile(double upper, const std::vector<double>& loadings, double df);

}  // namespace scintigen
