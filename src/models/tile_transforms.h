// SPDX-License-Identifier: Apache-2.0
// Minimal filtering (Winograd 1980; Lavin & Gray 2016): a tile of 2x2 outputs from `points`^2
// products a pair of channels.
//   convolution 3x3, stride 1, padding 1: 16 products instead of 36 (F(2,3) in rows and columns)
//   convolution 4x4, stride 2, padding 1: on the four phases of the input it is a 2x2 convolution;
//   9 instead of 16 each
// Here are the linear maps around the products and their adjoints, for 32 channels at a time, one
// thread's work, AVX-512 only (panel_product_runs()). Coefficients are 0, 1, -1, 1/2: in float32
// the result is as exact as the direct sum. In bfloat16 the transformed pixels and weights are
// rounded too: about twice the rounding noise of the direct form. Tiles are numbered over images,
// rows and columns.
#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

namespace scintigen {

/// N images of height x width pixels, `in` channels, to height/stride x width/stride pixels, `out`
/// channels.
struct TileShape {
  int64_t images, height, width, in, out, stride;
  int64_t points() const { return stride == 1 ? 4 : 3; }  ///< in one direction
  int64_t products() const { return points() * points(); }
  int64_t phases() const { return stride * stride; }
  int64_t depth() const { return phases() * in; }  ///< phase * in + channel
  int64_t taps() const { return stride == 1 ? 9 : 16; }
  int64_t tiles_of_image() const { return height * width / (4 * stride * stride); }
  int64_t tiles() const { return images * tiles_of_image(); }
};

/// x [N,H,W,in] -> t [products][tiles first..last-1][depth].
template <class T>
void tile_input(const TileShape& shape, const T* x, int64_t first, int64_t last, T* t);

/// The adjoint for one phase and 32 channels of x, whole images: t [products][tiles][32] is added
/// to gx.
void tile_input_adjoint(const TileShape& shape, const float* t, int64_t first_image,
                        int64_t last_image, int64_t phase, int64_t channel, float* gx);

/// p [products][tiles first..last-1][32] -> y [N,H/stride,W/stride,out], 32 channels from
/// `channel`.
template <class T>
void tile_output(const TileShape& shape, const float* p, int64_t first, int64_t last,
                 int64_t channel, T* y);

/// The adjoint: gy -> p.
template <class T>
void tile_output_adjoint(const TileShape& shape, const T* gy, int64_t first, int64_t last,
                         int64_t channel, T* p);

/// weight [in][k][k][out], 32 outputs from `channel` -> right sides [products][rows first..last-1
/// of depth][32].
void tile_weight(const TileShape& shape, const float* weight, int64_t first, int64_t last,
                 int64_t channel, float* u);

/// The adjoint: u [products][rows first..last-1][32] -> those rows' taps of gweight (assigned, not
/// added).
void tile_weight_adjoint(const TileShape& shape, const float* u, int64_t first, int64_t last,
                         int64_t channel, float* gweight);

}  // namespace scintigen
