// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cohort/paired_augment.h"

namespace scintigen {
namespace {

/// A smooth blob off the middle in [-1,1]; the target is the same picture.
torch::Tensor blob() {
  const auto axis = torch::arange(48, torch::kFloat);
  const auto rows = (axis - 16).square().unsqueeze(1), columns = (axis - 30).square().unsqueeze(0);
  return (2 * torch::exp(-(rows + columns) / 60) - 1).unsqueeze(0).contiguous();
}

PairedAugment everything() {
  PairedAugment settings;
  settings.flip = true;
  settings.shift_px = 3;
  settings.rotate_deg = 10;
  settings.scale_fraction = 0.1;
  settings.warp_px = 1;
  return settings;
}

TEST(PairedAugment, NothingByDefault) {
  const auto before = blob();
  auto input = before.clone(), target = before.clone();
  augment_pair(input, target, {}, 1, 1);
  EXPECT_TRUE(input.equal(before) && target.equal(before));
}

TEST(PairedAugment, InputAndTargetMoveTogether) {
  for (uint64_t index = 0; index < 20; ++index) {
    auto input = blob(), target = blob();
    augment_pair(input, target, everything(), 1, index);
    EXPECT_TRUE(input.equal(target));
    EXPECT_FALSE(input.equal(blob()));
    EXPECT_GE(input.min().item<float>(), -1 - 1e-6F);
    EXPECT_LE(input.max().item<float>(), 1 + 1e-6F);
    auto again = blob(), other = blob();
    augment_pair(again, other, everything(), 1, index);
    EXPECT_TRUE(again.equal(input)) << "a function of seed and index";
    augment_pair(other, again, everything(), 2, index);
    EXPECT_FALSE(other.equal(input));
  }
}

TEST(PairedAugment, FlipsHalfAndExactly) {
  PairedAugment settings;
  settings.flip = true;
  int flipped = 0;
  for (uint64_t index = 0; index < 400; ++index) {
    auto input = blob(), target = blob();
    augment_pair(input, target, settings, 5, index);
    const bool is = (input - blob().flip(2)).abs().max().item<float>() < 1e-6F;
    EXPECT_TRUE(is || (input - blob()).abs().max().item<float>() < 1e-6F);
    flipped += is ? 1 : 0;
  }
  EXPECT_NEAR(flipped, 200, 40);  // 4 standard deviations
}

TEST(PairedAugment, ShiftsWithinItsBoundsAndFillsWithBackground) {
  PairedAugment settings;
  settings.shift_px = 4;
  double farthest = 0;
  for (uint64_t index = 0; index < 100; ++index) {
    auto input = blob(), target = torch::ones_like(blob());
    augment_pair(input, target, settings, 3, index);
    const auto mass = (input[0] + 1) / (input[0] + 1).sum();
    const auto axis = torch::arange(48, torch::kFloat);
    const double down = (mass.sum(1) * axis).sum().item<double>() - 16;
    const double right = (mass.sum(0) * axis).sum().item<double>() - 30;
    farthest = std::max({farthest, std::abs(down), std::abs(right)});
    if (down > 1.01) {
      EXPECT_EQ(target[0][0][24].item<float>(), -1) << "beyond the edge";
    }
  }
  EXPECT_LT(farthest, 4.05);
  EXPECT_GT(farthest, 3);
}

TEST(PairedAugment, GammaChangesTheContrastOfTheInputAlone) {
  PairedAugment settings;
  settings.gamma_fraction = 0.5;
  double least = 10, most = 0;
  for (uint64_t index = 0; index < 200; ++index) {
    auto input = torch::full({2, 32, 32}, 0.0F), target = torch::full({1, 32, 32}, 0.0F);
    augment_pair(input, target, settings, 9, index);
    EXPECT_EQ(target.abs().max().item<float>(), 0);
    EXPECT_NE(input[0][0][0].item<float>(), input[1][0][0].item<float>()) << "a power a channel";
    const double power = std::log((input[0][0][0].item<double>() + 1) / 2) / std::log(0.5);
    least = std::min(least, power);
    most = std::max(most, power);
  }
  EXPECT_GE(least, 1 / 1.5 - 1e-5);
  EXPECT_LE(most, 1.5 + 1e-5);
  EXPECT_LT(least, 0.75);
  EXPECT_GT(most, 1.35);
}

}  // namespace
}  // namespace scintigen
