// SPDX-License-Identifier: Apache-2.0
#include "models/tap_sums.h"

#include <algorithm>

#include "models/panel_product.h"
#include "models/vector_loops.h"

namespace scintigen {
namespace {

using c10::BFloat16;

/// Coarse line i of an image whose first pixel is `pixel` of the panels. Fine row 2i meets tap row
/// 0 at coarse row i-1 and taps 1, 2 at i; fine row 2i+1 meets 0, 1 at i and 2 at i+1. So columns.
template <class T>
SCINTIGEN_INLINE void collapse_line(const UpShape s, const float* taps, int64_t pixels,
                                    int64_t pixel, int64_t i, float* buffer, T* y) {
  const int64_t count = s.width * kPanel,
                line = count + 2 * kPanel;  // columns -1 and width are zero
  for (int64_t column = 0; column < 3; ++column) {
    const float* v0 = taps + (column * pixels + pixel) * kPanel + i * count;
    const float *v1 = v0 + 3 * pixels * kPanel, *v2 = v1 + 3 * pixels * kPanel;
    float *even = buffer + column * line + kPanel, *odd = even + 3 * line;
    if (i > 0 && i + 1 < s.height) {
#pragma omp simd
      for (int64_t l = 0; l < count; ++l) {
        even[l] = v0[l - count] + (v1[l] + v2[l]);
        odd[l] = (v0[l] + v1[l]) + v2[l + count];
      }
    } else {
      const float above = i > 0 ? 1.0f : 0.0f, below = i + 1 < s.height ? 1.0f : 0.0f;
      const float *upper = i > 0 ? v0 - count : v0, *lower = i + 1 < s.height ? v2 + count : v2;
#pragma omp simd
      for (int64_t l = 0; l < count; ++l) {
        even[l] = above * upper[l] + (v1[l] + v2[l]);
        odd[l] = (v0[l] + v1[l]) + below * lower[l];
      }
    }
  }
  for (int64_t a = 0; a < 2; ++a) {
    const float* lines = buffer + a * 3 * line + kPanel;
    for (int64_t j = 0; j < s.width; ++j) {
      const float *c0 = lines + j * kPanel, *c1 = c0 + line, *c2 = c1 + line;
      T *left = y + (a * 2 * s.width + 2 * j) * s.out, *right = left + s.out;
#pragma omp simd
      for (int64_t l = 0; l < kPanel; ++l) {
        store(c0[l - kPanel] + (c1[l] + c2[l]), left + l);
        store((c0[l] + c1[l]) + c2[l + kPanel], right + l);
      }
    }
  }
}

/// Tap row t sees the sum of fine rows 2i+1-t and 2i+2-t; so columns. g is the image's first fine
/// pixel.
template <class T>
SCINTIGEN_INLINE void expand_line(const UpShape s, const T* g, int64_t i, int64_t tap_row,
                                  int64_t pixels, float* buffer, T* taps) {
  const int64_t fine_width = 2 * s.width, upper = 2 * i + 1 - tap_row;
  const bool has_upper = upper >= 0, has_lower = upper + 1 < 2 * s.height;
  const T* up = g + (has_upper ? upper : upper + 1) * fine_width * s.out;
  const T* low = g + (has_lower ? upper + 1 : upper) * fine_width * s.out;
  const float weight = has_upper && has_lower ? 1.0f : 0.5f;  // at the border both are the same row
  float* sums = buffer + kPanel;
  for (int64_t v = 0; v < fine_width; ++v) {
#pragma omp simd
    for (int64_t l = 0; l < kPanel; ++l) {
      sums[v * kPanel + l] = weight * (load(up + v * s.out + l) + load(low + v * s.out + l));
    }
  }
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t j = 0; j < s.width; ++j) {
      const float* from = sums + (2 * j + 1 - t) * kPanel;
      T* out = taps + (t * pixels + j) * kPanel;
#pragma omp simd
      for (int64_t l = 0; l < kPanel; ++l) store(from[l] + from[l + kPanel], out + l);
    }
  }
}

#define SCINTIGEN_LINES(T)                                                                    \
  SCINTIGEN_CLONES void collapse_clone(const UpShape s, const float* taps, int64_t pixels,    \
                                       int64_t pixel, int64_t i, float* buffer, T* y) {       \
    collapse_line(s, taps, pixels, pixel, i, buffer, y);                                      \
  }                                                                                           \
  SCINTIGEN_CLONES void expand_clone(const UpShape s, const T* g, int64_t i, int64_t tap_row, \
                                     int64_t pixels, float* buffer, T* taps) {                \
    expand_line(s, g, i, tap_row, pixels, buffer, taps);                                      \
  }
SCINTIGEN_LINES(float)
SCINTIGEN_LINES(BFloat16)

}  // namespace

template <class T>
void collapse_taps(const UpShape& s, const float* taps, int64_t first, int64_t last,
                   int64_t channel, AlignedRoom<float>& buffer, T* y) {
  float* lines = buffer.of(6 * (s.width + 2) * kPanel);
  std::fill_n(lines, 6 * (s.width + 2) * kPanel, 0.0f);
  const int64_t pixels = (last - first) * s.height * s.width;
  for (int64_t image = first; image < last; ++image) {
    for (int64_t i = 0; i < s.height; ++i) {
      collapse_clone(s, taps, pixels, (image - first) * s.height * s.width, i, lines,
                     y + (image * s.height + i) * 4 * s.width * s.out + channel);
    }
  }
}

template <class T>
void expand_taps(const UpShape& s, const T* g, int64_t first, int64_t last, int64_t channel,
                 int64_t tap_row, int64_t tap_rows, AlignedRoom<float>& buffer, T* taps) {
  float* sums = buffer.of((2 * s.width + 2) * kPanel);
  std::fill_n(sums, (2 * s.width + 2) * kPanel, 0.0f);
  const int64_t pixels = (last - first) * s.width;
  for (int64_t line = first; line < last; ++line) {
    const T* image = g + line / s.height * 4 * s.height * s.width * s.out + channel;
    for (int64_t t = 0; t < tap_rows; ++t) {
      expand_clone(s, image, line % s.height, tap_row + t, pixels, sums,
                   taps + (3 * t * pixels + (line - first) * s.width) * kPanel);
    }
  }
}

template void collapse_taps(const UpShape&, const float*, int64_t, int64_t, int64_t,
                            AlignedRoom<float>&, float*);
template void collapse_taps(const UpShape&, const float*, int64_t, int64_t, int64_t,
                            AlignedRoom<float>&, BFloat16*);
template void expand_taps(const UpShape&, const float*, int64_t, int64_t, int64_t, int64_t, int64_t,
                          AlignedRoom<float>&, float*);
template void expand_taps(const UpShape&, const BFloat16*, int64_t, int64_t, int64_t, int64_t,
                          int64_t, AlignedRoom<float>&, BFloat16*);

}  // namespace scintigen
