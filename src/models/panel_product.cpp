// SPDX-License-Identifier: Apache-2.0
#include "models/panel_product.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/error.h"
#include "models/vector_loops.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define SCINTIGEN_AVX2 __attribute__((target("avx2,fma")))
#define SCINTIGEN_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define SCINTIGEN_AVX512_BF16 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx512bf16")))
#endif

namespace scintigen {
using c10::BFloat16;

#ifdef SCINTIGEN_AVX512
namespace {

bool avx512() {
  static const bool all = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return all;
}
bool avx512_bf16() {
  static const bool both = avx512() && __builtin_cpu_supports("avx512bf16");
  return both;
}

SCINTIGEN_AVX512 inline void store_sum(__m512 low, __m512 high, float* c, bool accumulate) {
  if (accumulate) {
    low = _mm512_add_ps(low, _mm512_loadu_ps(c));
    high = _mm512_add_ps(high, _mm512_loadu_ps(c + 16));
  }
  _mm512_storeu_ps(c, low);
  _mm512_storeu_ps(c + 16, high);
}

SCINTIGEN_AVX512_BF16 inline void store_sum(__m512 low, __m512 high, BFloat16* c, bool) {
  _mm512_storeu_si512(c, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

/// 4 rows and 16 columns: eight sums are what the latency of two units wants, and 11 of 16
/// registers.
SCINTIGEN_AVX2 inline void multiply_quarter(const LeftSide<float>& left, const float* a,
                                            const float* b, int64_t depth, int64_t blocks, float* c,
                                            int64_t row_step, bool accumulate) {
  __m256 sum[4][2];
  for (auto& row : sum) row[0] = row[1] = _mm256_setzero_ps();
  for (int64_t block = 0; block < blocks; ++block, a += left.block_step) {
    const float* at = a;
    for (int64_t k = 0; k < depth; ++k, at += left.depth_step, b += kPanel) {
      const __m256 low = _mm256_loadu_ps(b), high = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        const __m256 value = _mm256_broadcast_ss(at + i * left.row_step);
        sum[i][0] = _mm256_fmadd_ps(value, low, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(value, high, sum[i][1]);
      }
    }
  }
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t half = 0; half < 2; ++half) {
      float* to = c + i * row_step + 8 * half;
      const __m256 before = accumulate ? _mm256_loadu_ps(to) : _mm256_setzero_ps();
      _mm256_storeu_ps(to, _mm256_add_ps(before, sum[i][half]));
    }
  }
}

/// `depth` in pieces whose right side stays in the first-level cache.
SCINTIGEN_AVX2 void multiply_avx2(const LeftSide<float>& left, const float* right, int64_t depth,
                                  int64_t blocks, int64_t tiles, float* c, int64_t row_step,
                                  int64_t tile_step, bool accumulate) {
  constexpr int64_t kPiece = 128;
  const int64_t together = std::max<int64_t>(1, kPiece / depth);  // blocks
  for (int64_t block = 0; block < blocks; block += together) {
    for (int64_t k = 0; k < depth; k += kPiece) {
      const float* a = left.data + block * left.block_step + k * left.depth_step;
      const float* b = right + (block * depth + k) * kPanel;
      const bool add = accumulate || block > 0 || k > 0;
      for (int64_t quarter = 0; quarter < 4 * tiles; ++quarter) {
        const int64_t tile = quarter / 4, row = quarter / 2 % 2 * 4, column = quarter % 2 * 16;
        multiply_quarter(left, a + tile * left.tile_step + row * left.row_step, b + column,
                         std::min(kPiece, depth - k), std::min(together, blocks - block),
                         c + tile * tile_step + row * row_step + column, row_step, add);
      }
    }
  }
}

SCINTIGEN_AVX512 void multiply_avx512(const LeftSide<float>& left, const float* right,
                                      int64_t depth, int64_t blocks, int64_t tiles, float* c,
                                      int64_t row_step, int64_t tile_step, bool accumulate) {
  const int64_t step = left.row_step;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    __m512 sum[kTile][2];
    for (auto& row : sum) row[0] = row[1] = _mm512_setzero_ps();
    const float* b = right;
    for (int64_t block = 0; block < blocks; ++block) {
      const float* a = left.data + tile * left.tile_step + block * left.block_step;
      for (int64_t k = 0; k < depth; ++k, a += left.depth_step, b += kPanel) {
        const __m512 low = _mm512_loadu_ps(b), high = _mm512_loadu_ps(b + 16);
#pragma GCC unroll 8
        for (int i = 0; i < kTile; ++i) {
          const __m512 value = _mm512_set1_ps(a[i * step]);
          sum[i][0] = _mm512_fmadd_ps(value, low, sum[i][0]);
          sum[i][1] = _mm512_fmadd_ps(value, high, sum[i][1]);
        }
      }
    }
    for (int64_t i = 0; i < kTile; ++i) {
      store_sum(sum[i][0], sum[i][1], c + tile * tile_step + i * row_step, accumulate);
    }
  }
}

void multiply(const LeftSide<float>& left, const float* right, int64_t depth, int64_t blocks,
              int64_t tiles, float* c, int64_t row_step, int64_t tile_step, bool accumulate) {
  static const auto chosen = avx512() ? multiply_avx512 : multiply_avx2;
  chosen(left, right, depth, blocks, tiles, c, row_step, tile_step, accumulate);
}

template <class Sum>
SCINTIGEN_AVX512_BF16 void multiply_avx512(const LeftSide<BFloat16>& left, const BFloat16* right,
                                           int64_t depth, int64_t blocks, int64_t tiles, Sum* c,
                                           int64_t row_step, int64_t tile_step, bool accumulate) {
  const int64_t step = left.row_step;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    __m512 sum[kTile][2];
    for (auto& row : sum) row[0] = row[1] = _mm512_setzero_ps();
    const BFloat16* b = right;
    for (int64_t block = 0; block < blocks; ++block) {
      const BFloat16* a = left.data + tile * left.tile_step + block * left.block_step;
      for (int64_t k = 0; k < depth; ++k, a += left.depth_step, b += 2 * kPanel) {
        const auto low = (__m512bh)_mm512_loadu_si512(b),
                   high = (__m512bh)_mm512_loadu_si512(b + kPanel);
#pragma GCC unroll 8
        for (int i = 0; i < kTile; ++i) {
          int32_t pair;
          std::memcpy(&pair, a + i * step, 4);
          const auto value = (__m512bh)_mm512_set1_epi32(pair);
          sum[i][0] = _mm512_dpbf16_ps(sum[i][0], value, low);
          sum[i][1] = _mm512_dpbf16_ps(sum[i][1], value, high);
        }
      }
    }
    for (int64_t i = 0; i < kTile; ++i) {
      store_sum(sum[i][0], sum[i][1], c + tile * tile_step + i * row_step, accumulate);
    }
  }
}

/// First and second elements of eight pairs: bfloat16 is the upper half of a float32.
SCINTIGEN_AVX2 inline __m256 first_of(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
}
SCINTIGEN_AVX2 inline __m256 second_of(__m256i pairs) {
  return _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-0x10000)));
}

/// As the instruction that it stands for, which adds the second products first: 4 rows and 16
/// columns.
template <class Sum>
SCINTIGEN_AVX2 inline void multiply_quarter(const LeftSide<BFloat16>& left, const BFloat16* a,
                                            const BFloat16* b, int64_t depth, int64_t blocks,
                                            Sum* c, int64_t row_step, bool accumulate) {
  __m256 sum[4][2];
  for (auto& row : sum) row[0] = row[1] = _mm256_setzero_ps();
  for (int64_t block = 0; block < blocks; ++block, a += left.block_step) {
    const BFloat16* at = a;
    for (int64_t k = 0; k < depth; ++k, at += left.depth_step, b += 2 * kPanel) {
      const auto* pairs = reinterpret_cast<const __m256i*>(b);
      const __m256i low = _mm256_loadu_si256(pairs), high = _mm256_loadu_si256(pairs + 1);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        int32_t pair;
        std::memcpy(&pair, at + i * left.row_step, 4);
        const __m256i value = _mm256_set1_epi32(pair);
        sum[i][0] = _mm256_fmadd_ps(second_of(value), second_of(low), sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(second_of(value), second_of(high), sum[i][1]);
        sum[i][0] = _mm256_fmadd_ps(first_of(value), first_of(low), sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(first_of(value), first_of(high), sum[i][1]);
      }
    }
  }
  for (int64_t i = 0; i < 4; ++i) {
    float row[16];
    _mm256_storeu_ps(row, sum[i][0]);
    _mm256_storeu_ps(row + 8, sum[i][1]);
    Sum* to = c + i * row_step;
    for (int64_t k = 0; k < 16; ++k) store(accumulate ? load(to + k) + row[k] : row[k], to + k);
  }
}

template <class Sum>
SCINTIGEN_AVX2 void multiply_avx2(const LeftSide<BFloat16>& left, const BFloat16* right,
                                  int64_t depth, int64_t blocks, int64_t tiles, Sum* c,
                                  int64_t row_step, int64_t tile_step, bool accumulate) {
  accumulate = accumulate && std::is_same_v<Sum, float>;  // as AVX-512 does
  for (int64_t quarter = 0; quarter < 4 * tiles; ++quarter) {
    const int64_t tile = quarter / 4, row = quarter / 2 % 2 * 4, column = quarter % 2 * 16;
    multiply_quarter(left, left.data + tile * left.tile_step + row * left.row_step,
                     right + 2 * column, depth, blocks,
                     c + tile * tile_step + row * row_step + column, row_step, accumulate);
  }
}

template <class Sum>
void multiply(const LeftSide<BFloat16>& left, const BFloat16* right, int64_t depth, int64_t blocks,
              int64_t tiles, Sum* c, int64_t row_step, int64_t tile_step, bool accumulate) {
  static const auto chosen = avx512_bf16() ? multiply_avx512<Sum> : multiply_avx2<Sum>;
  chosen(left, right, depth, blocks, tiles, c, row_step, tile_step, accumulate);
}

/// 16 times (low, high) as 32 bits. Masked forms: GCC 12 warns of its own plain ones.
SCINTIGEN_AVX512 inline __m512i pair_up(__m256i low, __m256i high) {
  const __m512i wide = _mm512_maskz_cvtepu16_epi32(0xffff, high);
  return _mm512_or_si512(_mm512_maskz_cvtepu16_epi32(0xffff, low),
                         _mm512_maskz_slli_epi32(0xffff, wide, 16));
}

/// Rows and columns of 16 x 16 elements of 32 bits change places: in stage s, blocks of s cross the
/// diagonal.
SCINTIGEN_AVX512 inline void transpose16(__m512i (&rows)[16]) {
#pragma GCC unroll 4
  for (int s = 1; s < 16; s *= 2) {
    alignas(64) int32_t first[16], second[16];
    for (int lane = 0; lane < 16;
         ++lane) {  // 0..15 picks from the first operand, 16..31 from the second
      first[lane] = (lane & s) ? 16 + (lane ^ s) : lane;
      second[lane] = (lane & s) ? 16 + lane : (lane ^ s);
    }
    const __m512i to_first = _mm512_load_si512(first), to_second = _mm512_load_si512(second);
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      if (i & s) continue;
      const __m512i a = rows[i], b = rows[i + s];
      rows[i] = _mm512_permutex2var_epi32(a, to_first, b);
      rows[i + s] = _mm512_permutex2var_epi32(a, to_second, b);
    }
  }
}

void pack(const float* weight, int64_t rows, int64_t columns, int64_t column, float* panel) {
  for (int64_t r = 0; r < rows; ++r)
    std::memcpy(panel + r * kPanel, weight + r * columns + column, kPanel * sizeof(float));
}

SCINTIGEN_AVX512_BF16 void pack_avx512(const float* weight, int64_t rows, int64_t columns,
                                       int64_t column, BFloat16* panel) {
  for (int64_t r = 0; r < rows; r += 2) {
    for (int64_t half = 0; half < kPanel; half += 16) {
      const float* from = weight + r * columns + column + half;
      const auto upper = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from));
      const auto lower = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + columns));
      _mm512_storeu_si512(panel + r * kPanel + 2 * half, pair_up(upper, lower));
    }
  }
}

void pack(const float* weight, int64_t rows, int64_t columns, int64_t column, BFloat16* panel) {
  if (avx512_bf16()) return pack_avx512(weight, rows, columns, column, panel);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < kPanel; ++c)
      store(weight[r * columns + column + c], panel + (r / 2 * kPanel + c) * 2 + r % 2);
}

void pack_transposed(const float* weight, int64_t columns, int64_t row, float* panel) {
  for (int64_t column = 0; column < columns; column += 16) {  // a cache line at a time
    for (int64_t r = 0; r < kPanel; ++r) {
      const float* line = weight + (row + r) * columns + column;
      for (int64_t i = 0; i < 16; ++i) panel[(column + i) * kPanel + r] = line[i];
    }
  }
}

SCINTIGEN_AVX512_BF16 void pack_transposed_avx512(const float* weight, int64_t columns, int64_t row,
                                                  BFloat16* panel) {
  for (int64_t column = 0; column < columns; column += 32) {
    for (int64_t half = 0; half < kPanel; half += 16) {
      __m512i block[16];  // 16 pairs of columns a row
      for (int i = 0; i < 16; ++i) {
        const float* from = weight + (row + half + i) * columns + column;
        block[i] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from));
      }
      transpose16(block);
      for (int i = 0; i < 16; ++i) {
        _mm512_storeu_si512(panel + (column + 2 * i) * kPanel + 2 * half, block[i]);
      }
    }
  }
}

void pack_transposed(const float* weight, int64_t columns, int64_t row, BFloat16* panel) {
  if (avx512_bf16()) return pack_transposed_avx512(weight, columns, row, panel);
  for (int64_t column = 0; column < columns; ++column)
    for (int64_t r = 0; r < kPanel; ++r)
      store(weight[(row + r) * columns + column],
            panel + (column / 2 * kPanel + r) * 2 + column % 2);
}

SCINTIGEN_AVX512 void interleave_avx512(const BFloat16* x, int64_t rows, int64_t columns,
                                        BFloat16* pairs) {
  for (int64_t r = 0; r < rows; r += 2) {
    for (int64_t c = 0; c < columns; c += 16) {
      const auto* from = reinterpret_cast<const __m256i*>(x + r * columns + c);
      const auto* below = reinterpret_cast<const __m256i*>(x + (r + 1) * columns + c);
      _mm512_storeu_si512(pairs + r * columns + 2 * c,
                          pair_up(_mm256_loadu_si256(from), _mm256_loadu_si256(below)));
    }
  }
}

void interleave(const BFloat16* x, int64_t rows, int64_t columns, BFloat16* pairs) {
  if (avx512()) return interleave_avx512(x, rows, columns, pairs);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      pairs[(r / 2 * columns + c) * 2 + r % 2] = x[r * columns + c];
}

}  // namespace

bool panel_product_runs() {
  return avx512() || (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}

bool bfloat16_products_pay() {
  static const bool pay = avx512_bf16() && __builtin_cpu_is("amd");
  return pay;
}

template <class T, class Sum>
void multiply_panel(const LeftSide<T>& left, const T* right, int64_t depth, int64_t blocks,
                    int64_t tiles, Sum* c, int64_t row_step, int64_t tile_step, bool accumulate) {
  multiply(left, right, depth, blocks, tiles, c, row_step, tile_step, accumulate);
}
template <class T>
void pack_panel(const float* weight, int64_t rows, int64_t columns, int64_t column, T* panel) {
  pack(weight, rows, columns, column, panel);
}
template <class T>
void pack_transposed_panel(const float* weight, int64_t columns, int64_t row, T* panel) {
  pack_transposed(weight, columns, row, panel);
}
void interleave_rows(const BFloat16* x, int64_t rows, int64_t columns, BFloat16* pairs) {
  interleave(x, rows, columns, pairs);
}

#else  // another processor: panel_product_runs() says no, so nothing below is called

bool panel_product_runs() { return false; }
bool bfloat16_products_pay() { return false; }
template <class T, class Sum>
void multiply_panel(const LeftSide<T>&, const T*, int64_t, int64_t, int64_t, Sum*, int64_t, int64_t,
                    bool) {
  throw Error("multiply_panel: not on this processor");
}
template <class T>
void pack_panel(const float*, int64_t, int64_t, int64_t, T*) {
  throw Error("pack_panel: not on this processor");
}
template <class T>
void pack_transposed_panel(const float*, int64_t, int64_t, T*) {
  throw Error("pack_transposed_panel: not on this processor");
}
void interleave_rows(const BFloat16*, int64_t, int64_t, BFloat16*) {
  throw Error("interleave_rows: not on this processor");
}

#endif

template void multiply_panel(const LeftSide<float>&, const float*, int64_t, int64_t, int64_t,
                             float*, int64_t, int64_t, bool);
template void multiply_panel(const LeftSide<BFloat16>&, const BFloat16*, int64_t, int64_t, int64_t,
                             float*, int64_t, int64_t, bool);
template void multiply_panel(const LeftSide<BFloat16>&, const BFloat16*, int64_t, int64_t, int64_t,
                             BFloat16*, int64_t, int64_t, bool);
template void pack_panel(const float*, int64_t, int64_t, int64_t, float*);
template void pack_panel(const float*, int64_t, int64_t, int64_t, BFloat16*);
template void pack_transposed_panel(const float*, int64_t, int64_t, float*);
template void pack_transposed_panel(const float*, int64_t, int64_t, BFloat16*);

}  // namespace scintigen
