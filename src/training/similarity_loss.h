// SPDX-License-Identifier: Apache-2.0
// Structural similarity as a loss.
#pragma once
#include <torch/types.h>

namespace scintigen {

/// Mean SSIM of a and b [N,1,H,W] over the 11 x 11 Gaussian windows (sigma 1.5, population
/// covariance) that fit: differentiable. `range` is that of the values (2 for [-1,1]). The same
/// number as metrics/structural_similarity.h gives in double.
/// Source  Wang et al. 2004, equation 13
/// Checked tests/training/test_similarity_loss.cpp: finite differences, and the metric
torch::Tensor gaussian_similarity(const torch::Tensor& a, const torch::Tensor& b, double range);

}  // namespace scintigen
