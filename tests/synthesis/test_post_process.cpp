// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numeric>

#include "cohort/target_profile.h"
#include "core/random.h"
#include "core/temporary_folder.h"
#include "synthesis/post_process.h"

namespace scintigen {
namespace {

std::vector<int64_t> every_plane(int64_t planes) {
  std::vector<int64_t> all(static_cast<size_t>(planes));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

double mean_of(const torch::Tensor& values) { return values.mean(torch::kDouble).item<double>(); }

TEST(PostProcess, SmoothsByMillimetresAndKeepsTheBackground) {
  auto pixels = torch::full({21, 21, 21}, -1.0F);
  pixels[10][10][10] = 1;
  smooth_pixels(pixels, every_plane(21), {2, 1, 4}, 6);
  const auto above = pixels + 1;
  EXPECT_NEAR(above.sum().item<double>(), 2, 1e-4);
  // A Gaussian of FWHM 6 mm is half as high 3 mm away: 1.5 voxels of i, 3 of j.
  const double middle = above[10][10][10].item<double>();
  EXPECT_NEAR(above[10][13][10].item<double>() / middle, 0.5, 0.01);
  EXPECT_NEAR(above[10][10][11].item<double>() / middle, std::pow(0.5, 4.0 / 9), 0.01);
  EXPECT_NEAR(above[11][10][10].item<double>() / middle, std::pow(0.5, 16.0 / 9), 0.01);
  EXPECT_EQ(pixels[0][0][0].item<float>(), -1);
  auto same = torch::rand({3, 4, 5});
  const auto before = same.clone();
  smooth_pixels(same, every_plane(3), {1, 1, 1}, 0);
  EXPECT_TRUE(torch::equal(same, before));
}

TEST(PostProcess, PlanesThatWereNotMadeAreNotMixedIn) {
  auto pixels = torch::full({12, 9, 9}, -1.0F);
  pixels.slice(0, 3, 9).fill_(0.5);
  smooth_pixels(pixels, {3, 4, 5, 6, 7, 8}, {1, 1, 1}, 1.5);
  for (const int64_t plane : {3, 5, 8}) EXPECT_NEAR(pixels[plane][4][4].item<float>(), 0.5, 1e-5);
  EXPECT_EQ(pixels[2].max().item<float>(), -1);
  EXPECT_EQ(pixels[9].max().item<float>(), -1);
}

TEST(PostProcess, QuantilesGoFromTheLeastToTheLargest) {
  const auto values = torch::arange(1001).to(torch::kFloat).flip({0});
  const auto quantiles = quantiles_of(values);
  ASSERT_EQ(quantiles.size(), kQuantiles);
  for (size_t q = 0; q < kQuantiles; ++q)
    EXPECT_NEAR(quantiles[q], 1000.0 * static_cast<double>(q) / 256, 1e-3);
  EXPECT_EQ(quantiles_of(torch::full({1}, 3.0F)).back(), 3);
  EXPECT_REFUSED(quantiles_of(torch::empty({0})), "quantiles of no value");
}

class Match : public testing::Test {
 protected:
  Match() {
    const auto noise = Random(1, "noise").uniform_tensor({8, 16, 16});
    pixels = noise * 0.5 - 0.9;
    inside = torch::zeros({8, 16, 16});
    inside.slice(1, 3, 13).fill_(1);
    trained = quantiles_of(Random(2, "trained").uniform_tensor({4000}).pow(2) * 1.6 - 0.8);
  }
  torch::Tensor pixels, inside;
  std::vector<double> trained;
};

TEST_F(Match, TheHistogramBecomesTheTrainings) {
  auto matched = pixels.clone();
  match_pixels(matched, inside, trained, "histogram");
  const auto found = quantiles_of(matched.masked_select(inside > 0));
  for (size_t q = 0; q < kQuantiles; ++q) EXPECT_NEAR(found[q], trained[q], 0.01) << q;
  EXPECT_TRUE(torch::equal(matched.masked_select(inside == 0), pixels.masked_select(inside == 0)));
  // In order: what was brighter stays brighter.
  const auto order = pixels.masked_select(inside > 0).argsort();
  const auto sorted = matched.masked_select(inside > 0).index_select(0, order);
  EXPECT_TRUE((sorted.diff() >= 0).all().item<bool>());
  // The training's own histogram is left alone.
  auto again = matched.clone();
  match_pixels(again, inside, trained, "histogram");
  EXPECT_LT((again - matched).abs().max().item<double>(), 0.02);
}

TEST_F(Match, TheMeanBecomesTheTrainingsByOneFactor) {
  auto matched = pixels.clone();
  match_pixels(matched, inside, trained, "mean");
  const double expected = 1.6 / 3 - 0.8;  // of u^2, u uniform
  EXPECT_NEAR(mean_of(matched.masked_select(inside > 0)), expected, 0.02);
  const auto factors =
      (matched + 1).masked_select(inside > 0) / (pixels + 1).masked_select(inside > 0);
  EXPECT_LT((factors.max() - factors.min()).item<double>(), 1e-3);
}

TEST_F(Match, LeavesAloneOrRefuses) {
  auto same = pixels.clone();
  match_pixels(same, inside, {}, "none");
  EXPECT_TRUE(torch::equal(same, pixels));
  match_pixels(same, torch::zeros_like(inside), trained, "histogram");
  EXPECT_TRUE(torch::equal(same, pixels)) << "no brain, nothing to match";
  EXPECT_REFUSED(match_pixels(same, inside, {}, "histogram"),
                 "--match histogram: this run does not say");
  EXPECT_REFUSED(match_pixels(same, inside, trained, "median"), "expected histogram, mean or none");
  // One value everywhere: some value of the training's, not a division by nothing.
  auto flat = torch::full_like(pixels, 0.25F);
  match_pixels(flat, inside, trained, "histogram");
  EXPECT_TRUE(flat.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace scintigen
