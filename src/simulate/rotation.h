// SPDX-License-Identifier: Apache-2.0
// Turning an image about the scanner's axis, and the exact adjoint of it.
//
// Images are columns [y][x][z]: the axis of rotation is the innermost, so that the bilinear weights
// of one turned column act on rows of z, which are vector instructions.
#pragma once
#include <cstdint>
#include <vector>

#include "simulate/five_tap.h"

namespace scintigen {

/// The columns of an image that count; all others are taken as zero and never written.
class Support {
 public:
  /// The disc that stays inside the image while it turns.
  static Support disc(int64_t side);
  /// Columns of the disc in which some voxel is not zero.
  static Support of(const std::vector<float>& columns, int64_t side, int64_t slices);

  int64_t side() const { return side_; }
  bool at(int64_t y, int64_t x) const { return inside_[static_cast<size_t>(place(y, x))] != 0; }
  /// -2 .. side+1 in both, so that the corners about any turned point can be looked up.
  const uint8_t* from(int64_t y, int64_t x) const { return inside_.data() + place(y, x); }
  int64_t stride() const { return side_ + 2 * kRim; }

 private:
  static constexpr int64_t kRim = 2;
  explicit Support(int64_t side);
  int64_t place(int64_t y, int64_t x) const { return (y + kRim) * stride() + x + kRim; }
  int64_t side_;
  std::vector<uint8_t> inside_;
};

/// A view's frame: row u across the detector, plane w towards it, about the image's centre.
struct Turn {
  const Support* support = nullptr;
  int64_t slices = 0;
  double cosine = 1, sine = 0;
};

/// Plane w of the turned image, [u][z], by bilinear interpolation. Rows outside the range returned
/// hold anything.
RowRange turn_plane(const Turn& turn, const float* columns, int64_t w, float* plane);

/// The range that turn_plane would return.
RowRange rows_of_plane(const Turn& turn, int64_t w);

/// Adjoint: adds plane w, of which `rows` count, to the image.
void turn_plane_back(const Turn& turn, const float* plane, RowRange rows, int64_t w,
                     float* columns);

}  // namespace scintigen
