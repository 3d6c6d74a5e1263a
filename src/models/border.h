// SPDX-License-Identifier: Apache-2.0
// What lies beyond the edge of a map that is convolved: zeros, the map mirrored at its outermost
// pixels (these once), or its outermost pixels repeated.
#pragma once
#include <cstdint>

namespace scintigen {

enum class Border { zero, reflect, replicate };

/// The pixel of `size` that stands at place `i`, which may lie outside; -1: a zero. Reflection
/// reaches size - 1 pixels outside and ends there.
inline int64_t border_pixel(int64_t i, int64_t size, Border border) {
  if (i >= 0 && i < size) return i;
  if (border == Border::zero) return -1;
  const int64_t edge = i < 0 ? 0 : size - 1;
  if (border == Border::replicate) return edge;
  const int64_t mirrored = 2 * edge - i;
  return mirrored >= 0 && mirrored < size ? mirrored : size - 1 - edge;
}

}  // namespace scintigen
