// SPDX-License-Identifier: Apache-2.0
// Losses and gradients of one step of Simple-GAN and Cycle-GAN.
// Source  Zotova et al. 2021, equations 1 (least squares: Mao et al. 2017), 2 (MSE of paired
//         images) and 3 (Zhu et al., ICCV 2017: cycle consistency); order of what is computed and
//         updated as the public PyTorch Cycle-GAN (models/cycle_gan_model.py): both generators
//         against the discriminators as they are, then both discriminators on the images made
//         before that update.
// Does not: update weights (batch statistics do move), draw random numbers.
// Checked tests/training/test_cycle_step.cpp against python3-torch (tools/make_golden_cycle.py):
//         every loss, gradients, weights after four steps with a pool
#pragma once
#include <torch/types.h>

#include <functional>
#include <vector>

#include "training/adam.h"
#include "training/recipe.h"

namespace scintigen {

/// A network as a step sees it, whatever its dimensions.
struct StepNetwork {
  std::function<torch::Tensor(const torch::Tensor&)> forward;
  std::vector<torch::Tensor> parameters;
};

/// Source is domain A of the paper (T1), target is domain B (PET).
struct CycleNetworks {
  StepNetwork to_target, judge_target;  ///< G_B and D_B: all that Simple-GAN has
  StepNetwork to_source, judge_source;  ///< G_A and D_A; without `forward`: Simple-GAN
  bool cycle() const { return static_cast<bool>(to_source.forward); }
};

/// Weights beside the adversarial term's 1, of values in [-1,1]. The paper gives none.
struct CycleStepOptions {
  double weight_cycle = 10;    ///< of mean |y' - y| in each domain (public code: 10)
  double weight_identity = 0;  ///< of mean |G_B(y_b) - y_b| and its mirror (public code: 5)
  double weight_mse = 0;       ///< of mean (x - y)^2 of paired images, in each domain made
};

/// What a discriminator is shown of what was made: the image pool of the target's (true) or the
/// source's (false) domain.
using ShowInstead = std::function<torch::Tensor(const torch::Tensor& made, bool of_target)>;

/// One step. source, target [N,C,...] in [-1,1]; paired where weight_mse > 0.
///   L_D = (mean D(x)^2 + mean (D(y) - 1)^2) / 2     each domain's, x out of `show`
///   L_G = sum over generators of mean (D(x) - 1)^2 + weighted cycle, identity and MSE terms
/// `update_generators` is handed gradients in the order to_target, to_source, before the
/// discriminators are asked again; `update_discriminators` in the order judge_target, judge_source.
/// Returns  real, fake, adversarial (of the target's domain), with a cycle cycle, cycle_target,
///          and _source of the first three; identity and mse where they count. Detached.
Losses cycle_step(const CycleNetworks& networks, const torch::Tensor& source,
                  const torch::Tensor& target, const CycleStepOptions& options,
                  const ShowInstead& show, const TakeGradients& update_generators,
                  const TakeGradients& update_discriminators);

}  // namespace scintigen
