// SPDX-License-Identifier: Apache-2.0
// Uptake relative to the surroundings: sums voxel by voxel, edges, gains of a side, a planted ball.
#include <gtest/gtest.h>

#include <cmath>

#include "cohort/scaled_scans.h"
#include "cohort/surroundings.h"
#include "core/error.h"
#include "core/grid.h"
#include "core/random.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 20;

/// A ball of brain with a notch, voxels of 3 mm.
class Surroundings : public testing::Test {
 protected:
  Surroundings() {
    const auto axis = torch::arange(kSide).to(torch::kFloat) - (kSide - 1) / 2.0;
    const auto square = axis.square();
    distance_ =
        (square.view({-1, 1, 1}) + square.view({1, -1, 1}) + square.view({1, 1, -1})).sqrt();
    brain_ = (distance_ < 9).contiguous();
    brain_.slice(0, 0, 6).slice(1, 8, 12).fill_(false);
    noise_ = Random(5, "surroundings").uniform_tensor({kSide, kSide, kSide}) + 1;
  }
  torch::Tensor relative(const torch::Tensor& image, double mm = 24, double smooth_mm = 0) const {
    return relative_to_surroundings(image.contiguous(), brain_, smooth_mm, mm,
                                    grid_.voxel_to_world);
  }
  Grid grid_ = centred_grid(kSide, kSide, kSide, 3);
  torch::Tensor distance_, brain_, noise_;
};

TEST_F(Surroundings, AreTheWeightedMeanOfTheBrainAround) {
  const auto made = relative(noise_, 12);
  const double sigma = 12 / (2 * std::sqrt(2 * std::log(2.0))) / 3;
  const auto reach = static_cast<int64_t>(std::ceil(3.5 * sigma));
  const auto at = [](const torch::Tensor& t, int64_t k, int64_t j, int64_t i) {
    return t[k][j][i].item<double>();
  };
  for (const auto& [k, j, i] : {std::array<int64_t, 3>{10, 10, 10}, {5, 12, 9}, {10, 3, 6}}) {
    ASSERT_TRUE(brain_[k][j][i].item<bool>());
    double sum = 0, weights = 0;
    for (int64_t c = std::max<int64_t>(0, k - reach); c <= std::min(kSide - 1, k + reach); ++c)
      for (int64_t b = std::max<int64_t>(0, j - reach); b <= std::min(kSide - 1, j + reach); ++b)
        for (int64_t a = std::max<int64_t>(0, i - reach); a <= std::min(kSide - 1, i + reach);
             ++a) {
          if (!brain_[c][b][a].item<bool>()) continue;
          const auto square =
              static_cast<double>((c - k) * (c - k) + (b - j) * (b - j) + (a - i) * (a - i));
          const double weight = std::exp(-square / (2 * sigma * sigma));
          sum += weight * at(noise_, c, b, a), weights += weight;
        }
    EXPECT_NEAR(at(made, k, j, i), at(noise_, k, j, i) / (sum / weights), 1e-5);
  }
}

TEST_F(Surroundings, OfAConstantAreOneUpToTheEdge) {
  const auto made = relative(torch::full_like(noise_, 7));
  EXPECT_LT((made - brain_.to(torch::kFloat)).abs().max().item<double>(), 1e-5);
}

TEST_F(Surroundings, DoNotSeeAGainOfTheScan) {
  EXPECT_LT((relative(noise_) - relative(4000 * noise_)).abs().max().item<double>(), 1e-5);
}

TEST_F(Surroundings, LoseAGainOfASideAndKeepAFocus) {
  auto side = torch::ones_like(noise_);
  side.slice(2, 0, kSide / 2).mul_(0.8);
  const auto made = relative(side, 12);
  EXPECT_NEAR(made[10][10][2].item<double>(), 1, 0.01);  // 24 mm and more from the other side
  EXPECT_NEAR(made[10][10][17].item<double>(), 1, 0.01);
  const auto focus =
      torch::where(distance_ < 3.4, 0.75 * torch::ones_like(noise_), torch::ones_like(noise_));
  const auto found = relative(focus);  // 20 mm across, 25 % less
  EXPECT_LT(found[10][10][10].item<double>(), 0.85);
  EXPECT_GT(found[10][10][2].item<double>(), 0.99);
}

TEST_F(Surroundings, OfAScanThatPrepareScaledAreThoseOfItsUnits) {
  const auto plain = noise_.contiguous();
  auto scaled = scale_scans({((plain - 3) / 2).contiguous()}, 1, "sub-1");
  scaled.to_unit = {{{2, 3}}};
  make_focal(scaled, 0, brain_, 0, 24, 1, grid_.voxel_to_world);
  EXPECT_TRUE(torch::allclose(scaled.voxels[0], relative(plain), 1e-5, 1e-5));
  EXPECT_TRUE(in_units(scaled, 0).is_same(scaled.voxels[0]));  // a ratio is its own unit
  EXPECT_EQ(scaled.low[0], 0);
  EXPECT_EQ(scaled.high[0], 2.5F);
  EXPECT_TRUE(torch::allclose(2 * scaled.shown[0] + 3, plain, 1e-5, 1e-5));
}

TEST_F(Surroundings, OfSmoothedImagesAreScaledAlikeForEverybody) {
  const auto of = [&](double smooth_mm, double surround_mm) {
    auto scaled = scale_scans({noise_.contiguous()}, 1, "sub-1");
    make_focal(scaled, 0, brain_, smooth_mm, surround_mm, 1, grid_.voxel_to_world);
    return scaled;
  };
  const auto around = smoothed_inside(noise_, brain_, {8, 8, 8});  // 24 mm
  const auto here = smoothed_inside(noise_, brain_, {3, 3, 3});
  const auto both = of(9, 24);
  EXPECT_TRUE(torch::allclose(both.voxels[0].masked_select(brain_),
                              (here / around).masked_select(brain_), 1e-5, 1e-5));
  EXPECT_EQ(both.low[0], 0.4F);
  EXPECT_EQ(both.high[0], 1.6F);
  const auto smooth = of(9, 0);
  EXPECT_TRUE(torch::equal(smooth.voxels[0], here));
  EXPECT_EQ(smooth.high[0], scale_scans({here}, 1, "it").high[0]);
  const auto as_stored = of(0, 0);
  EXPECT_TRUE(as_stored.voxels[0].is_same(as_stored.shown[0]));
}

TEST_F(Surroundings, RefuseWhatHasNone) {
  EXPECT_REFUSED(relative(torch::zeros_like(noise_)), "no voxel of the brain is above 0");
  EXPECT_REFUSED(smoothed_inside(noise_, brain_[0], {1, 1, 1}), "lie on other grids");
  // Where there is nothing for 84 mm around, there is no ratio.
  auto half = noise_.clone();
  half.slice(2, 0, 14).fill_(0);
  EXPECT_EQ(relative(half, 6)[10][10][2].item<double>(), 0);
}

}  // namespace
}  // namespace scintigen
