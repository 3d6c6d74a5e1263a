// SPDX-License-Identifier: Apache-2.0
// Convolutions from or to an image with their gradients, on narrow_convolution.h.
// Checked tests/models/test_unet.cpp, test_resnet.cpp.
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "models/border.h"

namespace scintigen {

/// x [N,I,H,W], weight [O,I,k,k], float32: I or O at most kMostNarrow. Undefined: not such a
/// convolution, or not on this processor.
torch::Tensor narrow_convolution(const torch::Tensor& x, const torch::Tensor& weight,
                                 int64_t stride, int64_t padding, Border border);

/// The same of a transposed convolution 4x4, stride 2, padding 1: weight [I,O,4,4].
torch::Tensor narrow_transposed_convolution(const torch::Tensor& x, const torch::Tensor& weight);

}  // namespace scintigen
