// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cohort/paired_baselines.h"
#include "cohort/paired_people.h"
#include "core/safetensors.h"

namespace scintigen {
namespace {

double farthest(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.to(torch::kDouble) - b.to(torch::kDouble)).abs().max().item<double>();
}

torch::Tensor weights_of(const BlurredSum& sum) {
  return torch::tensor(sum.weights, torch::kDouble);
}

/// The people of tools/make_golden_paired_baselines.py.
struct PairedBaselinesGolden : testing::Test {
  PairedBaselinesGolden()
      : golden(read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) +
                            "/cohort/paired_baselines.safetensors")) {
    const auto volumes = golden.at("volumes");
    const std::vector<std::string> ids = {"a", "b", "c"}, modalities = {"T1w", "pet", "spect"};
    for (int64_t p = 0; p < 3; ++p)
      for (int64_t m = 0; m < 3; ++m)
        people.add(ids[static_cast<size_t>(p)], modalities[static_cast<size_t>(m)],
                   volumes[p][m].clone(), 4);
    PairedSettings settings;
    settings.inputs = {"T1w", "pet"};
    settings.slices = 4;
    settings.side = 32;
    slices = std::make_unique<PairedSlices>(people.cohort(), ids, settings);
    baselines = fit_baselines(*slices, 4);
  }
  TensorFile golden;
  MadeUpCohort people;
  std::unique_ptr<PairedSlices> slices;
  PairedBaselines baselines;
};

TEST_F(PairedBaselinesGolden, AreThoseOfNumpyAndScipy) {
  EXPECT_EQ(baselines.fitted_slices, 12);
  EXPECT_LT(farthest(baselines.level_mean, golden.at("level_mean")), 1e-3) << "stored as float16";
  const auto batch = slices->gather({5});
  for (const auto& [name, sum] :
       {std::pair{std::string("smoothed_input"), baselines.smoothed_input},
        std::pair{std::string("tissue_regression"), baselines.tissue_regression}}) {
    EXPECT_EQ(sum.fwhm_px, golden.at(name + ".fwhm_px").item<float>());
    EXPECT_LT(farthest(weights_of(sum), golden.at(name + ".weights")), 2e-3) << name;
    const auto made = predict(baselines, name, batch.inputs, {1});
    EXPECT_LT(farthest(made[0][0], golden.at(name + ".made_5")), 5e-4) << name;
  }
  EXPECT_EQ(
      farthest(predict(baselines, "level_mean", batch.inputs, {3})[0][0], baselines.level_mean[3]),
      0);
  EXPECT_REFUSED(predict(baselines, "median", batch.inputs, {0}), "no baseline is named median");
}

TEST_F(PairedBaselinesGolden, ComeBackFromACheckpoint) {
  const auto after = baselines_from_json(to_json(baselines), baselines.level_mean, 2, "file");
  const auto batch = slices->gather({7, 8});
  for (const auto& name : kBaselineNames)
    EXPECT_EQ(farthest(predict(baselines, name, batch.inputs, {3, 0}),
                       predict(after, name, batch.inputs, {3, 0})),
              0);
  EXPECT_REFUSED(baselines_from_json(to_json(baselines), baselines.level_mean, 1, "file"),
                 "file: the baselines are not of 1 channels");
}

TEST(PairedBaselines, ClassesShareEachPixel) {
  const auto image = torch::linspace(-1, 1, 64).view({1, 1, 8, 8});
  const auto maps = class_memberships(image);
  EXPECT_EQ(maps.size(1), 7);
  // With the background's they add up to 1; a pixel belongs to two neighbours at most.
  const auto background = (1 - (image + 1) / 2 * 7).clamp_min(0);
  EXPECT_LT(farthest(maps.sum(1, true) + background, torch::ones_like(image)), 1e-6);
  EXPECT_LE((maps > 0).sum(1).max().item<int64_t>(), 2);
}

TEST(PairedBaselines, BlurKeepsAConstantAndASum) {
  EXPECT_LT(farthest(blurred(torch::full({1, 2, 16, 16}, 3.0F), 3), torch::full({1, 2, 16, 16}, 3)),
            1e-5);
  auto point = torch::zeros({1, 1, 41, 41});
  point[0][0][20][20] = 1;
  const auto spread = blurred(point, 4.7096);  // sigma 2
  EXPECT_NEAR(spread.sum().item<double>(), 1, 1e-5);
  const auto x = torch::arange(41, torch::kDouble) - 20;
  EXPECT_NEAR((spread[0][0].sum(0).to(torch::kDouble) * x * x).sum().item<double>(), 4, 0.06);
}

}  // namespace
}  // namespace scintigen
