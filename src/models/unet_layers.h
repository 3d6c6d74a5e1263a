// SPDX-License-Identifier: Apache-2.0
// What the U-Net alone computes between its convolutions, in one pass over memory forward and one
// or two back (fused_layers.h says when; otherwise the plain composition).
// Checked tests/models/test_unet.cpp.
#pragma once
#include <torch/types.h>

#include "models/fused_layers.h"

namespace scintigen {

/// What a level of the U-Net hands up: [relu(skip) | relu(batch_norm(x))], skip [N,S,H,W], x
/// [N,C,H,W] -> [N,S+C,H,W].
torch::Tensor join_rectified(const torch::Tensor& skip, const torch::Tensor& x,
                             const NormState& norm);

}  // namespace scintigen
