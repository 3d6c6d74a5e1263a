// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/affine.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/nifti_bytes.h"
#include "core/temporary_folder.h"
#include "imaging/prepare_grid.h"

namespace scintigen {
namespace {

constexpr double kDegree = 0.017453292519943295;

Volume head(const Affine& place, torch::IntArrayRef shape) {
  Volume volume;
  torch::manual_seed(3);
  volume.voxels = torch::rand(shape, torch::kFloat);
  volume.voxel_to_world = place;
  return volume;
}

TEST(PrepareGrid, AOneMillimetreT1IsCroppedNotInterpolated) {
  // Oblique and off centre: the grid lies on its voxels all the same.
  const auto place =
      rigid_affine({10 * kDegree, -4 * kDegree, 7 * kDegree}, {-81.3, -120.7, -99.9});
  const auto t1 = head(place, {60, 70, 50});
  Volume mask = t1;
  mask.voxels = torch::zeros_like(t1.voxels);
  mask.voxels.slice(0, 20, 41).slice(1, 10, 51).slice(2, 15, 36).fill_(1);
  const auto grid = grid_around(t1, mask, {40, 48, 32}, 1);
  std::vector<std::string> steps;
  const auto out = onto_grid(t1, grid, identity_affine(), "bspline", steps);
  const auto back = compose(inverse(place), grid.voxel_to_world);
  const auto first = transform_point(back, {0, 0, 0});
  for (const double index : first) EXPECT_NEAR(index, std::round(index), 1e-9);
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].substr(0, 23), "copied, voxel on voxel:");
  const auto i = std::lround(first[0]), j = std::lround(first[1]), k = std::lround(first[2]);
  EXPECT_EQ(out.voxels[10][20][15].item<float>(), t1.voxels[k + 10][j + 20][i + 15].item<float>());
  // The middle of the mask's box is the middle of the grid.
  EXPECT_NEAR(transform_point(back, {20, 24, 16})[0], 25, 1);
  EXPECT_NEAR(transform_point(back, {20, 24, 16})[1], 30, 1);
  EXPECT_NEAR(transform_point(back, {20, 24, 16})[2], 30, 1);
}

TEST(PrepareGrid, TemplateSpaceIsTheBoxOfSpm) {
  const auto one = template_grid(1), two = template_grid(2);
  EXPECT_EQ(describe_grid(one), "157 x 189 x 156 voxels of 1 x 1 x 1 mm");
  EXPECT_EQ(describe_grid(two), "79 x 95 x 78 voxels of 2 x 2 x 2 mm");
  EXPECT_EQ(transform_point(one.voxel_to_world, {78, 112, 70}), (Point{0, 0, 0}));
}

TEST(PrepareGrid, SameSlicesKeepTheFieldOfViewAndTheSlices) {
  const Affine place = {{{-1, 0, 0, 40}, {0, 0.5, 0, -7}, {0, 0, 6, 3}, {0, 0, 0, 1}}};
  const auto scan = head(place, {5, 64, 32});
  const auto own = same_slices(scan, 1);  // the pixel of i; j is finer
  EXPECT_EQ(own.ni, 32);
  EXPECT_EQ(own.nj, 32);
  EXPECT_EQ(own.nk, 5);
  // Edge of the field of view: half a pixel before the first centre, before and after.
  EXPECT_NEAR(own.voxel_to_world[1][3] - 0.5, -7 - 0.25, 1e-12);
  EXPECT_NEAR(own.voxel_to_world[0][3], 40, 1e-12);
  EXPECT_NEAR(own.voxel_to_world[2][2], 6, 1e-12);
  const auto coarse = same_slices(scan, 2);
  EXPECT_EQ(describe_grid(coarse), "16 x 16 x 5 voxels of 2 x 2 x 6 mm");
  std::vector<std::string> steps;
  const auto constant = [&] {
    auto volume = scan;
    volume.voxels = torch::arange(5, torch::kFloat).view({5, 1, 1}).expand({5, 64, 32}).clone();
    return onto_grid(volume, coarse, identity_affine(), "linear", steps);
  }();
  // No slice takes from its neighbours; at the edge of the field of view the blur lets 0 in.
  const auto inside = constant.voxels.slice(1, 3, 13).slice(2, 3, 13);
  for (int64_t k = 0; k < 5; ++k)
    EXPECT_NEAR(inside[k].sub(static_cast<double>(k)).abs().max().item<double>(), 0, 1e-5);
  EXPECT_NE(steps[0].find("x 0 voxels SD"), std::string::npos) << steps[0];
  EXPECT_THROW(same_slices(scan, 100), Error);
}

TEST(PrepareGrid, TheGridOfAFile) {
  TemporaryFolder folder;
  const auto file = folder / "grid.nii.gz";
  const auto written = [&](const Grid& grid) {
    write_nifti(file, empty_volume(grid, "1"), "");
    return output_grid(file);
  };
  // Stored from left to right and from the head down: the same places, as RAS.
  const Grid stored{20, 30, 10, {{{-2, 0, 0, 19}, {0, 1.5, 0, -30}, {0, 0, -4, 50}, {0, 0, 0, 1}}}};
  const Grid turned = written(stored);
  EXPECT_EQ(describe_grid(turned), "20 x 30 x 10 voxels of 2 x 1.5 x 4 mm");
  const Affine expected = {{{2, 0, 0, -19}, {0, 1.5, 0, -30}, {0, 0, 4, 14}, {0, 0, 0, 1}}};
  EXPECT_EQ(turned.voxel_to_world, expected);
  const Volume scan = head(identity_affine(), {24, 24, 24});
  std::vector<std::string> steps;
  EXPECT_EQ(grid_of(onto_grid(scan, turned, identity_affine(), "linear", steps)), turned);

  const auto refused = [&](const Grid& grid, const std::string& why) {
    EXPECT_REFUSED(written(grid), why);
  };
  refused(centred_grid(20, 7, 20, 2), "20 x 7 x 20 voxels of 2 x 2 x 2 mm; expected 8 to 1024");
  refused(centred_grid(20, 20, 20, 20), "expected voxels of 0.25 to 16 mm");
  EXPECT_REFUSED(output_grid(folder / "none.nii"), "none.nii: not there; expected a NIfTI file");
  EXPECT_REFUSED(output_grid(folder.path()), "not there; expected a NIfTI file");
  put_bytes(file, "<html>");
  EXPECT_REFUSED(output_grid(file), "grid.nii.gz");
  NiftiBytes sheared;
  sheared.shape = {16, 16, 16};
  sheared.set_sform({{{2, 0.4, 0, 0}, {0, 2, 0, 0}, {0, 0, 2, 0}, {0, 0, 0, 1}}});
  EXPECT_REFUSED(output_grid(sheared.write(folder / "sheared.nii")), "not at right angles");
}

TEST(PrepareGrid, SaysWhatItDid) {
  const auto t1 = head(identity_affine(), {24, 24, 24});
  std::vector<std::string> steps;
  const Grid coarse{12, 12, 12, {{{2, 0, 0, 0.5}, {0, 2, 0, 0.5}, {0, 0, 2, 0.5}, {0, 0, 0, 1}}}};
  const auto out = onto_grid(t1, coarse, identity_affine(), "linear", steps);
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0],
            "Gaussian of 0.736 x 0.736 x 0.736 voxels SD, to the width of the new voxels");
  EXPECT_EQ(steps[1],
            "linear interpolation: 24 x 24 x 24 voxels of 1 x 1 x 1 mm, RAS -> 12 x 12 x 12 voxels "
            "of 2 x 2 x 2 mm, RAS");
  // Averaging over the larger voxel takes most of the noise away.
  EXPECT_LT(out.voxels.slice(0, 2, 10).slice(1, 2, 10).slice(2, 2, 10).std().item<double>(), 0.15);
}

TEST(PrepareGrid, AShearedScanGetsAnOrthogonalGrid) {
  Affine sheared = identity_affine();
  sheared[0][2] = 0.2;  // gantry tilt
  const auto grid = grid_around(head(sheared, {30, 30, 30}), {}, {32, 32, 32}, 1);
  const auto& a = grid.voxel_to_world;
  for (size_t u = 0; u < 3; ++u)
    for (size_t v = 0; v < 3; ++v)
      EXPECT_NEAR(a[0][u] * a[0][v] + a[1][u] * a[1][v] + a[2][u] * a[2][v], u == v ? 1 : 0, 1e-12);
}

}  // namespace
}  // namespace scintigen
