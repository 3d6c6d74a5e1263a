// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "core/resample.h"
#include "core/safetensors.h"
#include "core/spline.h"

namespace scintigen {
namespace {

Volume noise(int64_t ni, int64_t nj, int64_t nk, const Affine& place = identity_affine()) {
  Volume volume = empty_volume({ni, nj, nk, place}, "1");
  volume.voxels = Random(5, "resample").normal_tensor({nk, nj, ni});
  return volume;
}

Affine affine_of(const torch::Tensor& matrix) {
  Affine affine{};
  for (size_t row = 0; row < 4; ++row)
    for (size_t col = 0; col < 4; ++col)
      affine[row][col] = matrix.data_ptr<double>()[row * 4 + col];
  return affine;
}

float largest_difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<float>();
}

TEST(Resample, GoldenOfScipy) {  // tools/make_golden_resample.py
  const TensorFile golden = read_tensors(SCINTIGEN_TEST_GOLDEN "/core/resample.safetensors");
  Volume source{golden.at("source").clone(), identity_affine(), "1"};
  SplineVolume spline(source.voxels);
  spline.prefilter();
  const auto padded = torch::from_blob(spline.values.data(),
                                       {spline.padded[2], spline.padded[1], spline.padded[0]});
  auto inner = padded;
  for (int64_t dim = 0; dim < 3; ++dim)
    inner = inner.slice(dim, kSplinePad, inner.size(dim) - kSplinePad);
  EXPECT_LT(largest_difference(inner, golden.at("coefficients")), 1e-5F);
  for (const std::string name : {"oblique", "scaled", "flipped", "permuted"}) {
    const Affine map = affine_of(golden.at(name + "_map"));
    for (const std::string kind : {"cubic", "linear"}) {
      const torch::Tensor& expected = golden.at(name + "_" + kind);
      const Grid target{expected.size(2), expected.size(1), expected.size(0), identity_affine()};
      const auto found =
          resample(source, target, map,
                   kind == "cubic" ? Interpolation::kCubicSpline : Interpolation::kLinear);
      EXPECT_LT(largest_difference(found.voxels, expected), 1e-5F) << name << " " << kind;
    }
  }
}

TEST(Resample, CropPadFlipPermuteAreExactCopies) {
  Affine place = rigid_affine({0.1, -0.2, 0.3}, {10, -20, 30});
  for (auto& row : place)
    for (size_t col = 0; col < 3; ++col) row[col] *= 1.0 / 3;
  const Volume source = noise(9, 8, 7, place);
  // i, j, k of the target -> k, i mirrored, j of the source, which starts at (-2, 1, 0).
  Affine change{};
  change[2][0] = 1, change[0][1] = -1, change[1][2] = 1;
  change[0][3] = 10, change[1][3] = 1, change[3][3] = 1;
  const Grid target{7, 12, 6, compose(place, change)};
  for (auto kind : {Interpolation::kCubicSpline, Interpolation::kLinear, Interpolation::kNearest}) {
    const auto found = resample(source, target, identity_affine(), kind, -5);
    const auto to = found.voxels.accessor<float, 3>(), from = source.voxels.accessor<float, 3>();
    for (int64_t k = 0; k < 6; ++k)
      for (int64_t j = 0; j < 12; ++j)
        for (int64_t i = 0; i < 7; ++i) {
          const int64_t si = 10 - j, sj = k + 1, sk = i;
          ASSERT_EQ(to[k][j][i], si >= 0 && si < 9 ? from[sk][sj][si] : -5.0F);
        }
    EXPECT_TRUE(torch::equal(resample(source, grid_of(source), identity_affine(), kind).voxels,
                             source.voxels));
  }
}

/// Cubics are reproduced: x^3 - 2 x y^2 + z^2 - 3 x y z and lower.
TEST(Resample, CubicsAreExactAwayFromTheEdges) {
  const auto cubic = [](double x, double y, double z) {
    return 0.01 * (x * x * x - 2 * x * y * y + z * z - 3 * x * y * z) + 0.3 * y - z + 2;
  };
  Volume source = empty_volume(centred_grid(40, 40, 40, 1), "1");
  auto value = source.voxels.accessor<float, 3>();
  const double centre = 19.5;
  for (int64_t k = 0; k < 40; ++k)
    for (int64_t j = 0; j < 40; ++j)
      for (int64_t i = 0; i < 40; ++i)
        value[k][j][i] = static_cast<float>(cubic(static_cast<double>(i) - centre,
                                                  static_cast<double>(j) - centre,
                                                  static_cast<double>(k) - centre));
  const Grid target = centred_grid(9, 9, 9, 0.73);
  for (const Affine& map :
       {rigid_affine({0.2, 0.3, -0.1}, {0.4, -0.3, 0.2}), rigid_affine({}, {0.4, -0.3, 0.2})}) {
    const auto found = resample(source, target, map, Interpolation::kCubicSpline);
    const auto to = found.voxels.accessor<float, 3>();
    for (int64_t k = 0; k < 9; ++k)
      for (int64_t j = 0; j < 9; ++j)
        for (int64_t i = 0; i < 9; ++i) {
          const Point p = transform_point(
              compose(map, target.voxel_to_world),
              {static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
          ASSERT_NEAR(to[k][j][i], cubic(p[0], p[1], p[2]), 2e-4);
        }
  }
}

/// Aligned axes go another way through the code; so does each flip and exchange of axes.
TEST(Resample, AlignedAxesAgreeWithAnyMap) {
  const Volume source = noise(11, 12, 13, identity_affine());
  const Grid target{10, 9, 12, identity_affine()};
  std::array<size_t, 3> order{0, 1, 2};
  do {
    for (int flips = 0; flips < 8; ++flips) {
      Affine map{};
      map[3][3] = 1;
      for (size_t axis = 0; axis < 3; ++axis) {
        map[order[axis]][axis] = (flips >> axis & 1) != 0 ? -0.83 : 0.83;
        map[order[axis]][3] = (flips >> axis & 1) != 0 ? 9.4 : -0.3;
      }
      Affine tilted = map;
      tilted[0][order[0] == 0 ? 1 : 0] += 1e-6;
      for (auto kind : {Interpolation::kCubicSpline, Interpolation::kLinear})
        EXPECT_LT(largest_difference(resample(source, target, map, kind).voxels,
                                     resample(source, target, tilted, kind).voxels),
                  1e-4F);
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Resample, ThereAndBackKeepsASmoothVolume) {
  Volume source = noise(48, 48, 48, centred_grid(48, 48, 48, 2).voxel_to_world);
  gaussian_blur(source.voxels.data_ptr<float>(), 48, 48, 48, {2, 2, 2});
  const Affine turn = rigid_affine({0.1, 0.2, -0.15}, {3, -2, 1});
  const Volume there =
      resample(source, centred_grid(64, 64, 64, 2), turn, Interpolation::kCubicSpline);
  const Volume back = resample(there, grid_of(source), inverse(turn), Interpolation::kCubicSpline);
  const auto middle = [](const torch::Tensor& t) {
    return t.slice(0, 8, 40).slice(1, 8, 40).slice(2, 8, 40);
  };
  EXPECT_LT(largest_difference(middle(back.voxels), middle(source.voxels)),
            0.01F * source.voxels.abs().max().item<float>());
}

TEST(Resample, NearestTakesTheNearestAndOutsideIsOutside) {
  Volume source = empty_volume({4, 1, 1, identity_affine()}, "1");
  for (int64_t i = 0; i < 4; ++i) source.voxels[0][0][i] = static_cast<float>(i + 1);
  Affine half = identity_affine();
  half[0][0] = 0.5, half[0][3] = -0.8;
  const auto found =
      resample(source, {12, 1, 1, half}, identity_affine(), Interpolation::kNearest, 9);
  // Positions -0.8, -0.3, 0.2, 0.7, 1.2, 1.7, 2.2, 2.7, 3.2, 3.7, 4.2
  const std::vector<float> expected = {9, 1, 1, 2, 2, 3, 3, 4, 4, 9, 9, 9};
  for (int64_t i = 0; i < 12; ++i)
    EXPECT_EQ(found.voxels[0][0][i].item<float>(), expected[static_cast<size_t>(i)]) << i;
  // A single voxel along an axis is constant over its own width.
  const auto cubic = resample(source, {4, 2, 1, rigid_affine({}, {0, 0.4, -0.4})},
                              identity_affine(), Interpolation::kCubicSpline, 9);
  EXPECT_LT(largest_difference(cubic.voxels[0][0], source.voxels[0][0]), 1e-5F);
  EXPECT_EQ(cubic.voxels[0][1][0].item<float>(), 9);
}

TEST(Resample, ThreadsChangeNothing) {
  const Volume source = noise(37, 41, 29);
  const int before = at::get_num_threads();
  for (const Affine& map :
       {rigid_affine({0.1, 0.2, 0.3}, {1, 2, 3}), rigid_affine({}, {.3, .2, .1})}) {
    std::vector<torch::Tensor> found;
    for (int threads : {1, 2, 5}) {
      at::set_num_threads(threads);
      found.push_back(resample(source, grid_of(source), map, Interpolation::kCubicSpline).voxels);
    }
    EXPECT_TRUE(torch::equal(found[0], found[1]));
    EXPECT_TRUE(torch::equal(found[0], found[2]));
  }
  at::set_num_threads(before);
}

void expect_refusal(const Volume& source, const Grid& target, const Affine& map,
                    const std::string& text) {
  try {
    resample(source, target, map, Interpolation::kCubicSpline);
    ADD_FAILURE() << "not refused: " << text;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
  }
}

TEST(Resample, Refusals) {
  const Volume good = noise(4, 5, 6);
  const Grid grid = grid_of(good);
  const Affine shift = rigid_affine({}, {0.5, 0, 0});
  expect_refusal({good.voxels.to(torch::kDouble), good.voxel_to_world, "1"}, grid, shift,
                 "not float32 [D,H,W]");
  expect_refusal({good.voxels[0], good.voxel_to_world, "1"}, grid, shift, "not float32 [D,H,W]");
  expect_refusal({}, grid, shift, "not float32 [D,H,W]");
  expect_refusal(good, {4, 0, 6, good.voxel_to_world}, shift, "the target is 4 x 0 x 6 voxels");
  expect_refusal(good, {4, 5, int64_t{1} << 40, good.voxel_to_world}, shift, "expected 1 to 32767");
  Volume flat = good;
  flat.voxel_to_world[0][0] = 0;
  expect_refusal(flat, grid, shift, "singular");
  Affine broken = shift;
  broken[1][2] = std::numeric_limits<double>::quiet_NaN();
  expect_refusal(good, grid, broken, "the map from target to source is not finite");
  Volume hole = good;
  hole.voxels = good.voxels.clone();
  hole.voxels[1][1][1] = std::numeric_limits<float>::infinity();
  expect_refusal(hole, grid, shift, "voxels that are not finite");
  EXPECT_NO_THROW(resample(hole, grid, shift, Interpolation::kLinear));
  EXPECT_NO_THROW(resample(hole, grid, identity_affine(), Interpolation::kCubicSpline));
}

}  // namespace
}  // namespace scintigen
