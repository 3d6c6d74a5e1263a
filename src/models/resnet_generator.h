// SPDX-License-Identifier: Apache-2.0
// The generator of Cycle-GAN (Zhu et al. 2017, after Johnson et al. 2016) in two and three
// dimensions: down twice, residual blocks, up twice.
// Source  Zhu et al., ICCV 2017, section 7.1; in three dimensions and with batch norm Zotova et al.
//         2021. Layer tables in docs/methods.md, "T1 to PET: Cycle-GAN networks".
//         Children are named as in the public PyTorch implementation (ResnetGenerator, padding
//         layers counted): a state dict saved there as safetensors loads here and gives the same
//         output.
// Checked tests/models/test_resnet.cpp against python3-torch (forward, gradients, counts).
#pragma once
#include <torch/nn.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/settings.h"
#include "models/border.h"
#include "models/layers.h"

namespace scintigen {

struct ResnetSettings {
  int64_t inputs = 3;               ///< channels in: a triplet of slices in 2-D, 1 in 3-D
  int64_t outputs = 3;              ///< channels out
  int64_t width = 64;               ///< channels after the first convolution
  int64_t blocks = 9;               ///< residual blocks (Zotova 2021: 9 in 2-D, 2 in 3-D)
  int64_t dimensions = 2;           ///< 2 or 3
  std::string norm = "batch";       ///< or "instance", without weights
  std::string padding = "reflect";  ///< or "replicate"
  double batch_norm_momentum = 0.1;
  double batch_norm_epsilon = 1e-5;  ///< of instance norm, too
  /// All but `inputs`, `outputs` and `dimensions`, which follow from the data.
  void visit(SettingsVisitor& visitor);
};

/// x [N,inputs,H,W] or [N,inputs,D,H,W], in [-1,1], sides multiples of 4 and at least 8 -> float32
/// [N,outputs, the same sides] in (-1,1).
/// Convolution 7, two of side 3 and stride 2, blocks of two of side 3 whose input is added, two
/// transposed ones of side 3 and stride 2, convolution 7, tanh; norm and ReLU after each, but no
/// ReLU after a block. The border is reflected or repeated at 7 and in the blocks, zero elsewhere.
struct ResnetGeneratorImpl : torch::nn::Module {
  /// throws  Error: neither 2 nor 3 dimensions; another norm or padding
  explicit ResnetGeneratorImpl(const ResnetSettings& settings);
  /// throws  Error: another shape
  torch::Tensor forward(const torch::Tensor& x);
  void set_compute_type(torch::ScalarType type) { compute_type_ = type; }

 private:
  struct Stage {
    Kernel kernel{nullptr};
    NormLayer norm;
  };
  struct Block {
    Stage first, second;
  };
  ResnetSettings settings_;
  Border border_;
  Stage head_, down_[2], up_[2];
  std::vector<Block> blocks_;
  Kernel image_{nullptr};
  torch::ScalarType compute_type_ = torch::kFloat;
};
TORCH_MODULE(ResnetGenerator);

}  // namespace scintigen
