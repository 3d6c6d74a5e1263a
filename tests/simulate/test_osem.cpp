// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "simulate/osem.h"
#include "simulate/poisson.h"
#include "simulate/scan_columns.h"
#include "simulate/scan_phantoms.h"

using namespace scintigen;

namespace {

constexpr int64_t kSide = 32, kSlices = 3;

ProjectorGeometry small_geometry() {
  ProjectorGeometry geometry;
  geometry.side = kSide;
  geometry.slices = kSlices;
  geometry.views = 48;
  geometry.pixel_mm = 4;
  return geometry;
}

/// A disc with a smooth hot and a smooth cold place.
std::vector<float> truth() {
  const Volume volume = phantom(kSide, kSlices, 4, [](double x, double y, double z) {
    const double body = 1 / (1 + std::exp((std::hypot(x, y) - 44) / 3));
    const double hot = std::exp(-(std::pow(x - 16, 2) + y * y + z * z) / 200),
                 cold = std::exp(-(std::pow(x + 16, 2) + y * y) / 200);
    return body * (1 + hot - 0.6 * cold);
  });
  return columns_of(volume, "truth", kSide, kSlices, 4, 1e9);
}

std::vector<float> project(Projector& projector, const std::vector<float>& image) {
  std::vector<float> views(projector.projection_size());
  for (int64_t r = 0; r < projector.rotations(); ++r)
    projector.forward(image.data(), r, views.data());
  return views;
}

/// Root mean square of the difference within 40 mm, relative to 1.
double error_of(const std::vector<float>& image, const std::vector<float>& expected) {
  double sum = 0;
  int64_t count = 0;
  for (int64_t y = 0; y < kSide; ++y) {
    for (int64_t x = 0; x < kSide; ++x) {
      if (4 * std::hypot(static_cast<double>(x) - 15.5, static_cast<double>(y) - 15.5) > 40)
        continue;
      for (int64_t z = 0; z < kSlices; ++z, ++count) {
        const auto at = static_cast<size_t>((y * kSide + x) * kSlices + z);
        sum += std::pow(image[at] - expected[at], 2);
      }
    }
  }
  return std::sqrt(sum / static_cast<double>(count));
}

std::string refusal(Projector& projector, const OsemData& data, int64_t subsets) {
  try {
    osem(projector, data, 1, subsets);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST(Osem, SubsetOrderIsAWellSpreadPermutation) {
  for (int64_t subsets = 1; subsets <= 64; ++subsets) {
    auto order = subset_order(subsets);
    if (subsets >= 8) {
      for (size_t i = 1; i < order.size(); ++i) {
        const int64_t gap = std::abs(order[i] - order[i - 1]);
        EXPECT_GE(std::min(gap, subsets - gap), subsets / 5) << subsets;
      }
    }
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < subsets; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
  }
}

// Blur and attenuation in data and model, a known background, lines with different factors.
TEST(Osem, NoiselessDataLeadToTheTruth) {
  auto geometry = small_geometry();
  geometry.orbit_radius_mm = 70;
  geometry.collimator_sigma_mm = 1.54;
  geometry.collimator_slope = 0.0162;
  for (const bool hard : {false, true}) {
    Projector projector(hard ? geometry : small_geometry(), Support::disc(kSide));
    const auto image = truth();
    if (hard) {
      auto mu = image;
      for (float& value : mu) value *= 0.01f;
      projector.set_attenuation(mu);
    }
    OsemData data;
    data.counts = project(projector, image);
    if (hard) {
      data.factor.resize(data.counts.size());
      data.background.resize(data.counts.size());
      for (size_t i = 0; i < data.counts.size(); ++i) {
        data.factor[i] = 0.5f + static_cast<float>(i % 7) / 7;
        data.background[i] = 2.0f + static_cast<float>(i % 5);
        data.counts[i] = data.factor[i] * data.counts[i] + data.background[i];
      }
    }
    double before = 1;
    for (const int64_t iterations : {1, 2, 4, 8, 16}) {
      const double error = error_of(osem(projector, data, iterations, 6), image);
      EXPECT_LT(error, before) << hard << iterations;
      before = error;
      RecordProperty((hard ? "hard_" : "plain_") + std::to_string(iterations),
                     std::to_string(error));
    }
    EXPECT_LT(before, 0.02) << hard;
  }
}

TEST(Osem, MlemRaisesTheLikelihoodAndKeepsTheCounts) {
  Projector projector(small_geometry(), Support::disc(kSide));
  OsemData data;
  Random random(4, "osem test");
  data.counts = project(projector, truth());
  for (float& count : data.counts) count = static_cast<float>(poisson_draw(count, random));
  const double total = total_of(data.counts);
  double before = -1e300;
  for (int64_t iterations = 1; iterations <= 6; ++iterations) {
    const auto expected = project(projector, osem(projector, data, iterations, 1));
    double likelihood = 0;
    for (size_t i = 0; i < expected.size(); ++i)
      likelihood +=
          (data.counts[i] > 0 ? data.counts[i] * std::log(std::max(expected[i], 1e-9f)) : 0.0) -
          expected[i];
    EXPECT_GT(likelihood, before) << iterations;
    before = likelihood;
    EXPECT_NEAR(total_of(expected) / total, 1, 2e-3) << iterations;
  }
}

// m subsets reach in one pass about what MLEM reaches in m.
TEST(Osem, SubsetsSpeedUp) {
  Projector projector(small_geometry(), Support::disc(kSide));
  OsemData data;
  const auto image = truth();
  data.counts = project(projector, image);
  const double mlem = error_of(osem(projector, data, 12, 1), image),
               subsets = error_of(osem(projector, data, 2, 6), image);
  EXPECT_NEAR(subsets / mlem, 1, 0.15);
}

TEST(Osem, ScaleOfTheDataIsTheScaleOfTheImage) {
  Projector projector(small_geometry(), Support::disc(kSide));
  OsemData data;
  data.counts = project(projector, truth());
  const auto one = osem(projector, data, 2, 4);
  for (float& count : data.counts) count *= 1024;
  const auto other = osem(projector, data, 2, 4);
  for (size_t i = 0; i < one.size(); ++i)
    ASSERT_NEAR(other[i], 1024 * one[i], 1e-2 + 1e-2 * one[i]);
}

TEST(Osem, NothingOutsideTheSupportAndNothingNegative) {
  const auto shape = truth();
  std::vector<float> only_body = shape;
  for (float& value : only_body) value = value > 0.5f ? 1.0f : 0.0f;
  Projector projector(small_geometry(), Support::of(only_body, kSide, kSlices));
  OsemData data;
  data.counts = std::vector<float>(projector.projection_size(), 3.0f);
  const auto image = osem(projector, data, 2, 4);
  for (size_t i = 0; i < image.size(); ++i) {
    const auto column = static_cast<int64_t>(i) / kSlices;
    EXPECT_GE(image[i], 0);
    EXPECT_TRUE(projector.support().at(column / kSide, column % kSide) || image[i] == 0);
  }
}

TEST(Osem, NoCountsGiveAnEmptyImage) {
  Projector projector(small_geometry(), Support::disc(kSide));
  OsemData data;
  data.counts.assign(projector.projection_size(), 0.0f);
  for (const float value : osem(projector, data, 2, 4)) ASSERT_LT(value, 1e-12f);
}

TEST(Osem, Refusals) {
  Projector projector(small_geometry(), Support::disc(kSide));
  OsemData data;
  data.counts.assign(projector.projection_size(), 1.0f);
  EXPECT_EQ(refusal(projector, data, 25),
            "OSEM: expected 1 to 24 subsets (opposite views count once), found 25");
  EXPECT_EQ(refusal(projector, data, 0),
            "OSEM: expected 1 to 24 subsets (opposite views count once), found 0");
  data.background.assign(3, 1.0f);
  EXPECT_EQ(refusal(projector, data, 1), "OSEM: expected 4608 values in the views, found 3");
  data.counts.clear();
  EXPECT_EQ(refusal(projector, data, 1), "OSEM: expected 4608 values in the views, found 0");
}
