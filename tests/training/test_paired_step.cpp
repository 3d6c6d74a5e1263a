// SPDX-License-Identifier: Apache-2.0
// The paired translator's step against plain PyTorch (tools/make_golden_unet.py).
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "core/safetensors.h"
#include "models/waves.h"
#include "training/adam.h"
#include "training/named_tensors.h"
#include "training/paired_step.h"
#include "training/rate_schedule.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 64;

void load(torch::nn::Module& module, const TensorFile& file, const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  NamedTensors live;
  collect(module, prefix, live);
  for (auto& [name, tensor] : live) tensor.copy_(file.at(name));
}

class PairedStep : public testing::TestWithParam<std::string> {};

TEST_P(PairedStep, TwoStepsEqualPlainPyTorch) {
  const auto file = read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/models/pix2pix_step_" +
                                 GetParam() + ".safetensors");
  UnetSettings network;
  network.inputs = 2;
  network.width = 2;
  network.levels = 5;
  network.dropout = 0;
  UnetGenerator generator(network);
  PatchDiscriminator discriminator(PatchDiscriminatorSettings{3, 4, 3, 0.1, 1e-5});
  load(*generator, file, "generator.");
  load(*discriminator, file, "discriminator.");
  // Double: Adam divides by the gradient's size, and would show float32's noise in the weights.
  generator->to(torch::kDouble);
  discriminator->to(torch::kDouble);
  generator->set_compute_type(torch::kDouble);
  discriminator->set_compute_type(torch::kDouble);
  AdamSettings adam;
  adam.rate = 1e-3;
  adam.beta1 = 0.5;
  Adam for_generator(named_parameters(*generator), adam);
  Adam for_discriminator(named_parameters(*discriminator), adam);
  PairedStepOptions options;
  options.least_squares = GetParam() == "least_squares";
  for (int step = 0; step < 2; ++step) {
    const auto losses = paired_step(
        generator, discriminator, waves(2, kSide, 0.3 * step), waves(1, kSide, 1 + 0.3 * step), 0,
        options, [&](const auto& gradients) { for_discriminator.step(gradients); },
        [&](const auto& gradients) { for_generator.step(gradients); });
    for (const auto& [name, loss] : {std::pair{"real", losses.real},
                                     {"fake", losses.fake},
                                     {"adversarial", losses.adversarial},
                                     {"l1", losses.l1}}) {
      const double expected = file.at(std::to_string(step) + "." + name).item<double>();
      EXPECT_NEAR(loss.item<double>(), expected, 1e-5 * std::abs(expected)) << step << name;
    }
  }
  NamedTensors found;
  collect(*generator, "after.generator.", found);
  collect(*discriminator, "after.discriminator.", found);
  for (const auto& [name, tensor] : found)
    EXPECT_LT(
        (tensor.to(torch::kDouble) - file.at(name).to(torch::kDouble)).abs().max().item<double>(),
        1e-5)
        << name;
}

INSTANTIATE_TEST_SUITE_P(Losses, PairedStep, testing::Values("cross_entropy", "least_squares"));

TEST(RateFactor, IsThePublicImplementations) {
  EXPECT_EQ(rate_factor(0, 100, 100), 1);
  EXPECT_EQ(rate_factor(99, 100, 100), 1);
  EXPECT_NEAR(rate_factor(100, 100, 100), 100.0 / 101, 1e-12);
  EXPECT_NEAR(rate_factor(199, 100, 100), 1.0 / 101, 1e-12);
  EXPECT_EQ(rate_factor(500, 100, 100), 0);
  EXPECT_EQ(rate_factor(500, 100, 0), 1);
}

}  // namespace
}  // namespace scintigen
