// SPDX-License-Identifier: Apache-2.0
// Convolutions 3x3 (stride 1) and 4x4 (stride 1 and 2), padding 1, by minimal filtering
// (tile_transforms.h): 1.8 to 2.6 times less arithmetic than the direct sum. float32, or bfloat16
// with float32 sums. Does not: check shapes; see tile_convolution_applies().
#pragma once
#include <cstdint>

#include "models/tile_transforms.h"

namespace scintigen {

/// Whether the functions below can be called: instruction set, and sizes that fill the registers.
bool tile_convolution_applies(const TileShape& shape, bool bfloat16);

/// x [N,H,W,in], weight [in,k,k,out] -> y [N,out_height,out_width,out].
template <class T>
void tile_convolution_forward(const TileShape& shape, const T* x, const float* weight, T* y);

/// gy, the gradient of y, -> gradients of x (unless null) and of weight (unless null; same order as
/// weight).
template <class T>
void tile_convolution_backward(const TileShape& shape, const T* gy, const T* x, const float* weight,
                               T* gx, float* gweight);

}  // namespace scintigen
