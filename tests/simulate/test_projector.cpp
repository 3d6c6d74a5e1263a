// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "simulate/projector.h"
#include "simulate/scan_columns.h"
#include "simulate/scan_phantoms.h"

using namespace scintigen;

namespace {

constexpr double kPi = 3.14159265358979323846;

ProjectorGeometry geometry_of(int64_t side, int64_t slices, int64_t views, double pixel_mm) {
  ProjectorGeometry geometry;
  geometry.side = side;
  geometry.slices = slices;
  geometry.views = views;
  geometry.pixel_mm = pixel_mm;
  return geometry;
}

ProjectorGeometry lehr(ProjectorGeometry geometry, double orbit_radius_mm) {
  geometry.orbit_radius_mm = orbit_radius_mm;
  geometry.collimator_sigma_mm = 1.54;
  geometry.collimator_slope = 0.0162;
  return geometry;
}

std::vector<float> noise(size_t count, uint64_t index) {
  Random random(1, "projector test", index);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.uniform());
  return values;
}

std::vector<float> columns(const Volume& volume, double pixel_mm) {
  return columns_of(volume, "test", volume.voxels.size(2), volume.voxels.size(0), pixel_mm, 1e9);
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

std::vector<float> project(Projector& projector, const std::vector<float>& image) {
  std::vector<float> views(projector.projection_size());
  for (int64_t r = 0; r < projector.rotations(); ++r)
    projector.forward(image.data(), r, views.data());
  return views;
}

/// A view summed along the other direction.
std::vector<double> profile(const Projector& projector, const std::vector<float>& views,
                            int64_t view, bool across) {
  const int64_t side = projector.geometry().side, slices = projector.geometry().slices;
  std::vector<double> sums(static_cast<size_t>(across ? side : slices), 0.0);
  for (int64_t u = 0; u < side; ++u)
    for (int64_t z = 0; z < slices; ++z)
      sums[static_cast<size_t>(across ? u : z)] +=
          views[static_cast<size_t>((view * side + u) * slices + z)];
  return sums;
}

}  // namespace

TEST(FiveTap, HasTheVarianceAndTheFourthMomentOfAGaussian) {
  for (const double variance : {0.0, 0.01, 0.1, 1.0 / 3, 0.6, 1.0}) {
    const FiveTap tap(variance);
    EXPECT_NEAR(tap.centre + 2 * (tap.first + tap.second), 1, 1e-6);
    EXPECT_NEAR(2 * tap.first + 8 * tap.second, variance, 1e-6);
    EXPECT_NEAR(2 * tap.first + 32 * tap.second, 3 * variance * variance, 3e-6);
    EXPECT_GE(tap.second, -0.0084);
  }
}

TEST(FiveTap, SmoothingKeepsTheSumAndAddsTheVariance) {
  const int64_t side = 33, slices = 25;
  std::vector<float> image(static_cast<size_t>(side * side * slices), 0.0f);
  image[static_cast<size_t>((16 * side + 16) * slices + 12)] = 1;
  smooth_columns(image, side, slices, 2.5, 1.25);
  std::vector<double> along_x(static_cast<size_t>(side)), along_z(static_cast<size_t>(slices));
  for (int64_t y = 0; y < side; ++y)
    for (int64_t x = 0; x < side; ++x)
      for (int64_t z = 0; z < slices; ++z) {
        const double value = image[static_cast<size_t>((y * side + x) * slices + z)];
        along_x[static_cast<size_t>(x)] += value;
        along_z[static_cast<size_t>(z)] += value;
      }
  EXPECT_NEAR(sd_of(along_x), std::sqrt(2.5), 1e-4);
  EXPECT_NEAR(sd_of(along_z), std::sqrt(1.25), 1e-4);
  auto edge = noise(image.size(), 3);
  const double before = total_of(edge);
  smooth_columns(edge, side, slices, 4, 9);
  EXPECT_NEAR(total_of(edge) / before, 1, 1e-5);
}

// RTK's numbers: 7.46 mm at 10 cm. The source lies off the axis, so that the 90 views see it from
// 88 to 192 mm. Single views differ by the place of the source between voxels: bilinear turning
// widens by 0 to 1/4 voxel^2 instead of 1/6. Variances are exact; the width at half maximum is 1.5
// % short, since short steps make a Gaussian up to its fifth moment only.
TEST(Projector, PointSourceWidensLinearlyFrom7_46mmAt10cm) {
  const double pixel = 2, orbit = 140;
  Projector projector(lehr(geometry_of(128, 32, 90, pixel), orbit), Support::disc(128));
  std::vector<float> image(projector.image_size(), 0.0f);
  const int64_t x = 86, y = 76;
  image[static_cast<size_t>((y * 128 + x) * 32 + 16)] = 1;
  const auto views = project(projector, image);
  std::vector<double> distances, across, along, sds;
  for (int64_t view = 0; view < 90; ++view) {
    const double angle = 2 * kPi * static_cast<double>(view) / 90;
    const double depth = (-(x - 63.5) * std::sin(angle) + (y - 63.5) * std::cos(angle)) * pixel;
    const double expected = 2.35482 * (1.54 + 0.0162 * (orbit - depth));
    distances.push_back(orbit - depth);
    across.push_back(fwhm_of(profile(projector, views, view, true)) * pixel);
    along.push_back(fwhm_of(profile(projector, views, view, false)) * pixel);
    sds.push_back(sd_of(profile(projector, views, view, true)) * pixel);
    EXPECT_NEAR(across.back() / expected, 1, 0.06) << view;
    EXPECT_NEAR(along.back() / expected, 1, 0.02) << view;
  }
  const auto [across_zero, across_slope] = fitted_line(distances, across);
  const auto [along_zero, along_slope] = fitted_line(distances, along);
  const auto [sd_zero, sd_slope] = fitted_line(distances, sds);
  EXPECT_NEAR(across_zero + 100 * across_slope, 7.46, 0.15);
  EXPECT_NEAR(along_zero + 100 * along_slope, 7.46, 0.15);
  EXPECT_NEAR(2.35482 * (sd_zero + 100 * sd_slope), 7.46, 0.05);
  EXPECT_NEAR(across_slope, 2.35482 * 0.0162, 0.03 * 2.35482 * 0.0162);
  EXPECT_NEAR(along_slope, 2.35482 * 0.0162, 0.02 * 2.35482 * 0.0162);
  RecordProperty("across_mm_at_10cm", std::to_string(across_zero + 100 * across_slope));
  RecordProperty("along_mm_at_10cm", std::to_string(along_zero + 100 * along_slope));
  RecordProperty("sd_as_fwhm_mm_at_10cm", std::to_string(2.35482 * (sd_zero + 100 * sd_slope)));
  RecordProperty("along_slope", std::to_string(along_slope));
  RecordProperty("across_slope", std::to_string(across_slope));
}

TEST(Projector, BackIsTheAdjointOfForward) {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    for (const bool blurs : {false, true}) {
      for (const bool attenuates : {false, true}) {
        for (const auto& [views, full] : {std::pair{10, true}, {7, true}, {9, false}}) {
          auto geometry = geometry_of(24, 13, views, 4);
          geometry.full_turn = full;
          if (blurs) geometry = lehr(geometry, 60);
          auto image = noise(static_cast<size_t>(24 * 24 * 13), 4 * seed);
          Projector projector(geometry,
                              seed % 2 == 0
                                  ? Support::disc(24)
                                  : Support::of(columns(cylinder(24, 13, 4, 30, 1), 4), 24, 13));
          if (attenuates) {
            auto mu = noise(image.size(), 4 * seed + 1);
            for (float& value : mu) value *= 0.02f;
            projector.set_attenuation(mu);
          }
          const auto y = noise(projector.projection_size(), 4 * seed + 2);
          const auto forward = project(projector, image);
          std::vector<float> back(projector.image_size(), 0.0f);
          for (int64_t r = 0; r < projector.rotations(); ++r)
            projector.back(y.data(), r, back.data());
          const double left = dot(forward, y);
          EXPECT_GT(left, 0);
          EXPECT_NEAR(dot(image, back) / left, 1, 1e-5)
              << seed << blurs << attenuates << views << full;
          for (int64_t column = 0; column < 24 * 24; ++column)
            EXPECT_TRUE(projector.support().at(column / 24, column % 24) ||
                        back[static_cast<size_t>(column * 13)] == 0);
        }
      }
    }
  }
}

// Chord 2 sqrt(R^2 - u^2), attenuated (1 - exp(-mu chord)) / mu, at every angle.
TEST(Projector, UniformCylinderHasItsAnalyticProjections) {
  const double pixel = 2, radius = 80;
  const int64_t side = 128, slices = 3;
  const auto activity = columns(cylinder(side, slices, pixel, radius, 1), pixel);
  for (const double mu : {0.0, 0.0047, 0.015}) {
    Projector projector(geometry_of(side, slices, 24, pixel), Support::disc(side));
    projector.set_attenuation(columns(cylinder(side, slices, pixel, radius, mu), pixel));
    const auto views = project(projector, activity);
    double worst = 0;
    for (int64_t view = 0; view < 24; ++view) {
      for (int64_t u = 0; u < side; ++u) {
        const double offset = (static_cast<double>(u) - 63.5) * pixel;
        if (std::fabs(offset) > 0.9 * radius) continue;
        const double chord = 2 * std::sqrt(radius * radius - offset * offset);
        const double expected = mu > 0 ? (1 - std::exp(-mu * chord)) / mu : chord;
        const double found = pixel * views[static_cast<size_t>((view * side + u) * slices + 1)];
        worst = std::max(worst, std::fabs(found / expected - 1));
      }
    }
    EXPECT_LT(worst, 0.02) << mu;
    RecordProperty("worst_mu_" + std::to_string(mu), std::to_string(worst));
  }
}

TEST(Projector, OppositeViewsOfLinesAreMirrorImages) {
  Projector projector(geometry_of(20, 4, 8, 4), Support::disc(20));
  const auto views = project(projector, noise(projector.image_size(), 9));
  for (int64_t u = 0; u < 20; ++u)
    for (int64_t z = 0; z < 4; ++z)
      EXPECT_EQ(views[static_cast<size_t>((1 * 20 + u) * 4 + z)],
                views[static_cast<size_t>((5 * 20 + 19 - u) * 4 + z)]);
}

// The general path with no attenuation to speak of is the plain one; an odd number of views has no
// opposite ones.
TEST(Projector, PathsAgree) {
  const auto image = noise(static_cast<size_t>(20 * 20 * 4), 9);
  Projector plain(geometry_of(20, 4, 8, 4), Support::disc(20)),
      general(geometry_of(20, 4, 8, 4), Support::disc(20));
  general.set_attenuation(std::vector<float>(plain.image_size(), 1e-9f));
  const auto one = project(plain, image), other = project(general, image);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], other[i], 1e-4);

  const auto lossy = lehr(geometry_of(20, 4, 8, 4), 60);
  auto half = lossy;
  half.views = 4;
  half.full_turn = false;  // the same first four angles
  Projector pairs(lossy, Support::disc(20)), singles(half, Support::disc(20));
  auto mu = noise(image.size(), 5);
  for (float& value : mu) value *= 0.01f;
  pairs.set_attenuation(mu);
  singles.set_attenuation(mu);
  const auto all = project(pairs, image), first = project(singles, image);
  for (size_t i = 0; i < first.size(); ++i) ASSERT_EQ(all[i], first[i]);
}
