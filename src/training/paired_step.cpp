// SPDX-License-Identifier: Apache-2.0
#include "training/paired_step.h"

#include <torch/autograd.h>
#include <torch/torch.h>

#include "training/adversarial_loss.h"
#include "training/similarity_loss.h"

namespace scintigen {
namespace {

constexpr double kRange = 2;  // of values in [-1,1]

}  // namespace

PairedLosses paired_step(UnetGenerator& generator, PatchDiscriminator& discriminator,
                         const torch::Tensor& source, const torch::Tensor& target,
                         uint64_t dropout_seed, const PairedStepOptions& options,
                         const TakeGradients& update_discriminator,
                         const TakeGradients& update_generator) {
  const auto made = generator->forward(source, dropout_seed);
  const auto seen = made.detach().requires_grad_();
  PairedLosses losses;

  const auto fake = judged_as(discriminator->forward(torch::cat({source, seen.detach()}, 1)), false,
                              options.least_squares);
  const auto real = judged_as(discriminator->forward(torch::cat({source, target}, 1)), true,
                              options.least_squares);
  update_discriminator(torch::autograd::grad({0.5 * (fake + real)}, discriminator->parameters()));

  // D's weights need no gradient here, but through it G's image does.
  auto adversarial =
      judged_as(discriminator->forward(torch::cat({source, seen}, 1)), true, options.least_squares);
  const auto l1 = (seen - target).abs().mean();
  auto loss = adversarial + options.weight_l1 * l1;
  if (options.weight_similarity > 0) {
    const auto similarity = gaussian_similarity(seen, target, kRange);
    loss = loss + options.weight_similarity * (1 - similarity);
    losses.similarity = similarity.detach();
  }
  const auto of_image = torch::autograd::grad({loss}, {seen});
  update_generator(torch::autograd::grad({made}, generator->parameters(), {of_image[0]}));
  losses.real = real.detach();
  losses.fake = fake.detach();
  losses.adversarial = adversarial.detach();
  losses.l1 = l1.detach();
  return losses;
}

}  // namespace scintigen
