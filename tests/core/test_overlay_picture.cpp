// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include "core/grid.h"
#include "core/overlay_picture.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

Colour pixel(const Picture& picture, int64_t x, int64_t y) {
  const auto* const at = picture.rgb.data() + 3 * (y * picture.width + x);
  return {at[0], at[1], at[2]};
}

/// A head of 10 x 12 x 8 voxels, one score above and one below.
Overlay head() {
  Overlay overlay;
  overlay.anatomy = empty_volume(centred_grid(10, 12, 8, 2), "1");
  overlay.anatomy.voxels.fill_(100);
  overlay.scores = empty_volume(centred_grid(10, 12, 8, 2), "1");
  overlay.scores.voxels[3][4][3] = 5;   // away from the letters in the corners
  overlay.scores.voxels[3][2][1] = -5;  // back, left
  overlay.scores.voxels[3][5][5] = 1.9F;
  overlay.at = transform_point(overlay.anatomy.voxel_to_world, {3, 4, 3});
  return overlay;
}

TEST(OverlayPicture, ScoresStandWhereTheyAre) {
  const auto picture = overlay_picture(head(), 4);
  // The axial plane begins at 8, 8: no title; the tallest plane is the axial one. 4 pixels a voxel;
  // rows from the front, columns from the patient's right.
  const auto axial = [&](int64_t i, int64_t j) {
    return pixel(picture, 8 + 4 * (9 - i) + 1, 8 + 4 * (11 - j) + 1);
  };
  EXPECT_EQ(axial(3, 4), (Colour{255, 250, 190}));  // the highest score
  EXPECT_EQ(axial(1, 2), (Colour{205, 250, 255}));  // the lowest
  EXPECT_EQ(axial(5, 5), (Colour{255, 255, 255}));  // under the threshold: anatomy
}

TEST(OverlayPicture, ColoursGrowLighterOnBothSides) {
  auto overlay = head();
  overlay.highest = 6;
  const auto brightness = [&](float score) {
    overlay.scores.voxels[3][4][3] = score;
    const auto picture = overlay_picture(overlay, 4);
    const auto colour = pixel(picture, 8 + 4 * 6 + 1, 8 + 4 * 7 + 1);
    return int(colour[0]) + colour[1] + colour[2];
  };
  for (const float sign : {1.F, -1.F}) {
    int last = 0;
    for (float score = 2; score <= 6; score += 0.25F) {
      const int now = brightness(sign * score);
      EXPECT_GT(now, last) << score;
      last = now;
    }
    EXPECT_EQ(brightness(sign * 9), last);
  }
}

TEST(OverlayPicture, APlaceOutsideIsTheNearestPlane) {
  auto overlay = head();
  overlay.at = {1e6, -1e6, 1e6};
  EXPECT_GT(overlay_picture(overlay).width, 0);
}

TEST(OverlayPicture, ThreePlanesOfAKnownVoxel) {
  auto voxels = torch::zeros({4, 5, 6});
  voxels[1][2][3] = 1;
  const auto planes = three_planes(voxels, {1, 2, 3});
  EXPECT_EQ(planes[0][5 - 1 - 2][6 - 1 - 3].item<float>(), 1);  // rows from the front
  EXPECT_EQ(planes[1][4 - 1 - 1][6 - 1 - 3].item<float>(), 1);  // rows from the top
  EXPECT_EQ(planes[2][4 - 1 - 1][5 - 1 - 2].item<float>(), 1);
  EXPECT_EQ(planes[0].sum().item<float>() + planes[1].sum().item<float>(), 2);
}

TEST(OverlayPicture, Refusals) {
  auto overlay = head();
  overlay.highest = 2;
  EXPECT_REFUSED(overlay_picture(overlay), "colours from 2 to 2");
  overlay = head();
  overlay.scores = empty_volume(centred_grid(10, 12, 9, 2), "1");
  EXPECT_REFUSED(overlay_picture(overlay), "scores");
  overlay.scores = {};
  EXPECT_REFUSED(overlay_picture(overlay), "not float32 [D,H,W]");
}

}  // namespace
}  // namespace scintigen
