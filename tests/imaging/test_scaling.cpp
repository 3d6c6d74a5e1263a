// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/affine.h"
#include "core/temporary_folder.h"
#include "imaging/scaling.h"

namespace scintigen {
namespace {

Volume noise(uint64_t seed) {
  torch::manual_seed(seed);
  Volume volume;
  volume.voxels = 40 + 17 * torch::randn({5, 6, 7}, torch::kFloat);
  volume.voxel_to_world = identity_affine();
  return volume;
}

double largest_difference(const Volume& a, const Volume& b) {
  return (a.voxels - b.voxels).abs().max().item<double>();
}

TEST(Scaling, EveryKindCanBeUndone) {
  for (uint64_t seed = 0; seed < 5; ++seed)
    for (const auto scaling : {Scaling::kNone, Scaling::kVolume, Scaling::kPercentile,
                               Scaling::kSuvr, Scaling::kSlice}) {
      const auto before = noise(seed);
      Volume scaled = before;
      scaled.voxels = before.voxels.clone();
      const auto record = scale_volume(scaled, scaling, nullptr, 31.5, "here");
      EXPECT_EQ(largest_difference(scaled, before) > 1, scaling != Scaling::kNone);
      undo_scaling(scaled, record);
      EXPECT_LT(largest_difference(scaled, before), 2e-5) << scaling_name(scaling);
    }
}

TEST(Scaling, VolumeGoesToZeroAndOne) {
  auto volume = noise(1);
  scale_volume(volume, Scaling::kVolume, nullptr, 0, "here");
  EXPECT_EQ(volume.voxels.min().item<float>(), 0);
  EXPECT_NEAR(volume.voxels.max().item<float>(), 1, 1e-6);
}

TEST(Scaling, EachSliceGoesToMinusOneAndOne) {
  auto volume = noise(2);
  volume.voxels[3].fill_(12);  // constant: nothing to stretch
  const auto before = volume.voxels.clone();
  const auto record = scale_volume(volume, Scaling::kSlice, nullptr, 0, "here");
  ASSERT_EQ(record.slope_intercept.size(), 5U);
  for (int64_t k : {0, 1, 2, 4}) {
    EXPECT_NEAR(volume.voxels[k].min().item<float>(), -1, 1e-6);
    EXPECT_NEAR(volume.voxels[k].max().item<float>(), 1, 1e-6);
  }
  EXPECT_TRUE((volume.voxels[3] == -1).all().item<bool>());
  undo_scaling(volume, record);
  EXPECT_LT((volume.voxels - before).abs().max().item<double>(), 2e-5);
}

TEST(Scaling, PercentilesAreThoseOfTheMask) {
  Volume volume, mask;
  volume.voxel_to_world = mask.voxel_to_world = identity_affine();
  volume.voxels = torch::arange(2000, torch::kFloat).reshape({10, 10, 20});
  mask.voxels = (volume.voxels < 1001).to(torch::kFloat);  // 0 .. 1000
  EXPECT_DOUBLE_EQ(percentile_inside(volume, &mask, 0.5), 500);
  EXPECT_DOUBLE_EQ(percentile_inside(volume, &mask, 0.9955), 995.5);
  EXPECT_DOUBLE_EQ(percentile_inside(volume, nullptr, 1), 1999);
  const auto record = scale_volume(volume, Scaling::kPercentile, &mask, 0, "here");
  EXPECT_NEAR(record.slope_intercept[0][1], 5, 1e-9);
  EXPECT_NEAR(record.slope_intercept[0][0], 990, 1e-9);
  EXPECT_GT(volume.voxels.max().item<float>(), 2);  // beyond the percentile stays beyond
}

TEST(Scaling, SuvrDividesByTheReference) {
  auto volume = noise(3);
  const double before = volume.voxels[2][3][4].item<double>();
  scale_volume(volume, Scaling::kSuvr, nullptr, 8, "here");
  EXPECT_NEAR(volume.voxels[2][3][4].item<double>(), before / 8, 1e-5);
}

TEST(Scaling, RefusesWhatCannotBeScaled) {
  auto volume = noise(4);
  volume.voxels.fill_(7);
  EXPECT_EQ(refusal([&] { scale_volume(volume, Scaling::kVolume, nullptr, 0, "sub-1_pet"); }),
            "sub-1_pet: cannot be scaled: every value is 7");
  EXPECT_EQ(refusal([&] { scale_volume(volume, Scaling::kSuvr, nullptr, -2, "sub-1_pet"); }),
            "sub-1_pet: the mean of the reference region is -2; expected above 0");
  EXPECT_EQ(refusal([&] {
              mean_inside(volume, Volume{torch::zeros({5, 6, 7}), {}, ""}, "pons");
            }),
            "pons: the reference region holds no voxel");
}

TEST(Scaling, IsNamedForAllOrForEachModality) {
  const auto some = parse_scaling({"T1w=volume", "pet=suvr"});
  EXPECT_EQ(some.at("T1w"), Scaling::kVolume);
  EXPECT_EQ(some.at("pet"), Scaling::kSuvr);
  EXPECT_EQ(some.at(""), Scaling::kNone);
  EXPECT_EQ(parse_scaling({"slice"}).at(""), Scaling::kSlice);
  EXPECT_EQ(refusal([] { parse_scaling({"pet=suv"}); }),
            "--scaling suv: expected none, volume, percentile, suvr, slice; did you mean suvr?");
  EXPECT_EQ(refusal([] {
              parse_scaling({"pet=suvr", "pet=volume"});
            }),
            "--scaling: pet stands twice");
}

}  // namespace
}  // namespace scintigen
