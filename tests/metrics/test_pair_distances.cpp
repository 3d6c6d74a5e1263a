// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "core/temporary_folder.h"
#include "metrics/distribution_distances.h"
#include "metrics/pair_distances.h"
#include "metrics/slice_statistics.h"

namespace scintigen {
namespace {

FeatureSample sample(uint64_t seed, int64_t count, double shift = 0, int64_t per_patient = 1) {
  std::vector<std::string> patients;
  for (int64_t k = 0; k < count; ++k) patients.push_back(std::to_string(k / per_patient));
  // Rows of a patient share half of their variance.
  const auto own = Random(seed, "own").normal_tensor({count, 5}).to(torch::kDouble);
  const auto shared = Random(seed, "shared")
                          .normal_tensor({(count + per_patient - 1) / per_patient, 5})
                          .to(torch::kDouble)
                          .repeat_interleave(per_patient, 0)
                          .narrow(0, 0, count);
  const auto features = per_patient == 1 ? own : (own + shared) / std::sqrt(2.0);
  return {features + shift, jackknife_groups(patients)};
}

double value(const std::vector<MeasureOfPair>& measures, const std::string& key) {
  for (const auto& measure : measures)
    if (measure.key == key) return measure.value.value_or(std::nan(""));
  throw std::runtime_error("no " + key);
}

TEST(PairDistances, EqualTheMeasuresOfWholeSets) {
  const auto a = sample(1, 60), b = sample(2, 60, 0.4);
  const auto found = measure_pair(a, b, 1);
  EXPECT_NEAR(value(found, "energy"), energy_distance(a.features, b.features, true), 1e-10);
  EXPECT_NEAR(value(found, "kernel"), kernel_distance(a.features, b.features), 1e-8);
  EXPECT_NEAR(value(found, "sliced_wasserstein"),
              sliced_wasserstein(a.features, b.features, 128, 1), 1e-12);
  EXPECT_NEAR(value(found, "frechet"), frechet_distance(a.features, b.features), 1e-9);
  const auto manifold = manifold_measures(a.features, b.features, 5);
  EXPECT_NEAR(value(found, "precision"), manifold.precision, 1e-12);
  EXPECT_NEAR(value(found, "recall"), manifold.recall, 1e-12);
  EXPECT_NEAR(value(found, "density"), manifold.density, 1e-12);
  EXPECT_NEAR(value(found, "coverage"), manifold.coverage, 1e-12);
  EXPECT_NEAR(value(found, "neighbour_accuracy"),
              nearest_neighbour_test(a.features, b.features).accuracy, 1e-12);
}

TEST(PairDistances, IntervalsCoverTheTruth) {
  // The truth of a shift of 1 in each of 5 dimensions, from samples of 1,000.
  const double truth =
      energy_distance(sample(1001, 1500).features, sample(1002, 1500, 1).features, true);
  int covered = 0;
  constexpr int kDraws = 100;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    const auto a = sample(2 * draw + 1, 80, 0, 4);
    const auto b = sample(2 * draw + 2, 80, 1);
    const auto with = [&](const FeatureSample& real) {
      const auto energy = measure_pair(real, b, 1).front();
      return truth >= energy.interval->low && truth <= energy.interval->high;
    };
    covered += with(a);
  }
  EXPECT_GE(covered, 88);
  EXPECT_LE(covered, 100);
}

TEST(PairDistances, SaysWhyThereIsNoFrechetDistance) {
  std::vector<std::string> people;
  for (int k = 0; k < 30; ++k) people.push_back(std::to_string(k));
  const FeatureSample a{Random(1, "a").normal_tensor({30, 40}), jackknife_groups(people)};
  for (const auto& measure : measure_pair(a, a, 1)) {
    if (measure.key != "frechet") continue;
    EXPECT_FALSE(measure.value);
    EXPECT_NE(measure.why.find("30 and 30 slices for 40 features"), std::string::npos);
  }
}

TEST(PairDistances, GroupsHoldWholePatients) {
  const auto groups = jackknife_groups({"a", "a", "b", "c", "b", "d"}, 3);
  EXPECT_EQ(groups.count, 3);
  EXPECT_EQ(groups.of_row, (std::vector<int64_t>{0, 0, 1, 2, 1, 0}));
  // Of a mean the jackknife's variance is s^2 / n exactly.
  EXPECT_NEAR(jackknife_variance({2.5, 2.0, 1.5}), 1.0 / 3, 1e-12);  // values 1, 2, 3
  EXPECT_REFUSED(measure_pair(sample(1, 6), sample(2, 60), 1),
                 "6 and 60 slices; expected at least 7");
}

}  // namespace
}  // namespace scintigen
