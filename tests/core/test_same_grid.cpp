// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/affine.h"
#include "core/same_grid.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

Volume volume(int64_t depth, int64_t height, int64_t width) {
  return {at::zeros({depth, height, width}), identity_affine(), "1"};
}

TEST(SameGrid, TakesWhatIsWithinAThousandthOfAMillimetre) {
  const auto a = volume(3, 4, 5);
  auto b = volume(3, 4, 5);
  EXPECT_NO_THROW(require_same_grid(a, "a", b, "b"));
  b.voxel_to_world[1][3] = 0.9e-3;
  EXPECT_NO_THROW(require_same_grid(a, "a", b, "b"));
}

TEST(SameGrid, RefusesOtherShapesAndPlacesNamingBoth) {
  const auto a = volume(3, 4, 5);
  EXPECT_REFUSED(require_same_grid(a, "one.nii", volume(3, 5, 4), "two.nii"),
                 "one.nii has 5 x 4 x 3 voxels and two.nii has 4 x 5 x 3; expected one grid");
  auto b = volume(3, 4, 5);
  b.voxel_to_world[2][3] = 1.1e-3;
  EXPECT_REFUSED(
      require_same_grid(a, "one.nii", b, "two.nii"),
      "one.nii and two.nii lie elsewhere: a corner voxel is 0.0011 mm apart, expected at "
      "most 0.001 mm");
  b = volume(3, 4, 5);
  b.voxel_to_world[0][0] = 1.001;  // nothing at the origin, 4e-3 mm at the far corner
  EXPECT_NEAR(corner_distance_mm(a.voxel_to_world, b.voxel_to_world, a.voxels.sizes()), 4e-3, 1e-9);
  EXPECT_REFUSED(require_same_grid(a, "one.nii", b, "two.nii"), "lie elsewhere");
  b = volume(3, 4, 5);
  b.voxel_to_world[0][0] = -1;  // mirrored
  b.voxel_to_world[0][3] = 4;
  EXPECT_REFUSED(require_same_grid(a, "one.nii", b, "two.nii"), "4 mm apart");
}

}  // namespace
}  // namespace scintigen
