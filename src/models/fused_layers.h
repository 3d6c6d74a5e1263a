// SPDX-License-Identifier: Apache-2.0
// What the blocks compute, as few autograd steps: up-convolution on the coarse grid, batch norm
// with its activation. On the CPU in float32 and bfloat16 each is a few passes over channels-last
// memory with a hand-written gradient; on other devices and in other types the plain composition of
// LibTorch's operators, which is also the definition. First derivatives only. Gradients that nobody
// asked for are not computed. Checked tests/models/test_fused_layers.cpp: equal to the plain
// composition, forward and backward.
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "models/border.h"

namespace scintigen {

/// Batch norm's parameters and statistics for one call. In training the running statistics are
/// updated (running = (1 - momentum) running + momentum batch, variance unbiased as
/// torch.nn.BatchNorm2d).
struct NormState {
  torch::Tensor weight, bias, running_mean, running_var;
  double momentum, epsilon;
  bool training;
};

/// leaky_relu(batch_norm(x)) [+ residual]. x, residual [N,C,H,W] or [N,C,D,H,W]; slope 0..1 (1: no
/// activation).
torch::Tensor norm_leaky(const torch::Tensor& x, const NormState& norm, double slope,
                         const torch::Tensor& residual = {});

/// leaky_relu(instance_norm(x + bias)) [+ residual], without weights, statistics of each image and
/// channel. Shapes as norm_leaky. The mean takes bias [C] (may be undefined) away again: the fused
/// form leaves it out and its gradient is 0.
torch::Tensor instance_leaky(const torch::Tensor& x, const torch::Tensor& bias, double epsilon,
                             double slope, const torch::Tensor& residual = {});

/// leaky_relu(x + bias): bias [C] or undefined. Shapes as norm_leaky.
torch::Tensor bias_leaky(const torch::Tensor& x, const torch::Tensor& bias, double slope);

/// glu(batch_norm(x)): x [N,2C,H,W] -> [N,C,H,W], first half times sigmoid of the second.
torch::Tensor norm_gate(const torch::Tensor& x, const NormState& norm);

/// Nearest upsampling x2, then convolution 3x3 with zero padding: x [N,C,H,W], weight [M,C,3,3] ->
/// [N,M,2H,2W].
///
/// Upsampling is zero-stuffing followed by a sum over 2x2 windows, and that sum commutes with the
/// convolution: so each tap meets each coarse pixel once (9 products instead of 36), as a
/// transposed convolution of stride 2 to (2H+1) x (2W+1), and the 2x2 sum comes last. The same
/// products as the plain form, added in another order.
torch::Tensor up_convolution(const torch::Tensor& x, const torch::Tensor& weight);

/// Convolution in the type of x: x [N,I,H,W] and weight [O,I,k,k], or x [N,I,D,H,W] and weight
/// [O,I,k,k,k]; weight and bias (may be undefined) are cast to it. `border`: what lies in the
/// padding. In bfloat16 on a CPU that multiplies it no faster (bfloat16_products_pay()), this and
/// the other convolutions here multiply in float32, weights as they are, and round what they
/// return.
torch::Tensor convolution(const torch::Tensor& x, const torch::Tensor& weight,
                          const torch::Tensor& bias, int64_t stride, int64_t padding,
                          Border border = Border::zero);

/// Transposed convolution of stride 2 and padding 1 that doubles the sides: weight [I,O,4,4], or
/// [I,O,3,3] or [I,O,3,3,3] with output padding 1; x [N,I,(D,)H,W], bias [O] or undefined ->
/// [N,O,(2D,)2H,2W]. It is the adjoint of a convolution, and computed as that one's gradient (and
/// its gradients as that one's result): LibTorch 1.13's own is slow on the CPU.
torch::Tensor transposed_convolution(const torch::Tensor& x, const torch::Tensor& weight,
                                     const torch::Tensor& bias);

/// Turns the fused forms off (true) so that tests can compare both.
void use_plain_layers(bool plain);

}  // namespace scintigen
