// SPDX-License-Identifier: Apache-2.0
// The paired translator of Isola et al. 2017 (pix2pix): U-Net generator; the discriminator is in
// patch_discriminator.h.
// Source  Isola et al., CVPR 2017, section 6.1; layer tables in docs/methods.md, "Paired
// translation".
//         Children are named as in the public PyTorch implementation: a state dict saved there as
//         safetensors loads here and gives the same output.
// Checked tests/models/test_unet.cpp against python3-torch (forward, gradients, counts).
#pragma once
#include <torch/nn.h>

#include <cstdint>
#include <vector>

#include "core/settings.h"
#include "models/layers.h"
#include "models/patch_discriminator.h"

namespace scintigen {

struct UnetSettings {
  int64_t inputs = 1;    ///< channels in: MRI, PET, or both
  int64_t outputs = 1;   ///< channels out
  int64_t width = 64;    ///< channels after the first convolution; 64, 128, 256, 512, 512, ...
  int64_t levels = 8;    ///< halvings: 8 for 256 x 256, 7 for 128 x 128
  double dropout = 0.5;  ///< after the inner levels' up-convolutions; 0 = none
  double batch_norm_momentum = 0.1;
  double batch_norm_epsilon = 1e-5;
  void visit(SettingsVisitor& visitor);
};

/// x [N,inputs,H,W] in [-1,1], H and W multiples of 2^levels -> [N,outputs,H,W] in (-1,1).
/// Down: convolution 4x4 stride 2 (no norm at the first and the innermost level), LeakyReLU 0.2.
/// Up: ReLU, transposed convolution 4x4 stride 2, batch norm, dropout where a level stands between
/// the innermost and the four outermost; the level's own input is concatenated before it.
struct UnetGeneratorImpl : torch::nn::Module {
  explicit UnetGeneratorImpl(const UnetSettings& settings);
  /// `dropout_seed`: the masks are a function of it. Dropout is active while is_training(), or with
  /// set_dropout(true) (Isola 2017 keeps it at inference).
  torch::Tensor forward(const torch::Tensor& x, uint64_t dropout_seed = 0);
  void set_compute_type(torch::ScalarType type) { compute_type_ = type; }
  void set_dropout(bool always) { always_drop_ = always; }

 private:
  struct Level {
    Kernel down{nullptr}, up{nullptr};
    BatchNorm down_norm{nullptr}, up_norm{nullptr};  ///< null at the ends
    bool drops = false;
  };
  torch::Tensor drop(const torch::Tensor& x, uint64_t seed, size_t level) const;

  UnetSettings settings_;
  std::vector<Level> levels_;  // outermost first
  bool always_drop_ = false;
  torch::ScalarType compute_type_ = torch::kFloat;
};
TORCH_MODULE(UnetGenerator);

}  // namespace scintigen
