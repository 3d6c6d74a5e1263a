// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/grid.h"
#include "core/temporary_folder.h"
#include "detection/siscom.h"

namespace scintigen {
namespace {

constexpr double kRadius = 16.5;  // a focus of 3.3 cm
const Point kFocus = {-24, 20, 6};

/// A brain of 2 mm voxels, 3 mm noise in both scans, and a focus in the ictal one.
struct Pair {
  Volume ictal = empty_volume(centred_grid(64, 76, 60, 2), "counts"), interictal = ictal;
  torch::Tensor mask, focus;

  Pair(double contrast, double noise, double gain = 1, uint64_t seed = 1) {
    interictal.voxels = ictal.voxels.clone();
    mask = torch::zeros(ictal.voxels.sizes());
    focus = torch::zeros(ictal.voxels.sizes());
    auto m = mask.accessor<float, 3>(), f = focus.accessor<float, 3>();
    for (int64_t k = 0; k < m.size(0); ++k)
      for (int64_t j = 0; j < m.size(1); ++j)
        for (int64_t i = 0; i < m.size(2); ++i) {
          const Point at = transform_point(ictal.voxel_to_world, {double(i), double(j), double(k)});
          m[k][j][i] = std::hypot(at[0] / 58, at[1] / 70, at[2] / 54) < 1 ? 1 : 0;
          f[k][j][i] =
              std::hypot(at[0] - kFocus[0], at[1] - kFocus[1], at[2] - kFocus[2]) <= kRadius;
        }
    const auto generator = at::detail::createCPUGenerator(seed);
    const auto uptake = mask * (60 + 20 * torch::rand(mask.sizes(), generator));
    const auto noisy = [&](const torch::Tensor& scan) {
      auto error = torch::randn(scan.sizes(), generator).contiguous();
      gaussian_blur(error.data_ptr<float>(), 64, 76, 60, {1.5, 1.5, 1.5});
      return (scan * (1 + noise * error / error.std()).clamp_min(0)).contiguous();
    };
    ictal.voxels = noisy(uptake * (1 + (contrast - 1) * focus)) * gain;
    interictal.voxels = noisy(uptake);
  }
};

Clusters clusters_of(const Pair& pair, const torch::Tensor& z,
                     Direction direction = Direction::kAbove) {
  Volume map = pair.ictal;
  map.voxels = z;
  return find_clusters(map, {direction, direction == Direction::kAbove ? 2.0 : -2.0, 1}, pair.mask);
}

TEST(Siscom, APlantedSphereIsFoundAtItsPlaceInMlAndMm) {
  for (const double contrast : {1.25, 1.55, 1.7})
    for (const auto scaling : {CountScaling::kMean, CountScaling::kRobust}) {
      const Pair pair(contrast, 0.03);
      const auto made = subtract(pair.ictal.voxels, pair.interictal.voxels, pair.mask, scaling);
      const auto found = clusters_of(pair, made.z).found;
      ASSERT_FALSE(found.empty()) << contrast;
      const auto& top = found.front();
      for (size_t axis = 0; axis < 3; ++axis)
        EXPECT_NEAR(top.centre_mm[axis], kFocus[axis], 1) << contrast;
      EXPECT_NEAR(top.volume_ml, 4.0 / 3 * M_PI * std::pow(kRadius / 10, 3), 0.1 * top.volume_ml)
          << contrast;
      EXPECT_GT(top.mean, 2);
    }
}

TEST(Siscom, TheDifferenceIsInPercentOfTheMean) {
  Pair pair(1, 0);  // equal but for 10 % more in the focus
  pair.ictal.voxels = pair.mask * 50;
  pair.interictal.voxels = pair.mask * 50;
  pair.ictal.voxels = pair.ictal.voxels + 5 * pair.focus;
  const auto robust =
      subtract(pair.ictal.voxels, pair.interictal.voxels, pair.mask, CountScaling::kRobust);
  const double part = pair.focus.sum().item<double>() / pair.mask.sum().item<double>();
  EXPECT_NEAR(robust.factors.interictal_factor, 1, 1e-9);  // the focus weighs nothing
  EXPECT_NEAR(robust.factors.ictal_mean, 50 + 5 * part, 1e-3);
  const double step = 100 * 5 / (50 + 5 * part);
  EXPECT_NEAR(robust.difference.max().item<double>(), step, 1e-3);
  EXPECT_NEAR(robust.sd, step * std::sqrt(part * (1 - part)), 1e-3);  // of two values
  EXPECT_NEAR(robust.mean, step * part, 1e-3);
  // With equal global means the rest of the brain pays for the focus.
  const auto mean =
      subtract(pair.ictal.voxels, pair.interictal.voxels, pair.mask, CountScaling::kMean);
  EXPECT_NEAR(mean.mean, 0, 1e-4);
  EXPECT_NEAR(mean.factors.interictal_factor, 1 + 0.1 * part, 1e-6);
  // A reference region away from the focus does not.
  const auto reference = pair.mask * (1 - pair.focus);
  EXPECT_NEAR(subtract(pair.ictal.voxels, pair.interictal.voxels, pair.mask,
                       CountScaling::kReference, reference)
                  .factors.interictal_factor,
              1, 1e-9);
}

TEST(Siscom, AGainChangesNothingAndExchangeTurnsTheSign) {
  const Pair pair(1.5, 0.04), louder(1.5, 0.04, 37.5);
  for (const auto scaling :
       {CountScaling::kMean, CountScaling::kReference, CountScaling::kRobust}) {
    const auto reference = pair.mask * (1 - pair.focus);
    const auto z =
        subtract(pair.ictal.voxels, pair.interictal.voxels, pair.mask, scaling, reference).z;
    const auto louder_z =
        subtract(louder.ictal.voxels, pair.interictal.voxels, pair.mask, scaling, reference).z;
    EXPECT_TRUE(torch::allclose(z, louder_z, 1e-4, 1e-4)) << int(scaling);
    const auto swapped =
        subtract(pair.interictal.voxels, pair.ictal.voxels, pair.mask, scaling, reference).z;
    EXPECT_TRUE(torch::allclose(z, -swapped, 1e-4, 1e-4)) << int(scaling);
    const auto above = clusters_of(pair, z), below = clusters_of(pair, swapped, Direction::kBelow);
    ASSERT_FALSE(above.found.empty());
    EXPECT_NEAR(above.found[0].peak, -below.found[0].peak, 1e-3);
    EXPECT_EQ(above.found[0].peak_mm, below.found[0].peak_mm);
  }
}

TEST(Siscom, EqualScansGiveZeroAndNoClusters) {
  const Pair pair(1, 0.05);
  for (const auto scaling : {CountScaling::kMean, CountScaling::kRobust}) {
    const auto made = subtract(pair.ictal.voxels * 3.7, pair.ictal.voxels, pair.mask, scaling);
    EXPECT_TRUE(made.same);
    EXPECT_TRUE(torch::equal(made.z, torch::zeros_like(made.z)));
    EXPECT_TRUE(clusters_of(pair, made.z).found.empty());
  }
}

TEST(Siscom, NoiseAloneLeavesTheTailsOfANormalDistribution) {
  const Pair pair(1, 0.05);
  const auto made =
      subtract(pair.ictal.voxels, pair.interictal.voxels, pair.mask, CountScaling::kMean);
  const auto inside = made.z.masked_select(pair.mask.ne(0));
  const double above = inside.ge(2).to(torch::kDouble).mean().item<double>();
  EXPECT_NEAR(above, 0.0228, 0.006);  // P(z >= 2); uptake varies, so the tails are a little heavier
  EXPECT_EQ(made.z.masked_select(pair.mask.eq(0)).abs().max().item<float>(), 0);
}

TEST(Siscom, FactorsMakeTheSameDifferenceElsewhere) {
  const Pair pair(1.4, 0.03);
  const auto made =
      subtract(pair.ictal.voxels, pair.interictal.voxels, pair.mask, CountScaling::kRobust);
  const auto again =
      difference_in_percent(pair.ictal.voxels, pair.interictal.voxels, made.factors) * pair.mask;
  EXPECT_TRUE(torch::allclose(made.difference, again, 1e-5, 1e-5));
}

TEST(Siscom, NormalDifferencesGiveT) {
  const auto difference = torch::tensor({4.0F, 4.0F, 4.0F, -2.0F}).view({1, 1, 4});
  NormalDifferences normal;
  normal.sd = torch::tensor({2.0F, 1.0F, 0.0F, NAN}).view({1, 1, 4});
  auto t = against_normal(difference, normal);
  EXPECT_TRUE(torch::equal(t, torch::tensor({2.0F, 4.0F, 0.0F, 0.0F}).view({1, 1, 4})));
  normal.mean = torch::tensor({1.0F, 1.0F, 1.0F, 1.0F}).view({1, 1, 4});
  normal.people = 15;
  t = against_normal(difference, normal);
  EXPECT_NEAR(t[0][0][0].item<float>(), 3 / (2 * std::sqrt(1 + 1.0 / 15)), 1e-6);
  normal.people = 1;
  EXPECT_REFUSED(against_normal(difference, normal), "1 person have no SD");
}

TEST(Siscom, AgreementOfTwoMaps) {
  Volume map = empty_volume(centred_grid(10, 1, 1, 2), "1");
  const auto mask = torch::ones({1, 1, 10});
  const auto a =
      torch::tensor({0.F, 3.F, 3.F, 0.F, 0.F, -3.F, 0.F, 0.F, 0.F, 1.F}).view({1, 1, 10});
  const auto b = torch::tensor({0.F, 0.F, 3.F, 4.F, 0.F, 0.F, 0.F, 0.F, 0.F, 1.F}).view({1, 1, 10});
  const ClusterRule rule{Direction::kAbove, 2, 0};
  const auto clusters = [&](const torch::Tensor& z) {
    map.voxels = z;
    return find_clusters(map, rule);
  };
  const auto both = agreement_of(a, clusters(a), b, clusters(b), mask);
  // sums 4 and 8, squares 28 and 26, product 10 over 10 voxels
  EXPECT_NEAR(both.correlation, (10 - 3.2) / std::sqrt((28 - 1.6) * (26 - 6.4)), 1e-12);
  EXPECT_DOUBLE_EQ(*both.dice_above, 0.5);
  EXPECT_DOUBLE_EQ(*both.dice_below, 0);
  EXPECT_DOUBLE_EQ(*both.top_overlap, 0.5);
  EXPECT_DOUBLE_EQ(*both.peaks_apart_mm, 4);
  EXPECT_DOUBLE_EQ(*both.centres_apart_mm, 2);
  const auto same = agreement_of(a, clusters(a), a, clusters(a), mask);
  EXPECT_NEAR(same.correlation, 1, 1e-12);
  EXPECT_DOUBLE_EQ(*same.top_overlap, 1);
  const auto none = torch::zeros_like(a);
  const auto empty = agreement_of(none, clusters(none), none, clusters(none), mask);
  EXPECT_FALSE(empty.dice_above || empty.dice_below || empty.peaks_apart_mm || empty.top_overlap);
}

TEST(Siscom, Refusals) {
  Pair pair(1.5, 0.03);
  const auto& ictal = pair.ictal.voxels;
  const auto& interictal = pair.interictal.voxels;
  const auto call = [&](const torch::Tensor& mask, CountScaling scaling,
                        const torch::Tensor& reference = {}) {
    return subtract(ictal, interictal, mask, scaling, reference);
  };
  EXPECT_REFUSED(call(torch::ones({2, 2, 2}), CountScaling::kMean), "not on one grid");
  EXPECT_REFUSED(call(torch::zeros_like(ictal), CountScaling::kMean),
                 "the brain mask has 0 voxels; expected 100");
  EXPECT_REFUSED(call(pair.mask, CountScaling::kReference), "not on one grid");
  EXPECT_REFUSED(call(pair.mask, CountScaling::kReference, torch::zeros_like(ictal)),
                 "the reference region holds no voxel");
  EXPECT_REFUSED(subtract(ictal, -interictal, pair.mask, CountScaling::kMean),
                 "expected counts above 0");
  EXPECT_REFUSED(subtract(ictal, interictal * pair.focus, pair.mask, CountScaling::kRobust),
                 "half of the brain has no counts");
  auto broken = ictal.clone();
  broken[30][38][32] = NAN;
  EXPECT_REFUSED(subtract(broken, interictal, pair.mask, CountScaling::kMean),
                 "values in the brain that are not finite");
  EXPECT_REFUSED(subtract(ictal.to(torch::kDouble), interictal, pair.mask, CountScaling::kMean),
                 "the ictal scan is not float32");
}

}  // namespace
}  // namespace scintigen
