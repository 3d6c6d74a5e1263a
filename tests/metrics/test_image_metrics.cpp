// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "metrics/golden_images.h"
#include "metrics/image_metrics.h"

namespace scintigen {
namespace {

constexpr DataRange kUnit{1, 0};

TEST(ImageMetrics, ReportEveryValueWithItsParameters) {
  const auto golden = image_golden();
  const auto pair = golden_pair(golden);
  const auto json = json_of(image_metrics(pair, kUnit), pair);
  EXPECT_NEAR(json["rmse"].get<double>(), number(golden, "errors", 0), 1e-12);
  EXPECT_NEAR(json["nrmse"].get<double>(), number(golden, "errors", 2), 1e-12);
  EXPECT_NEAR(json["nrmse_mean"].get<double>(), number(golden, "errors", 3), 1e-12);
  EXPECT_NEAR(json["nrmse_min_max"].get<double>(), number(golden, "errors", 4), 1e-12);
  EXPECT_NEAR(json["psnr"].get<double>(), number(golden, "errors", 5), 1e-10);
  EXPECT_NEAR(json["ssim_gaussian"].get<double>(), number(golden, "ssim_gaussian"), 1e-12);
  EXPECT_NEAR(json["ssim_uniform_3d"].get<double>(), number(golden, "ssim_uniform_3d"), 1e-12);
  EXPECT_NEAR(json["mask"]["ssim_uniform"].get<double>(), number(golden, "ssim_uniform", 1), 1e-12);
  EXPECT_NEAR(json["mask"]["mae"].get<double>(), number(golden, "errors_in_mask", 1), 1e-12);
  EXPECT_EQ(json["mask"]["voxels"], pair.mask_voxels);
  EXPECT_TRUE(json["ms_ssim"].is_null());
  EXPECT_NE(json["notes"]["ms_ssim"].get<std::string>().find("at least 176 x 176"),
            std::string::npos);
  for (const auto* key : {"rmse", "mae", "nrmse", "psnr", "psnr_by_slice", "ssim_gaussian",
                          "ssim_gaussian_3d", "ssim_uniform", "ssim_uniform_3d", "ms_ssim"})
    EXPECT_FALSE(json["parameters"][key].empty()) << key;
  const auto& parameters = json["parameters"]["ssim_gaussian"];
  EXPECT_EQ(parameters["window"], "gaussian");
  EXPECT_EQ(parameters["sigma"], 1.5);
  EXPECT_EQ(parameters["covariance"], "population");
  EXPECT_EQ(parameters["data_range"], 1.0);
  EXPECT_EQ(parameters["slices"], 13);
  EXPECT_EQ(parameters["slices_left_out"], 2);
  EXPECT_EQ(json["parameters"]["psnr"]["data_range"], 1.0);
}

TEST(ImageMetrics, IdenticalImagesHaveInfinitePsnrAndSayIt) {
  const auto a = random_image(1, 12, 13, 14);
  const auto pair = image_pair(a, a, at::ones({12, 13, 14}));
  const auto rows = image_metrics(pair, kUnit);
  const auto json = json_of(rows, pair);
  EXPECT_TRUE(json["psnr"].is_null());
  EXPECT_EQ(json["notes"]["psnr"], "inf: the images are identical");
  EXPECT_EQ(json["mask"]["notes"]["psnr"], "inf: the images are identical");
  EXPECT_TRUE(json["psnr_by_slice"].is_null());
  EXPECT_NEAR(json["ssim_gaussian"].get<double>(), 1, 1e-14);
  EXPECT_EQ(json["rmse"], 0.0);
  const auto text = text_of(rows, pair);
  EXPECT_NE(text.find("psnr: inf: the images are identical"), std::string::npos) << text;
  EXPECT_NE(text.find("window gaussian, taps 11, sigma 1.5, covariance population, k1 0.01, k2 "
                      "0.03, data_range 1.0, border windows inside the image"),
            std::string::npos)
      << text;
}

TEST(ImageMetrics, EveryValueThatIsMissingHasANote) {
  const auto pair = image_pair(at::zeros({2, 5, 5}), at::zeros({2, 5, 5}), at::ones({2, 5, 5}));
  const auto json = json_of(image_metrics(pair, kUnit), pair);
  for (const auto& [key, value] : json.items()) {
    EXPECT_TRUE(!value.is_null() || json["notes"].contains(key)) << key;
  }
  for (const auto& [key, value] : json["mask"].items()) {
    EXPECT_TRUE(!value.is_null() || json["mask"]["notes"].contains(key)) << key;
  }
  EXPECT_TRUE(json["ssim_gaussian"].is_null());
  EXPECT_FALSE(json_of(image_metrics(image_pair(pair.a, pair.b), kUnit), image_pair(pair.a, pair.b))
                   .contains("mask"));
}

TEST(ImageMetrics, DoNotDependOnTheNumberOfThreads) {
  const auto golden = image_golden();
  const auto pair = golden_pair(golden);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = json_of(image_metrics(pair, kUnit), pair).dump();
  for (const int threads : {2, 5}) {
    at::set_num_threads(threads);
    EXPECT_EQ(json_of(image_metrics(pair, kUnit), pair).dump(), one);
  }
  at::set_num_threads(before);
  EXPECT_REFUSED(image_metrics(pair, {0, 0}), "data range: expected a number > 0, found 0");
}

}  // namespace
}  // namespace scintigen
