// SPDX-License-Identifier: Apache-2.0
// Sums of whole planes: what a convolution over volumes needs along depth, when its planes are
// convolved in two dimensions (volume_convolutions.cpp). A plane's channels are in blocks; a block
// of the result is a sum of blocks of given planes, with factors. Does: forward and gradient on the
// CPU, float32 and bfloat16. Does not: know borders or kernels.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace scintigen {

/// Block `to_block` of plane `to` has `factor` times block `from_block` of plane `from` in its sum.
struct PlaneTerm {
  int64_t to, to_block, from, from_block;
  float factor = 1;
};

struct PlaneSum {
  int64_t planes, blocks;  ///< of the result
  int64_t from_blocks;     ///< of what is read
  std::vector<PlaneTerm> terms;
};

/// maps: one or more [P,from_blocks C,H,W], whose planes are counted on from map to map ->
/// `outputs` maps [planes / outputs, blocks C,H,W]. Blocks without a term are 0.
std::vector<torch::Tensor> sum_planes(at::TensorList maps, const PlaneSum& sum,
                                      int64_t outputs = 1);

}  // namespace scintigen
