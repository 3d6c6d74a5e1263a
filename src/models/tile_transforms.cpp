// SPDX-License-Identifier: Apache-2.0
#include "models/tile_transforms.h"

#include "core/error.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define SCINTIGEN_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define SCINTIGEN_AVX512_INLINE \
  inline __attribute__((always_inline, target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#endif

namespace scintigen {
using c10::BFloat16;

#ifdef SCINTIGEN_AVX512
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kPanel = 32;

/// y = At [(G g) * (Bt d)] in one direction, stride 1: d four pixels, g three taps, y two outputs.
struct ThreeTaps {
  static constexpr int kPoints = 4, kTaps = 3, kStride = 1;
  static constexpr float kIn[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
  static constexpr float kInT[4][4] = {{1, 0, 0, 0}, {0, 1, -1, 1}, {-1, 1, 1, 0}, {0, 0, 0, -1}};
  static constexpr float kTap[4][3] = {
      {1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  static constexpr float kTapT[3][4] = {
      {1, 0.5f, 0.5f, 0}, {0, 0.5f, -0.5f, 0}, {0, 0.5f, 0.5f, 1}};
  static constexpr float kOut[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
  static constexpr float kOutT[4][2] = {{1, 0}, {1, 1}, {1, -1}, {0, -1}};
};

/// The same for two taps: y0 = d0 g0 + d1 g1 = (d0 - d1) g0 + d1 (g0 + g1), y1 = d1 (g0 + g1) - (d1
/// - d2) g1.
struct TwoTaps {
  static constexpr int kPoints = 3, kTaps = 2, kStride = 2;
  static constexpr float kIn[3][3] = {{1, -1, 0}, {0, 1, 0}, {0, 1, -1}};
  static constexpr float kInT[3][3] = {{1, 0, 0}, {-1, 1, 1}, {0, 0, -1}};
  static constexpr float kTap[3][2] = {{1, 0}, {1, 1}, {0, 1}};
  static constexpr float kTapT[2][3] = {{1, 1, 0}, {0, 1, 1}};
  static constexpr float kOut[2][3] = {{1, 1, 0}, {0, 1, -1}};
  static constexpr float kOutT[3][2] = {{1, 0}, {1, 1}, {0, -1}};
};

/// to = matrix from matrix', unrolled; coefficients are known to the compiler.
template <int Out, int In>
SCINTIGEN_AVX512_INLINE void sandwich(const float (&matrix)[Out][In], const __m512 (&from)[In][In],
                                      __m512 (&to)[Out][Out]) {
  __m512 half[Out][In];
#pragma GCC unroll 4
  for (int o = 0; o < Out; ++o) {
#pragma GCC unroll 4
    for (int k = 0; k < In; ++k) {
      bool empty = true;
#pragma GCC unroll 4
      for (int i = 0; i < In; ++i) {
        const float c = matrix[o][i];
        if (c == 0) continue;
        const __m512 term = c == 1    ? from[i][k]
                            : c == -1 ? -from[i][k]
                                      : from[i][k] * _mm512_set1_ps(c);
        half[o][k] = empty ? term : half[o][k] + term;
        empty = false;
      }
    }
  }
#pragma GCC unroll 4
  for (int o = 0; o < Out; ++o) {
#pragma GCC unroll 4
    for (int q = 0; q < Out; ++q) {
      bool empty = true;
#pragma GCC unroll 4
      for (int k = 0; k < In; ++k) {
        const float c = matrix[q][k];
        if (c == 0) continue;
        const __m512 term = c == 1    ? half[o][k]
                            : c == -1 ? -half[o][k]
                                      : half[o][k] * _mm512_set1_ps(c);
        to[o][q] = empty ? term : to[o][q] + term;
        empty = false;
      }
    }
  }
}

SCINTIGEN_AVX512_INLINE __m512 load16(const float* p) { return _mm512_loadu_ps(p); }
SCINTIGEN_AVX512_INLINE __m512 load16(const BFloat16* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  // Masked forms: GCC 12 warns of its own plain ones.
  return (__m512)_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, bits), 16);
}
SCINTIGEN_AVX512_INLINE void store16(__m512 value, float* p) { _mm512_storeu_ps(p, value); }
SCINTIGEN_AVX512_INLINE void store16(__m512 value, BFloat16* p) {  // to nearest, ties to even
  const __m512i bits = (__m512i)value, one = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7fff);
  const __m512i odd = _mm512_and_si512(_mm512_maskz_srli_epi32(0xffff, bits, 16), one);
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, half));
  const __m256i top =
      _mm512_maskz_cvtepi32_epi16(0xffff, _mm512_maskz_srli_epi32(0xffff, rounded, 16));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), top);
}

/// Where a tile lies: its image, and the image's pixel of phase 0 and index 0 in rows and columns.
struct Place {
  Place(const TileShape& s, int64_t tile)
      : image(tile / s.tiles_of_image()),
        a(tile % s.tiles_of_image() / (s.width / (2 * s.stride))),
        b(tile % (s.width / (2 * s.stride))) {}
  int64_t image, a, b;  // tile row and column
};

template <class Kind, class T>
SCINTIGEN_AVX512 void input(const TileShape& s, const T* x, int64_t first, int64_t last, T* t) {
  constexpr int P = Kind::kPoints, S = Kind::kStride;
  const int64_t depth = s.depth(), step = (last - first) * depth;
  for (int64_t tile = first; tile < last; ++tile) {
    const Place at(s, tile);
    const T* image = x + at.image * s.height * s.width * s.in;
    for (int64_t phase = 0; phase < S * S; ++phase) {
      const int64_t top = 2 * S * at.a + phase / S - 1, left = 2 * S * at.b + phase % S - 1;
      for (int64_t c = 0; c < s.in; c += kLanes) {
        __m512 d[P][P], r[P][P];
#pragma GCC unroll 4
        for (int i = 0; i < P; ++i) {
#pragma GCC unroll 4
          for (int j = 0; j < P; ++j) {
            const int64_t row = top + S * i, column = left + S * j;
            const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
            d[i][j] =
                inside ? load16(image + (row * s.width + column) * s.in + c) : _mm512_setzero_ps();
          }
        }
        sandwich(Kind::kIn, d, r);
        T* out = t + (tile - first) * depth + phase * s.in + c;
#pragma GCC unroll 16
        for (int p = 0; p < P * P; ++p) store16(r[p / P][p % P], out + p * step);
      }
    }
  }
}

template <class Kind>
SCINTIGEN_AVX512 void input_adjoint(const TileShape& s, const float* t, int64_t first_image,
                                    int64_t last_image, int64_t phase, int64_t channel, float* gx) {
  constexpr int P = Kind::kPoints, S = Kind::kStride;
  const int64_t first = first_image * s.tiles_of_image(), last = last_image * s.tiles_of_image();
  const int64_t step = (last - first) * kPanel;
  for (int64_t tile = first; tile < last; ++tile) {
    const Place at(s, tile);
    float* image = gx + at.image * s.height * s.width * s.in + channel;
    const int64_t top = 2 * S * at.a + phase / S - 1, left = 2 * S * at.b + phase % S - 1;
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      __m512 d[P][P], r[P][P];
      const float* from = t + (tile - first) * kPanel + c;
#pragma GCC unroll 16
      for (int p = 0; p < P * P; ++p) d[p / P][p % P] = _mm512_loadu_ps(from + p * step);
      sandwich(Kind::kInT, d, r);
#pragma GCC unroll 4
      for (int i = 0; i < P; ++i) {
#pragma GCC unroll 4
        for (int j = 0; j < P; ++j) {
          const int64_t row = top + S * i, column = left + S * j;
          if (row < 0 || row >= s.height || column < 0 || column >= s.width) continue;
          float* to = image + (row * s.width + column) * s.in + c;
          _mm512_storeu_ps(to, _mm512_loadu_ps(to) + r[i][j]);
        }
      }
    }
  }
}

/// First of a tile's two output rows, as an offset into y.
template <class Kind>
int64_t output_offset(const TileShape& s, int64_t tile, int64_t channel) {
  const Place at(s, tile);
  const int64_t height = s.height / Kind::kStride, width = s.width / Kind::kStride;
  return ((at.image * height + 2 * at.a) * width + 2 * at.b) * s.out + channel;
}

template <class Kind, class T>
SCINTIGEN_AVX512 void output(const TileShape& s, const float* p, int64_t first, int64_t last,
                             int64_t channel, T* y) {
  constexpr int P = Kind::kPoints;
  const int64_t step = (last - first) * kPanel, width = s.width / Kind::kStride;
  for (int64_t tile = first; tile < last; ++tile) {
    T* to = y + output_offset<Kind>(s, tile, channel);
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      __m512 d[P][P], r[2][2];
      const float* from = p + (tile - first) * kPanel + c;
#pragma GCC unroll 16
      for (int k = 0; k < P * P; ++k) d[k / P][k % P] = _mm512_loadu_ps(from + k * step);
      sandwich(Kind::kOut, d, r);
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k)
        store16(r[k / 2][k % 2], to + (k / 2 * width + k % 2) * s.out + c);
    }
  }
}

template <class Kind, class T>
SCINTIGEN_AVX512 void output_adjoint(const TileShape& s, const T* gy, int64_t first, int64_t last,
                                     int64_t channel, T* p) {
  constexpr int P = Kind::kPoints;
  const int64_t step = (last - first) * kPanel, width = s.width / Kind::kStride;
  for (int64_t tile = first; tile < last; ++tile) {
    const T* from = gy + output_offset<Kind>(s, tile, channel);
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      __m512 d[2][2], r[P][P];
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k)
        d[k / 2][k % 2] = load16(from + (k / 2 * width + k % 2) * s.out + c);
      sandwich(Kind::kOutT, d, r);
      T* to = p + (tile - first) * kPanel + c;
#pragma GCC unroll 16
      for (int k = 0; k < P * P; ++k) store16(r[k / P][k % P], to + k * step);
    }
  }
}

/// Where tap (i, j) of row `row` of the right sides lies in weight [in][k][k][out].
template <class Kind>
SCINTIGEN_AVX512_INLINE int64_t tap_offset(const TileShape& s, int64_t row, int i, int j) {
  constexpr int64_t S = Kind::kStride, K = S * Kind::kTaps;
  const int64_t phase = row / s.in, c = row % s.in;
  return ((c * K + S * i + phase / S) * K + S * j + phase % S) * s.out;
}

template <class Kind>
SCINTIGEN_AVX512 void weight(const TileShape& s, const float* w, int64_t first, int64_t last,
                             int64_t channel, float* u) {
  constexpr int P = Kind::kPoints, N = Kind::kTaps;
  const int64_t step = (last - first) * kPanel;
  for (int64_t row = first; row < last; ++row) {
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      __m512 g[N][N], r[P][P];
#pragma GCC unroll 9
      for (int k = 0; k < N * N; ++k) {
        g[k / N][k % N] = _mm512_loadu_ps(w + tap_offset<Kind>(s, row, k / N, k % N) + channel + c);
      }
      sandwich(Kind::kTap, g, r);
      float* to = u + (row - first) * kPanel + c;
#pragma GCC unroll 16
      for (int k = 0; k < P * P; ++k) _mm512_storeu_ps(to + k * step, r[k / P][k % P]);
    }
  }
}

template <class Kind>
SCINTIGEN_AVX512 void weight_adjoint(const TileShape& s, const float* u, int64_t first,
                                     int64_t last, int64_t channel, float* gw) {
  constexpr int P = Kind::kPoints, N = Kind::kTaps;
  const int64_t step = (last - first) * kPanel;
  for (int64_t row = first; row < last; ++row) {
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      __m512 d[P][P], g[N][N];
      const float* from = u + (row - first) * kPanel + c;
#pragma GCC unroll 16
      for (int k = 0; k < P * P; ++k) d[k / P][k % P] = _mm512_loadu_ps(from + k * step);
      sandwich(Kind::kTapT, d, g);
#pragma GCC unroll 9
      for (int k = 0; k < N * N; ++k) {
        _mm512_storeu_ps(gw + tap_offset<Kind>(s, row, k / N, k % N) + channel + c,
                         g[k / N][k % N]);
      }
    }
  }
}

}  // namespace

#define SCINTIGEN_BY_STRIDE(function, ...) \
  s.stride == 1 ? function<ThreeTaps>(__VA_ARGS__) : function<TwoTaps>(__VA_ARGS__)

template <class T>
void tile_input(const TileShape& s, const T* x, int64_t first, int64_t last, T* t) {
  SCINTIGEN_BY_STRIDE(input, s, x, first, last, t);
}
void tile_input_adjoint(const TileShape& s, const float* t, int64_t first_image, int64_t last_image,
                        int64_t phase, int64_t channel, float* gx) {
  SCINTIGEN_BY_STRIDE(input_adjoint, s, t, first_image, last_image, phase, channel, gx);
}
template <class T>
void tile_output(const TileShape& s, const float* p, int64_t first, int64_t last, int64_t channel,
                 T* y) {
  SCINTIGEN_BY_STRIDE(output, s, p, first, last, channel, y);
}
template <class T>
void tile_output_adjoint(const TileShape& s, const T* gy, int64_t first, int64_t last,
                         int64_t channel, T* p) {
  SCINTIGEN_BY_STRIDE(output_adjoint, s, gy, first, last, channel, p);
}
void tile_weight(const TileShape& s, const float* w, int64_t first, int64_t last, int64_t channel,
                 float* u) {
  SCINTIGEN_BY_STRIDE(weight, s, w, first, last, channel, u);
}
void tile_weight_adjoint(const TileShape& s, const float* u, int64_t first, int64_t last,
                         int64_t channel, float* gw) {
  SCINTIGEN_BY_STRIDE(weight_adjoint, s, u, first, last, channel, gw);
}

#else  // another processor: tile_convolution_applies() says no

namespace {
[[noreturn]] void refuse() { throw Error("tile transforms: not on this processor"); }
}  // namespace
template <class T>
void tile_input(const TileShape&, const T*, int64_t, int64_t, T*) {
  refuse();
}
void tile_input_adjoint(const TileShape&, const float*, int64_t, int64_t, int64_t, int64_t,
                        float*) {
  refuse();
}
template <class T>
void tile_output(const TileShape&, const float*, int64_t, int64_t, int64_t, T*) {
  refuse();
}
template <class T>
void tile_output_adjoint(const TileShape&, const T*, int64_t, int64_t, int64_t, T*) {
  refuse();
}
void tile_weight(const TileShape&, const float*, int64_t, int64_t, int64_t, float*) { refuse(); }
void tile_weight_adjoint(const TileShape&, const float*, int64_t, int64_t, int64_t, float*) {
  refuse();
}

#endif

template void tile_input(const TileShape&, const float*, int64_t, int64_t, float*);
template void tile_input(const TileShape&, const BFloat16*, int64_t, int64_t, BFloat16*);
template void tile_output(const TileShape&, const float*, int64_t, int64_t, int64_t, float*);
template void tile_output(const TileShape&, const float*, int64_t, int64_t, int64_t, BFloat16*);
template void tile_output_adjoint(const TileShape&, const float*, int64_t, int64_t, int64_t,
                                  float*);
template void tile_output_adjoint(const TileShape&, const BFloat16*, int64_t, int64_t, int64_t,
                                  BFloat16*);

}  // namespace scintigen
