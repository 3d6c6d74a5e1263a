// SPDX-License-Identifier: Apache-2.0
#include "training/fastgan_step.h"

#include <torch/autograd.h>

#include "core/error.h"

namespace scintigen {

FastganGradients fastgan_gradients(FastganGenerator& generator, FastganDiscriminator& discriminator,
                                   const torch::Tensor& images,
                                   const torch::Tensor& real_conditions, const torch::Tensor& z,
                                   const torch::Tensor& fake_conditions, int64_t crop_row,
                                   int64_t crop_column, const FastganStepOptions& options) {
  const auto generated = generator->forward(z, fake_conditions);  // (i)
  auto seen_real = images, seen_fake = generated;
  if (options.augmentation) {
    const auto seen = options.augmentation(torch::cat({images, generated}));
    seen_real = seen.slice(0, 0, images.size(0));
    seen_fake = seen.slice(0, images.size(0));
  }
  // (ii)-(iv); cut: the discriminator's gradient need not pass through G, nor the generator's
  // through D's weights.
  const auto judged = seen_fake.detach().requires_grad_();
  FastganJudgement real;
  torch::Tensor fake_logits;
  if (options.joint_batch_norm) {
    auto both = discriminator->judge_together(seen_real.detach(), real_conditions, judged,
                                              fake_conditions, crop_row, crop_column);
    real = std::move(both.real);
    fake_logits = both.generated_logits;
  } else {
    real = discriminator->judge_and_reconstruct(seen_real.detach(), real_conditions, crop_row,
                                                crop_column);
    fake_logits = discriminator->forward(judged, fake_conditions);
  }
  const auto real_loss = torch::relu(options.real_margin - real.logits).mean();
  const auto fake_loss = torch::relu(options.fake_margin + fake_logits).mean();
  const auto part_loss =
      (real.part - crop_part(seen_real.detach(), crop_row, crop_column)).abs().mean();
  const auto whole_loss = (real.whole - seen_real.detach()).abs().mean();
  const auto discriminator_loss =
      real_loss + fake_loss + options.reconstruction_weight * (part_loss + whole_loss);
  const auto generator_loss = -fake_logits.mean();  // (v)

  FastganGradients result;
  const auto through_judge =
      torch::autograd::grad({generator_loss}, {judged}, {}, /*retain_graph=*/true);
  result.discriminator = torch::autograd::grad({discriminator_loss}, discriminator->parameters());
  result.generator =
      torch::autograd::grad({seen_fake}, generator->parameters(), {through_judge[0]});
  result.losses = {real_loss.detach(), fake_loss.detach(), part_loss.detach(), whole_loss.detach(),
                   generator_loss.detach()};
  result.generated = generated.detach();
  return result;
}

}  // namespace scintigen
