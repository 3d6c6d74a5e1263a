// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/temporary_folder.h"
#include "imaging/anatomy_model.h"
#include "imaging/head_phantom.h"
#include "imaging/registration_spect.h"

namespace scintigen {
namespace {

struct SpectPair {
  Volume anatomy, brain, scan;
  Affine truth;
};

/// The phantom's head as T1 of 2 mm with its brain, and as SPECT of 4 mm with a blur of 10.6 mm.
SpectPair spect_pair(uint64_t seed, double noise) {
  SpectPair pair;
  pair.truth = drawn_motion(seed);
  const Grid grid = centred_grid(96, 112, 104, 2);
  pair.anatomy = head_phantom(grid, identity_affine(), PhantomScan::kT1, {true, 0.02, 0.8, seed});
  pair.brain = empty_volume(grid, "1");
  auto* inside = pair.brain.voxels.data_ptr<float>();
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i) {
        const Point p = transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
        *inside++ = depth_in(p, {0, 0, 4}, {70, 88, 76}) > 0 ? 1.0F : 0.0F;
      }
  pair.scan = head_phantom(centred_grid(64, 64, 60, 4, {-1, -2, 3}), pair.truth,
                           PhantomScan::kUptake, {true, noise, 4.5, seed + 1000});
  return pair;
}

Affine beside(const Affine& truth) {
  return compose(truth, rigid_affine({0.02, -0.015, 0.01}, {1.5, -2, 2}));
}

TEST(RegistrationSpect, MapsAddUpInsideTheBrain) {
  const SpectPair pair = spect_pair(1, 0);
  AnatomyMaps maps(pair.anatomy, pair.brain);
  const AnatomyModel model = maps.blurred_to(5);
  MapValues found;
  ASSERT_TRUE(model.read({20, 10, 30}, found));
  float sum = 0;
  for (size_t k = 0; k < kIntensityMaps; ++k) sum += found[k];
  EXPECT_NEAR(sum, 1, 1e-3);
  EXPECT_NEAR(found[kHeadMap], 0, 1e-3);
  EXPECT_FALSE(model.read({200, 0, 0}, found));
  EXPECT_NEAR(maps.centre()[2], 4, 0.5);
  EXPECT_GT(maps.nearness({0, 0, 4}), 0.99F);
  EXPECT_EQ(maps.nearness({0, 0, 400}), 0);
}

TEST(RegistrationSpect, SlopesOfTheModel) {
  const SpectPair pair = spect_pair(1, 0);
  const AnatomyModel model = AnatomyMaps(pair.anatomy, pair.brain).blurred_to(9);
  const MapValues amounts = {0.1F, 0.4F, 1, 0.8F, 0.5F, 0.3F, 0.2F, 0.15F};
  const auto level = [&](const Point& at) {
    MapValues found;
    EXPECT_TRUE(model.read(at, found));
    double sum = 0;
    for (size_t k = 0; k < kMaps; ++k) sum += double(amounts[k]) * double(found[k]);
    return sum;
  };
  for (const Point& at : {Point{60, 10, 5}, Point{-20, -70, 20}, Point{3, 4, 70}}) {
    MapValues found;
    Point slope{};
    ASSERT_TRUE(model.read(at, amounts, found, slope));
    for (size_t axis = 0; axis < 3; ++axis) {
      Point up = at, down = at;
      up[axis] += 0.05, down[axis] -= 0.05;
      EXPECT_NEAR(slope[axis], (level(up) - level(down)) / 0.1, 2e-4);
    }
  }
}

TEST(RegistrationSpect, TheLastMillimetre) {
  for (double noise : {0.0, 0.2}) {
    const SpectPair pair = spect_pair(2, noise);
    const SpectFit fit = fit_spect(pair.anatomy, pair.brain, pair.scan, beside(pair.truth));
    ASSERT_TRUE(fit.found);
    EXPECT_GT(map_distance_mm(beside(pair.truth), pair.truth), 3);
    // Voxels are 4 mm; noise of a fifth of the brightest tissue.
    EXPECT_LT(map_distance_mm(fit.fixed_to_moving, pair.truth), noise > 0 ? 0.8 : 0.3) << noise;
    EXPECT_NEAR(determinant(fit.fixed_to_moving), 1, 1e-9);
    EXPECT_NEAR(fit.fwhm_mm, 11, 2);
    EXPECT_GT(fit.explained, noise > 0 ? 0.6 : 0.95);
    EXPECT_NEAR(fit.moved_mm, 3.5, 1.5);
  }
}

TEST(RegistrationSpect, ALesionWeighsLittle) {
  SpectPair pair = spect_pair(3, 0.02);
  const Grid grid = grid_of(pair.scan);
  const Affine to_head = compose(inverse(pair.truth), grid.voxel_to_world);
  auto* value = pair.scan.voxels.data_ptr<float>();
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i, ++value) {
        const Point p = transform_point(to_head, {double(i), double(j), double(k)});
        if (depth_in(p, {45, 20, 40}, {28, 28, 28}) > 0) *value *= 0.2F;  // a large cold infarct
      }
  const SpectFit fit = fit_spect(pair.anatomy, pair.brain, pair.scan, beside(pair.truth));
  EXPECT_LT(map_distance_mm(fit.fixed_to_moving, pair.truth), 0.6);
}

TEST(RegistrationSpect, ThreadsChangeNothing) {
  const SpectPair pair = spect_pair(4, 0.05);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Registration one = register_spect(pair.anatomy, pair.brain, pair.scan, {});
  at::set_num_threads(3);
  const Registration three = register_spect(pair.anatomy, pair.brain, pair.scan, {});
  at::set_num_threads(before);
  EXPECT_EQ(one.fixed_to_moving, three.fixed_to_moving);
  EXPECT_EQ(one.fit_explained, three.fit_explained);
  EXPECT_LT(map_distance_mm(one.fixed_to_moving, pair.truth), 0.5);
  EXPECT_GT(one.fit_fwhm_mm, 8);
  EXPECT_FALSE(one.doubtful) << one.why;
}

TEST(RegistrationSpect, WhatCannotBeFittedStaysWhereItWas) {
  const SpectPair pair = spect_pair(5, 0.02);
  const Affine far = rigid_affine({}, {0, 0, 500});  // nothing of the scan lies about the brain
  const SpectFit fit = fit_spect(pair.anatomy, pair.brain, pair.scan, far);
  EXPECT_FALSE(fit.found);
  EXPECT_EQ(fit.fixed_to_moving, far);
  Volume flat = pair.scan;
  flat.voxels = torch::zeros_like(pair.scan.voxels);
  EXPECT_FALSE(fit_spect(pair.anatomy, pair.brain, flat, pair.truth).found);
  flat.voxels = torch::full_like(pair.scan.voxels, 3);
  const SpectFit even = fit_spect(pair.anatomy, pair.brain, flat, pair.truth);
  EXPECT_LT(map_distance_mm(even.fixed_to_moving, pair.truth), 1e-3);
}

TEST(RegistrationSpect, Refusals) {
  const SpectPair pair = spect_pair(6, 0.02);
  const auto fit = [&](const Volume& anatomy, const Volume& brain) {
    return fit_spect(anatomy, brain, pair.scan, pair.truth);
  };
  Volume none = pair.brain, flat = pair.anatomy;
  none.voxels = torch::zeros_like(pair.brain.voxels);
  flat.voxels = torch::full_like(pair.anatomy.voxels, 7);
  EXPECT_REFUSED(fit(pair.anatomy, none), "the brain mask is empty");
  EXPECT_REFUSED(fit(flat, pair.brain), "the anatomy is 7 all over the brain");
  EXPECT_REFUSED(fit(pair.anatomy, pair.scan), "the brain mask is not float32 on the fixed scan's");
  EXPECT_REFUSED(fit({}, pair.brain), "the fixed scan's voxels are not float32");
}

}  // namespace
}  // namespace scintigen
