// SPDX-License-Identifier: Apache-2.0
// Losses and gradients of one step of the paired translator (Isola et al. 2017, equations 1 to 4,
// and the SSIM term of the SPECT paper).
// Does: the discriminator's loss and gradient, then, after its update, the generator's against the
//       new one, as the public implementation does it.
// Does not: update weights (batch statistics do move), draw random numbers.
// Checked tests/training/test_paired_step.cpp against python3-torch: losses, gradients, weights
//         after two steps
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "models/unet.h"
#include "training/adam.h"

namespace scintigen {

struct PairedStepOptions {
  double weight_l1 = 100;        ///< lambda of equation 4 (Isola 2017: 100)
  double weight_similarity = 0;  ///< of 1 - SSIM (Gaussian window, range 2)
  bool least_squares = false;    ///< squares instead of binary cross-entropy (Mao 2017)
};

/// Scalars, float32, detached; on the device (no synchronisation).
struct PairedLosses {
  torch::Tensor real, fake;  ///< the discriminator's two parts; its loss is their mean
  torch::Tensor adversarial, l1, similarity;  ///< the generator's; similarity undefined without
};

/// One training step of both networks. source [N,C,H,W] and target [N,1,H,W] in [-1,1].
///   L_D = (B(D(x, y), 1) + B(D(x, G(x)), 0)) / 2
///   L_G = B(D(x, G(x)), 1) + weight_l1 mean |y - G(x)| + weight_similarity (1 - SSIM(y, G(x)))
/// with B the binary cross-entropy of logits, or squares. `update_discriminator` and
/// `update_generator` are handed the gradients, in the order of parameters(); the first is called
/// before D is asked again.
PairedLosses paired_step(UnetGenerator& generator, PatchDiscriminator& discriminator,
                         const torch::Tensor& source, const torch::Tensor& target,
                         uint64_t dropout_seed, const PairedStepOptions& options,
                         const TakeGradients& update_discriminator,
                         const TakeGradients& update_generator);

}  // namespace scintigen
