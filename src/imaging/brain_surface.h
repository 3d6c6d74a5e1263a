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
  double fraction = 0.72;  ///< b_t: the edge between low (0) and local high (1); higher = smaller
  double smoothness = 1;   ///< of the curvature force
};

struct BrainSurface {
  ClosedSurface surface;
  double cut_part = 0;  ///< voxels where it cuts itself, of those inside
  int rounds = 0;       ///< runs with more smoothness that it took
};

/// Starts in the upper 150 mm of the head (a neck below does not draw it down); evens out the bias
/// field by what the first run found (even_out(): `head` is changed); goes once more from the
/// centre and size it found, with stronger smoothness as long as it cuts itself. throws  Error:
/// nothing bright to start in, or nothing left
BrainSurface find_brain_surface(HeadImage& head, const SurfaceSettings& settings = {});

/// Starts a little inside the edge that `guide` gives (signed mm, below 0 inside; on the grid of
/// `head`) and stays near it: within a few mm the T1 decides, farther off the guide.
/// throws  Error: a guide with nothing inside the head
BrainSurface find_brain_surface_near(HeadImage& head, const CubeField& guide,
                                     const SurfaceSettings& settings = {});

}  // namespace scintigen
