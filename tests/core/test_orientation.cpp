// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/affine.h"
#include "core/orientation.h"

namespace scintigen {
namespace {

/// Voxel axes along a signed permutation of the patient's, turned a little so that nothing is a
/// round number; a different spacing along each.
Affine placed(const std::array<size_t, 3>& order, unsigned signs, bool oblique) {
  Affine axes{};
  axes[3][3] = 1;
  for (size_t v = 0; v < 3; ++v)
    axes[order[v]][v] = (signs >> v & 1 ? -1.0 : 1.0) * (1 + 0.5 * static_cast<double>(v));
  const auto turn = rigid_affine(oblique ? Point{0.2, -0.1, 0.15} : Point{}, {10.0, -20.0, 30.0});
  return compose(turn, axes);
}

TEST(Orientation, KeepsEveryVoxelWhereItIsInAll48) {
  std::array<size_t, 3> order{0, 1, 2};
  int orientations = 0;
  do {
    for (unsigned signs = 0; signs < 8; ++signs)
      for (const bool oblique : {false, true}) {
        orientations += oblique ? 0 : 1;
        Volume volume;
        volume.voxels = torch::arange(4 * 3 * 2, torch::kFloat).reshape({4, 3, 2});
        volume.voxel_to_world = placed(order, signs, oblique);
        const auto turned = canonical_orientation(volume);
        EXPECT_EQ(orientation_letters(turned.voxel_to_world), "RAS");
        EXPECT_EQ(turned.voxels.numel(), 24);
        const auto back = compose(inverse(volume.voxel_to_world), turned.voxel_to_world);
        for (int64_t k = 0; k < turned.voxels.size(0); ++k)
          for (int64_t j = 0; j < turned.voxels.size(1); ++j)
            for (int64_t i = 0; i < turned.voxels.size(2); ++i) {
              const auto at = transform_point(
                  back, {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
              ASSERT_EQ(turned.voxels[k][j][i].item<float>(),
                        volume.voxels[std::lround(at[2])][std::lround(at[1])][std::lround(at[0])]
                            .item<float>());
            }
      }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orientations, 48);
}

TEST(Orientation, NamesWhereTheAxesRun) {
  EXPECT_EQ(orientation_letters(placed({0, 1, 2}, 0, false)), "RAS");
  EXPECT_EQ(orientation_letters(placed({0, 1, 2}, 1, true)), "LAS");
  EXPECT_EQ(orientation_letters(placed({1, 2, 0}, 6, false)), "AIL");
}

}  // namespace
}  // namespace scintigen
