// SPDX-License-Identifier: Apache-2.0
// Eight floats in a register, for loops that the compiler would not make vectors of: sums that an
// array would keep in memory, choices by lane (`mask ? x : y`), exponentials, transposition. Used
// in functions with SCINTIGEN_CLONES, and good for any processor: the compiler cuts what is too
// wide.
#pragma once
#include <cstdint>
#include <cstring>

#include "core/instruction_clones.h"

namespace scintigen {

/// Eight lanes in a register, for loops that the compiler would not make vectors of: sums kept in
/// an array, choices (`mask ? x : y` chooses by lane). Memory read through it is on a border of 32
/// bytes.
// NOLINTBEGIN(modernize-use-using): GCC bug 88600
typedef float Eight __attribute__((vector_size(32), may_alias));
typedef int32_t EightWhole __attribute__((vector_size(32), may_alias));
// NOLINTEND(modernize-use-using)

/// Transposes eight registers: lane j of row i becomes lane i of row j.
SCINTIGEN_INLINE void transpose_eight(Eight (&r)[8]) {
  Eight a[8], b[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    a[2 * i] = __builtin_shuffle(r[2 * i], r[2 * i + 1], EightWhole{0, 8, 1, 9, 4, 12, 5, 13});
    a[2 * i + 1] =
        __builtin_shuffle(r[2 * i], r[2 * i + 1], EightWhole{2, 10, 3, 11, 6, 14, 7, 15});
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const int from = i / 2 * 4 + i % 2;  // pairs (0,2), (1,3), (4,6), (5,7)
    b[2 * i] = __builtin_shuffle(a[from], a[from + 2], EightWhole{0, 1, 8, 9, 4, 5, 12, 13});
    b[2 * i + 1] = __builtin_shuffle(a[from], a[from + 2], EightWhole{2, 3, 10, 11, 6, 7, 14, 15});
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    r[i] = __builtin_shuffle(b[i], b[i + 4], EightWhole{0, 1, 2, 3, 8, 9, 10, 11});
    r[i + 4] = __builtin_shuffle(b[i], b[i + 4], EightWhole{4, 5, 6, 7, 12, 13, 14, 15});
  }
}

SCINTIGEN_INLINE const Eight& eight(const float* p) { return *reinterpret_cast<const Eight*>(p); }
SCINTIGEN_INLINE Eight& eight(float* p) { return *reinterpret_cast<Eight*>(p); }

SCINTIGEN_INLINE float sum_of(const Eight& v) {
  return ((v[0] + v[4]) + (v[1] + v[5])) + ((v[2] + v[6]) + (v[3] + v[7]));
}
SCINTIGEN_INLINE float least_of(const Eight& v) {
  const float a = v[0] < v[4] ? v[0] : v[4], b = v[1] < v[5] ? v[1] : v[5];
  const float c = v[2] < v[6] ? v[2] : v[6], d = v[3] < v[7] ? v[3] : v[7];
  const float e = a < b ? a : b, f = c < d ? c : d;
  return e < f ? e : f;
}

/// x = exp(-x) of eight x >= 0 within 2 ulp, in place; beyond 87 it saturates.
SCINTIGEN_INLINE void exp_minus_eight(Eight& x) {
  const Eight most = Eight{} + 87.0f;
  const Eight y = -(x < most ? x : most);
  const Eight shifted =
      y * 1.44269504f + 12582912.0f;  // 1.5 * 2^23: rounds to an integer in the low bits
  const Eight n = shifted - 12582912.0f;
  const Eight r = (y - n * 0.693145752f) - n * 1.42860677e-6f;
  Eight p = Eight{} + 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = (p * r) * r + r + 1.0f;
  EightWhole bits, exponent;
  std::memcpy(&exponent, &shifted, sizeof(exponent));
  std::memcpy(&bits, &p, sizeof(bits));
  bits += exponent << 23;
  std::memcpy(&x, &bits, sizeof(x));
}

}  // namespace scintigen
