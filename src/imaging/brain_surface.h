// SPDX-License-Identifier: Apache-2.0
// The brain's surface in a T1 head: Smith, Fast robust automated brain extraction, Hum Brain Mapp
// 2002, on cubes of 1.5 mm.
// Does: a sphere that grows until it meets the brain's edge, smooth and not cutting itself.
// Does not: decide what is a plausible brain (brain_extraction.cpp does).
#pragma once
#include "imaging/closed_surface.h"
#include "imaging/head_image.h"

namespace scintigen {

struct SurfaceSettings {
  double fraction = 0.5;  ///< b_t: where between low and local high the edge lies; higher = smaller
  double smoothness = 1;  ///< of the curvature force
};

struct BrainSurface {
  ClosedSurface surface;
  double cut_part = 0;  ///< voxels where it cuts itself, of those inside
  int rounds = 0;       ///< runs with more smoothness that it took
};

/// Starts in the upper 150 mm of the head (a neck below does not draw it down), goes once more from
/// the centre and size it found, and with stronger smoothness as long as it cuts itself.
BrainSurface find_brain_surface(const HeadImage& head, const SurfaceSettings& settings = {});

}  // namespace scintigen
