// SPDX-License-Identifier: Apache-2.0
// The sums around the products of an up-convolution (up_convolution.h): nine taps on the coarse
// grid <-> fine pixels. One thread's work for 32 channels. Coarse pixels are numbered over images,
// rows and columns; a "line" is one row of one image. Taps are kept as panels [tap][coarse
// pixel][32]; fine maps are channels-last.
#pragma once
#include <cstdint>

#include "models/aligned_room.h"

namespace scintigen {

/// N images of height x width coarse pixels, `in` channels to `out`.
struct UpShape {
  int64_t images, height, width, in, out;
  int64_t lines() const { return images * height; }
  int64_t rows() const { return images * height * width; }
};

/// y(f) = sum over taps t of taps_t(floor((f + t - 1) / 2)), in rows and columns, zero outside; for
/// the channels channel..channel+31 of images first..last-1. taps [9][pixels of these images][32],
/// y the whole map.
template <class T>
void collapse_taps(const UpShape& shape, const float* taps, int64_t first, int64_t last,
                   int64_t channel, AlignedRoom<float>& buffer, T* y);

/// The adjoint, for coarse lines first..last-1 and tap rows tap_row..tap_row+tap_rows-1:
/// g the whole map -> taps [3 tap_rows][pixels of these lines][32].
template <class T>
void expand_taps(const UpShape& shape, const T* g, int64_t first, int64_t last, int64_t channel,
                 int64_t tap_row, int64_t tap_rows, AlignedRoom<float>& buffer, T* taps);

}  // namespace scintigen
