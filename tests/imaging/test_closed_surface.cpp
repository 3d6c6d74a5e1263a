// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "imaging/closed_surface.h"

namespace scintigen {
namespace {

ClosedSurface ball(const Point& centre, double radius) {
  ClosedSurface surface = icosphere(4);
  for (Point& p : surface.vertices)
    for (size_t axis = 0; axis < 3; ++axis) p[axis] = centre[axis] + radius * p[axis];
  return surface;
}

TEST(ClosedSurface, AnIcosphereIsClosedAndRound) {
  const ClosedSurface sphere = icosphere(4);
  EXPECT_EQ(sphere.vertices.size(), 2562U);
  EXPECT_EQ(sphere.triangles.size(), 5120U);
  size_t fives = 0;
  for (size_t v = 0; v < sphere.vertices.size(); ++v) {
    const Point& p = sphere.vertices[v];
    EXPECT_NEAR(std::hypot(p[0], p[1], p[2]), 1, 1e-12);
    ASSERT_TRUE(sphere.neighbours[v].size() == 5 || sphere.neighbours[v].size() == 6);
    fives += sphere.neighbours[v].size() == 5;
  }
  EXPECT_EQ(fives, 12U);
  EXPECT_NEAR(sphere.volume_mm3(), 4 * M_PI / 3, 0.01);
  const auto normals = sphere.normals();
  for (size_t v = 0; v < normals.size(); ++v)
    for (size_t axis = 0; axis < 3; ++axis)
      EXPECT_NEAR(normals[v][axis], sphere.vertices[v][axis], 0.02);
}

TEST(ClosedSurface, ItEnclosesTheVoxelsOfABall) {
  const Point centre = {3.3, -2.1, 4.4};
  const ClosedSurface surface = ball(centre, 20);
  for (const auto& directions :
       {std::array<int, 3>{1, 2, 3}, std::array<int, 3>{-2, -3, 1}, std::array<int, 3>{-1, 2, 3}}) {
    const Grid grid = centred_grid(70, 66, 68, 0.9, directions);
    const auto winding = winding_numbers(surface, grid);
    for (int64_t k = 0; k < grid.nk; ++k)
      for (int64_t j = 0; j < grid.nj; ++j)
        for (int64_t i = 0; i < grid.ni; ++i) {
          const Point p = transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
          const double r = std::hypot(p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]);
          if (std::abs(r - 20) < 0.15) continue;  // the polyhedron lies a little inside the sphere
          ASSERT_EQ(winding[k][j][i].item<int8_t>(), r < 20) << i << " " << j << " " << k;
        }
  }
}

TEST(ClosedSurface, VerticesAndEdgesOnVoxelCentresLeaveNoHole) {
  // An octahedron with corners on voxel centres and every edge along lines of centres.
  ClosedSurface surface;
  surface.vertices = {{4, 0, 0}, {-4, 0, 0}, {0, 4, 0}, {0, -4, 0}, {0, 0, 4}, {0, 0, -4}};
  surface.triangles = {{0, 2, 4}, {2, 1, 4}, {1, 3, 4}, {3, 0, 4},
                       {2, 0, 5}, {1, 2, 5}, {3, 1, 5}, {0, 3, 5}};
  const Grid grid = centred_grid(13, 13, 13, 1);
  const auto winding = winding_numbers(surface, grid);
  for (int64_t k = 0; k < 13; ++k)
    for (int64_t j = 0; j < 13; ++j)
      for (int64_t i = 0; i < 13; ++i) {
        const int64_t far = std::abs(i - 6) + std::abs(j - 6) + std::abs(k - 6);
        if (far == 4) continue;  // on the surface: either side is right
        ASSERT_EQ(winding[k][j][i].item<int8_t>(), far < 4) << i << " " << j << " " << k;
      }
}

TEST(ClosedSurface, WhereItCutsItselfItWindsTwiceOrBackwards) {
  ClosedSurface surface = ball({0, 0, 0}, 20);
  for (Point& p : surface.vertices)  // one cap is pushed through the other side
    if (p[0] > 15) p[0] -= 50;
  const auto winding = winding_numbers(surface, centred_grid(80, 60, 60, 1));
  EXPECT_LT(winding.min().item<int8_t>(), 0);
  for (Point& p : surface.vertices)
    for (double& x : p) x *= 1e-9;  // smaller than a voxel: nothing inside, nothing broken
  EXPECT_LE(winding_numbers(surface, centred_grid(8, 8, 8, 1)).abs().sum().item<int64_t>(), 1);
}

TEST(ClosedSurface, TheVolumeIsThatOfItsVoxelsOverSeeds) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Random random(seed, "surface", 0);
    ClosedSurface surface = ball({random.normal(), random.normal(), random.normal()}, 15);
    for (Point& p : surface.vertices)
      for (size_t axis = 0; axis < 3; ++axis) p[axis] *= 1 + 0.2 * std::sin(p[(axis + 1) % 3] / 7);
    const Grid grid = centred_grid(60, 60, 60, 0.8);
    const auto winding = winding_numbers(surface, grid);
    EXPECT_EQ(winding.min().item<int8_t>(), 0);
    EXPECT_EQ(winding.max().item<int8_t>(), 1);
    EXPECT_NEAR(winding.sum().item<double>() * 0.512 / surface.volume_mm3(), 1, 0.01);
  }
}

}  // namespace
}  // namespace scintigen
