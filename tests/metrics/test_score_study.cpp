// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/error.h"
#include "metrics/score_study.h"

namespace scintigen {
namespace {

/// Three people of 3, 2 and 2 slices; slices are numbered from `first` and stand in reverse.
MethodScores scores(std::vector<std::string> levels, std::vector<std::vector<double>> values,
                    int64_t first = 0) {
  MethodScores method{std::move(levels), {"scores.csv", {"participant_id", "slice", "ssim"}, {}}};
  for (size_t p = 0; p < values.size(); ++p)
    for (size_t n = values[p].size(); n-- > 0;)
      method.rows.add_row({"sub-" + std::to_string(p + 1),
                           std::to_string(first + static_cast<int64_t>(n)),
                           number_text(values[p][n])});
  return method;
}

std::vector<MethodScores> four_methods() {
  return {scores({"MRI", "native"}, {{.5, .6, .7}, {.4, .5}, {.8, .6}}, 40),
          scores({"MRI", "template"}, {{.45, .5, .7}, {.41, .42}, {.7, .66}}, 9),
          scores({"PET", "native"}, {{.6, .62, .75}, {.5, .52}, {.82, .7}}, 40),
          scores({"PET", "template"}, {{.55, .6, .7}, {.47, .5}, {.79, .7}}, 9)};
}

ScoreStudy four() { return study_scores(four_methods(), {"input", "space"}, {"ssim"}); }

TEST(ScoreStudy, MeansBySliceAndByPatient) {
  const auto study = four();
  EXPECT_EQ(study.participants, (std::vector<std::string>{"sub-1", "sub-2", "sub-3"}));
  EXPECT_EQ(study.slice_patients, (std::vector<size_t>{0, 0, 0, 1, 1, 2, 2}));
  const auto& values = study.values[0][0];
  EXPECT_EQ(values.slices, (std::vector<double>{.5, .6, .7, .4, .5, .8, .6}));
  const auto patients = spread_of(values.patients), slices = spread_of(values.slices);
  EXPECT_NEAR(patients.mean, 0.5833333333, 1e-9);
  EXPECT_NEAR(patients.sd, 0.1258305739, 1e-9);
  EXPECT_NEAR(patients.cv, 0.2157095553, 1e-9);
  EXPECT_NEAR(slices.mean, 0.5857142857, 1e-9);
  EXPECT_NEAR(slices.sd, 0.1345185418, 1e-9);
}

TEST(ScoreStudy, PairedDifferencesAsSciPyHasThem) {  // scipy.stats.ttest_rel, SciPy 1.10
  const auto study = four();
  // input and space averaged, then each in each level of the other.
  ASSERT_EQ(study.differences.size(), 6U);
  const auto& input = study.differences[0];
  EXPECT_EQ(input.first + input.second, "MRIPET");
  EXPECT_EQ(input.combinations, 2);
  EXPECT_NEAR(input.measures[0].by_patient.figure("t"), 62.9584722716, 1e-6);
  EXPECT_NEAR(*input.measures[0].by_patient.p, 0.0002521897, 1e-9);
  EXPECT_NEAR(*input.measures[0].adjusted_p, 2 * 0.0002521897, 1e-9);
  const auto& space = study.differences[1];
  EXPECT_EQ(space.first + space.second, "nativetemplate");
  const auto& by_patient = space.measures[0].by_patient;
  EXPECT_NEAR(by_patient.figure("difference"), -0.0308333333, 1e-9);
  EXPECT_NEAR(by_patient.interval->low, -0.0650372426, 1e-9);
  EXPECT_NEAR(by_patient.interval->high, 0.0033705759, 1e-9);
  EXPECT_NEAR(*by_patient.p, 0.0605020752, 1e-9);
  const auto& by_slice = space.measures[0].by_slice;
  EXPECT_EQ(by_slice.n, 7);
  EXPECT_NEAR(by_slice.figure("difference"), -0.0328571429, 1e-9);
  EXPECT_NEAR(*by_slice.p, 0.0426318580, 1e-9);
  for (const auto& difference : study.differences)
    if (difference.others == "MRI") {
      EXPECT_NEAR(*difference.measures[0].by_patient.p, 0.0561201926, 1e-9);
      EXPECT_GE(*difference.measures[0].adjusted_p, 0.0561201926);
      EXPECT_EQ(difference.combinations, 1);
    }
}

TEST(ScoreStudy, WritesItsTables) {
  const auto study = four();
  EXPECT_EQ(patients_table(study).rows.size(), 12U);
  EXPECT_EQ(methods_table(study).rows.size(), 4U);
  const auto differences = differences_table(study);
  ASSERT_EQ(differences.rows.size(), 6U);
  EXPECT_EQ(differences.at(0, "others"), "mean over all");
  EXPECT_NEAR(differences.number_at(1, "difference"), -0.0308333333, 1e-9);
  EXPECT_NEAR(differences.number_at(1, "slice_p"), 0.0426318580, 1e-9);
}

TEST(ScoreStudy, OneFactorComparesAllPairs) {
  auto methods = four_methods();
  const char* const names[] = {"a", "b", "c", "d"};
  for (size_t m = 0; m < 4; ++m) methods[m].levels = {names[m]};
  const auto study = study_scores(methods, {"method"}, {"ssim"});
  EXPECT_EQ(study.differences.size(), 6U);
  EXPECT_EQ(differences_table(study).at(0, "others"), "n/a");
}

TEST(ScoreStudy, KnowsWhichWayIsBetter) {
  EXPECT_TRUE(lower_is_better("rmse"));
  EXPECT_TRUE(lower_is_better("mae_brain"));
  EXPECT_FALSE(lower_is_better("ssim"));
  EXPECT_FALSE(lower_is_better("psnr_brain"));
}

std::string refusal(const std::vector<MethodScores>& methods) {
  try {
    study_scores(methods, {"input", "space"}, {"ssim"});
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ScoreStudy, RefusesWhatIsNoComparison) {
  auto methods = four_methods();
  methods[1].levels = methods[0].levels;
  EXPECT_NE(refusal(methods).find("another table is named MRI / native too"), std::string::npos);
  methods = four_methods();
  methods[2].rows.rows.pop_back();
  EXPECT_NE(refusal(methods).find("score the same slices"), std::string::npos) << refusal(methods);
  methods = four_methods();
  for (auto& row : methods[3].rows.rows)
    if (row[0] == "sub-2") row[0] = "sub-9";
  EXPECT_NE(refusal(methods).find("no scores of sub-2"), std::string::npos) << refusal(methods);
  methods = four_methods();
  methods[0].rows.rows[1][1] = methods[0].rows.rows[0][1];
  EXPECT_NE(refusal(methods).find("stands in two rows"), std::string::npos) << refusal(methods);
  methods = four_methods();
  methods[1].rows.rows[2][2] = "n/a";
  EXPECT_NE(refusal(methods).find("ssim"), std::string::npos) << refusal(methods);
  EXPECT_NE(refusal({four_methods()[0]}).find("expected two or more"), std::string::npos);
}

}  // namespace
}  // namespace scintigen
