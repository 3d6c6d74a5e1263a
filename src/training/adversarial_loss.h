// SPDX-License-Identifier: Apache-2.0
// What a discriminator's logits cost.
#pragma once
#include <torch/types.h>

namespace scintigen {

/// Mean over logits of the loss for calling them real (1) or not (0): binary cross-entropy, or
/// squares of their distance (Mao et al. 2017, equation 9 with a = 0, b = c = 1).
/// Checked tests/training/test_paired_step.cpp, test_cycle_step.cpp
torch::Tensor judged_as(const torch::Tensor& logits, bool real, bool least_squares);

}  // namespace scintigen
