// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cohort/sampling.h"
#include "cohort/small_cohort.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

constexpr double kDegrees = 57.29577951308232;

/// Three slices of one patient: the middle one bright at `target`, the lower one at `below`, the
/// upper one at `above`.
PreparedCohort stack_of_points(int64_t matrix, std::array<int64_t, 2> target,
                               std::array<int64_t, 2> below, std::array<int64_t, 2> above) {
  auto cohort = small_cohort(1, 3, matrix);
  cohort.slices.zero_();
  cohort.slices.index_put_({0, below[0], below[1]}, 1.f);
  cohort.slices.index_put_({1, target[0], target[1]}, 1.f);
  cohort.slices.index_put_({2, above[0], above[1]}, 1.f);
  return cohort;
}

PreparedCohort one_slice(const torch::Tensor& slice) {
  auto cohort = small_cohort(1, 1, slice.size(0));
  cohort.slices = slice.unsqueeze(0).clone();
  return cohort;
}

AugmentSettings only_mixing() {
  AugmentSettings settings;
  settings.shift_ap_px = 0;
  return settings;
}

AugmentSettings nothing() {
  auto settings = only_mixing();
  settings.mix_neighbours = false;
  return settings;
}

double kolmogorov_distance_to_uniform(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  double largest = 0;
  const auto n = static_cast<double>(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    largest = std::max({largest, std::abs(values[i] - static_cast<double>(i) / n),
                        std::abs(values[i] - static_cast<double>(i + 1) / n)});
  }
  return largest;
}

TEST(Augment, Equation6MixesWithASliceBelowOrAbove) {
  const auto cohort = stack_of_points(8, {4, 4}, {1, 2}, {6, 5});
  std::vector<double> weights;
  int below = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const auto z = augmented_slice(cohort, 1, false, only_mixing(), 3, static_cast<uint64_t>(i));
    const double w = z[4][4].item<double>();
    const double low = z[1][2].item<double>(), high = z[6][5].item<double>();
    EXPECT_TRUE(low == 0 || high == 0);
    EXPECT_NEAR(low + high, 1 - w, 1e-6);
    EXPECT_NEAR(z.sum().item<double>(), 1, 1e-6);
    weights.push_back(w);
    below += low > 0 ? 1 : 0;
  }
  EXPECT_LT(kolmogorov_distance_to_uniform(weights), 1.95 / std::sqrt(kDraws));  // p = 0.001
  EXPECT_NEAR(below, kDraws / 2, 3.3 * std::sqrt(kDraws) / 2);
}

TEST(Augment, AtTheEndOfAStackTheOneNeighbourIsUsed) {
  const auto cohort = stack_of_points(8, {4, 4}, {1, 2}, {6, 5});
  for (uint64_t i = 0; i < 50; ++i) {
    const auto lowest = augmented_slice(cohort, 0, false, only_mixing(), 3, i);
    EXPECT_NEAR(lowest[1][2].item<double>() + lowest[4][4].item<double>(), 1, 1e-6);
    const auto highest = augmented_slice(cohort, 2, false, only_mixing(), 3, i);
    EXPECT_NEAR(highest[6][5].item<double>() + highest[4][4].item<double>(), 1, 1e-6);
  }
  const auto alone = one_slice(cohort.slices[1]);
  EXPECT_TRUE(torch::equal(augmented_slice(alone, 0, false, only_mixing(), 3, 0), alone.slices[0]));
}

TEST(Augment, Renormalises) {
  const auto cohort = stack_of_points(8, {4, 4}, {1, 2}, {6, 5});
  auto settings = only_mixing();
  settings.renormalise = true;
  for (uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(augmented_slice(cohort, 1, false, settings, 3, i).max().item<float>(), 1.f);
  }
}

TEST(Augment, AShiftNeverWraps) {
  auto settings = nothing();
  settings.shift_ap_px = 2;
  auto corner = torch::zeros({8, 8});
  corner[0][3] = 1.f;
  corner[7][5] = 0.5f;
  const auto cohort = one_slice(corner);
  std::vector<int> rows(8, 0);
  int gone = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    const auto z = augmented_slice(cohort, 0, false, settings, 1, i);
    const auto where = (z == 1.f).nonzero();
    if (where.size(0) == 0) {
      ++gone;
      EXPECT_EQ((z == 0.5f).nonzero()[0][0].item<int64_t>(), z[6][5].item<float>() == 0.5f ? 6 : 5);
      continue;
    }
    ASSERT_EQ(where.size(0), 1);
    EXPECT_EQ(where[0][1].item<int64_t>(), 3);
    ++rows[static_cast<size_t>(where[0][0].item<int64_t>())];
  }
  for (size_t row = 0; row < 3; ++row) EXPECT_NEAR(rows[row], 1000, 100);
  for (size_t row = 3; row < 8; ++row) EXPECT_EQ(rows[row], 0);
  EXPECT_NEAR(gone, 2000, 130);
}

TEST(Augment, AShiftLargerThanTheSliceLeavesNothing) {
  auto settings = nothing();
  settings.shift_ap_px = 64;
  settings.shift_lr_px = 64;
  const auto cohort = one_slice(torch::ones({4, 4}));
  for (uint64_t i = 0; i < 200; ++i) {
    const auto z = augmented_slice(cohort, 0, false, settings, 1, i);
    EXPECT_TRUE(((z == 0) | (z == 1)).all().item<bool>());
  }
}

TEST(Augment, InterpolationAgreesWithWholePixels) {
  const auto cohort = small_cohort(2, 3, 16);
  AugmentSettings whole;
  whole.shift_lr_px = 3;
  auto interpolated = whole;
  interpolated.rotate_deg = 1e-7;
  for (uint64_t i = 0; i < 60; ++i) {
    const auto a = augmented_slice(cohort, 1, true, whole, 5, i);
    const auto b = augmented_slice(cohort, 1, true, interpolated, 5, i);
    EXPECT_LT((a - b).abs().max().item<double>(), 1e-5);
  }
}

/// A small blob away from the centre: where it goes tells rotation, zoom and flip.
struct Moved {
  double radius, angle_deg, sum;
};
Moved moved_blob(const AugmentSettings& settings, bool may_flip, uint64_t index) {
  const auto axis = torch::arange(65, torch::kDouble) - 32;
  const auto row = axis.unsqueeze(1) + 12, column = axis.unsqueeze(0) - 5;  // up and to the right
  const auto blob = torch::exp(-(row * row + column * column) / 8).to(torch::kFloat);
  const auto z =
      augmented_slice(one_slice(blob), 0, may_flip, settings, 2, index).to(torch::kDouble);
  const double sum = z.sum().item<double>();
  const double r = (z.sum(1) * axis).sum().item<double>() / sum;
  const double c = (z.sum(0) * axis).sum().item<double>() / sum;
  return {std::hypot(r, c), std::atan2(c, -r) * kDegrees, sum / blob.sum().item<double>()};
}

TEST(Augment, RotationKeepsDistances) {
  auto settings = nothing();
  settings.rotate_deg = 30;
  const double begin = std::atan2(5, 12) * kDegrees;
  std::vector<double> turns;
  for (uint64_t i = 0; i < 400; ++i) {
    const auto blob = moved_blob(settings, false, i);
    EXPECT_NEAR(blob.radius, 13, 0.02);
    EXPECT_NEAR(blob.sum, 1, 0.002);
    turns.push_back((blob.angle_deg - begin + 30) / 60);
  }
  EXPECT_LT(kolmogorov_distance_to_uniform(turns), 1.95 / std::sqrt(400));
}

TEST(Augment, ZoomIsLogUniform) {
  auto settings = nothing();
  settings.scale_fraction = 0.25;
  std::vector<double> zooms;
  for (uint64_t i = 0; i < 400; ++i) {
    const auto blob = moved_blob(settings, false, i);
    const double zoom = blob.radius / 13;
    // bilinear weights at another pitch ripple by 1 %
    EXPECT_NEAR(blob.sum, zoom * zoom, 0.03);
    EXPECT_NEAR(blob.angle_deg, std::atan2(5, 12) * kDegrees, 0.3);
    zooms.push_back((std::log(zoom) / std::log(1.25) + 1) / 2);
  }
  EXPECT_LT(kolmogorov_distance_to_uniform(zooms), 1.95 / std::sqrt(400));
}

TEST(Augment, FlipMirrorsTheOriginalThenTheRestFollows) {
  auto settings = nothing();
  settings.rotate_deg = 20;
  settings.scale_fraction = 0.1;
  int flipped = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    const auto plain = moved_blob(settings, false, i), maybe = moved_blob(settings, true, i);
    EXPECT_NEAR(plain.radius, maybe.radius, 0.1);
    const double mirrored = plain.angle_deg - 2 * std::atan2(5, 12) * kDegrees;
    const bool is_flipped = std::abs(maybe.angle_deg - plain.angle_deg) > 1;
    if (is_flipped) {
      EXPECT_NEAR(maybe.angle_deg, mirrored, 0.5);
    }
    flipped += is_flipped ? 1 : 0;
  }
  EXPECT_NEAR(flipped, 50, 20);
}

TEST(Augment, OutsideIsZero) {
  auto settings = nothing();
  settings.rotate_deg = 45;
  const auto cohort = one_slice(torch::ones({16, 16}));
  double least = 1, most = 0;
  for (uint64_t i = 0; i < 50; ++i) {
    const auto z = augmented_slice(cohort, 0, false, settings, 1, i);
    least = std::min(least, z[0][0].item<double>());
    most = std::max(most, z.max().item<double>());
    EXPECT_NEAR(z[8][8].item<double>(), 1, 1e-6);
  }
  EXPECT_EQ(least, 0);
  EXPECT_LE(most, 1 + 1e-6);
}

/// On a ramp the warp can be read off: its standard deviation is the one asked for, everywhere, and
/// it is smooth.
TEST(Augment, WarpHasItsStandardDeviation) {
  auto settings = nothing();
  settings.warp_px = 1.5;
  const auto ramp =
      (torch::arange(64, torch::kFloat) / 63).unsqueeze(1).expand({64, 64}).contiguous();
  const auto cohort = one_slice(ramp);
  std::vector<torch::Tensor> fields;
  for (uint64_t i = 0; i < 400; ++i) {
    const auto z = augmented_slice(cohort, 0, false, settings, 1, i);
    fields.push_back(((z - ramp) * 63).slice(0, 10, 54).slice(1, 10, 54));
  }
  const auto field = torch::stack(fields).to(torch::kDouble);
  const auto deviation = (field * field).mean(0).sqrt();
  EXPECT_NEAR((field * field).mean().sqrt().item<double>(), 1.5, 0.08);
  EXPECT_LT((deviation.max() / deviation.min()).item<double>(), 1.4);
  // Gaussian-smoothed noise of 12 px: correlation exp(-d^2 / (4 12^2)) at distance d
  const auto near = field.slice(1, 0, 32), far = field.slice(1, 12, 44);
  const double correlation = ((near * far).mean() / (field * field).mean()).item<double>();
  EXPECT_NEAR(correlation, std::exp(-0.25), 0.05);
}

TEST(Augment, GainIsSmoothAndRenormalised) {
  auto settings = nothing();
  settings.gain_fraction = 0.1;
  const auto cohort = one_slice(torch::ones({64, 64}));
  double spread = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    const auto z = augmented_slice(cohort, 0, false, settings, 1, i);
    EXPECT_EQ(z.max().item<float>(), 1.f);
    EXPECT_GE(z.min().item<float>(), 0.f);
    EXPECT_LT((z.slice(0, 1) - z.slice(0, 0, 63)).abs().max().item<double>(), 0.05);
    spread += z.std().item<double>() / z.mean().item<double>() / 200;
  }
  EXPECT_GT(spread, 0.06);
  EXPECT_LT(spread, 0.10);
}

TEST(Augment, ValuesStayInZeroToOneWithEverythingOn) {
  const auto cohort = small_cohort(3, 4, 33);
  AugmentSettings all;
  all.renormalise = true;
  all.shift_ap_px = all.shift_lr_px = 3;
  all.rotate_deg = 180;
  all.scale_fraction = 0.5;
  all.warp_px = 3;
  all.gain_fraction = 0.5;
  for (uint64_t i = 0; i < 300; ++i) {
    const auto z = augmented_slice(cohort, static_cast<int64_t>(i % 12), true, all, 1, i);
    EXPECT_TRUE(z.isfinite().all().item<bool>());
    EXPECT_GE(z.min().item<float>(), 0.f);
    EXPECT_LE(z.max().item<float>(), 1.f + 1e-6f);
  }
}

TEST(Augment, OneTransformMoreLeavesTheOthersAsTheyWere) {
  const auto cohort = stack_of_points(16, {8, 8}, {8, 6}, {8, 10});
  AugmentSettings paper;
  auto more = paper;
  more.gain_fraction = 1e-9;
  more.shift_lr_px = 0;
  for (uint64_t i = 0; i < 30; ++i) {
    const auto a = augmented_slice(cohort, 1, true, paper, 4, i);
    const auto b = augmented_slice(cohort, 1, true, more, 4, i);
    EXPECT_TRUE(torch::allclose(a / a.max(), b, 0, 1e-6));
  }
}

TEST(Augment, RefusesARowThatIsNotThere) {
  const auto cohort = small_cohort(1, 3, 8);
  EXPECT_REFUSED(augmented_slice(cohort, 3, true, {}, 1, 0), "row 3 asked for; there are 0 to 2");
  EXPECT_REFUSED(augmented_slice(cohort, -1, true, {}, 1, 0), "row -1 asked for");
}

}  // namespace
}  // namespace scintigen
