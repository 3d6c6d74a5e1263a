// SPDX-License-Identifier: Apache-2.0
// A volume on another grid: third-order B-spline or linear, one interpolation through any map.
// Does: pre-filter and interpolation, in float32 with float64 positions, threaded. Does not: choose
// a grid, log (the caller says what was resampled, from describe_grid()).
#pragma once
#include "core/grid.h"
#include "core/spatial_map.h"

namespace scintigen {

enum class Interpolation { kLinear, kCubicSpline, kNearest };

/// `source` at the points of `target`. `target_to_source` takes the target's world (mm, RAS+) to
/// the source's; the identity where both share a world. Outside the source's voxels (their centres,
/// by more than half a voxel) the value is `outside`. Where every target voxel falls on a source
/// voxel (within 1e-6 voxel) values are copied: a crop, flip or pad is exact. Up to half a voxel
/// outside, both interpolations see the volume mirrored about its outermost voxels. kCubicSpline:
/// B-spline coefficients of Unser 1999; may overshoot, never clamped here. kNearest is for labels
/// and masks. Target voxels larger than the source's are not pre-smoothed: blur first
/// (gaussian_blur). throws  Error: voxels not float32 [D,H,W]; a target side not 1..32767; a map
/// that is not finite;
///         a source map that is singular; non-finite voxels with kCubicSpline (one would spread
///         over the volume)
/// Uses    the result, and a copy of the source with 2 voxels more at each face
/// Same numbers whatever the number of threads.
/// Checked tests/core/test_resample.cpp against scipy.ndimage (golden), known polynomials
Volume resample(const Volume& source, const Grid& target, const SpatialMap& target_to_source,
                Interpolation interpolation, float outside = 0);

/// Whether resample() would only copy: every voxel of the target falls on one of the source's.
bool only_copies(const Grid& source, const Grid& target, const SpatialMap& target_to_source);

}  // namespace scintigen
