// SPDX-License-Identifier: Apache-2.0
// Points and affine maps in millimetres, RAS+.
#pragma once
#include <array>
#include <cmath>

#include "core/volume.h"

namespace scintigen {

using Point = std::array<double, 3>;  ///< mm, RAS+

inline Affine identity_affine() {
  return {{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
}

inline Point transform_point(const Affine& a, const Point& p) {
  Point q{};
  for (size_t i = 0; i < 3; ++i) q[i] = a[i][0] * p[0] + a[i][1] * p[1] + a[i][2] * p[2] + a[i][3];
  return q;
}

/// x -> a(b(x))
inline Affine compose(const Affine& a, const Affine& b) {
  Affine c{};
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j)
      for (size_t k = 0; k < 4; ++k) c[i][j] += a[i][k] * b[k][j];
  return c;
}

inline double determinant(const Affine& a) {
  return a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) -
         a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
         a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
}

/// The inverse map. `a` must not be singular (its last row is 0 0 0 1).
inline Affine inverse(const Affine& a) {
  const double d = determinant(a);
  Affine b = identity_affine();
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) {
      const size_t r0 = (j + 1) % 3, r1 = (j + 2) % 3, c0 = (i + 1) % 3, c1 = (i + 2) % 3;
      b[i][j] = (a[r0][c0] * a[r1][c1] - a[r0][c1] * a[r1][c0]) / d;
    }
  for (size_t i = 0; i < 3; ++i)
    b[i][3] = -(b[i][0] * a[0][3] + b[i][1] * a[1][3] + b[i][2] * a[2][3]);
  return b;
}

/// Rotation about x, then y, then z (radians, right-handed), then the shift (mm).
inline Affine rigid_affine(const Point& rotation_rad, const Point& shift_mm) {
  const double cx = std::cos(rotation_rad[0]), sx = std::sin(rotation_rad[0]);
  const double cy = std::cos(rotation_rad[1]), sy = std::sin(rotation_rad[1]);
  const double cz = std::cos(rotation_rad[2]), sz = std::sin(rotation_rad[2]);
  return {{{cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx, shift_mm[0]},
           {sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx, shift_mm[1]},
           {-sy, cy * sx, cy * cx, shift_mm[2]},
           {0, 0, 0, 1}}};
}

}  // namespace scintigen
