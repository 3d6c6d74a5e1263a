// SPDX-License-Identifier: Apache-2.0
#include "metrics/pair_distances.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include "core/error.h"
#include "metrics/distribution_distances.h"

namespace scintigen {
namespace {

constexpr int64_t kNeighbours = 5;
constexpr int64_t kDirections = 128;
constexpr int64_t kFewestRows = kNeighbours + 2;

/// Which rows of each side are in.
struct Kept {
  torch::Tensor real, synthetic;  // indices
};

torch::Tensor rows_without(const JackknifeGroups& groups, int64_t left_out, int64_t most) {
  std::vector<int64_t> rows;
  for (size_t row = 0; row < groups.of_row.size(); ++row)
    if (groups.of_row[row] != left_out && static_cast<int64_t>(row) < most)
      rows.push_back(static_cast<int64_t>(row));
  return torch::tensor(rows, torch::kLong);
}

/// Rows that are left of the first `most` when the largest group is out.
int64_t fewest_left(const JackknifeGroups& groups, int64_t most) {
  int64_t fewest = most;
  for (int64_t group = 0; group < groups.count; ++group)
    fewest = std::min(fewest, rows_without(groups, group, most).size(0));
  return fewest;
}

torch::Tensor block(const torch::Tensor& matrix, const torch::Tensor& rows,
                    const torch::Tensor& columns) {
  return matrix.index_select(0, rows).index_select(1, columns);
}

/// Sums of a symmetric matrix [N+M,N+M] by jackknife group, so that leaving one out is subtraction.
/// The diagonal does not count: these are U-statistics.
class GroupedSums {
 public:
  GroupedSums(const torch::Tensor& matrix, const FeatureSample& real,
              const FeatureSample& synthetic) {
    const auto n = real.features.size(0), m = synthetic.features.size(0);
    const auto one_hot = [](const JackknifeGroups& groups) {
      return at::one_hot(torch::tensor(groups.of_row, torch::kLong), groups.count)
          .to(torch::kDouble);
    };
    const auto g = one_hot(real.groups), h = one_hot(synthetic.groups);
    auto empty = matrix.clone();
    empty.fill_diagonal_(0);
    within_real_ = g.t().matmul(empty.narrow(0, 0, n).narrow(1, 0, n)).matmul(g);
    within_synthetic_ = h.t().matmul(empty.narrow(0, n, m).narrow(1, n, m)).matmul(h);
    between_ = g.t().matmul(empty.narrow(0, 0, n).narrow(1, n, m)).matmul(h);
    real_rows_ = g.sum(0);
    synthetic_rows_ = h.sum(0);
  }

  /// mean between, mean within real, mean within synthetic
  std::array<double, 3> means(int64_t real_left_out, int64_t synthetic_left_out) const {
    const auto weights = [](const torch::Tensor& rows, int64_t left_out) {
      auto weight = at::ones_like(rows);
      if (left_out >= 0) weight[left_out] = 0;
      return weight;
    };
    const auto u = weights(real_rows_, real_left_out),
               v = weights(synthetic_rows_, synthetic_left_out);
    const double n = u.dot(real_rows_).item<double>(), m = v.dot(synthetic_rows_).item<double>();
    const auto form = [](const torch::Tensor& x, const torch::Tensor& a, const torch::Tensor& y) {
      return x.dot(a.mv(y)).item<double>();
    };
    return {form(u, between_, v) / (n * m), form(u, within_real_, u) / (n * (n - 1)),
            form(v, within_synthetic_, v) / (m * (m - 1))};
  }

 private:
  torch::Tensor within_real_, within_synthetic_, between_, real_rows_, synthetic_rows_;
};

/// The measures that look for neighbours, from distances alone.
std::vector<double> neighbour_measures(const torch::Tensor& apart, int64_t real_rows,
                                       const Kept& kept) {
  const auto synthetic = kept.synthetic + real_rows;
  const auto between = block(apart, kept.real, synthetic);
  auto within_real = block(apart, kept.real, kept.real);
  auto within_synthetic = block(apart, synthetic, synthetic);
  within_real.fill_diagonal_(std::numeric_limits<float>::infinity());
  within_synthetic.fill_diagonal_(std::numeric_limits<float>::infinity());
  const auto radius = [](const torch::Tensor& within) {
    return std::get<0>(within.topk(kNeighbours, 1, /*largest=*/false)).select(1, kNeighbours - 1);
  };
  const auto in_real = between.le(radius(within_real).unsqueeze(1));
  const auto in_synthetic = between.le(radius(within_synthetic).unsqueeze(0));
  const auto part = [](const torch::Tensor& which) {
    return which.to(torch::kDouble).mean().item<double>();
  };
  const auto right_real = within_real.amin(1).lt(between.amin(1));
  const auto right_synthetic = within_synthetic.amin(1).lt(between.amin(0));
  return {
      part(in_real.any(0)), part(in_synthetic.any(1)),
      in_real.to(torch::kDouble).sum(0).mean().item<double>() / static_cast<double>(kNeighbours),
      part(in_real.any(1)), part(at::cat({right_real, right_synthetic}))};
}

const char* const kKeys[] = {"energy",  "kernel",    "sliced_wasserstein",
                             "frechet", "precision", "recall",
                             "density", "coverage",  "neighbour_accuracy"};

/// Not a number where the covariances would be singular.
double frechet(const torch::Tensor& x, const torch::Tensor& y) {
  if (std::min(x.size(0), y.size(0)) <= x.size(1)) return std::numeric_limits<double>::quiet_NaN();
  return frechet_distance(x, y);
}

/// Computes every measure with any group left out.
class Pair {
 public:
  Pair(const FeatureSample& real, const FeatureSample& synthetic, uint64_t seed)
      : real_(real), synthetic_(synthetic), seed_(seed), n_(real.features.size(0)) {
    const auto all = at::cat({real.features, synthetic.features}).to(torch::kDouble).contiguous();
    const auto apart = at::cdist(all, all, 2, /*compute_mode=*/2);
    const auto kernel = (all.matmul(all.t()) / static_cast<double>(all.size(1)) + 1).pow(3);
    distances_ = std::make_unique<GroupedSums>(apart, real, synthetic);
    kernels_ = std::make_unique<GroupedSums>(kernel, real, synthetic);
    apart_ = apart.to(torch::kFloat);
  }

  std::vector<double> without(int64_t real_group, int64_t synthetic_group) const {
    const auto d = distances_->means(real_group, synthetic_group);
    const auto k = kernels_->means(real_group, synthetic_group);
    const int64_t all = std::numeric_limits<int64_t>::max();
    const auto x = real_.features.index_select(0, rows_without(real_.groups, real_group, all));
    const auto y =
        synthetic_.features.index_select(0, rows_without(synthetic_.groups, synthetic_group, all));
    std::vector<double> values = {2 * d[0] - d[1] - d[2], k[1] + k[2] - 2 * k[0],
                                  sliced_wasserstein(x, y, kDirections, seed_), frechet(x, y)};
    const int64_t same = std::min(n_, synthetic_.features.size(0));
    for (const double value :
         neighbour_measures(apart_, n_,
                            {rows_without(real_.groups, real_group, same),
                             rows_without(synthetic_.groups, synthetic_group, same)}))
      values.push_back(value);
    return values;
  }

 private:
  const FeatureSample& real_;
  const FeatureSample& synthetic_;
  uint64_t seed_;
  int64_t n_;
  std::unique_ptr<GroupedSums> distances_, kernels_;
  torch::Tensor apart_;  // float32: only who is nearer matters
};

bool is_share(const std::string& key) {
  return key == "precision" || key == "recall" || key == "coverage" || key == "neighbour_accuracy";
}

}  // namespace

std::vector<MeasureOfPair> measure_pair(const FeatureSample& real, const FeatureSample& synthetic,
                                        uint64_t seed) {
  const c10::NoGradGuard no_gradients;
  const int64_t n = real.features.size(0), m = synthetic.features.size(0);
  require(std::min(n, m) >= kFewestRows,
          "distances: {} and {} slices; expected at least {} of each", n, m, kFewestRows);
  require(real.features.size(1) == synthetic.features.size(1),
          "distances: {} features on one side and {} on the other; expected as many",
          real.features.size(1), synthetic.features.size(1));
  const Pair pair(real, synthetic, seed);
  const auto values = pair.without(-1, -1);
  // Groups so large that the rest is too few to have neighbours leave no interval.
  const int64_t same = std::min(n, m);
  const bool enough = real.groups.count >= 3 && synthetic.groups.count >= 3 &&
                      fewest_left(real.groups, same) >= kFewestRows &&
                      fewest_left(synthetic.groups, same) >= kFewestRows;
  std::vector<std::vector<double>> by_real(values.size()), by_synthetic(values.size());
  if (enough) {
    for (int64_t group = 0; group < real.groups.count; ++group) {
      const auto without = pair.without(group, -1);
      for (size_t i = 0; i < values.size(); ++i) by_real[i].push_back(without[i]);
    }
    for (int64_t group = 0; group < synthetic.groups.count; ++group) {
      const auto without = pair.without(-1, group);
      for (size_t i = 0; i < values.size(); ++i) by_synthetic[i].push_back(without[i]);
    }
  }
  std::vector<MeasureOfPair> measures;
  for (size_t i = 0; i < values.size(); ++i) {
    MeasureOfPair measure;
    measure.key = kKeys[i];
    if (!std::isfinite(values[i])) {
      measure.why = fmt::format(
          "{} and {} slices for {} features: without more slices than features the covariances are "
          "singular and the distance says more about n than about the slices",
          n, m, real.features.size(1));
      measures.push_back(std::move(measure));
      continue;
    }
    measure.value = values[i];
    if (enough) {
      const double half =
          jackknife_half_width(jackknife_variance(by_real[i]) + jackknife_variance(by_synthetic[i]),
                               std::min(real.groups.count, synthetic.groups.count));
      const bool share = is_share(measure.key);
      if (std::isfinite(half))
        measure.interval =
            ConfidenceInterval{share ? std::max(values[i] - half, 0.0) : values[i] - half,
                               share ? std::min(values[i] + half, 1.0) : values[i] + half, 0.95};
    }
    measures.push_back(std::move(measure));
  }
  return measures;
}

}  // namespace scintigen
