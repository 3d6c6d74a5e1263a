// SPDX-License-Identifier: Apache-2.0
// The patch discriminator of Isola et al. 2017 in two and three dimensions: one logit for every
// patch that its last convolution sees.
// Source  Isola et al., CVPR 2017, section 6.1; in three dimensions Zotova et al. 2021. Layer
// tables
//         in docs/methods.md, "Paired translation" and "T1 to PET: Cycle-GAN networks".
//         Children are named as in the public PyTorch implementation: a state dict saved there as
//         safetensors loads here and gives the same output.
// Checked tests/models/test_unet.cpp, test_resnet.cpp against python3-torch (forward, gradients).
#pragma once
#include <torch/nn.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/layers.h"

namespace scintigen {

struct PatchDiscriminatorSettings {
  int64_t inputs = 2;  ///< channels of all images that are judged together
  int64_t width = 64;
  int64_t layers = 3;  ///< halvings; 3 sees patches of 70 x 70
  double batch_norm_momentum = 0.1;
  double batch_norm_epsilon = 1e-5;  ///< of instance norm, too
  int64_t dimensions = 2;            ///< 2 or 3
  std::string norm = "batch";        ///< or "instance", without weights
};

/// x [N,inputs,H,W] or [N,inputs,D,H,W] -> float32 logits [N,1,h,w] or [N,1,d,h,w], one a patch
/// (30 x 30 of 256 x 256 and 2^3 of 32^3 with 3 layers).
/// Convolutions of side 4: stride 2 `layers` times, stride 1 twice; LeakyReLU 0.2; norm on all but
/// the first and the last. With instance norm every convolution has a bias, as in the public
/// implementation; batch norm has its own.
struct PatchDiscriminatorImpl : torch::nn::Module {
  /// throws  Error: neither 2 nor 3 dimensions; another norm
  explicit PatchDiscriminatorImpl(const PatchDiscriminatorSettings& settings);
  /// throws  Error: another shape, or too small a side
  torch::Tensor forward(const torch::Tensor& x);
  void set_compute_type(torch::ScalarType type) { compute_type_ = type; }

 private:
  struct Stage {
    Kernel convolution{nullptr};
    NormLayer norm;  ///< none at the ends
    int64_t stride = 2;
  };
  PatchDiscriminatorSettings settings_;
  std::vector<Stage> stages_;
  torch::ScalarType compute_type_ = torch::kFloat;
};
TORCH_MODULE(PatchDiscriminator);

}  // namespace scintigen
