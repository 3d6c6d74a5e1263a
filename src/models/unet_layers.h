// SPDX-License-Identifier: Apache-2.0
// What the paired translator computes between its convolutions, each in one pass over memory
// forward and one or two back (fused_layers.h says when; otherwise the plain composition).
// Checked tests/models/test_unet.cpp.
#pragma once
#include <torch/types.h>

#include "models/fused_layers.h"

namespace scintigen {

/// leaky_relu(x + bias): x [N,C,H,W], bias [C] or undefined; slope 0..1.
torch::Tensor bias_leaky(const torch::Tensor& x, const torch::Tensor& bias, double slope);

/// What a level of the U-Net hands up: [relu(skip) | relu(batch_norm(x))], skip [N,S,H,W], x
/// [N,C,H,W] -> [N,S+C,H,W].
torch::Tensor join_rectified(const torch::Tensor& skip, const torch::Tensor& x,
                             const NormState& norm);

}  // namespace scintigen
