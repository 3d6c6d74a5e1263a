// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/temporary_folder.h"
#include "metrics/golden_images.h"
#include "metrics/image_pair.h"

namespace scintigen {
namespace {

TEST(ImagePair, CountsTheSlicesThatHoldMoreThanOneValueInBoth) {
  auto a = random_image(1, 5, 4, 6), b = random_image(2, 5, 4, 6);
  a[0].fill_(-1);
  b[0].fill_(-1);  // background, the same in both
  a[1].fill_(0);
  b[1].fill_(1);  // a difference
  a[2].fill_(0);  // empty in one alone
  const auto pair = image_pair(a, b);
  EXPECT_EQ(pair.counted, (std::vector<bool>{false, true, true, true, true}));
  EXPECT_EQ(pair.slices_counted(), 4);
  EXPECT_FALSE(pair.masked());
}

TEST(ImagePair, TakesAnyNumberAsMaskAndAnyFloatingPointAsImage) {
  const auto a = random_image(1, 3, 4, 5);
  auto labels = at::zeros({3, 4, 5}, torch::kShort);
  labels[1][2][3] = -7;
  labels[2][0][0] = 300;
  const auto pair = image_pair(a.to(torch::kDouble), a, labels);
  EXPECT_EQ(pair.mask_voxels, 2);
  EXPECT_EQ(pair.mask.max().item<int>(), 1);
  EXPECT_EQ(pair.a.scalar_type(), torch::kFloat);
}

TEST(ImagePair, RefusesWhatCannotBeCompared) {
  const auto a = random_image(1, 3, 4, 5);
  EXPECT_REFUSED(image_pair(a, a[0]),
                 "B: expected an image [D,H,W] of floating point; found [4,5]");
  EXPECT_REFUSED(image_pair(a.to(torch::kLong), a), "A: expected an image [D,H,W]");
  EXPECT_REFUSED(image_pair({}, a), "found nothing");
  EXPECT_REFUSED(image_pair(a.narrow(0, 0, 0), a), "A: has no voxels; [0,4,5]");
  EXPECT_REFUSED(image_pair(a, random_image(1, 3, 5, 4), {}, {"one.nii", "two.nii", ""}),
                 "one.nii is [3,4,5] and two.nii is [3,5,4]; expected one grid");
  auto bad = a.clone();
  bad[2][1][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_REFUSED(image_pair(a, bad), "B: 1 voxel is not finite, the first in slice 2");
  bad[1].fill_(-std::numeric_limits<float>::infinity());
  EXPECT_REFUSED(image_pair(bad, a), "A: 21 voxels are not finite, the first in slice 1");
}

TEST(ImagePair, RefusesMasksThatSayNothing) {
  const auto a = random_image(1, 3, 4, 5);
  EXPECT_REFUSED(image_pair(a, a, at::zeros({3, 4, 5})), "mask: mask is empty");
  EXPECT_REFUSED(image_pair(a, a, at::ones({3, 4, 4})), "mask: mask is [3,4,4] and A is [3,4,5]");
  EXPECT_REFUSED(image_pair(a, a, at::full({3, 4, 5}, std::numeric_limits<double>::infinity())),
                 "mask: 60 voxels are not finite");
}

TEST(ImagePair, RangesAreCheckedAndVoxelsOutsideThemCounted) {
  EXPECT_REFUSED(check_range({0, 0}), "data range: expected a number > 0, found 0");
  EXPECT_REFUSED(check_range({-1, 0}), "found -1");
  EXPECT_REFUSED(check_range({std::numeric_limits<double>::quiet_NaN(), 0}), "found nan");
  EXPECT_REFUSED(check_range({std::numeric_limits<double>::infinity(), 0}), "found inf");
  EXPECT_REFUSED(check_range({1, std::numeric_limits<double>::infinity()}), "lowest value");
  auto image = at::zeros({2, 3, 3});
  image[0][0][0] = 1.5f;
  image[1][2][2] = -0.5f;
  image[1][2][1] = 1.0f;
  EXPECT_EQ(voxels_outside(image, {1, 0}), 2);
  EXPECT_EQ(voxels_outside(image, {2, -0.5}), 0);
  EXPECT_EQ(voxels_outside(image, {1, -0.5}), 2);
  EXPECT_EQ(value_span(image), std::make_pair(-0.5, 1.5));
}

}  // namespace
}  // namespace scintigen
