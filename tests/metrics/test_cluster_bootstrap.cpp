// SPDX-License-Identifier: Apache-2.0
#include "core/random.h"
#include "metrics/cluster_bootstrap.h"
#include "metrics/distributions.h"
#include "metrics/statistics_golden.h"

namespace scintigen {
namespace {

/// Each of `clusters` has `copies` equal values, N(0, 1), in group 0, and one more in group 1.
std::vector<ClusteredValue> normal_clusters(uint64_t seed, size_t clusters, int copies,
                                            bool spanning = false) {
  Random random(seed, "clusters");
  std::vector<ClusteredValue> values;
  for (size_t cluster = 0; cluster < clusters; ++cluster) {
    const double first = random.normal(), second = random.normal();
    for (int copy = 0; copy < copies; ++copy) values.push_back({0, cluster, first});
    values.push_back({1, spanning ? cluster : clusters + cluster, second});
  }
  return values;
}

TEST(ClusterBootstrap, CopiesOfAPatientsRowsAddNothing) {
  const auto once = bootstrap_means(normal_clusters(1, 12, 1), 2, 7, 500);
  const auto often = bootstrap_means(normal_clusters(1, 12, 30), 2, 7, 500);
  EXPECT_NEAR(once.of_mean(0).low, often.of_mean(0).low, 1e-12);
  EXPECT_NEAR(once.of_difference(0, 1).high, often.of_difference(0, 1).high, 1e-12);
  EXPECT_EQ(often.clusters, 24);
  EXPECT_TRUE(often.by_group);
}

TEST(ClusterBootstrap, TheSameSeedIsTheSameInterval) {
  const auto values = normal_clusters(2, 9, 2);
  EXPECT_EQ(bootstrap_means(values, 2, 3, 300).means, bootstrap_means(values, 2, 3, 300).means);
  EXPECT_NE(bootstrap_means(values, 2, 3, 300).means, bootstrap_means(values, 2, 4, 300).means);
}

TEST(ClusterBootstrap, WhatIsPairedStaysPaired) {
  // Patients differ much, the groups by exactly 1 in each: drawn together the difference is 1.
  std::vector<ClusteredValue> values;
  for (size_t patient = 0; patient < 8; ++patient) {
    values.push_back({0, patient, 100.0 * static_cast<double>(patient) + 1});
    values.push_back({1, patient, 100.0 * static_cast<double>(patient)});
  }
  const auto means = bootstrap_means(values, 2, 1, 200);
  EXPECT_FALSE(means.by_group);
  EXPECT_NEAR(means.of_difference(0, 1).low, 1, 1e-9);
  EXPECT_NEAR(means.of_difference(0, 1).high, 1, 1e-9);
}

TEST(ClusterBootstrap, OfManyPatientsItIsTheNormalInterval) {
  Random random(5, "values");
  std::vector<ClusteredValue> values;
  for (size_t i = 0; i < 400; ++i) values.push_back({i % 2, i, random.normal()});
  const auto interval = bootstrap_means(values, 2, 1, 4000).of_mean(0);
  EXPECT_NEAR(interval.high - interval.low, 2 * 1.96 / std::sqrt(200.0), 0.04);
}

TEST(ClusterBootstrap, CoversTheMeanAboutAsOftenAsItSays) {
  int covered = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto interval =
        bootstrap_means(normal_clusters(seed, 25, 3), 2, seed, 200).of_difference(0, 1);
    covered += interval.low <= 0 && interval.high >= 0;
  }
  EXPECT_NEAR(covered, 0.93 * 300, 16);  // percentile intervals of 25 fall a little short of 95 %
}

TEST(ClusterBootstrap, ResamplesWithoutAGroupAreLeftOutAndCounted) {
  std::vector<ClusteredValue> values = {{0, 0, 1}, {1, 0, 2}, {0, 1, 2}, {0, 2, 5}, {1, 3, 4}};
  const auto means = bootstrap_means(values, 2, 1, 1000);
  EXPECT_GT(means.empty_resamples, 0);
  EXPECT_EQ(static_cast<int64_t>(means.means[0].size()), 1000 - means.empty_resamples);
}

TEST(ClusterBootstrap, Refusals) {
  const auto one = bootstrap_means({{0, 0, 1}, {0, 0, 2}, {1, 1, 1}, {1, 2, 1}}, 2, 1, 100);
  EXPECT_EQ(one.not_computed, "a group has one cluster: nothing varies between resamples");
  EXPECT_EQ(refusal_of([&] { one.of_mean(0); }),
            "bootstrap: no means of group 0 (a group has one cluster: nothing varies between "
            "resamples)");
  EXPECT_EQ(refusal_of([] {
              bootstrap_means({{0, 0, 1}}, 1, 1, 50);
            }),
            "bootstrap: 50 resamples; expected 100 to 1000000");
  std::vector<ClusteredValue> many;
  for (size_t i = 0; i < 1000; ++i) many.push_back({i % 2, i, 1.0});
  EXPECT_EQ(bootstrap_means(many, 2, 1, 1000000).not_computed,
            "1000000 resamples of 1000 clusters are more than 2e+08 draws; ask for fewer "
            "resamples");
}

}  // namespace
}  // namespace scintigen
