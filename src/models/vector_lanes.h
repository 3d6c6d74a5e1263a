// SPDX-License-Identifier: Apache-2.0
// Eight or sixteen floats in a register, for loops that the compiler would not make vectors of:
// sums that an array would keep in memory, choices by lane (`mask ? x : y`), transposition. Eight
// are used in functions with SCINTIGEN_CLONES, and good for any processor: the compiler cuts what
// is too wide. Sixteen are for code behind `#pragma GCC target("arch=x86-64-v4")`, where it is read
// as well as where it runs: elsewhere GCC takes comparisons of sixteen lanes apart.
#pragma once
#include <cstdint>
#include <cstring>

#include "core/instruction_clones.h"

namespace scintigen {

/// Memory read through these is on a border of their size.
// NOLINTBEGIN(modernize-use-using): GCC bug 88600
typedef float Four __attribute__((vector_size(16), may_alias));
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
  Four sum = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  sum += __builtin_shufflevector(sum, sum, 2, 3, 0, 1);
  return sum[0] + sum[1];
}
SCINTIGEN_INLINE float least_of(const Eight& v) {
  const Four low = __builtin_shufflevector(v, v, 0, 1, 2, 3);
  const Four high = __builtin_shufflevector(v, v, 4, 5, 6, 7);
  const Four least = low < high ? low : high;
  const Four other = __builtin_shufflevector(least, least, 2, 3, 0, 1);
  const Four both = least < other ? least : other;
  return both[0] < both[1] ? both[0] : both[1];
}

/// Writes first, first + 1, ... of those lanes of x that are not 0 to `to`, which has room for all;
/// returns how many.
SCINTIGEN_INLINE int64_t not_zero(const Eight& x, int32_t first, int32_t* to) {
  EightWhole bits;
  std::memcpy(&bits, &x, sizeof(bits));
  int64_t count = 0;
  for (int j = 0; j < 8; ++j) {
    to[count] = first + j;
    count += (bits[j] & 0x7fffffff) != 0;
  }
  return count;
}

}  // namespace scintigen

#ifdef SCINTIGEN_SIXTEEN_LANES
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4")
namespace scintigen {

// NOLINTBEGIN(modernize-use-using): GCC bug 88600
typedef float Sixteen __attribute__((vector_size(64), may_alias));
typedef int32_t SixteenWhole __attribute__((vector_size(64), may_alias));
// NOLINTEND(modernize-use-using)

SCINTIGEN_INLINE float sum_of(const Sixteen& v) {
  return sum_of(__builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15));
}
SCINTIGEN_INLINE float least_of(const Sixteen& v) {
  const Eight low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
  const Eight high = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  return least_of(low < high ? low : high);
}

SCINTIGEN_INLINE int64_t not_zero(const Sixteen& x, int32_t first, int32_t* to) {
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __mmask16 which = _mm512_cmpneq_ps_mask(x, _mm512_setzero_ps());
  _mm512_storeu_si512(
      to, _mm512_maskz_compress_epi32(which, _mm512_add_epi32(lanes, _mm512_set1_epi32(first))));
  return __builtin_popcount(which);
}

}  // namespace scintigen
#pragma GCC pop_options
#endif
