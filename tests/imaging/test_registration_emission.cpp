// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/temporary_folder.h"
#include "imaging/anatomy_model.h"
#include "imaging/head_phantom.h"
#include "imaging/registration_emission.h"

namespace scintigen {
namespace {

struct EmissionPair {
  Volume anatomy, brain, scan;
  Affine truth;
};

/// The phantom's head as T1 of 2 mm with its brain, and as SPECT of 4 mm with a blur of 10.6 mm.
EmissionPair emission_pair(uint64_t seed, double noise) {
  EmissionPair pair;
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

TEST(RegistrationEmission, MapsAddUpInsideTheBrain) {
  const EmissionPair pair = emission_pair(1, 0);
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

TEST(RegistrationEmission, SlopesOfTheModel) {
  const EmissionPair pair = emission_pair(1, 0);
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

TEST(RegistrationEmission, TheLastMillimetre) {
  for (double noise : {0.0, 0.2}) {
    const EmissionPair pair = emission_pair(2, noise);
    const EmissionFit fit =
        fit_emission(pair.anatomy, pair.brain, pair.scan, beside(pair.truth), Emission::kSpect);
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

TEST(RegistrationEmission, HalfWay) {
  for (uint64_t seed = 1; seed < 30; ++seed) {
    const Affine a = drawn_motion(seed), b = compose(drawn_motion(seed + 100), a);
    const Affine step = compose(inverse(a), half_way(a, b));
    EXPECT_LT(map_distance_mm(compose(a, compose(step, step)), b), 1e-9);
    EXPECT_NEAR(determinant(step), 1, 1e-12);
    EXPECT_LT(map_distance_mm(half_way(b, a), half_way(a, b)), 1e-9);
  }
  const Affine a = drawn_motion(3);
  EXPECT_LT(map_distance_mm(half_way(a, a), a), 1e-12);
}

// A PET of 2 mm is nearer with both than with mutual information alone.
TEST(RegistrationEmission, PetLiesHalfWay) {
  EmissionPair pair = emission_pair(2, 0);
  pair.scan = head_phantom(centred_grid(110, 120, 100, 2, {-1, -2, 3}), pair.truth,
                           PhantomScan::kUptake, {true, 0.1, 2.6, 1002});
  const Registration alone = register_volumes(pair.anatomy, pair.scan, {});
  const Registration both =
      register_emission(pair.anatomy, pair.brain, pair.scan, Emission::kPet, {});
  const EmissionFit fit =
      fit_emission(pair.anatomy, pair.brain, pair.scan, alone.fixed_to_moving, Emission::kPet);
  EXPECT_EQ(both.fixed_to_moving, half_way(alone.fixed_to_moving, fit.fixed_to_moving));
  EXPECT_LT(map_distance_mm(both.fixed_to_moving, pair.truth), 0.3);
  EXPECT_NEAR(fit.fwhm_mm, 6, 1);
}

TEST(RegistrationEmission, ALesionWeighsLittle) {
  EmissionPair pair = emission_pair(3, 0.02);
  const Grid grid = grid_of(pair.scan);
  const Affine to_head = compose(inverse(pair.truth), grid.voxel_to_world);
  auto* value = pair.scan.voxels.data_ptr<float>();
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i, ++value) {
        const Point p = transform_point(to_head, {double(i), double(j), double(k)});
        if (depth_in(p, {45, 20, 40}, {28, 28, 28}) > 0) *value *= 0.2F;  // a large cold infarct
      }
  const EmissionFit fit =
      fit_emission(pair.anatomy, pair.brain, pair.scan, beside(pair.truth), Emission::kSpect);
  EXPECT_LT(map_distance_mm(fit.fixed_to_moving, pair.truth), 0.6);
}

TEST(RegistrationEmission, ThreadsChangeNothing) {
  const EmissionPair pair = emission_pair(4, 0.05);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Registration one =
      register_emission(pair.anatomy, pair.brain, pair.scan, Emission::kSpect, {});
  at::set_num_threads(3);
  const Registration three =
      register_emission(pair.anatomy, pair.brain, pair.scan, Emission::kSpect, {});
  at::set_num_threads(before);
  EXPECT_EQ(one.fixed_to_moving, three.fixed_to_moving);
  EXPECT_EQ(one.fit_explained, three.fit_explained);
  EXPECT_LT(map_distance_mm(one.fixed_to_moving, pair.truth), 0.5);
  EXPECT_GT(one.fit_fwhm_mm, 8);
  EXPECT_FALSE(one.doubtful) << one.why;
}

TEST(RegistrationEmission, WhatCannotBeFittedStaysWhereItWas) {
  const EmissionPair pair = emission_pair(5, 0.02);
  const Affine far = rigid_affine({}, {0, 0, 500});  // nothing of the scan lies about the brain
  const EmissionFit fit = fit_emission(pair.anatomy, pair.brain, pair.scan, far, Emission::kSpect);
  EXPECT_FALSE(fit.found);
  EXPECT_EQ(fit.fixed_to_moving, far);
  Volume flat = pair.scan;
  flat.voxels = torch::zeros_like(pair.scan.voxels);
  EXPECT_FALSE(fit_emission(pair.anatomy, pair.brain, flat, pair.truth, Emission::kSpect).found);
  flat.voxels = torch::full_like(pair.scan.voxels, 3);
  const EmissionFit even =
      fit_emission(pair.anatomy, pair.brain, flat, pair.truth, Emission::kSpect);
  EXPECT_LT(map_distance_mm(even.fixed_to_moving, pair.truth), 1e-3);
}

TEST(RegistrationEmission, Refusals) {
  const EmissionPair pair = emission_pair(6, 0.02);
  const auto fit = [&](const Volume& anatomy, const Volume& brain) {
    return fit_emission(anatomy, brain, pair.scan, pair.truth, Emission::kSpect);
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
