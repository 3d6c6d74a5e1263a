// SPDX-License-Identifier: Apache-2.0
// Convolutions over volumes as convolutions over their planes: oneDNN's own in three dimensions are
// slow on processors without AVX-512, and planes have fast forms (fused_layers.h).
//   windows   the planes that a plane of the result sees become channels of one plane
//   sums      towards few channels: each plane is convolved with every tap of depth, and the
//             results are added up along depth
//   pairs     kernels of side 3, stride 1: two planes of the result from four convolutions instead
//             of six, by minimal filtering along depth (tile_transforms.h), too
// Does: float32, or bfloat16 with float32 sums, on the CPU. Does not: check shapes, add a bias.
// Checked tests/models/test_volume_convolutions.cpp against LibTorch.
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "models/border.h"

namespace scintigen {

/// x [N,I,D,H,W], weight [O,I,k,k,k] -> [N,O,d,h,w].
torch::Tensor volume_convolution(const torch::Tensor& x, const torch::Tensor& weight,
                                 int64_t stride, int64_t padding, Border border);

/// x [N,I,D,H,W], weight [I,O,3,3,3] -> [N,O,2D,2H,2W]: stride 2, padding 1, output padding 1. An
/// even plane of the result sees one plane of x and an odd one two.
torch::Tensor volume_transposed_convolution(const torch::Tensor& x, const torch::Tensor& weight);

}  // namespace scintigen
