// SPDX-License-Identifier: Apache-2.0
// Intensity scaling that can be undone: stored * slope + intercept is the value again.
// Does: by volume to [0,1], by percentile, by a reference region (SUVR), by axial slice to (-1,1).
// Does not: clamp; what lies beyond a percentile stays beyond.
#pragma once
#include <array>
#include <map>
#include <string>
#include <vector>

#include "core/volume.h"

namespace scintigen {

enum class Scaling { kNone, kVolume, kPercentile, kSuvr, kSlice };
const char* scaling_name(Scaling scaling);

/// {"volume"} or {"T1w=volume", "pet=suvr"}: what to do with each modality; "" is for all others.
/// throws  Error: an unknown scaling (nearest named), a modality twice
std::map<std::string, Scaling> parse_scaling(const std::vector<std::string>& texts);

/// value = stored * slope + intercept; one pair, or one a slice k (kSlice).
struct ScalingRecord {
  Scaling scaling = Scaling::kNone;
  std::vector<std::array<double, 2>> slope_intercept;
};

/// Scales `volume` in place. kVolume: minimum and maximum -> 0 and 1. kPercentile: 0.5 % and 99.5 %
/// of the voxels inside `mask` (of all without one) -> 0 and 1. kSuvr: divided by
/// `reference_mean` (> 0). kSlice: minimum and maximum of each slice k -> -1 and 1; a constant
/// slice becomes -1 with slope 0. throws  Error: constant volumes, a reference mean that is not
/// above 0 Checked tests/imaging/test_scaling.cpp: round trips of each kind
ScalingRecord scale_volume(Volume& volume, Scaling scaling, const Volume* mask,
                           double reference_mean, const std::string& where);

/// The values again, in place.
void undo_scaling(Volume& volume, const ScalingRecord& record);

/// The p-th (0..1) of the values of `volume` where `mask` > 0 (everywhere without one), linear
/// between neighbours in order.
double percentile_inside(const Volume& volume, const Volume* mask, double p);

/// Mean of the voxels of `volume` where `mask` > 0 on the same grid. throws Error: none inside
double mean_inside(const Volume& volume, const Volume& mask, const std::string& where);

}  // namespace scintigen
