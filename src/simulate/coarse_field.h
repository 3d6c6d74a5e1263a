// SPDX-License-Identifier: Apache-2.0
// Small fields on a coarse grid that are read anywhere in between.
#pragma once
#include <cstdint>
#include <vector>

#include "core/grid.h"
#include "core/random.h"

namespace scintigen {

/// `components` smooth numbers at every point of a box, on a coarse grid, linear in between, the
/// edge's value outside.
class CoarseField {
 public:
  static constexpr double kSpacingMm = 4;
  /// Zero over the box that holds a head (x -112..112, y -148..112, z -112..128 mm).
  explicit CoarseField(int64_t components);

  int64_t components() const { return components_; }
  int64_t points() const { return n_[0] * n_[1] * n_[2]; }
  const std::array<int64_t, 3>& shape() const { return n_; }  ///< x, y, z
  Point point(int64_t index) const;                           ///< mm
  Grid grid() const;                                          ///< axes along x, y, z
  float* component(int64_t c) { return data_.data() + c * points(); }
  const float* component(int64_t c) const { return data_.data() + c * points(); }
  /// Writes components() numbers.
  void read(const Point& at, float* into) const;
  float value(const Point& at) const;  ///< of component 0

  /// Gaussian white noise smoothed with `sigma_mm`, each component with mean 0 and SD 1 over the
  /// ensemble; points near the box's faces included.
  static CoarseField smooth_noise(int64_t components, double sigma_mm, Random random);

 private:
  struct Cell {
    int64_t start;
    std::array<float, 3> part;
  };
  Cell cell(const Point& at) const;
  float value(const Cell& cell, int64_t component) const;
  int64_t components_;
  std::array<int64_t, 3> n_;
  Point origin_;
  std::vector<float> data_;
};

}  // namespace scintigen
