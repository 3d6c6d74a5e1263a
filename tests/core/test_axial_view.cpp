// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/axial_view.h"
#include "core/nifti_bytes.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

/// Value of a made-up head at step x to the right, y to the front, z up of its right-handed grid.
float head(int64_t x, int64_t y, int64_t z) { return static_cast<float>(1 + x + 10 * y + 100 * z); }

TEST(AxialView, TheSameHeadInAll48Orientations) {
  const std::array<int64_t, 3> size = {5, 6, 7};  // right-left, front-back, up-down
  const std::array<double, 3> size_mm = {2, 3, 4};
  int axial = 0, coronal = 0, sagittal = 0;
  std::array<size_t, 3> order{0, 1, 2};
  do {
    for (int backwards = 0; backwards < 8; ++backwards) {
      const auto affine = signed_permutation(
          order, backwards, {size_mm[order[0]], size_mm[order[1]], size_mm[order[2]]}, {1, 2, 3});
      if (order[2] != 2) {
        EXPECT_REFUSED(axial_view(affine, "v.nii"),
                       order[2] == 1 ? "slices are coronal" : "slices are sagittal");
        ++(order[2] == 1 ? coronal : sagittal);
        continue;
      }
      ++axial;
      Volume volume;
      volume.voxel_to_world = affine;
      volume.voxels = torch::empty({size[order[2]], size[order[1]], size[order[0]]});
      for (int64_t k = 0; k < size[2]; ++k)
        for (int64_t j = 0; j < size[order[1]]; ++j)
          for (int64_t i = 0; i < size[order[0]]; ++i) {
            std::array<int64_t, 3> at{};
            const std::array<int64_t, 3> voxel = {i, j, k};
            for (size_t v = 0; v < 3; ++v)
              at[order[v]] = backwards >> v & 1 ? size[order[v]] - 1 - voxel[v] : voxel[v];
            volume.voxels.index_put_({k, j, i}, head(at[0], at[1], at[2]));
          }
      const auto view = axial_view(affine, "v.nii");
      EXPECT_EQ(view.row_mm, 3);
      EXPECT_EQ(view.column_mm, 2);
      EXPECT_NEAR(view.tilt_deg, 0, 1e-6);
      const bool down = backwards >> 2 & 1;
      EXPECT_EQ(view.towards_feet, down ? 1 : -1);
      for (int64_t k = 0; k < size[2]; ++k) {
        const auto slice = axial_slice(volume, view, k);
        ASSERT_EQ(slice.sizes(), (std::vector<int64_t>{6, 5}));
        for (int64_t r = 0; r < 6; ++r)
          for (int64_t c = 0; c < 5; ++c)  // first row anterior, first column right
            ASSERT_EQ(slice[r][c].item<float>(), head(4 - c, 5 - r, down ? 6 - k : k));
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(axial, 16);
  EXPECT_EQ(coronal, 16);
  EXPECT_EQ(sagittal, 16);
}

/// Rotated about the left-right axis.
Affine nodding(double degrees) {
  const double c = std::cos(degrees / 57.29577951308232), s = std::sin(degrees / 57.29577951308232);
  return {{{-2, 0, 0, 0}, {0, 2 * c, -4 * s, 0}, {0, 2 * s, 4 * c, 0}, {0, 0, 0, 1}}};
}

TEST(AxialView, TiltIsMeasuredAndTheNearestAxisTaken) {
  EXPECT_NEAR(axial_view(nodding(12), "v").tilt_deg, 12, 1e-6);
  EXPECT_NEAR(axial_view(nodding(-44), "v").tilt_deg, 44, 1e-6);
  EXPECT_REFUSED(
      axial_view(nodding(46), "v.nii"),
      "v.nii: slices are coronal (the third voxel axis runs anterior-posterior); expected axial");
}

}  // namespace
}  // namespace scintigen
