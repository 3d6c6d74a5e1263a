// SPDX-License-Identifier: Apache-2.0
// The siamese auto-encoder of patches of 15 x 15 pixels: 64 latent values a patch.
// Source  Zotova et al. 2021, section 2.2, after Alaverdyan et al. 2020, figure 5; layer table and
//         what of it is inference: docs/methods.md, "Patch features".
// Checked tests/models/test_patch_autoencoder.cpp against python3-torch (forward, loss, gradients)
#pragma once
#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>
#include <torch/types.h>

#include <cstdint>

namespace scintigen {

constexpr int64_t kPatchSide = 15;
constexpr int64_t kPatchMaps = 16;     ///< channels of every hidden layer
constexpr int64_t kPatchLatents = 64;  ///< 16 maps of 2 x 2

/// A convolution without padding or, `widens`, its transpose, with bias; named and initialised as
/// PyTorch's (uniform within 1 / sqrt(fan in), from LibTorch's generator).
struct PatchLayerImpl : torch::nn::Module {
  PatchLayerImpl(int64_t in, int64_t out, int64_t side, bool widens);
  torch::Tensor forward(const torch::Tensor& x);
  torch::Tensor weight, bias;  ///< [out,in,side,side], of the transpose [in,out,side,side]
  bool widens;
};
TORCH_MODULE(PatchLayer);

/// Encoder 15-13-6-4-2: 3x3, ReLU, 2x2 maximum (the last row and column fall away), 3x3, ReLU, 3x3,
/// ReLU. Decoder 2-4-6-12-14-15: two 3x3 transposed, ReLU, nearest x2, 3x3 transposed, ReLU, 2x2
/// transposed, sigmoid.
struct PatchAutoencoderImpl : torch::nn::Module {
  explicit PatchAutoencoderImpl(int64_t modalities);
  /// patches [N,modalities,15,15] in [0,1] -> latents [N,64], channel by channel.
  torch::Tensor encode(const torch::Tensor& patches);
  /// latents [N,64] -> patches [N,modalities,15,15] in (0,1).
  torch::Tensor decode(const torch::Tensor& latents);

  PatchLayer encode1{nullptr}, encode2{nullptr}, encode3{nullptr};
  PatchLayer decode1{nullptr}, decode2{nullptr}, decode3{nullptr}, decode4{nullptr};
  int64_t modalities;
};
TORCH_MODULE(PatchAutoencoder);

struct SiameseLosses {
  torch::Tensor total, reconstruction, similarity;  ///< scalars with gradients
};

/// Patches of the same voxel of two people, [N,M,15,15] each:
/// reconstruction = mean (x1 - D(z1))^2 + mean (x2 - D(z2))^2, similarity = mean cos(z1, z2),
/// total = reconstruction - alpha similarity.
SiameseLosses siamese_loss(PatchAutoencoder& network, const torch::Tensor& first,
                           const torch::Tensor& second, double alpha);

}  // namespace scintigen
