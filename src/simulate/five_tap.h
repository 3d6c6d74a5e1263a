// SPDX-License-Identifier: Apache-2.0
// Gaussian blur by short steps whose variances add up to the one that was asked for.
#pragma once
#include <cstdint>
#include <vector>

namespace scintigen {

constexpr double kSigmaOfFwhm = 0.42466090014400953;  ///< 1 / (2 sqrt(2 ln 2))

/// Symmetric kernel {second, first, centre, first, second} with sum 1, the variance asked for and a
/// Gaussian's fourth moment (3 variance^2), so that many steps make a Gaussian's full width, not
/// only its variance: three taps alone would leave the width 4 % short at 10 cm from a LEHR
/// collimator on 2 mm voxels. Not negative for variances of 1/3 to 4/3; below, `second` is as small
/// as -0.008.
struct FiveTap {
  float centre = 1, first = 0, second = 0;
  FiveTap() = default;
  explicit FiveTap(double variance);  ///< voxels^2
};

/// Number of steps in which a variance (voxels^2) is applied: each is at most 0.6.
int64_t five_tap_steps(double variance);

/// Rows [first,last) of a plane hold something; the others count as zero and are not read.
struct RowRange {
  int64_t first = 0, last = 0;
  bool empty() const { return first >= last; }
  bool holds(int64_t row) const { return row >= first && row < last; }
};

/// Both around; an empty one does not count.
RowRange united(RowRange a, RowRange b);

/// Blurs planes [rows][length] with zero outside, so that the operator is its own adjoint.
class PlaneBlur {
 public:
  PlaneBlur(int64_t rows, int64_t length);
  /// Variances in voxels^2 across rows and along them. `plane` and `spare` are exchanged as often
  /// as there are steps; afterwards `plane` points to the result. Returns the rows that hold it.
  RowRange apply(double across, double along, RowRange held, float*& plane, float*& spare);
  const float* zeros() const { return zeros_.data(); }  ///< a row

 private:
  int64_t rows_, length_;
  std::vector<float> zeros_, padded_;
};

/// Blurs columns [side][side][slices] with mirrored borders: what a post filter does, and what
/// keeps the sum. Variances in voxels^2; 0 leaves the axis alone.
void smooth_columns(std::vector<float>& columns, int64_t side, int64_t slices, double in_plane,
                    double axial);

}  // namespace scintigen
