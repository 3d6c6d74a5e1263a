// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "metrics/structural_similarity.h"
#include "metrics/translation_scores.h"

namespace scintigen {
namespace {

TEST(TranslationScores, OfASliceAreTheMetricsOfItsPair) {
  torch::manual_seed(3);
  const auto real = torch::rand({20, 24}) * 2 - 1;
  auto made = real + 0.1;
  auto brain = torch::zeros({20, 24});
  brain.slice(0, 6, 14).slice(1, 6, 18).fill_(1);
  made.slice(0, 6, 14).slice(1, 6, 18) += 0.1;
  const auto found = slice_measures(made, real, brain);
  ASSERT_EQ(found.size(), kSliceMeasures.size());
  EXPECT_NEAR(found[0], std::sqrt((96 * 0.04 + 384 * 0.01) / 480), 1e-6);  // rmse
  EXPECT_NEAR(found[1], (96 * 0.2 + 384 * 0.1) / 480, 1e-6);               // mae
  EXPECT_NEAR(found[2], 20 * std::log10(2 / found[0]), 1e-6);              // psnr, range 2
  EXPECT_NEAR(found[4], 0.2, 1e-6);                                        // rmse_brain
  EXPECT_NEAR(found[5], 20, 1e-4);                                         // psnr_brain
  const auto pair = image_pair(real.unsqueeze(0), made.unsqueeze(0), brain.unsqueeze(0));
  const auto similarity =
      structural_similarity(pair, {2, -1}, SimilarityWindow::kGaussian, SimilarityExtent::kSlice);
  EXPECT_EQ(found[3], similarity.value);
  EXPECT_EQ(found[6], similarity.in_mask);
  EXPECT_NE(found[3], found[6]);
  const auto same = slice_measures(real, real, {});
  EXPECT_EQ(same[0], 0);
  EXPECT_NEAR(same[3], 1, 1e-12);
  EXPECT_TRUE(std::isnan(same[4])) << "no brain, no measure inside it";
}

TEST(TranslationScores, OfCountsArePartsOfTheRealMean) {
  const auto real = torch::tensor({10.0F, 20.0F, 30.0F, 99.0F}).view({1, 2, 2});
  const auto inside = torch::tensor({1.0F, 1.0F, 1.0F, 0.0F}).view({1, 2, 2});
  const auto errors = count_errors(real * 1.5, real, inside);
  EXPECT_NEAR(errors.error, 0.5, 1e-9);
  EXPECT_NEAR(errors.bias, 0.5, 1e-9);
  EXPECT_NEAR(errors.error_known_mean, 0, 1e-9);
}

Table some_scores() {
  Table slices{"scores.csv", {"method", "participant_id", "role", "slice", "place"}, {}};
  for (const auto& measure : kSliceMeasures) slices.columns.push_back(measure);
  const auto add = [&](const char* method, const char* id, double rmse) {
    slices.add_row({method, id, "held_out", "1", "0", number_text(rmse), "0", "n/a", "1", "n/a",
                    "n/a", "n/a"});
  };
  for (const auto& [id, rmse] : {std::pair{"a", 1.0}, std::pair{"b", 2.0}, std::pair{"c", 6.0}}) {
    add("translator", id, rmse - 0.5);
    add("translator", id, rmse + 0.5);
    add("level_mean", id, rmse + 1);
  }
  add("level_mean", "a", 3);  // now 2 and 3
  return slices;
}

TEST(TranslationScores, ArePairedByPatient) {
  const auto slices = some_scores();
  const auto patients = scores_by_patient(slices);
  ASSERT_EQ(patients.rows.size(), 6U);
  EXPECT_EQ(patients.at(0, "slices"), "2");
  EXPECT_EQ(patients.at(0, "rmse"), "1");
  EXPECT_EQ(patients.at(0, "psnr"), "n/a");
  const auto summary = summarise_scores(slices, patients, "translator");
  const auto& rmse = summary["measures"]["rmse"];
  EXPECT_NEAR(rmse["translator"]["by_patient"]["mean"].get<double>(), 3, 1e-12);
  EXPECT_EQ(rmse["translator"]["by_slice"]["n"].get<int>(), 6);
  const double sd = std::sqrt((4.0 + 1 + 9) / 2);
  EXPECT_NEAR(rmse["translator"]["by_patient"]["cv"].get<double>(), sd / 3, 1e-12);
  // Differences -1.5, -1, -1: t = mean / (sd / sqrt 3) = (-3.5 / 3) / (sqrt(1/12) / sqrt(3)) = -7
  const auto& difference = rmse["level_mean"]["difference"];
  EXPECT_NEAR(difference["mean_difference"].get<double>(), -3.5 / 3, 1e-12);
  EXPECT_NEAR(difference["t"].get<double>(), -7, 1e-9);
  EXPECT_EQ(difference["patients"].get<int>(), 3);
  EXPECT_FALSE(rmse["translator"].contains("difference"));
  EXPECT_FALSE(summary["measures"]["psnr"]["translator"]["by_patient"].contains("mean"));
  const auto text = scores_text(summary);
  EXPECT_NE(text.find("level_mean"), std::string::npos);
  EXPECT_NE(text.find("by patient, 3 of them"), std::string::npos);
}

}  // namespace
}  // namespace scintigen
