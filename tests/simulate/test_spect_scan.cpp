// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "core/error.h"
#include "simulate/scan_columns.h"
#include "simulate/scan_phantoms.h"
#include "simulate/spect_scan.h"

using namespace scintigen;

namespace {

constexpr double kMu = 0.0147;  // water at 159 keV, 1/mm

SpectProtocol few_slices(int64_t slices = 4) {
  SpectProtocol protocol;
  protocol.slices = slices;
  protocol.resolution_model = false;  // cylinders are compared with what is known without it
  return protocol;
}

Volume fine_cylinder(const SpectProtocol& protocol, double radius_mm, double value) {
  return cylinder(2 * protocol.matrix, 2 * protocol.slices, protocol.pixel_mm / 2, radius_mm,
                  value);
}

/// Means over rings of a pixel's width about the axis, middle slices.
std::vector<double> radial_profile(const Volume& image) {
  const int64_t side = image.voxels.size(2), slices = image.voxels.size(0);
  std::vector<double> sums(static_cast<size_t>(side), 0.0), counts(sums);
  const auto voxels = image.voxels.accessor<float, 3>();
  const double centre = 0.5 * static_cast<double>(side - 1);
  for (int64_t k = slices / 4; k < slices - slices / 4; ++k)
    for (int64_t j = 0; j < side; ++j)
      for (int64_t i = 0; i < side; ++i) {
        const auto ring = static_cast<size_t>(
            std::hypot(static_cast<double>(i) - centre, static_cast<double>(j) - centre));
        if (ring >= sums.size()) continue;
        sums[ring] += voxels[k][j][i];
        ++counts[ring];
      }
  for (size_t ring = 0; ring < sums.size(); ++ring) sums[ring] /= std::max(counts[ring], 1.0);
  return sums;
}

double chord(double radius, double offset) {
  return 2 * std::sqrt(std::max(radius * radius - offset * offset, 0.0));
}

/// Part of a uniform cylinder's photons that leave it: mean of (1 - exp(-mu chord)) / (mu chord).
double transmitted(double radius, double mu) {
  double out = 0, all = 0;
  for (double u = 0.05; u < radius; u += 0.1) {
    out += (1 - std::exp(-mu * chord(radius, u))) / mu;
    all += chord(radius, u);
  }
  return out / all;
}

/// What a reconstruction without attenuation correction shows at `r`: the projections
/// p(u) = (1 - exp(-mu chord(u))) / mu are those of one rotationally symmetric object, which is
/// their inverse Abel transform -1/pi integral_r^R p'(u) / sqrt(u^2 - r^2) du. With
/// u^2 = r^2 + (R^2 - r^2) sin^2 t, the integrand has no poles.
double uncorrected(double radius, double mu, double r) {
  constexpr int64_t steps = 2000;
  const double half_pi = 1.57079632679489661923, width = radius * radius - r * r;
  double sum = 0;
  for (int64_t step = 0; step < steps; ++step) {
    const double t = (static_cast<double>(step) + 0.5) / steps * half_pi;
    sum += std::exp(-2 * mu * std::sqrt(width) * std::cos(t));
  }
  return sum / steps;  // (2/pi) times the integral over t
}

std::string refusal(const Volume& activity, const Volume& attenuation, const Volume& assumed,
                    const SpectProtocol& protocol) {
  try {
    simulate_spect(activity, attenuation, assumed, protocol, Random(1, "scan"));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// A small scan of two ellipsoids, quick enough to repeat.
struct SmallScan {
  SpectProtocol protocol;
  Volume activity, attenuation;
  SmallScan() {
    protocol.matrix = 24;
    protocol.slices = 8;
    protocol.views = 24;
    protocol.subsets = 6;
    protocol.iterations = 2;
    protocol.counts = 50000;
    protocol.orbit_radius_mm = 80;
    const auto body = [](double x, double y, double) { return std::hypot(x / 40, y / 30) <= 1; };
    activity = phantom(48, 16, 2, [&](double x, double y, double z) {
      return body(x, y, z) ? 1.0 + (std::hypot(x - 15, y) < 8 ? 2.0 : 0.0) : 0.0;
    });
    attenuation =
        phantom(48, 16, 2, [&](double x, double y, double z) { return body(x, y, z) ? kMu : 0.0; });
  }
  SpectScan scan(uint64_t seed) const {
    return simulate_spect(activity, attenuation, attenuation, protocol, Random(seed, "scan"));
  }
};

}  // namespace

// On 2 mm detector pixels: a source on the axis with the collimator's face at each distance. Pixels
// of 2 mm and a voxel of 1 mm add their own widths to 7.46 mm: 7.55 mm as a Gaussian's.
TEST(SpectScan, PointSourceInAirMeasures7_5mmAt10cmAndGrowsLinearly) {
  SpectProtocol protocol;
  protocol.views = 12;
  protocol.subsets = 2;
  protocol.slices = 16;
  protocol.pixel_mm = 2;
  Volume activity = phantom(128, 32, 1, [](double, double, double) { return 0.0; });
  activity.voxels[16][64][64] = 1;  // half a millimetre off the axis
  const Volume air{torch::zeros_like(activity.voxels), activity.voxel_to_world, "1/mm"};
  std::vector<double> distances, widths;
  for (const double distance_mm : {60.0, 100.0, 140.0, 180.0}) {
    protocol.orbit_radius_mm = distance_mm;
    const auto expected = expect_spect(activity, air, protocol);
    std::vector<double> profile(64, 0.0);
    double width = 0;
    for (int64_t view = 0; view < protocol.views; ++view) {
      std::fill(profile.begin(), profile.end(), 0.0);
      for (int64_t u = 0; u < 64; ++u)
        for (int64_t z = 0; z < 16; ++z)
          profile[static_cast<size_t>(u)] +=
              expected.primary[static_cast<size_t>((view * 64 + u) * 16 + z)];
      width += fwhm_of(profile) * protocol.pixel_mm / static_cast<double>(protocol.views);
    }
    distances.push_back(distance_mm);
    widths.push_back(width);
    RecordProperty("fwhm_mm_at_" + std::to_string(static_cast<int>(distance_mm)),
                   std::to_string(width));
  }
  EXPECT_NEAR(widths[1], 7.46, 0.25);
  const auto [zero, slope] = fitted_line(distances, widths);
  EXPECT_NEAR(slope, 2.35482 * 0.0162, 0.04 * 2.35482 * 0.0162);
}

TEST(SpectScan, CountsTotalAsStated) {
  const SmallScan small;
  const auto expected = expect_spect(small.activity, small.attenuation, small.protocol);
  const double primary = total_of(expected.primary), background = total_of(expected.background);
  EXPECT_NEAR(primary / 50000, 1, 1e-4);
  EXPECT_NEAR(background / primary, 0.37, 1e-4);
  const double measured = small.scan(1).counts_measured;
  EXPECT_NE(measured, primary + background);
  EXPECT_NEAR(measured, primary + background, 5 * std::sqrt(primary + background));
  auto quiet = small;
  quiet.protocol.counts = 0;
  EXPECT_NEAR(quiet.scan(1).counts_measured / (1.37 * SpectProtocol().counts), 1, 1e-4);
}

// Sum over bins of (n - m)^2 / m is chi-square with as many degrees of freedom as bins, but for the
// skewness of faint bins, which widens it.
TEST(SpectScan, CountsScatterAsPoisson) {
  const SmallScan small;
  const auto expected = expect_spect(small.activity, small.attenuation, small.protocol);
  double chi_square = 0, spread = 0;
  const auto bins = static_cast<double>(expected.primary.size());
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed, "draw");
    const auto counts = draw_counts(expected.primary, expected.background, random);
    for (size_t i = 0; i < counts.size(); ++i) {
      const double mean = expected.primary[i] + expected.background[i];
      chi_square += (counts[i] - mean) * (counts[i] - mean) / mean;
      spread += 2 + 1 / mean;
    }
  }
  EXPECT_NEAR(chi_square, 20 * bins, 5 * std::sqrt(spread));
}

// 24 slices: the middle ones do not see that the cylinder ends. The level is that of the counts
// that the middle slices' bins received, over what a cylinder lets out.
TEST(SpectScan, UniformCylinderIsRecoveredWithAttenuationCorrection) {
  const double radius = 90;
  auto protocol = few_slices(24);
  protocol.counts = 0;
  const auto activity = fine_cylinder(protocol, radius, 5);
  const auto mu = fine_cylinder(protocol, radius, kMu);
  const auto expected = expect_spect(activity, mu, protocol);
  double middle = 0;
  for (size_t bin = 0; bin < expected.primary.size(); ++bin)
    if (bin % 24 >= 6 && bin % 24 < 18) middle += expected.primary[bin];
  const double voxels = 3.14159265 * radius * radius / (protocol.pixel_mm * protocol.pixel_mm) * 12;
  const double level = middle / 90 / voxels / transmitted(radius, kMu);
  const auto profile =
      radial_profile(simulate_spect(activity, mu, mu, protocol, Random(1, "scan")).image);
  for (size_t ring = 0; ring < 18; ++ring)  // 72 mm: clear of the edge by its blur
    EXPECT_NEAR(profile[ring] / level, 1, 0.03) << ring;
  RecordProperty("centre_over_expected", std::to_string(profile[0] / level));
  RecordProperty("at_70mm_over_expected", std::to_string(profile[17] / level));
}

TEST(SpectScan, UniformCylinderCupsAsItShouldWithoutCorrection) {
  const double radius = 90;
  for (const bool blurs : {false, true}) {
    auto protocol = few_slices(blurs ? 24 : 4);
    protocol.counts = 0;
    if (!blurs) protocol.collimator_sigma_mm = protocol.collimator_slope = 0;
    if (!blurs) protocol.post_filter_fwhm_mm = 0;
    const auto activity = fine_cylinder(protocol, radius, 5);
    const auto mu = fine_cylinder(protocol, radius, kMu);
    const auto none = fine_cylinder(protocol, radius, 0);
    const auto profile =
        radial_profile(simulate_spect(activity, mu, none, protocol, Random(1, "scan")).image);
    double worst = 0;
    for (size_t ring = 0; ring < 18; ++ring) {
      const double r = (static_cast<double>(ring) + 0.5) * protocol.pixel_mm;
      const double expected = uncorrected(radius, kMu, r) / uncorrected(radius, kMu, 70);
      worst = std::max(worst, std::fabs(profile[ring] / profile[17] / expected - 1));
    }
    // Blur evens the rim out a little; lines without width are met as well as pixels allow.
    EXPECT_LT(worst, blurs ? 0.025 : 0.01) << blurs;
    const std::string name = blurs ? "blurred_" : "lines_";
    RecordProperty(name + "worst", std::to_string(worst));
    RecordProperty(name + "centre_over_70mm", std::to_string(profile[0] / profile[17]));
    RecordProperty(name + "analytic",
                   std::to_string(uncorrected(radius, kMu, 2) / uncorrected(radius, kMu, 70)));
  }
}

TEST(SpectScan, AttenuationMapMatters) {  // too dense an assumed map overcorrects the middle
  auto protocol = few_slices(12);
  protocol.counts = 0;
  const auto activity = fine_cylinder(protocol, 80, 5);
  const auto mu = fine_cylinder(protocol, 80, kMu), dense = fine_cylinder(protocol, 80, 1.3 * kMu);
  const auto right =
      radial_profile(simulate_spect(activity, mu, mu, protocol, Random(1, "a")).image);
  const auto over =
      radial_profile(simulate_spect(activity, mu, dense, protocol, Random(1, "a")).image);
  EXPECT_GT(over[0] / over[15], 1.05 * right[0] / right[15]);
  EXPECT_GT(over[0], 1.2 * right[0]);
}

TEST(SpectScan, ScatterLeftInFillsColdPlaces) {
  auto protocol = few_slices(8);
  protocol.counts = 0;
  auto activity = fine_cylinder(protocol, 80, 5);
  const auto hole = fine_cylinder(protocol, 25, 1);
  activity.voxels *= 1 - hole.voxels;
  const auto mu = fine_cylinder(protocol, 80, kMu);
  const auto known =
      radial_profile(simulate_spect(activity, mu, mu, protocol, Random(1, "a")).image);
  protocol.scatter_correction = 0;
  const auto left =
      radial_profile(simulate_spect(activity, mu, mu, protocol, Random(1, "a")).image);
  EXPECT_GT(left[0] / left[13], known[0] / known[13] + 0.05);  // the hole
  EXPECT_GT(left[25], 5 * known[25]);                          // and the air
}

TEST(SpectScan, ResolutionModelSharpens) {
  auto protocol = few_slices(8);
  protocol.counts = 0;
  const auto activity = phantom(128, 16, 2, [](double x, double y, double) {
    return std::hypot(x, y) > 80 ? 0.0 : std::hypot(x - 30, y) < 8 ? 4.0 : 1.0;
  });
  const auto mu = fine_cylinder(protocol, 80, kMu);
  const auto contrast = [&] {
    const auto image = simulate_spect(activity, mu, mu, protocol, Random(1, "a")).image.voxels;
    return (image[4][31][39].item<double>() + image[4][32][39].item<double>()) /
           (image[4][31][24].item<double>() + image[4][32][24].item<double>());
  };
  const double without = contrast();
  protocol.resolution_model = true;
  EXPECT_GT(contrast(), 1.05 * without);
}

// Axes, centre and handedness: the centroid of a hot spot in the world is where the activity has
// it.
TEST(SpectScan, ImageLiesWhereTheActivityLies) {
  SmallScan small;
  small.protocol.counts = 0;
  small.activity = phantom(48, 16, 2, [](double x, double y, double z) {
    return std::exp(-(std::pow(x - 14, 2) + std::pow(y + 6, 2) + std::pow(z - 4, 2)) / 40);
  });
  small.activity.voxel_to_world[0][3] += 7;  // a scan need not be centred on the world
  for (size_t row = 0; row < 3; ++row)
    std::swap(small.activity.voxel_to_world[row][0], small.activity.voxel_to_world[row][1]);
  small.attenuation.voxel_to_world = small.activity.voxel_to_world;
  const auto scan = small.scan(1);
  const auto centroid = [](const Volume& volume) {
    std::array<double, 3> world{};
    double sum = 0;
    const auto voxels = volume.voxels.accessor<float, 3>();
    for (int64_t k = 0; k < voxels.size(0); ++k)
      for (int64_t j = 0; j < voxels.size(1); ++j)
        for (int64_t i = 0; i < voxels.size(2); ++i) {
          const double value = std::pow(voxels[k][j][i], 2);
          const std::array<double, 4> index{static_cast<double>(i), static_cast<double>(j),
                                            static_cast<double>(k), 1};
          for (size_t row = 0; row < 3; ++row)
            for (size_t column = 0; column < 4; ++column)
              world[row] += value * volume.voxel_to_world[row][column] * index[column];
          sum += value;
        }
    for (double& x : world) x /= sum;
    return world;
  };
  const auto expected = centroid(small.activity), found = centroid(scan.image);
  for (size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(found[axis], expected[axis], 0.5) << axis;
  EXPECT_EQ(scan.image.voxels.sizes(), (std::vector<int64_t>{8, 24, 24}));
  EXPECT_EQ(scan.image.unit, "counts");
  EXPECT_GE(scan.image.voxels.min().item<float>(), 0);
}

TEST(SpectScan, SameSeedSameBitsOnAnyThread) {
  const SmallScan small;
  const auto here = small.scan(3);
  SpectScan there[2];
  std::thread one([&] { there[0] = small.scan(3); }), other([&] { there[1] = small.scan(3); });
  one.join();
  other.join();
  for (const auto& scan : there) {
    EXPECT_TRUE(torch::equal(scan.image.voxels, here.image.voxels));
    EXPECT_EQ(scan.counts_measured, here.counts_measured);
  }
  EXPECT_FALSE(torch::equal(small.scan(4).image.voxels, here.image.voxels));
}

TEST(SpectScan, Refusals) {
  const SmallScan good;
  EXPECT_EQ(refusal(good.activity, good.attenuation, good.attenuation, good.protocol), "");
  const auto with = [&](auto change) {
    SmallScan bad;
    bad.activity.voxels = good.activity.voxels.clone();
    bad.attenuation.voxels = good.attenuation.voxels.clone();
    Volume assumed = good.attenuation;
    assumed.voxels = good.attenuation.voxels.clone();
    change(bad, assumed);
    return refusal(bad.activity, bad.attenuation, assumed, bad.protocol);
  };
  using Assumed = Volume&;
  EXPECT_EQ(
      with([](SmallScan& s, Assumed) { s.activity.voxels = s.activity.voxels[0]; }),
      "activity: expected [16,48,48] voxels for the protocol's matrix and slices, found [48,48]");
  EXPECT_EQ(with([](SmallScan& s, Assumed) { s.activity.voxels = torch::Tensor(); }),
            "activity: expected a float32 volume in CPU memory, found none");
  EXPECT_EQ(
      with([](SmallScan& s, Assumed) { s.activity.voxels = s.activity.voxels.to(torch::kDouble); }),
      "activity: expected a float32 volume in CPU memory, found another type");
  EXPECT_EQ(with([](SmallScan& s, Assumed) { s.activity.voxels[3][3][3] = -1; }),
            "activity: expected values of 0 to 1e+12, found -1");
  EXPECT_EQ(with([](SmallScan& s, Assumed) { s.activity.voxels[3][3][3] = std::nan(""); }),
            "activity: expected values of 0 to 1e+12, found nan");
  EXPECT_EQ(
      with([](SmallScan& s, Assumed) { s.activity.voxels.zero_(); }),
      "activity: expected some inside the field of view, found none that reaches the detector");
  EXPECT_EQ(with([](SmallScan& s, Assumed) { s.attenuation.voxels[3][3][3] = 0.15; }),
            "attenuation: expected values of 0 to 0.1, found 0.15");
  EXPECT_EQ(with([](SmallScan&, Assumed a) { a.voxels[3][3][3] = -0.01; }),
            "attenuation_assumed: expected values of 0 to 0.1, found -0.01");
  EXPECT_NE(with([](SmallScan& s, Assumed) {
              s.activity.voxel_to_world = centred_affine(48, 16, 4);
              s.attenuation.voxel_to_world = s.activity.voxel_to_world;
            }).find("attenuation_assumed: expected the place of activity, found another"),
            std::string::npos);
  EXPECT_NE(with([](SmallScan& s, Assumed a) {
              s.activity.voxel_to_world = centred_affine(48, 16, 4);
              a.voxel_to_world = s.attenuation.voxel_to_world = s.activity.voxel_to_world;
            }).find("expected cubic voxels of 2 mm, found an edge of 4 mm"),
            std::string::npos);
  EXPECT_EQ(with([](SmallScan& s, Assumed) {
              s.attenuation.voxel_to_world[1][3] += 1;
            }).find("attenuation: expected the place of activity, found another"),
            0u);
  EXPECT_NE(
      with([](SmallScan& s, Assumed) { s.protocol.counts = -1; }).find("SPECT: counts is out"),
      std::string::npos);
  EXPECT_NE(with([](SmallScan& s, Assumed) {
              s.protocol.subsets = 13;
            }).find("SPECT: subsets is out of range; expected at most 12 for 24 views"),
            std::string::npos);
}
