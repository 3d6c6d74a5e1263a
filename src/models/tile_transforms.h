// SPDX-License-Identifier: Apache-2.0
// Minimal filtering (Winograd 1980; Lavin & Gray 2016): a tile of outputs from fewer products a
// pair of channels than its direct sum has.
//   convolution 3x3, stride 1: tiles of 2x2 outputs from 16 products instead of 36, or of 4x4 from
//   36 instead of 144
//   convolution 4x4, stride 1: tiles of 4x4 from 49 instead of 256
//   convolution 4x4, stride 2: on the four phases of the input it is a 2x2 convolution; tiles of
//   2x2 from 9 instead of 16 products each, or of 4x4 from 25 instead of 64
// all with padding 1. Here are the linear maps around the products and their adjoints, one thread's
// work. With 9 or 16 products coefficients are 0, 1, -1, 1/2: in float32 the result is as exact as
// the direct sum; in bfloat16 the transformed pixels and weights are rounded too: about twice the
// rounding noise of the direct form. With 25, 36 and 49 products coefficients grow, and with them
// the noise, four- to tenfold (2e-6 to 5e-6 of the result): for float32 only.
// Tiles are numbered over images, rows and columns.
#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

#include "models/border.h"

namespace scintigen {

/// N images of height x width pixels, `in` channels, padding 1 with `border` in it, to out_height x
/// out_width, `out` channels.
struct TileShape {
  int64_t images, height, width, in, out;
  int64_t kernel, stride;    ///< 3 and 1, 4 and 1, 4 and 2
  int64_t tile_outputs = 2;  ///< of a tile in one direction: 2; 4 for a kernel of 4; either for 3
  Border border = Border::zero;                                          ///< another for stride 1
  int64_t points() const { return tile_outputs + kernel / stride - 1; }  ///< in one direction
  int64_t products() const { return points() * points(); }
  int64_t phases() const { return stride * stride; }
  int64_t depth() const { return phases() * in; }  ///< phase * in + channel
  int64_t out_height() const { return (height + 2 - kernel) / stride + 1; }
  int64_t out_width() const { return (width + 2 - kernel) / stride + 1; }
  int64_t tile_rows() const { return (out_height() + tile_outputs - 1) / tile_outputs; }
  int64_t tile_columns() const { return (out_width() + tile_outputs - 1) / tile_outputs; }
  int64_t tiles_of_image() const { return tile_rows() * tile_columns(); }
  int64_t tiles() const { return images * tiles_of_image(); }
};

/// Where the points of some tiles lie: point p of tile t (counted from `first`) at p point_step + t
/// tile_step.
struct PointSteps {
  int64_t point, tile;
};

/// x [N,H,W,in] -> t [products][tiles first..last-1][depth].
template <class T>
void tile_input(const TileShape& shape, const T* x, int64_t first, int64_t last, PointSteps steps,
                T* t);

/// The adjoint for one phase and 32 channels of x: t [products][tiles first..last-1][32] is added
/// to gx.
void tile_input_adjoint(const TileShape& shape, const float* t, int64_t first, int64_t last,
                        PointSteps steps, int64_t phase, int64_t channel, float* gx);

/// p [products][tiles first..last-1][32] -> y [N,out_height,out_width,out], 32 channels from
/// `channel`.
template <class T>
void tile_output(const TileShape& shape, const float* p, int64_t first, int64_t last,
                 PointSteps steps, int64_t channel, T* y);

/// The adjoint: gy -> p.
template <class T>
void tile_output_adjoint(const TileShape& shape, const T* gy, int64_t first, int64_t last,
                         PointSteps steps, int64_t channel, T* p);

/// weight [in][k][k][out], 32 outputs from `channel` -> right sides [products][rows first..last-1
/// of depth][32].
void tile_weight(const TileShape& shape, const float* weight, int64_t first, int64_t last,
                 int64_t channel, float* u);

/// The same with rows and columns exchanged: 32 rows of depth from `row`, of one phase, as lanes ->
/// u [products][outputs first..last-1][32], point p at p point_step.
void tile_weight_transposed(const TileShape& shape, const float* weight, int64_t row, int64_t first,
                            int64_t last, int64_t point_step, float* u);

/// The adjoint of tile_weight: u [products][rows first..last-1][32] -> those rows' taps of gweight
/// (assigned, not added).
void tile_weight_adjoint(const TileShape& shape, const float* u, int64_t first, int64_t last,
                         int64_t channel, float* gweight);

}  // namespace scintigen
