// SPDX-License-Identifier: Apache-2.0
// Third-order B-splines on a voxel grid (Unser 1999, IEEE Signal Processing Magazine 16(6)).
// Does: coefficients, weights of the four nearest voxels along an axis, mirrored edges.
// Does not: resample (core/resample.h).
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/instruction_clones.h"

namespace scintigen {

/// Voxels beyond each face that a position up to half a voxel outside needs.
constexpr int64_t kSplinePad = 2;

/// Four floats in one register.
typedef float Four __attribute__((vector_size(16)));  // NOLINT(modernize-use-using): GCC bug 88600
SCINTIGEN_INLINE Four load_four(const float* from) {
  Four four;
  std::memcpy(&four, from, sizeof four);
  return four;
}

/// Weights of voxels base - 1 .. base + 2 for the position base + t, 0 <= t <= 1: the cubic
/// B-spline, or linear interpolation (0, 1-t, t, 0).
SCINTIGEN_INLINE void spline_taps(float t, bool cubic, float* w) {
  const float s = 1 - t;
  if (!cubic) {
    w[0] = 0, w[1] = s, w[2] = t, w[3] = 0;
    return;
  }
  w[0] = s * s * s / 6;
  w[1] = 2.0F / 3 - 0.5F * t * t * (2 - t);
  w[2] = 2.0F / 3 - 0.5F * s * s * (2 - s);
  w[3] = t * t * t / 6;
}

/// A volume with kSplinePad voxels around it: interpolation without a branch at the edge.
struct SplineVolume {
  std::array<int64_t, 3> n{};       ///< i, j, k
  std::array<int64_t, 3> padded{};  ///< n + 2 kSplinePad
  std::vector<float> values;        ///< [k][j][i], padded; what is outside is 0 at first

  /// `voxels` float32 [D,H,W], contiguous, at least 1 voxel.
  explicit SplineVolume(const torch::Tensor& voxels);
  /// Voxels -> B-spline coefficients in place: recursive filter with pole sqrt(3) - 2 along each
  /// axis, gain 6, boundaries mirrored about the outermost voxels (... 2 1 | 0 1 2 ...).
  /// Threaded; same numbers for any number of threads.
  /// Checked tests/core/test_resample.cpp against scipy.ndimage.spline_filter (golden)
  void prefilter();
  /// Fills the pad: mirrored about the outermost voxels. Call last.
  void mirror_edges();
};

}  // namespace scintigen
