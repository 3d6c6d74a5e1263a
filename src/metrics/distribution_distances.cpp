// SPDX-License-Identifier: Apache-2.0
#include "metrics/distribution_distances.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

struct Features {
  torch::Tensor a, b;  // float64
  int64_t n() const { return a.size(0); }
  int64_t m() const { return b.size(0); }
};

torch::Tensor checked(const torch::Tensor& features, const std::string& measure, int64_t fewest) {
  require(features.defined() && features.dim() == 2 && features.is_floating_point() &&
              features.size(1) > 0,
          "{}: expected features [N,K] of floating point", measure);
  require(features.size(0) >= fewest, "{}: {} images; expected at least {}", measure,
          features.size(0), fewest);
  require(features.isfinite().all().item<bool>(), "{}: a feature is not finite", measure);
  return features.detach().to(torch::kCPU, torch::kDouble);
}

Features checked(const torch::Tensor& a, const torch::Tensor& b, const std::string& measure,
                 int64_t fewest) {
  Features both{checked(a, measure, fewest), checked(b, measure, fewest)};
  require(both.a.size(1) == both.b.size(1),
          "{}: {} features on one side and {} on the other; expected as many", measure,
          both.a.size(1), both.b.size(1));
  return both;
}

torch::Tensor kernel(const torch::Tensor& x, const torch::Tensor& y) {
  return (x.matmul(y.t()) / static_cast<double>(x.size(1)) + 1).pow(3);
}

double discrepancy(const torch::Tensor& x, const torch::Tensor& y) {
  const auto within = [](const torch::Tensor& z) {
    const auto n = static_cast<double>(z.size(0));
    const auto k = kernel(z, z);
    return (k.sum() - k.diagonal().sum()).item<double>() / (n * (n - 1));
  };
  return within(x) + within(y) - 2 * kernel(x, y).mean().item<double>();
}

/// Distances [N,M]; not by the expansion of the square, which loses digits where points are close.
torch::Tensor distances(const torch::Tensor& x, const torch::Tensor& y) {
  return at::cdist(x, y, 2, /*compute_mode=*/2);
}

/// Distance of each row to its k-th nearest other row.
torch::Tensor radii(const torch::Tensor& x, int64_t k) {
  // The nearest of all is the row itself, at distance 0.
  return std::get<0>(distances(x, x).kthvalue(k + 1, 1));
}

/// W1 between sorted samples of any sizes: the integral of |F^-1 - G^-1|.
double line_distance(const double* x, int64_t n, const double* y, int64_t m) {
  double total = 0, at = 0;
  for (int64_t i = 0, j = 0; i < n && j < m;) {
    const double next_x = static_cast<double>(i + 1) / static_cast<double>(n);
    const double next_y = static_cast<double>(j + 1) / static_cast<double>(m);
    const double next = std::min(next_x, next_y);
    total += (next - at) * std::abs(x[i] - y[j]);
    at = next;
    // Both end together where (i + 1) / n = (j + 1) / m, compared without rounding.
    const int64_t left = (i + 1) * m, right = (j + 1) * n;
    i += left <= right;
    j += right <= left;
  }
  return total;
}

}  // namespace

double kernel_distance(const torch::Tensor& a, const torch::Tensor& b) {
  const c10::NoGradGuard no_gradients;
  const auto both = checked(a, b, "kernel distance", 2);
  return discrepancy(both.a, both.b);
}

SubsetDistance kernel_distance_of_subsets(const torch::Tensor& a, const torch::Tensor& b,
                                          int64_t subsets, int64_t size, uint64_t seed) {
  const c10::NoGradGuard no_gradients;
  const auto both = checked(a, b, "kernel distance", 2);
  require(subsets >= 2 && size >= 2, "kernel distance: {} subsets of {}; expected at least 2 of 2",
          subsets, size);
  SubsetDistance result;
  result.subsets = subsets;
  result.size = std::min({size, both.n(), both.m()});
  std::vector<double> values;
  for (int64_t subset = 0; subset < subsets; ++subset) {
    Random random(seed, "subsets", static_cast<uint64_t>(subset));
    const auto some = [&](const torch::Tensor& x) {
      auto order = random.permutation(x.size(0));
      order.resize(static_cast<size_t>(result.size));
      return x.index_select(0, torch::tensor(order, torch::kLong));
    };
    const auto x = some(both.a), y = some(both.b);
    values.push_back(discrepancy(x, y));
  }
  for (const double value : values) result.mean += value / static_cast<double>(subsets);
  for (const double value : values)
    result.deviation += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(result.deviation / static_cast<double>(subsets - 1));
  return result;
}

double sliced_wasserstein(const torch::Tensor& a, const torch::Tensor& b, int64_t directions,
                          uint64_t seed) {
  const c10::NoGradGuard no_gradients;
  const auto both = checked(a, b, "sliced Wasserstein distance", 1);
  require(directions >= 1, "sliced Wasserstein distance: {} directions; expected at least 1",
          directions);
  Random random(seed, "directions");
  auto axes = random.normal_tensor({both.a.size(1), directions}).to(torch::kDouble);
  axes = axes / axes.norm(2, 0, true);
  const auto sorted = [&](const torch::Tensor& x) {
    return std::get<0>(x.matmul(axes).t().contiguous().sort(1)).contiguous();
  };
  const auto x = sorted(both.a), y = sorted(both.b);
  double total = 0;
  for (int64_t d = 0; d < directions; ++d)
    total += line_distance(x[d].data_ptr<double>(), both.n(), y[d].data_ptr<double>(), both.m());
  return total / static_cast<double>(directions);
}

ManifoldMeasures manifold_measures(const torch::Tensor& real, const torch::Tensor& synthetic,
                                   int64_t k) {
  const c10::NoGradGuard no_gradients;
  require(k >= 1, "manifold measures: k must be at least 1; found {}", k);
  const auto both = checked(real, synthetic, "manifold measures", k + 1);
  const auto between = distances(both.a, both.b);  // [real, synthetic]
  const auto in_real = between.le(radii(both.a, k).unsqueeze(1));
  const auto in_synthetic = between.le(radii(both.b, k).unsqueeze(0));
  const auto part = [](const torch::Tensor& which) {
    return which.to(torch::kDouble).mean().item<double>();
  };
  ManifoldMeasures result;
  result.precision = part(in_real.any(0));
  result.recall = part(in_synthetic.any(1));
  result.density = in_real.to(torch::kDouble).sum(0).mean().item<double>() / static_cast<double>(k);
  result.coverage = part(in_real.any(1));
  return result;
}

NeighbourTest nearest_neighbour_test(const torch::Tensor& real, const torch::Tensor& synthetic) {
  const c10::NoGradGuard no_gradients;
  const auto both = checked(real, synthetic, "nearest-neighbour test", 2);
  const auto all = at::cat({both.a, both.b});
  auto apart = distances(all, all);
  apart.fill_diagonal_(std::numeric_limits<double>::infinity());
  const auto taken_for_real = apart.argmin(1).lt(both.n()).to(torch::kDouble);
  NeighbourTest result;
  const auto n = static_cast<double>(both.n()), m = static_cast<double>(both.m());
  result.real = taken_for_real.narrow(0, 0, both.n()).mean().item<double>();
  result.synthetic = 1 - taken_for_real.narrow(0, both.n(), both.m()).mean().item<double>();
  result.accuracy = (result.real * n + result.synthetic * m) / (n + m);
  return result;
}

double frechet_distance(const torch::Tensor& a, const torch::Tensor& b) {
  const c10::NoGradGuard no_gradients;
  const auto both = checked(a, b, "Frechet distance", 2);
  const int64_t features = both.a.size(1);
  require(std::min(both.n(), both.m()) > features,
          "Frechet distance: {} and {} images for {} features; expected more images than features "
          "on each side, or the covariances are singular; use fewer features or another distance",
          both.n(), both.m(), features);
  const auto covariance = [](const torch::Tensor& x) {
    const auto centred = x - x.mean(0, true);
    return centred.t().matmul(centred) / static_cast<double>(x.size(0) - 1);
  };
  const auto root = [](const torch::Tensor& symmetric) {
    const auto [values, vectors] = at::linalg_eigh(symmetric);
    return vectors.matmul(at::diag(values.clamp_min(0).sqrt())).matmul(vectors.t());
  };
  const auto s1 = covariance(both.a), s2 = covariance(both.b);
  // tr (S1 S2)^1/2 = tr (S1^1/2 S2 S1^1/2)^1/2, which is symmetric.
  const auto half = root(s1);
  const auto inner = half.matmul(s2).matmul(half);
  const double cross =
      at::linalg_eigvalsh((inner + inner.t()) / 2).clamp_min(0).sqrt().sum().item<double>();
  const double means = (both.a.mean(0) - both.b.mean(0)).pow(2).sum().item<double>();
  return means + s1.diagonal().sum().item<double>() + s2.diagonal().sum().item<double>() -
         2 * cross;
}

}  // namespace scintigen
