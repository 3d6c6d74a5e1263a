// SPDX-License-Identifier: Apache-2.0
// Conditional light-weight GAN for 64 x 64 brain-perfusion SPECT slices.
// Source  Werner et al. 2022 (figures 1-3, equations 1-5); Liu et al., ICLR 2021 (FastGAN); widths
// and the choices the
//         paper leaves open: docs/methods.md, "Conditional light-weight GAN".
// Checked tests/models/test_fastgan.cpp against python3-torch through safetensors (forward, losses,
// gradients).
#pragma once
#include <torch/nn.h>

#include <cstdint>
#include <vector>

#include "core/settings.h"
#include "models/layers.h"

namespace scintigen {

struct FastganSettings {
  int64_t latent = 256;    ///< elements of z (Werner 2022)
  int64_t embedding = 64;  ///< neurons of the fully connected layer (Werner 2022)
  std::vector<int64_t> generator_widths = {512, 256, 128, 64,
                                           32};  ///< channels at 4, 8, 16, 32, 64 px
  int64_t excitation_width = 32;  ///< hidden channels of the skip-layer excitation 4 -> 64
  std::vector<int64_t> discriminator_widths = {16, 32, 64, 128,
                                               256};  ///< input convolutions (2), down blocks (3)
  int64_t decoder_width = 128;  ///< first block of the global decoder; halves at each block
  double leaky_slope = 0.1;     ///< LeakyReLU (author's earlier code)
  bool spectral_norm =
      false;  ///< on every convolution and linear layer (FastGAN code; Miyato 2018)
  bool minibatch_deviation =
      false;  ///< minibatch standard deviation before the output block (Karras 2018)
  /// Divide each image by its maximum, as the training slices are: without it a generator puts its
  /// maxima some 10 % too low, and counts relative to them too high.
  bool unit_maximum = false;
  /// Noise of each image's own, added to the generator's maps at 16, 32 and 64 pixels with a learnt
  /// weight a channel (FastGAN code; Karras 2019): the grain of a scan need not be painted from z.
  bool noise_maps = false;
  /// Elements of z as the generator takes it: `latent`, then the noise maps row by row.
  int64_t latent_elements() const {
    return latent + (noise_maps ? 16 * 16 + 32 * 32 + 64 * 64 : 0);
  }
  double batch_norm_momentum = 0.1;  ///< weight of the new batch; Keras' .99 is 0.01 here
  double batch_norm_epsilon = 1e-5;
  void visit(SettingsVisitor& visitor);
};

/// z [N,latent_elements()], y [N,conditions] -> image [N,1,64,64] in [-1,1].
struct FastganGeneratorImpl : torch::nn::Module {
  FastganGeneratorImpl(const FastganSettings& settings, int64_t conditions);
  torch::Tensor forward(const torch::Tensor& z, const torch::Tensor& y);
  /// Type of the activations and convolutions: float32 (default) or bfloat16. Parameters stay
  /// float32.
  void set_compute_type(torch::ScalarType type) { compute_type_ = type; }

  Kernel embed{nullptr};
  GatedInputBlock input{nullptr};
  GatedUpBlock up8{nullptr}, up16{nullptr}, up32{nullptr}, up64{nullptr};
  SkipLayerExcitation excitation{nullptr};
  Kernel output{nullptr};
  torch::Tensor noise16, noise32, noise64;  ///< [1,C,1,1], from 0; undefined without noise_maps

 private:
  int64_t latent_, conditions_;
  bool unit_maximum_, noise_maps_;
  torch::ScalarType compute_type_ = torch::kFloat;
};
TORCH_MODULE(FastganGenerator);

/// What the discriminator says of a batch.
struct FastganJudgement {
  torch::Tensor logits;  ///< [N,1,5,5], high = real
  torch::Tensor
      part;  ///< [N,1,32,32] in [-1,1]: reconstruction of the crop; target crop_part(image, ...)
  torch::Tensor whole;  ///< [N,1,64,64] in [-1,1]: reconstruction of the whole; target the image
};

/// image [N,1,64,64] in [-1,1], y [N,conditions] (spread to constant planes) -> logits and, for
/// real images, reconstructions.
struct FastganDiscriminatorImpl : torch::nn::Module {
  FastganDiscriminatorImpl(const FastganSettings& settings, int64_t conditions);
  torch::Tensor forward(const torch::Tensor& image, const torch::Tensor& y);  ///< logits only
  /// crop_row, crop_column: 0..8, offset of the 8 x 8 crop on the 16 x 16 map of the second down
  /// block.
  FastganJudgement judge_and_reconstruct(const torch::Tensor& image, const torch::Tensor& y,
                                         int64_t crop_row, int64_t crop_column);
  /// The same of real images, and the logits of generated ones, with batch statistics over both
  /// together: brightness and contrast that differ between the two batches are then seen, where a
  /// batch norm of each batch alone takes them out. The minibatch deviation is of each batch alone.
  struct Both {
    FastganJudgement real;
    torch::Tensor generated_logits;  ///< [M,1,5,5]
  };
  Both judge_together(const torch::Tensor& real, const torch::Tensor& real_y,
                      const torch::Tensor& generated, const torch::Tensor& generated_y,
                      int64_t crop_row, int64_t crop_column);
  void set_compute_type(torch::ScalarType type) { compute_type_ = type; }  ///< as the generator's

  Kernel input0{nullptr}, input1{nullptr};
  BatchNorm input1_norm{nullptr};
  DownBlock down32{nullptr}, down16{nullptr}, down8{nullptr};
  Kernel output0{nullptr}, output1{nullptr};
  BatchNorm output0_norm{nullptr};
  Decoder whole{nullptr}, part{nullptr};

 private:
  struct Features {
    torch::Tensor middle, coarse;  ///< B1 [N,128,16,16], B2 [N,256,8,8]
  };
  Features features(const torch::Tensor& image, const torch::Tensor& y);
  /// `batches`: what `coarse` is made of along its first axis, each part with a deviation of its
  /// own.
  torch::Tensor logits(const torch::Tensor& coarse, const std::vector<int64_t>& batches);

  double leaky_slope_;
  bool minibatch_deviation_;
  int64_t conditions_;
  torch::ScalarType compute_type_ = torch::kFloat;
};
TORCH_MODULE(FastganDiscriminator);

/// The 32 x 32 part of a 64 x 64 image that belongs to a crop of the 16 x 16 map: offsets times 4.
torch::Tensor crop_part(const torch::Tensor& image, int64_t crop_row, int64_t crop_column);

}  // namespace scintigen
