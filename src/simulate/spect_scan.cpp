// SPDX-License-Identifier: Apache-2.0
#include "simulate/spect_scan.h"

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "simulate/osem.h"
#include "simulate/scan_columns.h"

namespace scintigen {
namespace {

constexpr int64_t kMostVoxels = 8000000;  // of the image; keeps a scan within a few GB

constexpr double kAnyActivity = 1e12, kFaintestScan = 1e-20;  // sums stay normal in float32

ProjectorGeometry camera(const SpectProtocol& protocol, int64_t finer, bool blurs) {
  ProjectorGeometry geometry;
  geometry.side = finer * protocol.matrix;
  geometry.slices = finer * protocol.slices;
  geometry.views = protocol.views;
  geometry.pixel_mm = protocol.pixel_mm / static_cast<double>(finer);
  geometry.orbit_radius_mm = protocol.orbit_radius_mm;
  if (blurs) {
    geometry.collimator_sigma_mm = protocol.collimator_sigma_mm;
    geometry.collimator_slope = protocol.collimator_slope;
  }
  return geometry;
}

/// Adds the fine bins [2 matrix][2 slices] of a view to the detector's pixels. The blur's outermost
/// taps can leave a faint negative bin at the object's rim (five_tap.h); counts have none.
void bin_view(const float* fine, int64_t matrix, int64_t slices, float* view) {
  for (int64_t u = 0; u < matrix; ++u) {
    const float *upper = fine + 4 * u * slices, *lower = upper + 2 * slices;
    for (int64_t z = 0; z < slices; ++z)
      view[u * slices + z] =
          std::max((upper[2 * z] + upper[2 * z + 1]) + (lower[2 * z] + lower[2 * z + 1]), 0.0f);
  }
}

/// Mean of 2 x 2 x 2 voxels.
std::vector<float> halved(const std::vector<float>& fine, int64_t side, int64_t slices) {
  std::vector<float> coarse(static_cast<size_t>(side * side * slices));
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      float* column = coarse.data() + (y * side + x) * slices;
      for (int64_t corner = 0; corner < 4; ++corner) {
        const float* from =
            fine.data() + ((2 * y + corner / 2) * 2 * side + 2 * x + corner % 2) * 2 * slices;
        for (int64_t z = 0; z < slices; ++z) column[z] += 0.125f * (from[2 * z] + from[2 * z + 1]);
      }
    }
  }
  return coarse;
}

std::vector<float> fine_columns(const Volume& volume, const std::string& name,
                                const SpectProtocol& protocol, double most) {
  return columns_of(volume, name, 2 * protocol.matrix, 2 * protocol.slices, protocol.pixel_mm / 2,
                    most);
}

std::vector<float> project_primary(const Volume& activity, const Volume& attenuation,
                                   const SpectProtocol& protocol) {
  const auto geometry = camera(protocol, 2, true);
  const auto source = fine_columns(activity, "activity", protocol, kAnyActivity);
  Projector projector(geometry, Support::of(source, geometry.side, geometry.slices));
  projector.set_attenuation(fine_columns(attenuation, "attenuation", protocol, kMostAttenuation));
  std::vector<float> fine(projector.projection_size());
  std::vector<float> views(fine.size() / 4);
  const int64_t size = protocol.matrix * protocol.slices;
  for (int64_t rotation = 0; rotation < projector.rotations(); ++rotation) {
    projector.forward(source.data(), rotation, fine.data());
    for (const int64_t view : projector.views_of(rotation))
      bin_view(fine.data() + view * projector.view_size(), protocol.matrix, protocol.slices,
               views.data() + view * size);
  }
  return views;
}

Affine coarser(const Affine& fine) {
  Affine coarse = fine;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t axis = 0; axis < 3; ++axis) {
      coarse[row][axis] = 2 * fine[row][axis];
      coarse[row][3] += 0.5 * fine[row][axis];  // the middle of 2 x 2 x 2 voxels
    }
  }
  return coarse;
}

}  // namespace

void check_protocol(const SpectProtocol& protocol) {
  SpectProtocol copy = protocol;  // visit() may write
  check_settings(copy, "SPECT");
  const int64_t rotations = protocol.views % 2 == 0 ? protocol.views / 2 : protocol.views;
  require(
      protocol.subsets <= rotations,
      "SPECT: subsets is out of range; expected at most {} for {} views (opposite views share a "
      "subset), found {}",
      rotations, protocol.views, protocol.subsets);
  const int64_t voxels = protocol.matrix * protocol.matrix * protocol.slices;
  require(voxels <= kMostVoxels,
          "SPECT: matrix {0} x {0} x {1} slices; expected at most {2} voxels", protocol.matrix,
          protocol.slices, kMostVoxels);
}

void SpectProtocol::visit(SettingsVisitor& v) {
  v.visit(number("views", "SPECT: projections over 360 degrees (Werner 2022: 90)", 4, 720), views);
  v.visit(number("matrix", "SPECT: pixels along each side (Werner 2022: 64)", 8, 256), matrix);
  v.visit(number("slices", "SPECT: slices along the rotation axis", 1, 256), slices);
  v.visit(number("pixel_mm", "SPECT: pixel of projections and image (not in Werner 2022)", 0.5, 20),
          pixel_mm);
  v.visit(number("orbit_radius_mm", "SPECT: rotation axis to collimator face", 0, 1000),
          orbit_radius_mm);
  v.visit(number("collimator_sigma_mm",
                 "SPECT: SD of the blur at the collimator face (RTK's Zeng projector: 1.54, LEHR)",
                 0, 50),
          collimator_sigma_mm);
  v.visit(number("collimator_slope",
                 "SPECT: growth of that SD with distance, mm per mm (RTK's Zeng projector: 0.0162)",
                 0, 1),
          collimator_slope);
  v.visit(number("counts", "SPECT: expected primary counts of a scan; 0 = no noise", 0, 1e12),
          counts);
  v.visit(number("scatter_fraction", "SPECT: scattered / primary counts", 0, 10), scatter_fraction);
  v.visit(number("scatter_fwhm_mm", "SPECT: width of the exponential spread of scatter", 1, 10000),
          scatter_fwhm_mm);
  v.visit(number("penetration_fraction", "SPECT: flat septal penetration / primary counts", 0, 10),
          penetration_fraction);
  v.visit(
      number("scatter_correction",
             "SPECT: part of scatter and penetration known to the reconstruction; 0 = none", 0, 2),
      scatter_correction);
  v.visit(number("iterations", "SPECT: of OSEM", 1, 1000), iterations);
  v.visit(number("subsets", "SPECT: of OSEM; 1 = MLEM", 1, 720), subsets);
  v.visit(flag("resolution_model", "SPECT: collimator blur in the reconstruction too"),
          resolution_model);
  v.visit(number("post_filter_fwhm_mm", "SPECT: 3-D Gaussian after OSEM; 0 = none", 0, 100),
          post_filter_fwhm_mm);
}

SpectExpectation expect_spect(const Volume& activity, const Volume& attenuation,
                              const SpectProtocol& protocol) {
  check_protocol(protocol);
  check_same_place(activity, "activity", attenuation, "attenuation");
  SpectExpectation expected;
  expected.primary = project_primary(activity, attenuation, protocol);
  const double found = total_of(expected.primary);
  require(found > kFaintestScan && found <= std::numeric_limits<float>::max(),
          "activity: expected some inside the field of view, found none that reaches the detector");
  const double total = protocol.counts > 0 ? protocol.counts : SpectProtocol().counts;
  scale_to(expected.primary, total);
  expected.background = expected.primary;
  spread_broadly(expected.background, protocol.matrix, protocol.slices, protocol.pixel_mm,
                 protocol.scatter_fwhm_mm);
  scale_to(expected.background, protocol.scatter_fraction * total);
  const auto pedestal = static_cast<float>(protocol.penetration_fraction * total /
                                           static_cast<double>(expected.primary.size()));
  for (float& bin : expected.background) bin += pedestal;
  return expected;
}

SpectScan simulate_spect(const Volume& activity, const Volume& attenuation,
                         const Volume& attenuation_assumed, const SpectProtocol& protocol,
                         Random random) {
  check_protocol(protocol);
  check_same_place(activity, "activity", attenuation_assumed, "attenuation_assumed");
  const auto assumed =
      halved(fine_columns(attenuation_assumed, "attenuation_assumed", protocol, kMostAttenuation),
             protocol.matrix, protocol.slices);
  SpectExpectation expected = expect_spect(activity, attenuation, protocol);

  OsemData data;
  if (protocol.counts > 0) {
    data.counts = draw_counts(expected.primary, expected.background, random);
  } else {
    data.counts = expected.primary;
    for (size_t i = 0; i < data.counts.size(); ++i) data.counts[i] += expected.background[i];
  }
  data.background = std::move(expected.background);
  for (float& bin : data.background) bin *= static_cast<float>(protocol.scatter_correction);

  SpectScan scan;
  scan.counts_measured = total_of(data.counts);
  Projector projector(camera(protocol, 1, protocol.resolution_model),
                      Support::disc(protocol.matrix));
  projector.set_attenuation(assumed);
  auto columns = osem(projector, data, protocol.iterations, protocol.subsets);
  const double sigma_pixels = kSigmaOfFwhm * protocol.post_filter_fwhm_mm / protocol.pixel_mm;
  smooth_columns(columns, protocol.matrix, protocol.slices, sigma_pixels * sigma_pixels,
                 sigma_pixels * sigma_pixels);
  // A narrow filter's outermost taps are as small as -0.008 (five_tap.h).
  for (float& voxel : columns) voxel = std::max(voxel, 0.0f);
  scan.image = {voxels_of(columns, protocol.matrix, protocol.slices),
                coarser(activity.voxel_to_world), "counts"};
  return scan;
}

}  // namespace scintigen
