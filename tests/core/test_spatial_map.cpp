// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/random.h"
#include "core/resample.h"
#include "core/spatial_map.h"

namespace scintigen {
namespace {

/// Waves that vanish at the faces of their box; `most_mm` along each axis.
Displacements waves(double most_mm, const std::array<int, 3>& directions = {1, 2, 3}) {
  const Grid grid = centred_grid(48, 40, 44, 4, directions);
  Displacements field{torch::zeros({3, grid.nk, grid.nj, grid.ni}), grid.voxel_to_world};
  auto mm = field.mm.accessor<float, 4>();
  const auto part = [](int64_t at, int64_t n) {
    return std::sin(M_PI * static_cast<double>(at) / static_cast<double>(n - 1));
  };
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i)
        for (int64_t c = 0; c < 3; ++c)
          mm[c][k][j][i] = static_cast<float>(
              most_mm * part(i, grid.ni) * part(j, grid.nj) * part(k, grid.nk) *
              std::sin(0.05 * static_cast<double>((c + 1) * i + j - (c - 1) * k) + double(c)));
  return field;
}

const Affine kTurned =
    compose(rigid_affine({0.3, -0.2, 0.1}, {5, -7, 3}),
            Affine{{{1.1, 0.05, 0, 0}, {0, 0.9, 0, 0}, {0, 0, 1.2, 0}, {0, 0, 0, 1}}});

double distance(const Point& a, const Point& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

TEST(SpatialMap, AnAffineOneIsThatAffine) {
  const SpatialMap map = kTurned;
  EXPECT_TRUE(map.is_affine());
  EXPECT_EQ(map.affine(), kTurned);
  const SpatialMap both = compose(map, inverse(map));
  EXPECT_TRUE(both.is_affine());
  EXPECT_LT(distance(both({10, 20, -30}), {10, 20, -30}), 1e-12);
}

TEST(SpatialMap, AFieldIsLinearInBetweenAndNothingOutside) {
  const auto field = waves(6, {-1, 3, 2});  // other axes than the world's
  const auto mm = field.mm.accessor<float, 4>();
  const auto at_voxel = transform_point(field.voxel_to_world, {20, 15, 30});
  const auto moved = field(at_voxel);
  for (size_t c = 0; c < 3; ++c)
    EXPECT_NEAR(moved[c] - at_voxel[c], mm[static_cast<int64_t>(c)][30][15][20], 1e-5);
  const auto between = transform_point(field.voxel_to_world, {20.5, 15, 30});
  EXPECT_NEAR(field(between)[0] - between[0], (mm[0][30][15][20] + mm[0][30][15][21]) / 2, 1e-5);
  const Point far = {500, 0, 0};
  EXPECT_EQ(field(far), far);
}

TEST(SpatialMap, StepsAreTakenInOrder) {
  const auto field = waves(6);
  const SpatialMap map = compose(SpatialMap(kTurned), SpatialMap(field));
  EXPECT_FALSE(map.is_affine());
  const Point at = {12, -20, 8};
  EXPECT_LT(distance(map(at), transform_point(kTurned, field(at))), 1e-12);
  const SpatialMap other = compose(SpatialMap(field), SpatialMap(kTurned));
  EXPECT_LT(distance(other(at), field(transform_point(kTurned, at))), 1e-12);
  EXPECT_GT(distance(map(at), other(at)), 0.1);
  for (size_t row = 0; row < 4; ++row)
    for (size_t col = 0; col < 4; ++col)
      EXPECT_DOUBLE_EQ(map.affine()[row][col], kTurned[row][col]);
}

TEST(SpatialMap, ThereAndBack) {
  for (const double most : {1.0, 4.0, 7.0}) {
    const auto field = waves(most, {2, 1, -3});
    EXPECT_GT(least_jacobian(field), 0);
    const SpatialMap map = compose(SpatialMap(kTurned), SpatialMap(field)), back = inverse(map);
    Random random(3, "places");
    double worst = 0;
    for (int n = 0; n < 2000; ++n) {
      const Point at = {70 * (2 * random.uniform() - 1), 60 * (2 * random.uniform() - 1),
                        60 * (2 * random.uniform() - 1)};
      worst = std::max(worst, distance(back(map(at)), at));
    }
    EXPECT_LT(worst, 0.1) << most;
  }
}

/// Two walls of width w squeeze what lies between them: the slope there is 1 - most.
Displacements squeezed(double most) {
  const Grid grid = centred_grid(120, 8, 8, 1);
  Displacements field{torch::zeros({3, grid.nk, grid.nj, grid.ni}), grid.voxel_to_world};
  for (int64_t i = 0; i < grid.ni; ++i) {
    const double x = static_cast<double>(i) - 59.5, width = 12;
    field.mm[0].select(2, i).fill_(-most * x * std::exp(-x * x / (2 * width * width)));
  }
  return field;
}

TEST(SpatialMap, WhatIsSqueezedToATenthOrStretchedTenTimesComesBack) {
  const auto field = squeezed(0.9);
  EXPECT_NEAR(least_jacobian(field), 0.1, 0.02);
  const SpatialMap map(field), back = inverse(map), again = inverse(back);
  double worst = 0, twice = 0;
  for (double x = -55; x <= 55; x += 0.37) {
    worst = std::max(worst, distance(map(back({x, 0, 0})), {x, 0, 0}));
    twice = std::max(twice, distance(again({x, 0, 0}), map({x, 0, 0})));
  }
  EXPECT_LT(worst, 0.3);  // the inverse, ten times as steep there, is linear between voxels
  EXPECT_EQ(twice, 0);    // the map itself
  // Its displacements as a map of their own stretch ten times.
  const auto stretched = inverse(field);
  const SpatialMap turned = inverse(SpatialMap(stretched));
  for (double x = -20; x <= 20; x += 1.7)
    EXPECT_NEAR(turned({x, 0, 0})[0], map({x, 0, 0})[0], 0.3) << x;
}

TEST(SpatialMap, TheJacobianOfAKnownStretch) {
  // x -> x + 0.25 x along the second world axis, kept by a grid whose axes are exchanged.
  auto field = waves(0, {2, -1, 3});
  const Grid grid = field.grid();
  auto mm = field.mm.accessor<float, 4>();
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i)
        mm[1][k][j][i] = static_cast<float>(
            0.25 * transform_point(grid.voxel_to_world, {double(i), double(j), double(k)})[1]);
  EXPECT_NEAR(least_jacobian(field), 1.25, 1e-5);
  field.mm *= -8;  // turned inside out
  EXPECT_NEAR(least_jacobian(field), -1, 1e-4);
}

TEST(SpatialMap, WhatCannotBeUsedIsRefused) {
  const auto text = [](const auto& what) -> std::string {
    try {
      what();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  auto folded = waves(60);
  EXPECT_NE(text([&] { inverse(folded); }).find("they fold there"), std::string::npos);
  auto infinite = waves(1);
  infinite.mm[0][3][3][3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(text([&] { inverse(infinite); }), "displacements: not finite");
  auto flat = waves(1);
  flat.mm = flat.mm[0];
  EXPECT_EQ(text([&] { SpatialMap{flat}; }), "displacements: not float32 [3,D,H,W]");
  auto singular = waves(1);
  singular.voxel_to_world[1] = {0, 0, 0, 0};
  EXPECT_EQ(text([&] { SpatialMap{singular}; }),
            "displacements: their voxel-to-world map is singular");
}

/// Resampled through a map, a volume that is linear in space has at each voxel the map's place.
TEST(SpatialMap, ResamplingReadsWhereTheMapLeads) {
  const auto field = waves(6);
  const SpatialMap map = compose(SpatialMap(kTurned), SpatialMap(field));
  const Grid grid = centred_grid(90, 90, 90, 4, {-2, 1, 3}), target = centred_grid(20, 22, 24, 5);
  Volume place = empty_volume(grid, "mm");
  auto* value = place.voxels.data_ptr<float>();
  const auto linear = [](const Point& p) { return 0.5 * p[0] - 0.25 * p[1] + p[2]; };
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i)
        *value++ = static_cast<float>(
            linear(transform_point(grid.voxel_to_world, {double(i), double(j), double(k)})));
  for (const auto how : {Interpolation::kLinear, Interpolation::kCubicSpline}) {
    const auto read = resample(place, target, map, how);
    const auto found = read.voxels.accessor<float, 3>();
    double worst = 0;
    for (int64_t k = 0; k < target.nk; ++k)
      for (int64_t j = 0; j < target.nj; ++j)
        for (int64_t i = 0; i < target.ni; ++i) {
          const auto at = transform_point(target.voxel_to_world, {double(i), double(j), double(k)});
          worst = std::max(worst, std::abs(found[k][j][i] - linear(map(at))));
        }
    EXPECT_LT(worst, 2e-3);
  }
  // A label is that of the nearest voxel, and a field of nothing changes none.
  const auto labels = resample(place, target, map, Interpolation::kNearest);
  EXPECT_LT((labels.voxels - resample(place, target, map, Interpolation::kLinear).voxels)
                .abs()
                .max()
                .item<double>(),
            4 * (0.5 + 0.25 + 1) / 2 + 1e-3);
  const SpatialMap still = compose(SpatialMap(kTurned), SpatialMap(waves(0)));
  EXPECT_TRUE(torch::equal(resample(place, target, still, Interpolation::kNearest).voxels,
                           resample(place, target, kTurned, Interpolation::kNearest).voxels));
  EXPECT_FALSE(only_copies(grid, grid, SpatialMap(waves(0))));
  EXPECT_TRUE(only_copies(grid, grid, identity_affine()));
}

}  // namespace
}  // namespace scintigen
