// SPDX-License-Identifier: Apache-2.0
// What registration measures on: scans at a few resolutions, and points of the fixed one.
// Does: means over blocks of voxels, robust intensity range, foreground, sample points.
// Does not: compare scans (imaging/mutual_information.h).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/affine.h"
#include "core/spline.h"
#include "core/volume.h"

namespace scintigen {

/// Range of intensities that the histogram resolves, and where there is something.
struct ScanContent {
  float low = 0, high = 0;      ///< what lies outside is clipped
  Point centre_of_mass{};       ///< of the foreground as a mask, world mm
  Point centre{};               ///< of the voxel grid, world mm
  Point box_low{}, box_high{};  ///< corners of the foreground, voxels of the level looked at
};

/// One scan at a few resolutions, coarse to fine.
struct Pyramid {
  std::vector<Volume> levels;
  ScanContent content;
};

/// Means over blocks of whole voxels, as many as come nearest to `spacing_mm` (at least 1) along
/// each axis. A rest of less than a block is left out where a block or more remains.
Volume reduced(const Volume& volume, double spacing);

/// throws  Error: voxels not float32 [D,H,W] or none, a map that is singular or not finite
void require_scan(const Volume& scan, const std::string& name);

/// `name` is "fixed" or "moving": for messages.
/// throws  Error: voxels not float32 [D,H,W] or not finite, a singular map, a scan without contrast
Pyramid pyramid(const Volume& scan, const std::vector<double>& spacings_mm,
                const std::string& name);

/// Points of the fixed scan and the histogram row of each.
struct SamplePoints {
  std::vector<float> place;  ///< 4 each: x, y, z in mm from `centre`, 1
  std::vector<int32_t> bin;  ///< 0 .. kBins - 1
  Point centre{};
  int64_t count() const { return static_cast<int64_t>(bin.size()); }
};

constexpr int64_t kBins = 32;

/// Points about `spacing_mm` apart in the foreground's box and a margin, each moved by up to half
/// of that in a way that depends on its number alone: on a plain lattice, poses at which voxels
/// meet voxels would score higher (Tsao 2003, IEEE TMI 22(10)).
SamplePoints sample_points(const Pyramid& fixed, size_t level, double spacing_mm,
                           const std::optional<Volume>& mask);

/// The moving scan at one level: intensities 1 .. kBins - 2 as B-spline coefficients (which smooths
/// by 0.58 voxels: noise and the voxel lattice matter less, and no position is special).
struct MovingLevel {
  SplineVolume values;
  Affine world_to_voxel{};
};
MovingLevel moving_level(const Pyramid& moving, size_t level);

}  // namespace scintigen
