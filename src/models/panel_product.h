// SPDX-License-Identifier: Apache-2.0
// Matrix products with AVX-512 or AVX2 for the shapes that oneDNN is slow at: few rows, or weights
// larger than the activations. A matrix [rows,columns] is kept as panels of 32 columns, [columns /
// 32][rows][32]: what the innermost loop reads and writes is contiguous. In bfloat16 the right side
// holds pairs of rows, [columns / 32][rows / 2][32][2], because the instruction multiplies pairs;
// products are summed in float32. Does: one thread's work, to be called from a parallel loop.  Does
// not: check sizes or the processor.
#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

namespace scintigen {

constexpr int64_t kPanel = 32;  ///< columns of a panel: two registers of 16 sums
constexpr int64_t kTile = 8;    ///< rows of a tile: with two registers a row, 16 sums in flight

/// Whether this processor has the instructions (AVX-512 F, BW, DQ, VL or AVX2 and FMA). For
/// bfloat16 AVX-512 with BF16 is fast; the others round as it does and are no faster than in
/// float32.
bool panel_product_runs();

/// Whether this processor multiplies bfloat16 faster than float32: AMD's with AVX-512 BF16. On the
/// Intel that was measured the instruction takes as long as four of float32, for twice the products
/// (docs/performance.md); AMX and other processors' bfloat16 are not used.
bool bfloat16_products_pay();

/// Elements that count as one step of depth: bfloat16 is multiplied in pairs.
template <class T>
constexpr int64_t kStep = sizeof(T) == 4 ? 1 : 2;

/// The left side: element (row, k) of block b at data[(row / 8) tile_step + (row % 8) row_step + k
/// depth_step + b block_step], k counting pairs in bfloat16.
template <class T>
struct LeftSide {
  const T* data;
  int64_t row_step, depth_step, tile_step, block_step;
};

/// c[row][0..31] (+)= sum over blocks and k < depth of left(row, k, block) right[block depth +
/// k][0..31], for 8 `tiles` rows; c's row r is at c + (r / 8) tile_step + (r % 8) row_step.
template <class T, class Sum>
void multiply_panel(const LeftSide<T>& left, const T* right, int64_t depth, int64_t blocks,
                    int64_t tiles, Sum* c, int64_t row_step, int64_t tile_step, bool accumulate);

/// weight [rows][columns] float32, 32 columns from `column` -> right side [rows][32] (pairs of rows
/// in bfloat16).
template <class T>
void pack_panel(const float* weight, int64_t rows, int64_t columns, int64_t column, T* panel);

/// The same of the transposed weight: 32 rows from `row` of weight [rows][columns] -> right side
/// [columns][32].
template <class T>
void pack_transposed_panel(const float* weight, int64_t columns, int64_t row, T* panel);

/// x [rows][columns] -> [rows / 2][columns][2].
void interleave_rows(const c10::BFloat16* x, int64_t rows, int64_t columns, c10::BFloat16* pairs);

}  // namespace scintigen
