// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulate/colin.h"
#include "simulate/person.h"
#include "simulate/t1_scan.h"

namespace scintigen {
namespace {

TEST(Affine, InverseAndRigidMapsAreWhatTheySay) {
  const Affine a = rigid_affine({0.3, -0.2, 0.5}, {4, -5, 6});
  EXPECT_NEAR(determinant(a), 1, 1e-12);
  const Affine b = compose(inverse(a), a);
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j) EXPECT_NEAR(b[i][j], i == j, 1e-12);
  const Point turned = transform_point(rigid_affine({0, 0, std::acos(0.0)}, {0, 0, 0}), {1, 0, 0});
  EXPECT_NEAR(turned[0], 0, 1e-12);
  EXPECT_NEAR(turned[1], 1, 1e-12);
}

TEST(CoarseField, NoiseHasUnitVarianceAtItsEdgesToo) {
  double edge = 0, middle = 0;
  constexpr int kSeeds = 60;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const auto field = CoarseField::smooth_noise(1, 12, Random(uint64_t(seed), "field"));
    const auto& n = field.shape();
    for (int64_t k = 0; k < n[2]; k += 12) {
      edge += std::pow(field.component(0)[k * n[0] * n[1]], 2) / kSeeds / 6;
      middle +=
          std::pow(field.component(0)[n[0] / 2 + n[0] * (n[1] / 2 + n[1] * k)], 2) / kSeeds / 6;
    }
  }
  EXPECT_NEAR(edge, 1, 0.25);  // 360 nearly independent squares: SD about 0.08
  EXPECT_NEAR(middle, 1, 0.25);
}

/// Points of the head's box, 12 mm apart.
template <class Visit>
void over_head(Visit visit) {
  for (double z = -70; z <= 100; z += 12)
    for (double y = -115; y <= 90; y += 12)
      for (double x = -80; x <= 80; x += 12) visit(Point{x, y, z});
}

TEST(Person, DeformationIsInvertibleAndKeepsItsSense) {
  for (int64_t index = 0; index < 6; ++index) {
    const auto person = make_person(colin(), 5, index, index % 2 ? 90 : 30, false);
    double worst = 0, least = 10;
    over_head([&](const Point& p) {
      const Point back = person.from_template(person.to_template(p));
      for (size_t axis = 0; axis < 3; ++axis)
        worst = std::max(worst, std::abs(back[axis] - p[axis]));
    });
    for (int64_t p = 0; p < person.displacement.points(); ++p)
      least = std::min(least, jacobian(person.displacement, person.displacement.point(p)));
    EXPECT_LT(worst, 0.002) << "mm, person " << index;
    EXPECT_GT(least, 0) << "person " << index;
  }
}

TEST(Person, FlowsThereAndBackCancel) {
  auto velocity = CoarseField::smooth_noise(3, 22, Random(4, "velocity")), back = velocity;
  for (int64_t p = 0; p < 3 * velocity.points(); ++p) {
    velocity.component(0)[p] *= 3;
    back.component(0)[p] *= -3;
  }
  const auto forth = flow_displacement(velocity);
  back = flow_displacement(back);
  double worst = 0;
  over_head([&](const Point& p) {
    float d[3], e[3];
    back.read(p, d);
    forth.read({p[0] + d[0], p[1] + d[1], p[2] + d[2]}, e);
    for (int c = 0; c < 3; ++c) worst = std::max(worst, std::abs(double(d[c]) + e[c]));
  });
  EXPECT_LT(worst,
            0.25);  // mm, of motions of several; linear interpolation on 4 mm is what is left
}

TEST(Person, TheSameSeedMakesTheSamePerson) {
  const auto a = make_person(colin(), 5, 2, 50, true), b = make_person(colin(), 5, 2, 50, true),
             c = make_person(colin(), 6, 2, 50, true);
  EXPECT_EQ(a.to_template({20, -30, 40}), b.to_template({20, -30, 40}));
  EXPECT_NE(a.to_template({20, -30, 40}), c.to_template({20, -30, 40}));
}

TEST(Person, VentriclesAndSulciWidenWithAge) {
  const Grid grid = centred_grid(48, 56, 48, 4);
  const Affine middle = rigid_affine({}, {0, -18, 8});
  double inner[2] = {}, outer[2] = {}, gray[2] = {};
  for (int64_t index = 0; index < 4; ++index)
    for (int old = 0; old < 2; ++old) {
      const auto person = make_person(colin(), 5, index, old ? 85 : 25, false);
      const auto maps = sample_head(colin(), person, grid, middle);
      for (size_t v = 0; v < maps.voxels(); ++v) {
        if (maps.region[v] == 0) continue;
        const auto& q = maps.template_point[v];
        const bool ventricles =
            std::abs(q[0]) < 30 && q[1] > -50 && q[1] < 35 && q[2] > -5 && q[2] < 30;
        (ventricles ? inner : outer)[old] += maps.csf[v];
        gray[old] += maps.gray[v];
      }
    }
  EXPECT_GT(inner[1], 1.2 * inner[0]);
  EXPECT_GT(outer[1], 1.1 * outer[0]);
  EXPECT_LT(gray[1], gray[0]);
}

TEST(T1Scan, HasNoiseMaskAndBiasAsAsked) {
  const auto person = make_person(colin(), 5, 0, 40, false);
  const Grid grid = centred_grid(88, 92, 60, 2.5, {-2, -3, 1});
  const Affine middle = rigid_affine({}, {0, -18, 8});
  T1Protocol plain;
  plain.bias = 0;
  const auto scan = simulate_t1(colin(), person, grid, middle, plain, Random(1, "t1"));
  const auto image = scan.image.voxels, mask = scan.brain_mask.voxels;
  EXPECT_TRUE(image.equal(image.round()));
  // Air: the magnitude of two channels of SD 25 has mean 25 sqrt(pi / 2), second moment 2 * 25^2.
  const auto corner = image.slice(0, 0, 8).slice(1, 0, 8).slice(2, 0, 8);
  EXPECT_NEAR(corner.pow(2).mean().item<double>(), 2 * 25 * 25, 160);  // 512 values: SD 55
  const double millilitres = mask.sum().item<double>() * std::pow(2.5, 3) / 1e3;
  EXPECT_GT(millilitres, 1300);
  EXPECT_LT(millilitres, 2100);
  // White matter is as bright as the template's, with noise that hardly shows at this signal.
  const auto maps = sample_head(colin(), person, grid, middle);
  double sum = 0, count = 0, expected = 0;
  for (size_t v = 0; v < maps.voxels(); ++v)
    if (maps.white[v] > 0.99F)
      sum += image.data_ptr<float>()[v], expected += 1000 * maps.t1[v], count += 1;
  EXPECT_NEAR(sum / count, expected / count, 2);
  T1Protocol shaded;
  shaded.bias = 0.2;
  const auto other =
      simulate_t1(colin(), person, grid, middle, shaded, Random(1, "t1")).image.voxels;
  double log_sum = 0, log_squares = 0;
  for (size_t v = 0; v < maps.voxels(); ++v)
    if (maps.white[v] > 0.99F) {
      const double ratio = std::log(other.data_ptr<float>()[v] / image.data_ptr<float>()[v]);
      log_sum += ratio / count, log_squares += ratio * ratio / count;
    }
  const double spread = std::sqrt(log_squares - log_sum * log_sum);
  EXPECT_GT(spread, 0.07);  // one smooth field of SD 0.2: its spread within one head is less
  EXPECT_LT(spread, 0.4);
}

}  // namespace
}  // namespace scintigen
