// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/temporary_folder.h"
#include "imaging/head_phantom.h"
#include "imaging/registration.h"
#include "imaging/registration_search.h"

namespace scintigen {
namespace {

struct PhantomPair {
  Volume fixed, moving;
  Affine truth;
};

PhantomPair phantom_pair(uint64_t seed, double noise = 0.02, bool asymmetric = true) {
  const Affine moved = drawn_motion(seed);
  HeadPhantom t1{asymmetric, noise, 1.5, seed}, uptake{asymmetric, noise, 3, seed + 1000};
  return {
      head_phantom(centred_grid(80, 88, 76, 2.7), identity_affine(), PhantomScan::kT1, t1),
      head_phantom(centred_grid(64, 64, 60, 4, {-1, -2, 3}), moved, PhantomScan::kUptake, uptake),
      moved};
}

RegistrationSettings without_mirror(Motion motion = Motion::kRigid) {
  RegistrationSettings settings;
  settings.motion = motion;
  settings.check_mirror = false;
  return settings;
}

TEST(Registration, GradientOfTheInformation) {
  const PhantomPair pair = phantom_pair(3);
  const Pyramid fixed = pyramid(pair.fixed, {8, 4}, "fixed");
  const Pyramid moving = pyramid(pair.moving, {8, 4}, "moving");
  const SamplePoints points = sample_points(fixed, 1, 9, {});
  const MovingLevel level = moving_level(moving, 1);
  // Once well inside, once with a third of the head beyond the scan's edge.
  for (double shift : {6.0, 70.0}) {
    const Affine pose = rigid_affine({0.1, -0.05, 0.2}, {-3, 5, shift});
    const Agreement at = agreement(points, level, pose_of(pose), true, 3);
    EXPECT_GT(at.value, 1);
    for (size_t row = 0; row < 3; ++row)
      for (size_t col = 0; col < 4; ++col) {
        const double step = col == 3 ? 0.05 : 0.05 / 60;
        const auto value = [&](double by) {
          Pose moved = pose_of(pose);
          moved[row][col] += by;
          return agreement(points, level, moved, false, 3).value;
        };
        const double expected = (value(step) - value(-step)) / (2 * step);
        const double scale = col == 3 ? 1e-4 : 1e-4 * 60;
        EXPECT_NEAR(at.gradient[row][col], expected, 0.02 * std::fabs(expected) + 0.1 * scale)
            << shift << " " << row << " " << col;
      }
  }
}

TEST(Registration, SlopesOfTheParameters) {
  for (Motion motion : {Motion::kRigid, Motion::kAffine}) {
    const size_t count = motion == Motion::kRigid ? 6 : 12;
    std::vector<double> at;
    for (size_t p = 0; p < count; ++p) at.push_back(10 * std::sin(1.0 + static_cast<double>(p)));
    const auto slopes = local_slopes(motion, at);
    ASSERT_EQ(slopes.size(), count);
    for (size_t p = 0; p < count; ++p) {
      auto up = at, down = at;
      up[p] += 1e-4, down[p] -= 1e-4;
      const Affine a = local_motion(motion, up), b = local_motion(motion, down);
      for (size_t row = 0; row < 4; ++row)
        for (size_t col = 0; col < 4; ++col)
          EXPECT_NEAR(slopes[p][row][col], (a[row][col] - b[row][col]) / 2e-4, 1e-8);
    }
  }
}

TEST(Registration, InformationOfKnownPairs) {
  const PhantomPair pair = phantom_pair(1);
  const Pyramid fixed = pyramid(pair.fixed, {4}, "fixed");
  const SamplePoints points = sample_points(fixed, 0, 6, {});
  const auto value = [&](const Volume& moving) {
    const MovingLevel level = moving_level(pyramid(moving, {4}, "moving"), 0);
    Affine pose = identity_affine();
    for (size_t row = 0; row < 3; ++row) pose[row][3] = points.centre[row];
    return agreement(points, level, pose_of(pose), false, 1).value;
  };
  Volume unrelated = pair.fixed, inverted = pair.fixed;
  unrelated.voxels = Random(1, "unrelated").uniform_tensor(pair.fixed.voxels.sizes());
  inverted.voxels = 3 - 2 * pair.fixed.voxels;
  EXPECT_GT(value(pair.fixed), 1.4);
  EXPECT_NEAR(value(inverted), value(pair.fixed), 0.03);
  EXPECT_LT(value(unrelated), 1.03);
}

TEST(Registration, FindsAKnownMotion) {
  for (uint64_t seed : {1, 2}) {
    const PhantomPair pair = phantom_pair(seed);
    const Registration found = register_volumes(pair.fixed, pair.moving, without_mirror());
    EXPECT_LT(map_distance_mm(found.fixed_to_moving, pair.truth), 0.8) << seed;
    EXPECT_FALSE(found.doubtful) << found.why;
    EXPECT_GT(found.mutual_information, 1.1);
    EXPECT_EQ(found.flip, FlipCheck::kNotChecked);
    EXPECT_NEAR(determinant(found.fixed_to_moving), 1, 1e-9);
  }
}

TEST(Registration, FindsAKnownAffineMap) {
  Affine truth = drawn_motion(5);
  const std::array<double, 3> size = {1.1, 0.9, 1.05};
  for (size_t row = 0; row < 3; ++row)
    for (size_t col = 0; col < 3; ++col) truth[row][col] *= size[col];
  truth[0][1] += 0.05;
  const Grid grid = centred_grid(80, 88, 80, 3);
  const Volume fixed = head_phantom(grid, identity_affine(), PhantomScan::kT1, {true, 0.02, 2, 7});
  const Volume moving = head_phantom(grid, truth, PhantomScan::kT1, {true, 0.02, 2, 8});
  const Registration found = register_volumes(fixed, moving, without_mirror(Motion::kAffine));
  EXPECT_LT(map_distance_mm(found.fixed_to_moving, truth), 0.8);
  EXPECT_FALSE(found.doubtful) << found.why;
}

TEST(Registration, ThreadsChangeNothing) {
  const PhantomPair pair = phantom_pair(2);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Registration one = register_volumes(pair.fixed, pair.moving, {});
  at::set_num_threads(3);
  const Registration three = register_volumes(pair.fixed, pair.moving, {});
  at::set_num_threads(before);
  EXPECT_EQ(one.fixed_to_moving, three.fixed_to_moving);
  EXPECT_EQ(one.score, three.score);
  EXPECT_EQ(one.flip_margin, three.flip_margin);
}

TEST(Registration, AMirroredScanIsNoticed) {
  PhantomPair pair = phantom_pair(4);
  EXPECT_EQ(register_volumes(pair.fixed, pair.moving, {}).flip, FlipCheck::kAsStored);
  pair.moving.voxels = pair.moving.voxels.flip(2).contiguous();
  const Registration found = register_volumes(pair.fixed, pair.moving, {});
  EXPECT_EQ(found.flip, FlipCheck::kMirroredFitsBetter);
  EXPECT_LT(found.flip_margin, 0);
  const PhantomPair alike = phantom_pair(4, 0.02, false);
  EXPECT_EQ(register_volumes(alike.fixed, alike.moving, {}).flip, FlipCheck::kCannotTell);
}

TEST(RegistrationSlow, MirrorsOverSeedsAndNoise) {
  int wrong = 0, cannot_tell = 0, calls = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed)
    for (double noise : {0.0, 0.05, 0.1, 0.2})
      for (bool mirrored : {false, true}) {
        PhantomPair pair = phantom_pair(100 + seed, noise);
        if (mirrored) pair.moving.voxels = pair.moving.voxels.flip(2).contiguous();
        const FlipCheck flip = register_volumes(pair.fixed, pair.moving, {}).flip;
        ++calls;
        cannot_tell += flip == FlipCheck::kCannotTell;
        wrong += flip == (mirrored ? FlipCheck::kAsStored : FlipCheck::kMirroredFitsBetter);
      }
  RecordProperty("cannot_tell", cannot_tell);
  EXPECT_LE(wrong, calls / 100);
  // With up to 20 % of noise a quarter cannot be told (docs/results.md): no call, not a wrong one.
  EXPECT_LE(cannot_tell, calls / 3);
}

TEST(Registration, WhatCannotBeRegisteredIsDoubtful) {
  const PhantomPair pair = phantom_pair(1);
  Volume noise = pair.moving;
  noise.voxels = Random(2, "noise").normal_tensor(pair.moving.voxels.sizes());
  const Registration found = register_volumes(pair.fixed, noise, without_mirror());
  EXPECT_TRUE(found.doubtful);
  EXPECT_FALSE(found.why.empty()) << found.mutual_information;
  EXPECT_LT(found.score, kRegistrationDoubtful);
}

TEST(Registration, AMaskRestrictsWhereItIsMeasured) {
  const PhantomPair pair = phantom_pair(1);
  Volume mask = pair.fixed;
  mask.voxels = torch::zeros_like(pair.fixed.voxels);
  mask.voxels.slice(0, 8, 68).slice(1, 8, 80).slice(2, 8, 72).fill_(1);
  const Registration found = register_volumes(pair.fixed, pair.moving, without_mirror(), mask);
  EXPECT_LT(map_distance_mm(found.fixed_to_moving, pair.truth), 1);
  const SamplePoints points = sample_points(pyramid(pair.fixed, {4}, "fixed"), 0, 8, mask);
  const Affine to_voxel = inverse(pair.fixed.voxel_to_world);
  for (int64_t s = 0; s < points.count(); ++s) {
    Point world;
    for (size_t c = 0; c < 3; ++c)
      world[c] = points.place[static_cast<size_t>(4 * s) + c] + points.centre[c];
    const Point voxel = transform_point(to_voxel, world);
    ASSERT_TRUE(voxel[0] > 7.4 && voxel[0] < 71.6 && voxel[1] > 7.4 && voxel[2] < 67.6);
  }
}

TEST(Registration, Refusals) {
  const PhantomPair pair = phantom_pair(1);
  const auto with = [&](torch::Tensor voxels) {
    return Volume{std::move(voxels), pair.moving.voxel_to_world, "1"};
  };
  const auto run = [&](const Volume& fixed, const Volume& moving) {
    return register_volumes(fixed, moving, without_mirror());
  };
  const auto& voxels = pair.moving.voxels;
  EXPECT_REFUSED(run(pair.fixed, with(torch::zeros_like(voxels))),
                 "the moving scan has no contrast");
  EXPECT_REFUSED(run(with(torch::full_like(voxels, 7)), pair.moving),
                 "the fixed scan has no contrast");
  EXPECT_REFUSED(run(pair.fixed, with(voxels.to(torch::kDouble))),
                 "the moving scan's voxels are not float32");
  EXPECT_REFUSED(run(pair.fixed, with(voxels[3])), "the moving scan's voxels are not float32");
  EXPECT_REFUSED(run({}, pair.moving), "the fixed scan's voxels are not float32");
  torch::Tensor hole = voxels.clone();
  hole[20][20][20] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_REFUSED(run(pair.fixed, with(hole)), "voxels that are not finite");
  Volume flat = pair.moving;
  flat.voxel_to_world[1] = {};
  EXPECT_REFUSED(run(pair.fixed, flat), "singular");
  Volume mask = pair.fixed;
  mask.voxels = torch::zeros_like(pair.fixed.voxels);
  EXPECT_REFUSED(register_volumes(pair.fixed, pair.moving, without_mirror(), mask),
                 "the mask leaves 0 points");
  EXPECT_REFUSED(register_volumes(pair.fixed, pair.moving, without_mirror(), pair.moving),
                 "the mask is not float32 on the fixed scan's grid");
  const Volume point{torch::rand({1, 1, 1}), identity_affine(), "1"};
  EXPECT_REFUSED(run(pair.fixed, point), "the moving scan has no contrast");
}

}  // namespace
}  // namespace scintigen
