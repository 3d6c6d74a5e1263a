// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/temporary_folder.h"
#include "metrics/golden_images.h"
#include "metrics/image_errors.h"

namespace scintigen {
namespace {

constexpr DataRange kUnit{1, 0};

void expect_errors(const ImageErrors& found, const TensorFile& golden, const std::string& name) {
  const double values[] = {found.rmse,       found.mae,           found.nrmse_euclidean,
                           found.nrmse_mean, found.nrmse_min_max, found.psnr};
  for (int64_t i = 0; i < 6; ++i) {
    const double expected = number(golden, name, i);
    EXPECT_NEAR(values[i], expected, 1e-12 * std::fabs(expected)) << name << " " << i;
  }
}

TEST(ImageErrors, AgreeWithScikitImage) {
  const auto golden = image_golden();
  const auto pair = golden_pair(golden);
  const auto whole = image_errors(pair, kUnit), in_mask = image_errors_in_mask(pair, kUnit);
  expect_errors(whole, golden, "errors");
  expect_errors(in_mask, golden, "errors_in_mask");
  EXPECT_NEAR(whole.psnr_by_slice, number(golden, "psnr_by_slice", 0), 1e-11);
  EXPECT_NEAR(in_mask.psnr_by_slice, number(golden, "psnr_by_slice", 1), 1e-11);
  EXPECT_EQ(whole.slices, 13);
  EXPECT_EQ(in_mask.slices, 11);
  EXPECT_EQ(in_mask.voxels, pair.mask_voxels);
}

TEST(ImageErrors, PsnrGainsSixDecibelsWhereTheErrorHalves) {
  const auto a = random_image(1, 4, 9, 8), error = random_image(2, 4, 9, 8) - 0.5;
  const auto once = image_errors(image_pair(a, a + error), kUnit);
  const auto half = image_errors(image_pair(a, a + 0.5 * error), kUnit);
  EXPECT_NEAR(half.psnr - once.psnr, 20 * std::log10(2.0), 1e-5);  // a + error rounds to float32
  const auto wider = image_errors(image_pair(a, a + error), {2, 0});
  EXPECT_NEAR(wider.psnr - once.psnr, 20 * std::log10(2.0), 1e-12);
  EXPECT_DOUBLE_EQ(wider.rmse, once.rmse);
}

TEST(ImageErrors, IdenticalImagesAndSlices) {
  const auto a = random_image(1, 3, 5, 5);
  const auto same = image_errors(image_pair(a, a), kUnit);
  EXPECT_EQ(same.rmse, 0);
  EXPECT_TRUE(std::isinf(same.psnr));
  EXPECT_TRUE(std::isnan(same.psnr_by_slice));
  EXPECT_EQ(same.slices_identical, 3);
  auto b = a.clone();
  b[1] += 0.1f;
  const auto one = image_errors(image_pair(a, b), kUnit);
  EXPECT_NEAR(one.psnr_by_slice, 20, 1e-5);
  EXPECT_EQ(one.slices, 1);
  EXPECT_EQ(one.slices_identical, 2);
}

TEST(ImageErrors, AFullMaskIsTheWholeImage) {
  const auto a = random_image(1, 3, 5, 7), b = random_image(2, 3, 5, 7);
  const auto pair = image_pair(a, b, at::ones({3, 5, 7}));
  const auto whole = image_errors(pair, kUnit), in_mask = image_errors_in_mask(pair, kUnit);
  EXPECT_NEAR(whole.rmse, in_mask.rmse, 1e-15);
  EXPECT_NEAR(whole.mae, in_mask.mae, 1e-15);
  EXPECT_NEAR(whole.psnr_by_slice, in_mask.psnr_by_slice, 1e-12);
  EXPECT_NEAR(whole.nrmse_min_max, in_mask.nrmse_min_max, 1e-15);
  EXPECT_EQ(whole.voxels, in_mask.voxels);
}

TEST(ImageErrors, AReferenceOfZerosHasNoNormalisedError) {
  const auto errors = image_errors(image_pair(at::zeros({1, 4, 4}), at::ones({1, 4, 4})), kUnit);
  EXPECT_TRUE(std::isnan(errors.nrmse_euclidean));
  EXPECT_TRUE(std::isnan(errors.nrmse_mean));
  EXPECT_TRUE(std::isnan(errors.nrmse_min_max));
  EXPECT_EQ(errors.psnr, 0);
}

TEST(ImageErrors, Refusals) {
  const auto pair = image_pair(at::zeros({1, 4, 4}), at::ones({1, 4, 4}));
  EXPECT_REFUSED(image_errors(pair, {0, 0}), "data range: expected a number > 0, found 0");
  EXPECT_REFUSED(image_errors_in_mask(pair, kUnit), "image errors: there is no mask");
}

}  // namespace
}  // namespace scintigen
