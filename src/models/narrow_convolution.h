// SPDX-License-Identifier: Apache-2.0
// Convolutions between a map of a few channels ("narrow": an image) and one of many ("wide"), as
// matrix products with all taps of a pixel: oneDNN is slow at them on processors without AVX-512.
// Tap (i,j) of wide pixel (a,b) meets narrow pixel (a stride + i - padding, b stride + j -
// padding). The border is that of the map that is read: the narrow one, or, where `wide_border`
// (stride 1), the wide one, whose pixels then stand at several places. Does: float32; the three
// products that a convolution from narrow to wide, one from wide to narrow and their gradients are
// made of. Does not: check shapes; see narrow_convolution_applies().
// Checked tests/models/test_tile_convolution.cpp against LibTorch in float64.
#pragma once
#include <cstdint>

#include "models/border.h"

namespace scintigen {

/// Channels of a narrow map: seven planes of one channel, or four.
constexpr int64_t kMostNarrow = 8;

/// N images: narrow height x width x `narrow` channels, wide_height x wide_width x `wide` channels.
struct NarrowShape {
  int64_t images, height, width, narrow, wide_height, wide_width, wide, stride, padding;
  int64_t side = 4;  ///< of the kernel
  Border border = Border::zero;
  bool wide_border = false;
  int64_t wide_rows() const { return images * wide_height * wide_width; }
  int64_t depth() const { return side * side * narrow; }  ///< taps of a pixel
};

bool narrow_convolution_applies(const NarrowShape& shape);

/// narrow [N,h,w,narrow], weight [k,k,narrow,wide] -> wide, the sum over taps.
void narrow_to_wide(const NarrowShape& shape, const float* narrow, const float* weight,
                    float* wide);

/// Its adjoint: wide -> narrow.
void wide_to_narrow(const NarrowShape& shape, const float* wide, const float* weight,
                    float* narrow);

/// The gradient of weight of both, from narrow and wide maps or their gradients.
void narrow_weight_gradient(const NarrowShape& shape, const float* narrow, const float* wide,
                            float* gweight);

}  // namespace scintigen
