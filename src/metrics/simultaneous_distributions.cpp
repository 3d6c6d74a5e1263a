// SPDX-License-Identifier: Apache-2.0
#include "metrics/simultaneous_distributions.h"

#include <algorithm>
#include <array>
#include <boost/math/quadrature/gauss.hpp>
#include <boost/math/tools/roots.hpp>
#include <cmath>
#include <utility>

#include "metrics/distributions.h"

namespace scintigen {
namespace {

constexpr double kInverseRootTwoPi = 0.39894228040143267794;

double normal_density(double z) { return kInverseRootTwoPi * std::exp(-0.5 * z * z); }

struct Node {
  double scale;   ///< s
  double weight;  ///< probability
};

/// Where h(u) = df u - df / 2 (e^{2u} - 1), largest at 0, has fallen to -depth, on the side of
/// `sign`.
double fall(double df, double depth, int sign) {
  double near = 0, far = sign * (depth / df + 3 / std::sqrt(df));
  const auto h = [&](double u) { return df * u - df / 2 * std::expm1(2 * u); };
  while (h(far) > -depth) far *= 1.5;
  for (int i = 0; i < 60; ++i) {
    const double middle = (near + far) / 2;
    (h(middle) > -depth ? near : far) = middle;
  }
  return far;
}

/// Nodes for the mean of a function over s = chi_df / sqrt(df). In y = ln s the density is analytic
/// in a strip and decays at both ends, so the trapezoidal rule converges exponentially. `tail`: the
/// function decays like exp(-tail s^2); far in the tail what counts sits at
/// s^2 = df / (df + 2 tail), and the range is stretched to hold it.
std::vector<Node> scale_nodes(double df, double tail) {
  constexpr double depth = 40;
  const double step = std::min(0.125, 1 / (1.7 * std::sqrt(2 * df)));
  const double low = -0.5 * std::log1p(2 * tail / df) + fall(df, depth, -1);
  const double high = fall(df, depth, 1);
  const auto first = static_cast<int64_t>(std::floor(low / step));
  const auto last = static_cast<int64_t>(std::ceil(high / step));
  std::vector<Node> nodes;
  double sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    const double y = static_cast<double>(i) * step;
    const double weight = std::exp(df * y - df / 2 * std::expm1(2 * y));
    nodes.push_back({std::exp(y), weight});
    sum += weight;
  }
  for (auto& node : nodes) node.weight /= sum;  // no gamma function, so no cancellation at large df
  return nodes;
}

/// P(range > w) of `groups` standard normals
///   = k int phi(z) {Phi(z)^(k-1) - [Phi(z) - Phi(z - w)]^(k-1)} dz:
/// a sum of positive terms, so small probabilities keep their digits. Trapezoidal rule; what does
/// not depend on w is tabulated.
class NormalRange {
 public:
  explicit NormalRange(int groups) : power_(groups - 1) {
    for (double z = kLowest; z <= kWidest / 2 - kLowest; z += kStep) {
      const double below = normal_upper(-z);
      points_.push_back({z, below, groups * kStep * normal_density(z) * std::pow(below, power_)});
    }
  }

  double upper(double w) const {
    if (w > kWidest) return 0;  // exp(-w^2 / 4) has no double
    const double highest = std::max(-kLowest, w / 2 - kLowest);
    double sum = 0;
    for (const auto& point : points_) {
      if (point.z > highest) break;
      if (point.weight < 1e-300) continue;
      const double cut = normal_upper(w - point.z);
      sum += cut >= point.below
                 ? point.weight
                 : point.weight * -std::expm1(power_ * std::log1p(-cut / point.below));
    }
    return std::min(1.0, sum);
  }

 private:
  static constexpr double kStep = 0.125, kLowest = -9, kWidest = 75;
  struct Point {
    double z, below, weight;
  };
  double power_;
  std::vector<Point> points_;
};

double studentized(double q, const NormalRange& range, double df) {
  if (q <= 0) return 1;
  double sum = 0;
  for (const auto& node : scale_nodes(df, q * q / 4))
    if (node.weight > 0) sum += node.weight * range.upper(q * node.scale);
  return std::clamp(sum, 0.0, 1.0);
}

/// Mean over y ~ N(0, 1) of P(some |Z_i| > c), Z_i = r_i X_i + l_i y, r_i^2 = 1 - l_i^2.
class ManyToOne {
 public:
  explicit ManyToOne(const std::vector<double>& loadings) {
    auto sorted = loadings;
    std::sort(sorted.begin(), sorted.end());
    for (const double loading : sorted) {
      if (!terms_.empty() && terms_.back().loading == loading) {
        terms_.back().count += 1;
        continue;
      }
      terms_.push_back({loading, std::sqrt((1 - loading) * (1 + loading)), 1});
    }
  }

  double upper(double c) const { return c > 50 ? 0 : 2 * panel(0, 9 + c, c, 0); }

 private:
  struct Term {
    double loading, rest, count;
  };

  /// Gauss-Legendre over panels no longer than 2.5 times the narrowest step of the integrand there:
  /// P(|Z_i| > c) rises at y = c / l_i within r_i / l_i.
  double panel(double low, double high, double c, int depth) const {
    double width = 1;
    for (const auto& term : terms_) {
      const double rise = term.rest / std::max(term.loading, 1e-3);
      const double place = c / std::max(term.loading, 1e-3);
      if (low < place + 8 * rise && high > place - 8 * rise) width = std::min(width, rise);
    }
    if (high - low > 2.5 * width && depth < 40) {
      const double middle = (low + high) / 2;
      return panel(low, middle, c, depth + 1) + panel(middle, high, c, depth + 1);
    }
    return boost::math::quadrature::gauss<double, 12>::integrate(
        [&](double y) { return integrand(y, c); }, low, high);
  }

  double integrand(double y, double c) const {
    double kept = 0;  // ln of the probability that all stay within +- c
    for (const auto& term : terms_) {
      const double outside = normal_upper((c - term.loading * y) / term.rest) +
                             normal_upper((c + term.loading * y) / term.rest);
      if (outside >= 1) return normal_density(y);
      kept += term.count * std::log1p(-outside);
    }
    return normal_density(y) * -std::expm1(kept);
  }

  std::vector<Term> terms_;
};

/// x > 0 with upper(x) = target; `upper` falls from 1.
template <class Upper>
double quantile(double target, Upper upper) {
  double high = 4;
  while (upper(high) > target && high < 1e8) high *= 2;
  boost::uintmax_t steps = 100;
  const auto root = boost::math::tools::toms748_solve(
      [&](double x) { return std::log(std::max(upper(x), 1e-300) / target); }, 0.0, high,
      boost::math::tools::eps_tolerance<double>(34), steps);
  return (root.first + root.second) / 2;
}

}  // namespace

double studentized_range_upper(double q, int groups, double df) {
  return studentized(q, NormalRange(groups), df);
}

double studentized_range_quantile(double upper, int groups, double df) {
  const NormalRange range(groups);
  return quantile(upper, [&](double q) { return studentized(q, range, df); });
}

double dunnett_upper(double t, const std::vector<double>& loadings, double df) {
  if (t <= 0) return 1;
  const ManyToOne many(loadings);
  double sum = 0;
  for (const auto& node : scale_nodes(df, t * t / 2))
    if (node.weight > 0) sum += node.weight * many.upper(t * node.scale);
  return std::clamp(sum, 0.0, 1.0);
}

double dunnett_quantile(double upper, const std::vector<double>& loadings, double df) {
  return quantile(upper, [&](double t) { return dunnett_upper(t, loadings, df); });
}

}  // namespace scintigen
