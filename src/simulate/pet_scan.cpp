// SPDX-License-Identifier: Apache-2.0
#include "simulate/pet_scan.h"

#include <cmath>
#include <limits>

#include "core/error.h"
#include "simulate/osem.h"
#include "simulate/scan_columns.h"

namespace scintigen {
namespace {

constexpr int64_t kMostVoxels = 32000000;  // of the image; keeps a scan within a few GB

constexpr double kAnyActivity = 1e12, kFaintestScan = 1e-20;  // sums stay normal in float32
constexpr double kScatterFwhm_mm = 150;
constexpr double kScatterPart = 0.5;  // of the background; the rest are randoms, flat

double pixels_squared(double fwhm_mm, double pixel_mm) {
  const double sigma = kSigmaOfFwhm * fwhm_mm / pixel_mm;
  return sigma * sigma;
}

void project(Projector& projector, const std::vector<float>& columns, std::vector<float>& views) {
  for (int64_t rotation = 0; rotation < projector.rotations(); ++rotation)
    projector.forward(columns.data(), rotation, views.data());
}

/// exp(-line integral) of each line of response.
std::vector<float> survival(Projector& projector, const Volume& attenuation,
                            const PetProtocol& protocol) {
  std::vector<float> factor(projector.projection_size());
  project(projector,
          columns_of(attenuation, "attenuation", protocol.matrix, protocol.slices,
                     protocol.pixel_mm, kMostAttenuation),
          factor);
  const auto step = static_cast<float>(protocol.pixel_mm);
  for (float& line : factor) line = line == 0 ? 1.0f : std::exp(-step * line);
  return factor;
}

/// Randoms are flat, scatter follows the trues broadly.
std::vector<float> background_of(const std::vector<float>& trues, const PetProtocol& protocol,
                                 double total) {
  std::vector<float> background = trues;
  spread_broadly(background, protocol.matrix, protocol.slices, protocol.pixel_mm, kScatterFwhm_mm);
  scale_to(background, kScatterPart * protocol.background_fraction * total);
  const auto randoms = static_cast<float>((1 - kScatterPart) * protocol.background_fraction *
                                          total / static_cast<double>(trues.size()));
  for (float& line : background) line += randoms;
  return background;
}

}  // namespace

void check_protocol(const PetProtocol& protocol) {
  PetProtocol copy = protocol;  // visit() may write
  check_settings(copy, "PET");
  require(protocol.subsets <= protocol.views,
          "PET: subsets is out of range; expected at most {} (the views), found {}", protocol.views,
          protocol.subsets);
  const int64_t voxels = protocol.matrix * protocol.matrix * protocol.slices;
  require(voxels <= kMostVoxels, "PET: matrix {0} x {0} x {1} slices; expected at most {2} voxels",
          protocol.matrix, protocol.slices, kMostVoxels);
}

void PetProtocol::visit(SettingsVisitor& v) {
  v.visit(number("views", "PET: angles over 180 degrees", 4, 720), views);
  v.visit(number("matrix", "PET: pixels along each side, and lines an angle", 8, 512), matrix);
  v.visit(number("slices", "PET: slices along the scanner's axis", 1, 512), slices);
  v.visit(number("pixel_mm", "PET: voxel of the image and distance of lines", 0.5, 20), pixel_mm);
  v.visit(number("resolution_fwhm_mm",
                 "PET: of the data, before reconstruction and post filter (Biograph mCT: 4 to 5)",
                 0, 50),
          resolution_fwhm_mm);
  v.visit(number("counts", "PET: expected true coincidences of a scan; 0 = no noise", 0, 1e12),
          counts);
  v.visit(number("background_fraction", "PET: scatter and randoms / trues", 0, 10),
          background_fraction);
  v.visit(number("iterations", "PET: of OSEM", 1, 1000), iterations);
  v.visit(number("subsets", "PET: of OSEM; 1 = MLEM", 1, 720), subsets);
  v.visit(number("post_filter_fwhm_mm", "PET: 3-D Gaussian after OSEM; 0 = none", 0, 100),
          post_filter_fwhm_mm);
}

PetScan simulate_pet(const Volume& activity, const Volume& attenuation, const PetProtocol& protocol,
                     Random random) {
  check_protocol(protocol);
  check_same_place(activity, "activity", attenuation, "attenuation");
  auto columns = columns_of(activity, "activity", protocol.matrix, protocol.slices,
                            protocol.pixel_mm, kAnyActivity);
  ProjectorGeometry geometry;
  geometry.side = protocol.matrix;
  geometry.slices = protocol.slices;
  geometry.views = protocol.views;
  geometry.full_turn = false;
  geometry.pixel_mm = protocol.pixel_mm;
  Projector projector(geometry, Support::disc(protocol.matrix));

  OsemData data;
  data.factor = survival(projector, attenuation, protocol);
  const double blur = pixels_squared(protocol.resolution_fwhm_mm, protocol.pixel_mm);
  smooth_columns(columns, protocol.matrix, protocol.slices, blur, blur);
  std::vector<float> trues(projector.projection_size());
  project(projector, columns, trues);
  for (size_t i = 0; i < trues.size(); ++i) trues[i] *= data.factor[i];
  const double found = total_of(trues);
  require(found > kFaintestScan && found <= std::numeric_limits<float>::max(),
          "activity: expected some inside the field of view, found none that reaches the detector");

  const double total = protocol.counts > 0 ? protocol.counts : PetProtocol().counts;
  const auto counts_per_unit = static_cast<float>(total / found);
  for (size_t i = 0; i < trues.size(); ++i) {
    trues[i] *= counts_per_unit;
    data.factor[i] *= counts_per_unit;  // so that OSEM answers in the unit of the activity
  }
  data.background = background_of(trues, protocol, total);
  if (protocol.counts > 0) {
    data.counts = draw_counts(trues, data.background, random);
  } else {
    data.counts = std::move(trues);
    for (size_t i = 0; i < data.counts.size(); ++i) data.counts[i] += data.background[i];
  }

  PetScan scan;
  scan.counts_measured = total_of(data.counts);
  columns = osem(projector, data, protocol.iterations, protocol.subsets);
  const double filter = pixels_squared(protocol.post_filter_fwhm_mm, protocol.pixel_mm);
  smooth_columns(columns, protocol.matrix, protocol.slices, filter, filter);
  // A narrow filter's outermost taps are as small as -0.008 (five_tap.h).
  for (float& voxel : columns) voxel = voxel > 0 ? voxel : 0.0f;
  scan.image = {voxels_of(columns, protocol.matrix, protocol.slices), activity.voxel_to_world,
                activity.unit};
  return scan;
}

}  // namespace scintigen
