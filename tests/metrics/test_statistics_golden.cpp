// SPDX-License-Identifier: Apache-2.0
#include "metrics/adjust.h"
#include "metrics/group_tests.h"
#include "metrics/statistics_golden.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

void expect_pairs(const std::vector<PairComparison>& found, const nlohmann::json& expected,
                  const std::string& where) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (expected[i].is_null()) {
      EXPECT_NE(found[i].test.not_computed, "") << where;
      continue;
    }
    auto rest = expected[i];
    EXPECT_NEAR(found[i].difference.value(), rest["difference"].get<double>(), 1e-9) << where;
    rest.erase("difference");
    const auto here = where + " " + found[i].a + found[i].b;
    if (rest.contains("low")) {  // SciPy's quantile of the studentised range is good to 1e-6
      EXPECT_NEAR(found[i].test.interval->low, rest["low"].get<double>(), 1e-5) << here;
      EXPECT_NEAR(found[i].test.interval->high, rest["high"].get<double>(), 1e-5) << here;
      rest.erase("low");
      rest.erase("high");
    }
    expect_test(found[i].test, rest, here);
  }
}

TEST(StatisticsGolden, TestsOfAllGroupsAgreeWithSciPyAndStatsmodels) {
  for (const auto& [kind, golden] : statistics_golden()["all_groups"].items()) {
    const auto groups = value_groups(golden["groups"].get<std::vector<std::vector<double>>>());
    // Values around 1e6: the oracle's own sums of squares lose digits.
    expect_test(one_way_anova(groups), golden["anova"], kind + " anova", 1e-8);
    expect_test(kruskal_wallis(groups), golden["kruskal"], kind + " kruskal");
    if (golden.contains("welch_anova"))
      expect_test(welch_anova(groups), golden["welch_anova"], kind + " welch", 1e-8);
    expect_pairs(tukey_kramer(groups), golden["tukey"], kind + " tukey");
    expect_pairs(games_howell(groups), golden["games_howell"], kind + " games_howell");
    expect_pairs(dunnett(groups, 0), golden["dunnett"], kind + " dunnett");
  }
}

TEST(StatisticsGolden, TestsOfTwoGroupsAgreeWithSciPyAndStatsmodels) {
  const auto margin = statistics_golden()["margin"].get<double>();
  for (const auto& [kind, golden] : statistics_golden()["two_groups"].items()) {
    const auto a = numbers(golden["a"]), b = numbers(golden["b"]);
    expect_test(welch_t(a, b), golden["welch_t"], kind + " welch_t");
    expect_test(tost_welch(a, b, margin), golden["tost_welch"], kind + " tost");
    expect_test(mann_whitney(a, b), golden["mann_whitney"], kind + " mann_whitney");
    expect_test(kolmogorov_smirnov(a, b), golden["ks"], kind + " ks");
    expect_test(effect_size(a, b), golden["effect_size"], kind + " effect_size", 1e-7);
  }
}

TEST(StatisticsGolden, PairedTestsAgreeWithSciPyStatsmodelsAndEnumeration) {
  const auto margin = statistics_golden()["margin"].get<double>();
  for (const auto& [kind, golden] : statistics_golden()["pairs"].items()) {
    const auto a = numbers(golden["a"]), b = numbers(golden["b"]);
    expect_test(paired_t(a, b), golden["paired_t"], kind + " paired_t");
    expect_test(tost_paired(a, b, margin), golden["tost_paired"], kind + " tost");
    auto expected = golden["wilcoxon"];
    const auto wilcoxon = wilcoxon_signed_rank(a, b);
    EXPECT_EQ(wilcoxon.dropped.front().second, expected["zeros"].get<int64_t>());
    expected.erase("zeros");
    expect_test(wilcoxon, expected, kind + " wilcoxon");
  }
  for (const auto& [kind, golden] : statistics_golden()["mcnemar"].items())
    EXPECT_NEAR(mcnemar_exact(numbers(golden["a"]), numbers(golden["b"])).p.value(),
                golden["p"].get<double>(), 1e-12)
        << kind;
}

TEST(StatisticsGolden, AdjustmentsAgreeWithStatsmodels) {
  const auto& golden = statistics_golden()["adjust"];
  const auto p = numbers(golden["p"]);
  const auto holm = adjusted(p, Adjustment::kHolm);
  const auto bh = adjusted(p, Adjustment::kBenjaminiHochberg);
  for (size_t i = 0; i < p.size(); ++i) {
    EXPECT_NEAR(holm[i], golden["holm"][i].get<double>(), 1e-14);
    EXPECT_NEAR(bh[i], golden["bh"][i].get<double>(), 1e-14);
  }
  EXPECT_EQ(adjusted(p, Adjustment::kNone), p);
}

}  // namespace
}  // namespace scintigen
