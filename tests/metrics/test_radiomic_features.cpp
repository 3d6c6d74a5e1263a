// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "metrics/radiomic_features.h"

namespace scintigen {
namespace {

using at::indexing::Slice;

int64_t index_of(const std::string& name) {
  const auto& names = radiomic_feature_names();
  for (size_t f = 0; f < names.size(); ++f)
    if (names[f] == name) return static_cast<int64_t>(f);
  ADD_FAILURE() << "no feature " << name;
  return 0;
}

double feature(const torch::Tensor& features, const std::string& name) {
  return features[index_of(name)].item<double>();
}

/// [F] of one slice.
torch::Tensor features_of(const torch::Tensor& slice) {
  return radiomic_features(slice.unsqueeze(0))[0];
}

TEST(RadiomicFeatures, AgreeWithScikitImageSciPyAndNumPy) {
  const auto file = read_tensors(SCINTIGEN_TEST_GOLDEN "/metrics/radiomic_features.safetensors");
  for (const std::string matrix : {"odd", "even", "wide"})
    for (const int threshold : {20, 50}) {
      const auto found = radiomic_features(file.at(matrix), threshold / 100.0);
      const auto& expected = file.at(matrix + "_" + std::to_string(threshold));
      ASSERT_EQ(found.sizes(), expected.sizes());
      const auto error = ((found - expected).abs() / expected.abs().clamp_min(1)).amax(0);
      for (int64_t f = 0; f < error.size(0); ++f)
        EXPECT_LE(error[f].item<double>(), 1e-11)
            << radiomic_feature_names()[static_cast<size_t>(f)] << " " << matrix << threshold;
    }
}

TEST(RadiomicFeatures, OfAnEvenBox) {
  auto slice = at::zeros({20, 24});
  slice.index_put_({Slice(5, 15), Slice(6, 18)}, 1.0);
  const auto found = features_of(slice);
  EXPECT_EQ(feature(found, "mean"), 1);
  for (const auto* zero :
       {"standard_deviation", "skewness", "excess_kurtosis", "intensity_entropy", "glcm_contrast",
        "glcm_correlation", "glcm_joint_entropy", "ln_left_right", "abs_ln_left_right"})
    EXPECT_EQ(feature(found, zero), 0) << zero;
  EXPECT_EQ(feature(found, "glcm_inverse_difference_moment"), 1);
  EXPECT_EQ(feature(found, "glcm_angular_second_moment"), 1);
  EXPECT_EQ(feature(found, "median"), 1);
  EXPECT_DOUBLE_EQ(feature(found, "mask_area_fraction"), 120.0 / 480);
  EXPECT_DOUBLE_EQ(feature(found, "perimeter_to_area"), 44.0 / 120);
  // Half a step at each edge, both axes at the corners.
  EXPECT_NEAR(feature(found, "gradient_magnitude"), (36 * 0.5 + 4 * std::sqrt(0.5)) / 120, 1e-12);
}

TEST(RadiomicFeatures, OfStripes) {
  auto slice = at::full({16, 32}, 0.5);
  slice.index_put_({Slice(), Slice(0, 32, 2)}, 1.0);  // two levels in turn: 31 apart
  const auto found = features_of(slice);
  EXPECT_DOUBLE_EQ(feature(found, "mean"), 0.75);
  EXPECT_DOUBLE_EQ(feature(found, "standard_deviation"), 0.25);
  EXPECT_NEAR(feature(found, "skewness"), 0, 1e-12);
  EXPECT_NEAR(feature(found, "excess_kurtosis"), -2, 1e-12);
  EXPECT_DOUBLE_EQ(feature(found, "intensity_entropy"), 1);
  // Along a stripe levels are alike, across and along both diagonals they are not.
  EXPECT_NEAR(feature(found, "glcm_contrast"), 0.75 * 31 * 31, 1e-9);
  EXPECT_NEAR(feature(found, "glcm_correlation"), -0.5, 1e-9);
  EXPECT_NEAR(feature(found, "glcm_joint_entropy"), 1, 1e-12);
  EXPECT_NEAR(feature(found, "glcm_angular_second_moment"), 0.5, 1e-12);
  EXPECT_EQ(feature(found, "gradient_magnitude"), 0.5 * 2 / 32);  // at the two outer columns
  // A wave of 2 pixels: all power in the finest ring, nothing but rounding in the others.
  EXPECT_GT(feature(found, "log_power_6"), std::log(1e-3));
  for (const auto* quiet : {"log_power_1", "log_power_2", "log_power_3"})
    EXPECT_DOUBLE_EQ(feature(found, quiet), std::log(1e-12));
}

TEST(RadiomicFeatures, WavesFallIntoTheirRings) {
  const auto column = at::arange(48, torch::kDouble);
  for (int64_t band = 1; band <= 6; ++band) {
    const double cycles = 4.0 * static_cast<double>(band) - 2;  // of 48 pixels: mid-ring
    const auto wave = (2 * M_PI * cycles / 48 * column).cos() * 0.5 + 0.5;
    const auto found = features_of(wave.expand({48, 48}));
    for (int64_t other = 1; other <= 6; ++other) {
      const double power = feature(found, "log_power_" + std::to_string(other));
      if (other == band)
        EXPECT_GT(power, -4);
      else
        EXPECT_LT(power, -20);
    }
  }
}

TEST(RadiomicFeatures, AMirrorChangesTheSignOfOneFeatureAlone) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto slices = Random(seed, "slices").uniform_tensor({3, 18 + int64_t(seed % 2), 17});
    auto expected = radiomic_features(slices);
    expected.select(1, index_of("ln_left_right")).neg_();
    EXPECT_LT((radiomic_features(slices.flip(2)) - expected).abs().max().item<double>(), 1e-9);
  }
}

TEST(RadiomicFeatures, ASliceAloneHasTheFeaturesItHasInASet) {
  const auto slices = Random(5, "slices").uniform_tensor({150, 16, 16});
  const auto all = radiomic_features(slices);
  EXPECT_EQ(all.sizes(), (std::vector<int64_t>{150, 24}));
  EXPECT_EQ(all.scalar_type(), torch::kDouble);
  for (const int64_t n : {0, 63, 64, 149})
    EXPECT_LT((features_of(slices[n]) - all[n]).abs().max().item<double>(), 1e-12);
  EXPECT_EQ(radiomic_features(slices.slice(0, 0, 0)).sizes(), (std::vector<int64_t>{0, 24}));
}

TEST(RadiomicFeatures, NothingIsNotFinite) {
  auto slices = at::zeros({6, 16, 17});
  slices[1][4][4] = 1;                                          // one pixel, on one side
  slices.index_put_({2, Slice(), 8}, 1);                        // the middle column, on neither
  slices.index_put_({3, Slice(), Slice(12, 17)}, 0.7);          // the patient's left alone
  slices.index_put_({4, Slice(0, 16, 2), Slice(0, 17, 2)}, 1);  // no neighbours at all
  slices[5].fill_(1);
  const auto found = radiomic_features(slices);
  EXPECT_TRUE(found.isfinite().all().item<bool>());
  EXPECT_EQ(feature(found[0], "mask_area_fraction"), 0);
  EXPECT_EQ(feature(found[0], "glcm_inverse_difference_moment"), 1);
  EXPECT_EQ(feature(found[0], "log_power_3"), std::log(1e-12));
  EXPECT_DOUBLE_EQ(feature(found[1], "ln_left_right"), std::log(0.2));
  EXPECT_DOUBLE_EQ(feature(found[1], "perimeter_to_area"), 4);
  EXPECT_EQ(feature(found[2], "ln_left_right"), 0);
  EXPECT_DOUBLE_EQ(feature(found[3], "ln_left_right"), -std::log(0.2));
  EXPECT_DOUBLE_EQ(feature(found[3], "abs_ln_left_right"), -std::log(0.2));
  EXPECT_EQ(feature(found[4], "glcm_angular_second_moment"), 1);
  EXPECT_EQ(feature(found[5], "perimeter_to_area"), 66.0 / 272);
}

TEST(RadiomicFeatures, TwoThousandSlicesAtOnce) {
  const auto slices = Random(1, "slices").uniform_tensor({2000, 64, 64});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(radiomic_features(slices).isfinite().all().item<bool>());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  RecordProperty("milliseconds", static_cast<int>(1000 * seconds));
}

TEST(RadiomicFeatures, RefusesWhatIsNoSlice) {
  EXPECT_REFUSED(radiomic_features(at::zeros({16, 16})),
                 "radiomic features: expected slices [N,H,W] of floating point; found [16,16] of");
  EXPECT_REFUSED(radiomic_features({}), "found nothing");
  EXPECT_REFUSED(radiomic_features(at::zeros({1, 16, 15})),
                 "radiomic features: slices of 16 x 15 pixels; expected at least 16 x 16");
  auto slices = at::ones({3, 16, 16});
  for (const float value : {-0.1F, 1.5F, std::numeric_limits<float>::quiet_NaN()}) {
    slices[2][3][3] = value;
    EXPECT_REFUSED(radiomic_features(slices),
                   "radiomic features: slice 2 holds a value outside of [0,1]; divide each slice "
                   "by its maximum");
  }
  EXPECT_REFUSED(radiomic_features(at::ones({1, 16, 16}), 0),
                 "radiomic features: threshold must be in (0,1); found 0");
}

TEST(FeatureScaling, MakesTheReferenceStandardAndDropsWhatIsConstant) {
  auto features = Random(2, "features").normal_tensor({40, 5}).to(torch::kDouble) * 3 + 100;
  features.select(1, 1).fill_(0.1);
  features.select(1, 3).zero_();
  const auto scaling = feature_scaling(features);
  EXPECT_EQ(scaling.kept, (std::vector<int64_t>{0, 2, 4}));
  const auto scaled = scaling.apply(features);
  EXPECT_LT(scaled.mean(0).abs().max().item<double>(), 1e-12);
  EXPECT_LT((scaled.std(0, true) - 1).abs().max().item<double>(), 1e-12);
  // Others are measured by the reference.
  const auto other = scaling.apply(features.slice(0, 0, 1) + 6);
  const auto expected = scaled.slice(0, 0, 1) + 6 / scaling.deviation;
  EXPECT_LT((other - expected).abs().max().item<double>(), 1e-12);
}

TEST(FeatureScaling, RefusesWhatHasNoScale) {
  EXPECT_REFUSED(feature_scaling(at::zeros({4})),
                 "feature scaling: expected features [N,F] of floating point; found [4] of float");
  EXPECT_REFUSED(feature_scaling(at::zeros({1, 4})), "needs at least 2 rows; found 1");
  EXPECT_REFUSED(feature_scaling(at::ones({3, 4})),
                 "feature scaling: all 3 rows are equal; nothing varies");
  EXPECT_REFUSED(feature_scaling(at::full({3, 4}, std::numeric_limits<float>::infinity())),
                 "feature scaling: a feature is not finite");
  const auto scaling = feature_scaling(Random(2, "features").normal_tensor({4, 3}));
  EXPECT_REFUSED(scaling.apply(at::zeros({2, 5})),
                 "feature scaling: was made of 3 features; found 5");
}

}  // namespace
}  // namespace scintigen
