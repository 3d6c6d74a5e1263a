// SPDX-License-Identifier: Apache-2.0
// Nearest upsampling x2 and convolution 3x3 as three matrix products, for processors with AVX-512
// or AVX2. Convolution by one tap and upsampling commute, so every tap w_t meets every coarse pixel
// once, V_t = x w_t, and fine pixel f is the sum over taps of V_t at floor((f + t - 1) / 2): 9
// products a coarse pixel where the plain form has 36. Does: forward and both gradients, float32 or
// bfloat16 in, float32 sums; packs weights by itself. One thread or many,
//       the same bits.
// Does not: check shapes; see up_products_apply().
#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>

#include "models/tap_sums.h"

namespace scintigen {

/// Whether the functions below can be called: instruction set, and sizes that fill the registers.
bool up_products_apply(const UpShape& shape);

/// x [N,H,W,in], weight [in,3,3,out] -> y [N,2H,2W,out].
template <class T>
void up_products_forward(const UpShape& shape, const T* x, const float* weight, T* y);

/// g, the gradient of y, -> gradients of x (unless null) and of weight (unless null; same order as
/// weight).
template <class T>
void up_products_backward(const UpShape& shape, const T* g, const T* x, const float* weight, T* gx,
                          float* gweight);

}  // namespace scintigen
