// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include "core/error.h"
#include "simulate/poisson.h"

using namespace scintigen;

namespace {

std::vector<double> draws(double mean, int64_t count, uint64_t seed = 2) {
  Random random(seed, "poisson test", static_cast<uint64_t>(mean * 1000));
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) value = poisson_draw(mean, random);
  return values;
}

double probability(double k, double mean) {
  return std::exp(k * std::log(mean) - mean - std::lgamma(k + 1));
}

}  // namespace

// Chi-square of the counts of each value against the distribution, values with fewer than 10
// expected joined to the tails. Bound: five standard deviations of chi-square (seed fixed; a wrong
// sampler is off by hundreds).
TEST(Poisson, ValuesFollowTheDistribution) {
  const int64_t count = 200000;
  for (const double mean : {0.01, 0.3, 1.0, 3.7, 9.99, 10.0, 12.5, 40.0, 300.0, 5000.0}) {
    std::map<double, int64_t> seen;
    for (const double value : draws(mean, count)) {
      ASSERT_EQ(value, std::floor(value));
      ASSERT_GE(value, 0);
      ++seen[value];
    }
    double chi_square = 0, inside = 0;
    int64_t cells = 0, counted = 0;
    const double last = mean + 12 * std::sqrt(mean) + 12;
    for (double k = 0; k <= last; ++k) {
      const double expected = probability(k, mean) * static_cast<double>(count);
      if (expected < 10) continue;
      const auto found = static_cast<double>(seen[k]);
      chi_square += (found - expected) * (found - expected) / expected;
      inside += expected;
      counted += seen[k];
      ++cells;
    }
    const double tails = static_cast<double>(count) - inside;
    if (tails > 5) {
      const double found = static_cast<double>(count - counted);
      chi_square += (found - tails) * (found - tails) / tails;
      ++cells;
    }
    const auto freedom = static_cast<double>(std::max<int64_t>(cells - 1, 1));
    EXPECT_LT(chi_square, freedom + 5 * std::sqrt(2 * freedom) + 5) << mean;
  }
}

TEST(Poisson, MeanAndVarianceAreTheMean) {
  const int64_t count = 200000;
  for (const double mean : {0.02, 0.5, 5.0, 9.9, 10.1, 25.0, 1000.0, 1e5, 1e8}) {
    double sum = 0, squares = 0;
    for (const double value : draws(mean, count, 5)) {
      sum += value - mean;
      squares += (value - mean) * (value - mean);
    }
    const auto n = static_cast<double>(count);
    EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(mean / n)) << mean;
    // Var of (x - mean)^2 is mean + 2 mean^2
    EXPECT_NEAR(squares / n / mean, 1, 5 * std::sqrt((1 / mean + 2) / n)) << mean;
  }
}

TEST(Poisson, NeighbouringDrawsAreIndependent) {
  for (const double mean : {2.0, 50.0}) {
    const auto values = draws(mean, 200000, 7);
    double product = 0;
    for (size_t i = 1; i < values.size(); ++i)
      product += (values[i] - mean) * (values[i - 1] - mean);
    EXPECT_NEAR(product / static_cast<double>(values.size()) / mean, 0, 5 / std::sqrt(200000.0));
  }
}

TEST(Poisson, SameSeedSameDrawsOnAnyThread) {
  const auto here = draws(20, 1000, 3);
  std::vector<std::vector<double>> there(3);
  std::vector<std::thread> threads;
  for (auto& values : there) threads.emplace_back([&values] { values = draws(20, 1000, 3); });
  for (auto& thread : threads) thread.join();
  for (const auto& values : there) EXPECT_EQ(values, here);
  EXPECT_NE(draws(20, 1000, 4), here);
}

TEST(Poisson, Limits) {
  Random random(1, "x");
  EXPECT_EQ(poisson_draw(0, random), 0);
  EXPECT_EQ(poisson_draw(1e-300, random), 0);
  for (const double mean : {-1.0, std::nan(""), std::numeric_limits<double>::infinity(), 2e12}) {
    try {
      poisson_draw(mean, random);
      FAIL() << mean;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find("Poisson draw: expected a mean of 0 to 1e12, found"),
                0u);
    }
  }
}
