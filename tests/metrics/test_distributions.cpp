// SPDX-License-Identifier: Apache-2.0
#include "metrics/distributions.h"
#include "metrics/simultaneous_distributions.h"
#include "metrics/statistics_golden.h"

namespace scintigen {
namespace {

TEST(Distributions, StudentizedRangeAgreesWithSciPy) {
  for (const auto& row : statistics_golden()["distributions"]["studentized_range"])
    EXPECT_NEAR(studentized_range_upper(row[0], row[1], row[2]), row[3].get<double>(), 2e-10)
        << row;
}

TEST(Distributions, DunnettAgreesWithNestedQuadrature) {
  for (const auto& row : statistics_golden()["distributions"]["dunnett"])
    EXPECT_NEAR(dunnett_upper(row[0], numbers(row[1]), row[2]), row[3].get<double>(), 1e-10) << row;
}

TEST(Distributions, KolmogorovAgreesWithSciPy) {
  for (const auto& row : statistics_golden()["distributions"]["kolmogorov"])
    EXPECT_NEAR(kolmogorov_upper(row[0]), row[1].get<double>(), 1e-14) << row;
}

TEST(Distributions, NoncentralityIntervalAgreesWithSciPy) {
  for (const auto& row : statistics_golden()["distributions"]["noncentrality"]) {
    const auto interval = noncentrality_interval(row[0], row[1], 0.95);
    EXPECT_NEAR(interval.low, row[2].get<double>(), 1e-7) << row;
    EXPECT_NEAR(interval.high, row[3].get<double>(), 1e-7) << row;
  }
}

// The range of two and a single comparison are t: known for every df and far into the tail.

TEST(Distributions, RangeOfTwoIsTheTwoSidedT) {
  for (const double df : {1.0, 1.5, 2.0, 4.0, 29.0, 1e3, 1e6, 1e8})
    for (const double t : {1e-3, 0.3, 1.0, 2.2, 5.0, 20.0}) {
      const double expected = t_two_sided(t, df);
      const double found = studentized_range_upper(t * std::sqrt(2.0), 2, df);
      EXPECT_NEAR(found, expected, 1e-12) << df << " " << t;
      if (expected > 1e-80) {
        EXPECT_NEAR(found / expected, 1, 1e-7) << df << " " << t;
      }
    }
}

TEST(Distributions, OneComparisonWithTheControlIsTheTwoSidedT) {
  for (const double df : {1.0, 3.0, 50.0, 1e5})
    for (const double loading : {0.01, 0.7071, 0.95, 0.9999})
      for (const double t : {0.01, 1.0, 2.7, 9.0})
        EXPECT_NEAR(dunnett_upper(t, {loading}, df), t_two_sided(t, df), 1e-11)
            << df << " " << loading << " " << t;
}

TEST(Distributions, QuantilesInvert) {
  for (const double upper : {0.9, 0.05, 1e-4}) {
    const double q = studentized_range_quantile(upper, 4, 17);
    EXPECT_NEAR(studentized_range_upper(q, 4, 17), upper, 1e-10);
    const std::vector<double> loadings = {0.7, 0.5, 0.3};
    const double t = dunnett_quantile(upper, loadings, 17);
    EXPECT_NEAR(dunnett_upper(t, loadings, 17), upper, 1e-10);
  }
}

TEST(Distributions, PublishedCriticalValues) {
  EXPECT_NEAR(studentized_range_quantile(0.05, 3, 10), 3.877, 5e-4);  // Harter 1960
  EXPECT_NEAR(studentized_range_quantile(0.01, 5, 20), 5.29, 5e-3);
  EXPECT_NEAR(dunnett_quantile(0.05, {std::sqrt(0.5), std::sqrt(0.5)}, 10), 2.57, 5e-3);  // 1964
  EXPECT_NEAR(dunnett_quantile(0.05, std::vector<double>(4, std::sqrt(0.5)), 20), 2.65, 5e-3);
}

TEST(Distributions, TailsFallAndStayProbabilities) {
  for (const double df : {1.0, 7.5, 300.0}) {
    double before = 1, dunnett_before = 1;
    for (double x = 0; x < 400; x = x * 1.3 + 0.05) {
      const double range = studentized_range_upper(x, 7, df);
      const double many = dunnett_upper(x, {0.9, 0.7, 0.1}, df);
      EXPECT_TRUE(range >= 0 && range <= before + 1e-13) << x << " " << df;
      EXPECT_TRUE(many >= 0 && many <= dunnett_before + 1e-13) << x << " " << df;
      before = range;
      dunnett_before = many;
    }
  }
}

TEST(Distributions, NoncentralityIntervalRefusesWhatItCannotSearch) {
  EXPECT_EQ(refusal_of([] { noncentrality_interval(500, 10, 0.95); }),
            "noncentrality interval: |t| is 500; expected at most 200");
}

}  // namespace
}  // namespace scintigen
