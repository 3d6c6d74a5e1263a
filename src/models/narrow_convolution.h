// SPDX-License-Identifier: Apache-2.0
// Convolutions 4x4 between a map of one or two channels ("narrow": an image) and one of many
// ("wide"), as matrix products with the 16 taps of a pixel: oneDNN is slow at them on processors
// without AVX-512. Tap (i,j) of wide pixel (a,b) meets narrow pixel (a stride + i - padding, b
// stride + j - padding). Does: float32; the three products that a convolution from narrow to wide,
// one from wide to narrow and their gradients are made of. Does not: check shapes; see
// narrow_convolution_applies().
// Checked tests/models/test_tile_convolution.cpp against LibTorch in float64.
#pragma once
#include <cstdint>

namespace scintigen {

/// N images: narrow height x width x `narrow` channels, wide_height x wide_width x `wide` channels.
struct NarrowShape {
  int64_t images, height, width, narrow, wide_height, wide_width, wide, stride, padding;
  int64_t wide_rows() const { return images * wide_height * wide_width; }
};

bool narrow_convolution_applies(const NarrowShape& shape);

/// narrow [N,h,w,narrow], weight [4,4,narrow,wide] -> wide, the sum over taps.
void narrow_to_wide(const NarrowShape& shape, const float* narrow, const float* weight,
                    float* wide);

/// Its adjoint: wide -> narrow.
void wide_to_narrow(const NarrowShape& shape, const float* wide, const float* weight,
                    float* narrow);

/// The gradient of weight of both, from narrow and wide maps or their gradients.
void narrow_weight_gradient(const NarrowShape& shape, const float* narrow, const float* wide,
                            float* gweight);

}  // namespace scintigen
