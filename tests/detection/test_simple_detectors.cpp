// SPDX-License-Identifier: Apache-2.0
// Simpler detectors: by hand, and against scikit-learn (tools/make_golden_simple_detectors.py).
#include <gtest/gtest.h>

#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "detection/plane_features.h"
#include "detection/simple_detectors.h"

namespace scintigen {
namespace {

TEST(SimpleDetectors, CovarianceAndDistanceAreScikitLearns) {
  const auto golden =
      read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/detection/simple_detectors.safetensors");
  for (const std::string name : {"few", "many", "wide"}) {
    const auto at = [&](const char* what) {
      return golden.at(name + "." + what).to(torch::kDouble).unsqueeze(0);
    };
    const auto made = shrunk_covariance(at("rows"));
    EXPECT_NEAR(made.shrinkage.item<double>(), at("shrinkage").item<double>(), 1e-9) << name;
    EXPECT_TRUE(torch::allclose(made.covariance, at("covariance"), 1e-9, 1e-12)) << name;
    EXPECT_TRUE(torch::allclose(mahalanobis(made, at("queries")), at("distances"), 1e-4)) << name;
  }
}

TEST(SimpleDetectors, NothingThatVariesIsNoDistance) {
  const auto rows = torch::full({1, 5, 4}, 2.0, torch::kDouble);
  const auto made = shrunk_covariance(rows);
  EXPECT_EQ(made.shrinkage.item<double>(), 0);
  EXPECT_EQ(mahalanobis(made, rows + 3).abs().max().item<double>(), 0);
}

TEST(SimpleDetectors, RelativeUptakeIsOneOnAverageAndSmoothInside) {
  auto mask = torch::zeros({6, 8, 10}, torch::kBool);
  mask.slice(0, 1, 5).slice(1, 1, 7).slice(2, 1, 9).fill_(true);
  const auto image = Random(1, "image").uniform_tensor({6, 8, 10}) + 1;
  const auto relative = relative_uptake(image, mask, {0, 0, 0});
  EXPECT_NEAR(relative.masked_select(mask).mean().item<double>(), 1, 1e-6);
  EXPECT_EQ(relative.masked_select(~mask).abs().max().item<float>(), 0);
  // A gain changes nothing; a constant stays itself to the mask's edge, whatever lies outside.
  EXPECT_TRUE(torch::allclose(relative_uptake(7 * image, mask, {2, 2, 2}),
                              relative_uptake(image, mask, {2, 2, 2})));
  const auto flat = torch::where(mask, torch::full({6, 8, 10}, 5.0f), image * 100);
  EXPECT_TRUE(torch::allclose(relative_uptake(flat, mask, {3, 3, 3}).masked_select(mask),
                              torch::ones({4 * 6 * 8})));
  EXPECT_REFUSED(relative_uptake(torch::zeros({6, 8, 10}), mask, {0, 0, 0}),
                 "relative uptake: the mean in the mask is 0; expected above 0");
  EXPECT_REFUSED(relative_uptake(image, mask[0].unsqueeze(0), {0, 0, 0}),
                 "relative uptake: image and mask lie on other grids");
}

TEST(SimpleDetectors, ZByHand) {
  NormalImages images;
  for (const float value : {1.0f, 2.0f}) images.add(torch::full({1, 1, 2}, value));
  EXPECT_REFUSED(images.normal(), "z against controls: 2 controls; expected at least 3");
  images.add(torch::full({1, 1, 2}, 3.0f));
  const auto normal = images.normal();
  // Mean 2, SD 1, three people: t = (1 - 2) / sqrt(4 / 3).
  EXPECT_NEAR(against_normal(torch::ones({1, 1, 2}), normal)[0][0][0].item<double>(),
              -std::sqrt(0.75), 1e-6);
}

TEST(SimpleDetectors, ControlsThatAreAlikeHaveNoDeviationAndManyHaveTorchs) {
  NormalImages alike, many;
  std::vector<torch::Tensor> all;
  for (uint64_t p = 0; p < 20; ++p) {
    alike.add(torch::full({2, 3, 4}, 0.1f));
    all.push_back(1000 + Random(1, "image", p).uniform_tensor({2, 3, 4}));
    many.add(all.back());
  }
  EXPECT_REFUSED(alike.add(torch::ones({2, 3, 5})), "images of other shapes");
  // The first image is not written to, whatever its type.
  NormalImages doubles;
  const auto first = torch::ones({2, 2, 2}, torch::kDouble);
  for (const double value : {1.0, 2.0, 3.0})
    doubles.add(value == 1 ? first : torch::full({2, 2, 2}, value, torch::kDouble));
  EXPECT_EQ(first.sum().item<double>(), 8);
  EXPECT_EQ(alike.normal().sd.abs().max().item<double>(), 0);
  const auto stacked = torch::stack(all).to(torch::kDouble);
  EXPECT_TRUE(torch::allclose(many.normal().mean, stacked.mean(0), 1e-12));
  EXPECT_TRUE(torch::allclose(many.normal().sd, stacked.std(0), 1e-9));
}

/// The plane's distances are those of the latents that plane_features.h reads.
TEST(SimpleDetectors, PlaneDistancesAreThoseOfItsLatents) {
  torch::manual_seed(4);
  PatchAutoencoder network(1);
  const DensePatchEncoder encoder(network);
  std::vector<ScaledScans> people;
  const auto common = Random(1, "common").uniform_tensor({2, 16, 18});
  for (uint64_t p = 0; p < 7; ++p)
    people.push_back(scale_scans(
        {(5 * common + Random(2, "own", p).uniform_tensor({2, 16, 18})).contiguous()}, 1, "x"));
  const std::vector<ScaledScans> controls(people.begin(), people.end() - 1), one = {people.back()};
  auto mask = torch::zeros({16, 18}, torch::kBool);
  mask.slice(0, 3, 12).slice(1, 2, 17).fill_(true);
  const auto found = plane_distances(encoder, controls, one, mask, 1);
  ASSERT_EQ(found.sizes(), (std::vector<int64_t>{1, 9 * 15}));
  const auto maps = plane_maps(encoder, people, 1);
  auto latents = torch::empty({7, 64});
  for (int64_t p = 0; p < 7; ++p)  // voxel (4,3) is the 16th of the mask
    latent_of_map(maps[static_cast<size_t>(p)].data_ptr<float>(), maps[0].size(1), 4, 3,
                  latents[p].data_ptr<float>());
  const auto rows = latents.to(torch::kDouble).unsqueeze(0);
  const auto expected =
      mahalanobis(shrunk_covariance(rows.slice(1, 0, 6)), rows.slice(1, 6, 7)).item<double>();
  EXPECT_NEAR(found[0][16].item<double>(), -expected, 1e-4 * expected);
  EXPECT_GT(expected, 1);
  EXPECT_REFUSED(plane_distances(encoder, {people[0], people[1]}, one, mask, 1),
                 "Mahalanobis distance: 2 controls; expected at least 3");
}

}  // namespace
}  // namespace scintigen
