// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/mask_morphology.h"
#include "core/nifti.h"
#include "core/random.h"
#include "core/temporary_folder.h"
#include "imaging/brain_extraction.h"
#include "imaging/brain_judgement.h"
#include "simulate/colin.h"
#include "simulate/t1_scan.h"

namespace scintigen {
namespace {

template <class Call>
void expect_brain_refusal(Call call, const std::string& text) {
  try {
    call();
    FAIL() << "no refusal: " << text;
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
  }
}

/// Balls in balls: brain 100 to 70 mm, fluid, bone, scalp; the brain's edge is known.
Volume ball_head(const Grid& grid, double brain_mm = 68, double offset = 0,
                 const Point& centre = {4, -6, 3}) {
  Volume head = empty_volume(grid, "1");
  float* voxel = head.voxels.data_ptr<float>();
  Random random(1, "ball head", 0);
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i) {
        const Point p = transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
        const double r =
            std::hypot(p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]) - brain_mm;
        const double signal = r < -6   ? 100
                              : r < 0  ? 75
                              : r < 4  ? 25
                              : r < 9  ? 12
                              : r < 15 ? 130
                                       : 0;
        *voxel++ = static_cast<float>(
            offset + std::hypot(signal + 3 * random.normal(), 3 * random.normal()));
      }
  return head;
}

torch::Tensor ball_mask(const Grid& grid, double radius, const Point& centre = {4, -6, 3}) {
  auto mask = torch::zeros({grid.nk, grid.nj, grid.ni}, torch::kFloat);
  float* voxel = mask.data_ptr<float>();
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i) {
        const Point p = transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
        *voxel++ = std::hypot(p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]) < radius;
      }
  return mask;
}

/// A simulated person at `mm`, in a pose of his own.
T1Scan person_head(uint64_t seed, double mm, double bias = 0.1, double noise = 0.025) {
  const auto person = make_person(colin(), seed, 0, 50, seed % 2 == 0);
  T1Protocol protocol;
  protocol.bias = bias, protocol.noise = noise;
  const auto n = [&](double length) { return static_cast<int64_t>(std::lround(length / mm)); };
  return simulate_t1(colin(), person, centred_grid(n(240), n(240), n(180), mm, {-2, -3, 1}),
                     rigid_affine({0.1, -0.05, 0.08}, {3, -5, 4}), protocol,
                     Random(seed, "test", 0));
}

const T1Scan& one_head() {
  static const T1Scan scan = person_head(11, 2.5);
  return scan;
}

TEST(BrainSurface, FindsTheEdgeOfABallOnAnyGrid) {
  std::vector<Grid> grids = {centred_grid(100, 100, 100, 2.2),
                             centred_grid(100, 100, 100, 2.2, {-2, -3, 1})};
  grids.push_back(centred_grid(140, 140, 60, 1.6));
  for (size_t row = 0; row < 3; ++row) grids[2].voxel_to_world[row][2] *= 2.4;
  grids[2].voxel_to_world[2][3] *= 2.4;
  for (const Grid& grid : grids) {
    const auto found = extract_brain_surface(ball_head(grid));
    EXPECT_GT(dice(found.mask.voxels, ball_mask(grid, 68)), 0.97) << describe_grid(grid);
    EXPECT_FALSE(found.doubtful) << found.why;
    EXPECT_EQ(found.method, "surface");
    EXPECT_EQ(grid_of(found.mask), grid);
  }
}

TEST(BrainSurface, AnOffsetAndAScaleChangeNothing) {
  const Grid grid = centred_grid(100, 100, 100, 2.2);
  const auto plain = extract_brain_surface(ball_head(grid));
  Volume other = ball_head(grid);
  other.voxels.mul_(8).sub_(2000);
  EXPECT_GT(dice(extract_brain_surface(other).mask.voxels, plain.mask.voxels), 0.999);
}

TEST(BrainSurface, SimulatedHeadsBiasAndNoise) {
  for (const auto& [bias, noise] : {std::pair{0.3, 0.025}, {0.1, 0.075}}) {
    const auto scan = person_head(12, 2.5, bias, noise);
    const auto found = extract_brain_surface(scan.image);
    EXPECT_GT(dice(found.mask.voxels, scan.brain_mask.voxels), 0.945) << bias << " " << noise;
    EXPECT_FALSE(found.doubtful) << found.why;
  }
}

TEST(BrainSurface, TheSameForAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto one = extract_brain_surface(one_head().image);
  at::set_num_threads(3);
  const auto three = extract_brain_surface(one_head().image);
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(one.mask.voxels, three.mask.voxels));
}

TEST(BrainSurface, ACutBrainIsDoubtful) {
  const Volume& whole = one_head().image;  // the second stored axis runs from the head's top down
  Volume cut = whole;
  const int64_t gone = 28;
  cut.voxels = whole.voxels.narrow(1, gone, whole.voxels.size(1) - gone).contiguous();
  for (size_t row = 0; row < 3; ++row)
    cut.voxel_to_world[row][3] += double(gone) * whole.voxel_to_world[row][1];
  const auto found = extract_brain_surface(cut);
  EXPECT_TRUE(found.doubtful);
  EXPECT_NE(found.why.find("border cuts the brain"), std::string::npos) << found.why;
}

TEST(BrainSurface, WhatIsNoHeadIsRefusedOrDoubtful) {
  const Grid grid = centred_grid(90, 90, 90, 2);
  Volume scan = empty_volume(grid, "1");
  expect_brain_refusal([&] { extract_brain_surface(scan); }, "all voxels are 0; expected a head");
  scan.voxels.fill_(7);
  expect_brain_refusal([&] { extract_brain_surface(scan); }, "all voxels are 7; expected a head");
  scan.voxels[3][4][5] = std::numeric_limits<float>::quiet_NaN();
  expect_brain_refusal([&] { extract_brain_surface(scan); }, "not finite");
  scan.voxels.fill_(7)[3][4][5] = 8;
  expect_brain_refusal([&] { extract_brain_surface(scan); }, "96 % of the voxels are 7");
  scan.voxels = torch::rand({90, 90, 90}, at::detail::createCPUGenerator(3));
  EXPECT_TRUE(extract_brain_surface(scan).doubtful);
  expect_brain_refusal([&] { extract_brain_surface(empty_volume(centred_grid(90, 90, 8, 2), "")); },
                       "expected a whole head: at least 16 voxels and 80 to 512 mm");
  expect_brain_refusal(
      [&] { extract_brain_surface(empty_volume(centred_grid(90, 90, 90, 9), "")); },
      "expected a whole head");
  Volume flat = empty_volume(grid, "1");
  flat.voxels = flat.voxels[0];
  expect_brain_refusal([&] { extract_brain_surface(flat); }, "expected a float32 volume [D,H,W]");
}

TEST(BrainAtlas, ColinsBrainInAnotherPerson) {
  const auto colin_brain = load_brain_template();
  const auto found = extract_brain_atlas(one_head().image, colin_brain);
  EXPECT_EQ(found.method, "atlas");
  EXPECT_GT(dice(found.mask.voxels, one_head().brain_mask.voxels), 0.95);
  EXPECT_FALSE(found.doubtful) << found.why;
}

TEST(BrainAtlas, SurfaceAndAtlasCheckEachOther) {
  const auto colin_brain = load_brain_template();
  const auto found = extract_brain(one_head().image, BrainMethod::kAuto, colin_brain);
  EXPECT_EQ(found.method, "surface");
  EXPECT_GT(found.agreement, 0.96);
  EXPECT_FALSE(found.doubtful) << found.why;
}

TEST(BrainAtlas, WithoutATemplateTheSurfaceServes) {
  EXPECT_EQ(extract_brain(one_head().image).method, "surface");
  expect_brain_refusal([] { extract_brain(one_head().image, BrainMethod::kAtlas); },
                       "no template given; expected a head and its brain");
}

TEST(BrainTemplate, FilesThatDoNotFitAreRefused) {
  const TemporaryFolder folder;
  const Grid grid = centred_grid(80, 80, 80, 2.5);
  const auto put = [&](const std::string& name, Volume volume) {
    write_nifti(folder / name, volume, "made up");
    return folder / name;
  };
  Volume head = ball_head(grid), brain = empty_volume(grid, "1");
  const auto head_file = put("head.nii", head), empty_file = put("empty.nii", brain);
  brain.voxels = ball_mask(grid, 68);
  const auto brain_file = put("brain.nii", brain);
  const auto loaded = load_brain_template(head_file, brain_file);
  EXPECT_GT(dice(loaded.mask.voxels, brain.voxels), 0.99);
  brain.voxels = ball_mask(grid, 30);
  const auto small_file = put("small.nii", brain);
  const auto other_file = put("other.nii", empty_volume(centred_grid(80, 80, 79, 2.5), "1"));
  Volume stripped = head;
  stripped.voxels = head.voxels * ball_mask(grid, 68);
  const auto stripped_file = put("stripped.nii", stripped);
  expect_brain_refusal([&] { load_brain_template(head_file, empty_file); }, "no voxel above 0");
  expect_brain_refusal([&] { load_brain_template(head_file, head_file); },
                       "every voxel is above 0; expected a brain without skull");
  expect_brain_refusal([&] { load_brain_template(head_file, small_file); },
                       "expected a brain of 500 to 2400 ml");
  expect_brain_refusal([&] { load_brain_template(head_file, other_file); }, "other.nii");
  expect_brain_refusal([&] { load_brain_template(stripped_file, brain_file); },
                       "dark around the brain");
}

/// Gray and white matter, ventricles, faint scalp and two hot glands below.
Volume ball_emission(const Grid& grid, double noise) {
  const Point centre = {4, -6, 3};
  Volume scan = empty_volume(grid, "counts");
  float* voxel = scan.voxels.data_ptr<float>();
  Random random(2, "ball emission", 0);
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i) {
        const Point p = transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
        const double r = std::hypot(p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]);
        double uptake = r < 15 ? 5 : r < 50 ? 45 : r < 68 ? 100 : r < 76 ? 4 : r < 84 ? 18 : 0;
        for (const double side : {-40.0, 44.0})
          if (std::hypot(p[0] - side, p[1] - 30, p[2] + 84) < 12) uptake = 120;
        *voxel++ = static_cast<float>(std::max(0.0, uptake + noise * random.normal()));
      }
  const double sigma = 3.5 / spacing_mm(grid.voxel_to_world)[0];
  gaussian_blur(scan.voxels.data_ptr<float>(), grid.ni, grid.nj, grid.nk, {sigma, sigma, sigma});
  return scan;
}

TEST(BrainEmission, ScalpAndGlandsFallOffAndVentriclesAreFilled) {
  for (const double mm : {2.0, 4.0})
    for (const double noise : {0.0, 40.0}) {
      const auto n = static_cast<int64_t>(216 / mm);
      const Grid grid = centred_grid(n, n, n, mm, {-1, -2, 3});
      const auto found = extract_brain_emission(ball_emission(grid, noise));
      EXPECT_GT(dice(found.mask.voxels, ball_mask(grid, 68)), 0.93) << mm << " " << noise;
      EXPECT_FALSE(found.doubtful) << found.why;
      EXPECT_EQ(found.method, "threshold");
      EXPECT_TRUE(found.mask.voxels[n / 2][n / 2][n / 2].item<float>() == 1);
    }
}

TEST(BrainEmission, ScaleDoesNotMatterAndNonsenseIsRefused) {
  const Grid grid = centred_grid(54, 54, 54, 4);
  const Volume scan = ball_emission(grid, 10);
  Volume scaled = scan;
  scaled.voxels = scan.voxels * 1e-4;
  EXPECT_GT(
      dice(extract_brain_emission(scan).mask.voxels, extract_brain_emission(scaled).mask.voxels),
      0.9999);
  Volume bad = empty_volume(grid, "counts");
  expect_brain_refusal([&] { extract_brain_emission(bad); }, "nothing above 0; expected counts");
  bad.voxels[0][0][0] = INFINITY;
  expect_brain_refusal([&] { extract_brain_emission(bad); }, "not finite");
  bad.voxels = torch::full({54, 54, 54}, 3.0);
  EXPECT_TRUE(extract_brain_emission(bad).doubtful);
}

TEST(BrainExtractionSlow, PeopleOfOtherSeedsAtTwoMillimetres) {
  const auto colin_brain = load_brain_template();
  for (uint64_t seed = 300; seed < 306; ++seed) {
    const auto scan = person_head(seed, 2);
    const auto surface = extract_brain_surface(scan.image);
    const auto atlas = extract_brain_atlas(scan.image, colin_brain);
    for (const BrainMask& found : {surface, atlas}) {
      EXPECT_GT(dice(found.mask.voxels, scan.brain_mask.voxels), 0.95) << seed << found.method;
      EXPECT_FALSE(found.doubtful) << seed << found.why;
    }
  }
}

}  // namespace
}  // namespace scintigen
