// SPDX-License-Identifier: Apache-2.0
// A slice turned, zoomed, shifted, flipped and warped by one map with one interpolation: the
// geometry that augmentations share (cohort/augment.cpp, cohort/paired_augment.h).
// Plain loops: at 64 x 64 a tensor operation costs more than its arithmetic.
#pragma once
#include <cstdint>
#include <vector>

#include "core/random.h"

namespace scintigen {

struct SlicePose {
  double angle_rad = 0, zoom = 1;
  double down_px = 0, right_px = 0;
  bool flip = false;  ///< left and right, before everything else
};

/// Displacements of each pixel, in pixels; empty: none.
struct SliceWarp {
  std::vector<float> rows, columns;
};

/// Standard deviation `warp_px` in each direction, smooth over 12 pixels; none where it is 0.
SliceWarp draw_warp(int64_t height, int64_t width, double warp_px, Random& random);

/// out(x) = in(flip(R(-angle) (x - centre - shift) / zoom + warp(x) + centre)), bilinear, 0 beyond
/// the edge. `source` and `out` hold height * width values and do not overlap.
void read_posed(const float* source, int64_t height, int64_t width, const SlicePose& pose,
                const SliceWarp& warp, float* out);

/// A smooth Gaussian random field of standard deviation 1 everywhere: white noise on a coarse
/// lattice under a Gaussian, which is what smoothing white noise pixel by pixel gives, at a
/// hundredth of the work.
std::vector<float> smooth_field(int64_t height, int64_t width, double smoothness_px,
                                Random& random);

}  // namespace scintigen
