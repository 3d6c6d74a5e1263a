// SPDX-License-Identifier: Apache-2.0
// Controls and patients that are, and are not, what they should be.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cohort/volume_people.h"
#include "core/temporary_folder.h"
#include "detection/control_quality.h"

namespace scintigen {
namespace {

class Controls : public testing::Test {
 protected:
  Controls() : network_((torch::manual_seed(3), 1)) {
    write_tiny_people(folder_ / "people", 9);
    cohort_ = read_volume_cohort(folder_ / "people");
    // Columns that prepare takes over from participants.tsv.
    cohort_.table.columns.insert(cohort_.table.columns.end(), {"age", "scanner"});
    for (size_t row = 0; row < 9; ++row) {
      auto& cells = cohort_.table.rows[row];
      cells.push_back(row == 0 ? "n/a" : std::to_string(20 + 10 * row));
      cells.push_back(row == 8 ? "other" : "usual");
    }
    auto ids = cohort_.participants();
    ids.pop_back();
    controls_ = read_patch_people(cohort_, ids, {});
  }
  TemporaryFolder folder_;
  PatchAutoencoder network_;
  VolumeCohort cohort_;
  PatchPeople controls_;
};

TEST_F(Controls, AreRemembered) {
  const auto quality = control_quality(network_, controls_, cohort_);
  EXPECT_GT(quality.reconstruction, 0);
  EXPECT_GT(quality.reconstruction_sd, 0);
  EXPECT_EQ(*quality.ages, (std::array<double, 2>{30, 90}));
  EXPECT_EQ(quality.scanners, (std::vector<std::string>{"usual"}));
  const auto again = control_quality_of(nlohmann::json::parse(quality.json().dump()));
  EXPECT_EQ(again.reconstruction, quality.reconstruction);
  EXPECT_EQ(again.ages, quality.ages);
}

TEST_F(Controls, AnAgeThatIsNoNumberIsLeftOut) {
  cohort_.table.rows[0].at(*cohort_.table.find_column("age")) = "nan";
  cohort_.table.rows[1].at(*cohort_.table.find_column("age")) = "12+";
  const auto quality = control_quality(network_, controls_, cohort_);
  EXPECT_EQ(*quality.ages, (std::array<double, 2>{40, 90}));
  EXPECT_EQ(control_quality_of(nlohmann::json::parse(quality.json().dump())).ages, quality.ages);
}

TEST_F(Controls, APatientIsComparedWithThem) {
  auto quality = control_quality(network_, controls_, cohort_);
  const auto patient = read_patch_people(cohort_, {"sub-9"}, {}).scans[0];
  // 100 years old, on another scanner, of the same kind of image.
  const auto warnings =
      patient_warnings(network_, quality, patient, controls_.mask, cohort_, "sub-9");
  ASSERT_EQ(warnings.size(), 2);
  EXPECT_EQ(warnings[0], "sub-9: 100 years old, controls are 30 to 90");
  EXPECT_EQ(warnings[1], "sub-9: scanner other, controls' are usual");
  EXPECT_TRUE(
      patient_warnings(network_, quality, controls_.scans[0], controls_.mask, cohort_, "sub-1")
          .empty());
  quality.reconstruction /= 10;
  EXPECT_NE(patient_warnings(network_, quality, patient, controls_.mask, cohort_, "sub-9")[0].find(
                "patches are reconstructed worse than controls'"),
            std::string::npos);
}

TEST_F(Controls, SyntheticOnesThatVaryLessAreNamed) {
  const std::vector<std::string> made = {"sub-5", "sub-6", "sub-7", "sub-8"};
  EXPECT_TRUE(compare_synthetic(network_, controls_, made).warnings().empty());
  // Half as far from their mean: a quarter of the variance, if features were linear.
  auto tight = controls_;
  auto mean = torch::zeros_like(controls_.scans[0].voxels[0]);
  for (size_t p = 4; p < 8; ++p) mean += controls_.scans[p].voxels[0] / 4;
  for (size_t p = 4; p < 8; ++p)
    tight.scans[p].voxels[0] = ((mean + controls_.scans[p].voxels[0]) / 2).contiguous();
  const auto compared = compare_synthetic(network_, tight, made);
  EXPECT_LT(compared.spread.value(), 0.8);
  EXPECT_DOUBLE_EQ(compared.json()["feature_variance_ratio"], compared.spread.value());
  const auto warnings = compared.warnings();
  ASSERT_FALSE(warnings.empty());
  EXPECT_NE(warnings[0].find("they vary less, and machines fitted to them are tighter"),
            std::string::npos);
  EXPECT_REFUSED(compare_synthetic(network_, controls_, {"sub-9"}),
                 "--synthetic: 1 names, 0 of them are controls");
  EXPECT_REFUSED(compare_synthetic(network_, controls_, controls_.participants),
                 "--synthetic: expected synthetic and real controls");
}

TEST(LatentSpread, IsTheVarianceByHand) {
  auto latents = torch::zeros({3, 1, 64});
  latents[0][0][5] = 1;
  latents[2][0][7] = 2;
  // Feature 5: 1, 0, 0, variance 1/3; feature 7: 0, 0, 2, variance 4/3.
  EXPECT_NEAR(latent_spread(latents, {0, 1, 2}), 5.0 / 3, 1e-6);
}

}  // namespace
}  // namespace scintigen
