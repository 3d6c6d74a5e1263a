// SPDX-License-Identifier: Apache-2.0
// Known answers, properties and refusals of the tests; goldens: test_statistics_golden.cpp.
#include <algorithm>

#include "core/random.h"
#include "metrics/adjust.h"
#include "metrics/distributions.h"
#include "metrics/group_tests.h"
#include "metrics/statistics_golden.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

Sample normal_sample(uint64_t seed, const char* stream, int64_t n, double mean = 0) {
  Random random(seed, stream);
  Sample sample;
  for (int64_t i = 0; i < n; ++i) sample.push_back(mean + random.normal());
  return sample;
}

// Known answers

TEST(Statistics, WilcoxonOfFiveEqualSignsIsTwoInThirtyTwo) {
  const auto test = wilcoxon_signed_rank({2, 3, 4, 5, 6}, {1, 1, 1, 1, 1});
  EXPECT_DOUBLE_EQ(test.p.value(), 2.0 / 32);
  EXPECT_EQ(test.figure("W"), 0);
  EXPECT_EQ(test.figure("rank_biserial"), 1);
  EXPECT_EQ(test.method, "exact");
}

TEST(Statistics, WilcoxonWithTiesCountsSignsOfMidRanks) {
  // Sizes 1, 1, 2: mid-ranks 1.5, 1.5, 3; plus = 3. Sums over 8 signs: 0 1.5 1.5 3 3 4.5 4.5 6.
  const auto test = wilcoxon_signed_rank({1, 1, 2, 5}, {0, 0, 4, 5});
  EXPECT_DOUBLE_EQ(test.p.value(), 1);
  EXPECT_EQ(test.n, 3);
  EXPECT_EQ(test.dropped.front(), (std::pair<std::string, int64_t>("zeros", 1)));
  EXPECT_EQ(test.method, "exact, over all signs of the mid-ranks");
}

TEST(Statistics, MannWhitneyOfSeparatedSamplesIsTwoInTheBinomial) {
  const auto test = mann_whitney({4, 5, 6}, {1, 2, 3});
  EXPECT_DOUBLE_EQ(test.p.value(), 2.0 / 20);
  EXPECT_EQ(test.figure("U"), 9);
  EXPECT_EQ(test.figure("rank_biserial"), 1);
  Sample low, high;
  for (int i = 0; i < 8; ++i) low.push_back(i);
  for (int i = 0; i < 4000; ++i) high.push_back(100 + i);
  const auto far = mann_whitney(low, high);  // 2 / C(4008, 8)
  const double expected =
      2 * std::exp(std::lgamma(9.0) + std::lgamma(4001.0) - std::lgamma(4009.0));
  EXPECT_NEAR(far.p.value() / expected, 1, 1e-9);
}

TEST(Statistics, KolmogorovSmirnovOfSeparatedSamplesIsTwoInTheBinomial) {
  const auto test = kolmogorov_smirnov({4, 5, 6}, {1, 2, 3});
  EXPECT_NEAR(test.p.value(), 2.0 / 20, 1e-15);
  EXPECT_EQ(test.figure("D"), 1);
}

TEST(Statistics, McNemarOfFiveAgainstNone) {
  const auto test = mcnemar_exact({1, 1, 1, 1, 1, 0, 1}, {0, 0, 0, 0, 0, 0, 1});
  EXPECT_DOUBLE_EQ(test.p.value(), 2.0 / 32);
  EXPECT_EQ(mcnemar_exact({1, 0}, {1, 0}).note, "no pair differs");
}

TEST(Statistics, TwoGroupAnovaIsTheSquareOfStudentsTAndTukeyAgrees) {
  const auto groups = value_groups({normal_sample(1, "a", 8), normal_sample(1, "b", 8, 0.8)});
  const auto anova = one_way_anova(groups);
  const auto tukey = tukey_kramer(groups).front().test;
  const auto control = dunnett(groups, 0).front().test;
  EXPECT_NEAR(tukey.p.value(), anova.p.value(), 1e-11);
  EXPECT_NEAR(control.p.value(), anova.p.value(), 1e-11);
  EXPECT_NEAR(std::pow(control.figure("t"), 2), anova.figure("F"), 1e-10);
  const auto welch = welch_t(groups[0].values, groups[1].values);
  EXPECT_NEAR(games_howell(groups).front().test.p.value(), welch.p.value(), 1e-11);
  EXPECT_NEAR(welch_anova(groups).p.value(), welch.p.value(), 1e-11);
}

TEST(Statistics, EquivalenceIsFoundWhereTheIntervalLiesWithinTheMargin) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const auto a = normal_sample(seed, "a", 12), b = normal_sample(seed, "b", 9, 0.2);
    for (const bool paired : {false, true}) {
      const Sample first = paired ? Sample(a.begin(), a.begin() + 9) : a;
      const auto test = paired ? tost_paired(first, b, 0.9) : tost_welch(first, b, 0.9);
      const bool within = test.interval->low > -0.9 && test.interval->high < 0.9;
      EXPECT_EQ(within, test.p.value() < 0.05) << seed;
    }
  }
}

// Properties

TEST(Statistics, SwapShiftAndScaleChangeNoP) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto a = normal_sample(seed, "a", 10), b = normal_sample(seed, "b", 10, 0.5);
    const auto moved = [](Sample sample) {
      for (double& value : sample) value = 8 * value + 64;
      return sample;
    };
    const auto check = [&](auto test) {
      const double p = test(a, b).p.value();
      EXPECT_NEAR(test(b, a).p.value(), p, 1e-12);
      EXPECT_NEAR(test(moved(a), moved(b)).p.value(), p, 1e-9);
    };
    check(welch_t);
    check(paired_t);
    check(wilcoxon_signed_rank);
    check(mann_whitney);
    check([](const Sample& x, const Sample& y) { return kolmogorov_smirnov(x, y); });
  }
}

/// Distance of 1,000 p-values from uniform as the one-sample Kolmogorov-Smirnov p (limit).
template <class Draw>
double uniformity(Draw draw) {
  std::vector<double> p;
  for (uint64_t seed = 0; seed < 1000; ++seed) p.push_back(draw(seed));
  std::sort(p.begin(), p.end());
  double d = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    d = std::max(d, std::abs(p[i] - static_cast<double>(i) / 1000));
    d = std::max(d, std::abs(p[i] - static_cast<double>(i + 1) / 1000));
  }
  return kolmogorov_upper(d * std::sqrt(1000.0));
}

TEST(Statistics, UnderTheNullPValuesAreUniform) {
  EXPECT_GT(uniformity([](uint64_t seed) {
              return welch_t(normal_sample(seed, "a", 15), normal_sample(seed, "b", 15)).p.value();
            }),
            0.01);
  EXPECT_GT(uniformity([](uint64_t seed) {
              return paired_t(normal_sample(seed, "a", 9), normal_sample(seed, "b", 9)).p.value();
            }),
            0.01);
  EXPECT_GT(uniformity([](uint64_t seed) {
              return one_way_anova(
                         value_groups({normal_sample(seed, "a", 6), normal_sample(seed, "b", 11),
                                       normal_sample(seed, "c", 8)}))
                  .p.value();
            }),
            0.01);
  EXPECT_GT(
      uniformity([](uint64_t seed) {
        return mann_whitney(normal_sample(seed, "a", 40), normal_sample(seed, "b", 50)).p.value();
      }),
      0.01);
}

TEST(Statistics, SimultaneousProceduresHoldTheirErrorRate) {
  int tukey_errors = 0, dunnett_errors = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const auto groups = value_groups(
        {normal_sample(seed, "a", 5), normal_sample(seed, "b", 9), normal_sample(seed, "c", 7)});
    double least = 1, least_dunnett = 1;
    for (const auto& pair : tukey_kramer(groups)) least = std::min(least, pair.test.p.value());
    for (const auto& pair : dunnett(groups, 1))
      least_dunnett = std::min(least_dunnett, pair.test.p.value());
    tukey_errors += least < 0.05;
    dunnett_errors += least_dunnett < 0.05;
  }
  EXPECT_NEAR(tukey_errors, 10, 9.9);  // 3.2 SD of the binomial
  EXPECT_NEAR(dunnett_errors, 10, 9.9);
}

TEST(Statistics, AdjustedPAreOrderedAndNeverSmaller) {
  Random random(3, "p");
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<double> p(1 + static_cast<size_t>(trial) % 9);
    for (double& value : p) value = random.uniform();
    const auto holm = adjusted(p, Adjustment::kHolm);
    const auto bh = adjusted(p, Adjustment::kBenjaminiHochberg);
    for (size_t i = 0; i < p.size(); ++i) {
      EXPECT_LE(p[i], bh[i]);
      EXPECT_LE(bh[i], holm[i]);
      EXPECT_LE(holm[i], 1);
    }
  }
}

// Degenerate samples

TEST(Statistics, EqualValuesHaveNoFOrT) {
  const auto groups = value_groups({{2, 2, 2}, {2, 2}});
  EXPECT_EQ(one_way_anova(groups).not_computed,
            "all values are equal: there is nothing to compare");
  EXPECT_EQ(kruskal_wallis(groups).not_computed,
            "all values are equal: there is nothing to compare");
  EXPECT_EQ(welch_anova(groups).not_computed,
            "group 'A' has no variance: its values are equal, and its weight would be infinite");
  EXPECT_EQ(welch_t({2, 2}, {2, 2}).not_computed,
            "equal means and no variation: there is nothing to compare");
  EXPECT_EQ(paired_t({1, 2}, {1, 2}).not_computed,
            "equal means and no variation: there is nothing to compare");
  EXPECT_EQ(tukey_kramer(groups).front().test.not_computed,
            "equal means and no variation: there is nothing to compare");
  EXPECT_EQ(wilcoxon_signed_rank({1, 2}, {1, 2}).not_computed,
            "all differences are 0: there is nothing to rank");
  EXPECT_EQ(mann_whitney({2, 2}, {2, 2}).p.value(), 1);
  EXPECT_EQ(kolmogorov_smirnov({2, 2}, {2, 2}).p.value(), 1);
  EXPECT_EQ(effect_size({2, 2}, {2, 2}).not_computed,
            "no variation within the groups: the pooled SD is 0");
  EXPECT_EQ(paired_effect_size({3, 4}, {1, 2}).not_computed,
            "the differences have no variation: their SD is 0");
}

TEST(Statistics, NoVariationWithinAndDifferentMeansIsTheLimitZero) {
  const auto groups = value_groups({{0.1, 0.1, 0.1}, {0.3, 0.3, 0.3}});
  EXPECT_EQ(one_way_anova(groups).p.value(), 0);
  EXPECT_EQ(one_way_anova(groups).note,
            "no variation within the groups and means that differ: F is infinite");
  EXPECT_EQ(tukey_kramer(groups).front().test.p.value(), 0);
  EXPECT_EQ(dunnett(groups, 0).front().test.p.value(), 0);
  EXPECT_EQ(games_howell(groups).front().test.p.value(), 0);
  EXPECT_EQ(welch_t({1, 1}, {2, 2}).p.value(), 0);
  EXPECT_EQ(paired_t({1.1, 2.1, 3.1}, {1, 2, 3}).note,
            "no variation and a difference: t is infinite");
  EXPECT_EQ(tost_paired({1.1, 2.1}, {1, 2}, 0.2).p.value(), 0);
  EXPECT_EQ(tost_paired({2.1, 3.1}, {1, 2}, 0.2).p.value(), 1);
}

TEST(Statistics, OneValueAGroupIsRefused) {
  const auto groups = value_groups({{1}, {2}, {3}});
  const std::string alone = "every group has one value: the variation within groups is unknown";
  EXPECT_EQ(one_way_anova(groups).not_computed, alone);
  EXPECT_EQ(tukey_kramer(groups).front().test.not_computed, alone);
  EXPECT_EQ(dunnett(groups, 0).front().test.not_computed, alone);
  EXPECT_EQ(games_howell(groups).front().test.not_computed,
            "group 'A' has one value: its variance is unknown");
  EXPECT_EQ(welch_anova(groups).not_computed,
            "group 'A' has one value: its variance is unknown; expected two or more");
  EXPECT_EQ(welch_t({1}, {2, 3}).not_computed,
            "1 and 2 values: a variance needs two in each group");
  EXPECT_EQ(paired_t({1}, {2}).not_computed, "1 pair: a variance needs two");
  EXPECT_EQ(effect_size({1}, {2}).not_computed,
            "one value in each group: the pooled SD is unknown");
  EXPECT_EQ(effect_size({1}, {2, 3}).note, "too few values for Hedges' correction");
  EXPECT_TRUE(one_way_anova(value_groups({{1}, {2, 3}})).p.has_value());
}

TEST(Statistics, HugeAndTinyValuesNeverGiveNaN) {
  for (const double scale : {1e-320, 1e-200, 1e-100, 1e100}) {
    const Sample a = {scale, 2 * scale, 4 * scale}, b = {5 * scale, 6 * scale, 8 * scale};
    const auto groups = value_groups({a, b});
    for (const auto& test : {one_way_anova(groups), welch_anova(groups), welch_t(a, b),
                             paired_t(a, b), effect_size(a, b), tukey_kramer(groups)[0].test,
                             dunnett(groups, 0)[0].test, games_howell(groups)[0].test}) {
      for (const auto& figure : test.figures) EXPECT_TRUE(std::isfinite(figure.second)) << scale;
      EXPECT_TRUE(!test.p || (*test.p >= 0 && *test.p <= 1)) << scale;
    }
  }
}

TEST(Statistics, Refusals) {
  EXPECT_EQ(refusal_of([] {
              paired_t({1, 2}, {1});
            }),
            "paired test: 2 and 1 values; expected as many of each");
  EXPECT_EQ(refusal_of([] {
              wilcoxon_signed_rank({1, 2}, {1});
            }),
            "paired test: 2 and 1 values; expected as many of each");
  EXPECT_EQ(refusal_of([] {
              tost_welch({1, 2}, {1, 3}, 0);
            }),
            "equivalence: margin is 0; expected a number above 0 in the unit of the values");
  EXPECT_EQ(refusal_of([] {
              adjusted({0.2, 1.5}, Adjustment::kHolm);
            }),
            "adjustment: expected p from 0 to 1, found 1.5");
  EXPECT_EQ(refusal_of([] { adjustment_named("bonferroni"); }),
            "adjustment: expected holm, bh or none, found 'bonferroni'");
  EXPECT_EQ(mcnemar_exact({1, 2}, {0, 1}).not_computed, "expected values 0 and 1, found 2");
  std::vector<ValueGroup> many(51, {"g", {1, 2}});
  EXPECT_EQ(refusal_of([&] { tukey_kramer(many); }),
            "51 groups make 1275 pairs; comparisons of pairs take at most 50 groups: choose rows, "
            "or quote the test of all groups");
  EXPECT_EQ(refusal_of([] { TestResult().figure("t"); }), "no figure 't'; there are: none");
}

}  // namespace
}  // namespace scintigen
