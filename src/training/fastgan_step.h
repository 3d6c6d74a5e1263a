// SPDX-License-Identifier: Apache-2.0
// Losses and gradients of one training step of the conditional light-weight GAN (Werner 2022,
// equations 1-5). Does: one forward of G, one of D on real and one on generated images; both
// gradients from the same weights, as the
//       paper's steps (i)-(vi).  Does not: draw random numbers, change weights (batch-norm
//       statistics do move).
// Checked tests/models/test_fastgan_step.cpp against python3-torch.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "models/fastgan.h"

namespace scintigen {

struct FastganStepOptions {
  /// Hinge margins; equations 2 and 3 have 1. FastGAN's code draws both from U(0.8, 1) each step.
  double real_margin = 1, fake_margin = 1;
  double reconstruction_weight = 1;  ///< of equation 4 in equation 5
  /// D's batch statistics over real and generated images together (judge_together()).
  bool joint_batch_norm = false;
  /// Differentiable augmentation, seen by the discriminator on real and generated images alike;
  /// called once on the two batches concatenated (real first). The reconstruction targets are then
  /// the augmented real images.
  std::function<torch::Tensor(const torch::Tensor&)> augmentation;
};

/// Scalars, float32, detached; on the device (no synchronisation).
struct FastganLosses {
  torch::Tensor real, fake, part, whole, generator;
};

struct FastganGradients {
  std::vector<torch::Tensor> generator,
      discriminator;  ///< in the order of parameters(), same shapes
  FastganLosses losses;
  torch::Tensor generated;  ///< G(z,y), detached
};

/// images [N,1,64,64] in [-1,1], real_conditions [N,C]; z [N,latent], fake_conditions [N,C]; crop
/// 0..8.
///   L_G = -mean D(G(z))                                                       (1)
///   L_D = mean relu(m - D(x)) + mean relu(m + D(G(z))) + weight * (mean |part - crop| + mean
///   |whole - x|)   (2-5)
FastganGradients fastgan_gradients(FastganGenerator& generator, FastganDiscriminator& discriminator,
                                   const torch::Tensor& images,
                                   const torch::Tensor& real_conditions, const torch::Tensor& z,
                                   const torch::Tensor& fake_conditions, int64_t crop_row,
                                   int64_t crop_column, const FastganStepOptions& options = {});

}  // namespace scintigen
