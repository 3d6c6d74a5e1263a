// SPDX-License-Identifier: Apache-2.0
// Equations 1 to 5 and their gradients against plain PyTorch (tools/make_golden_models.py); Adam
// likewise.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "core/safetensors.h"
#include "training/adam.h"
#include "training/fastgan_step.h"

namespace scintigen {
namespace {

TensorFile golden(const std::string& name) {
  return read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/models/" + name + ".safetensors");
}

FastganSettings small(bool deviation) {
  FastganSettings settings;
  settings.latent = 16;
  settings.embedding = 8;
  settings.generator_widths = {16, 16, 8, 8, 4};
  settings.excitation_width = 8;
  settings.discriminator_widths = {4, 4, 8, 8, 16};
  settings.decoder_width = 16;
  settings.minibatch_deviation = deviation;
  return settings;
}

void load(torch::nn::Module& module, const TensorFile& file, const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : module.named_parameters()) entry.value().copy_(file.at(prefix + entry.key()));
  for (auto& entry : module.named_buffers()) entry.value().copy_(file.at(prefix + entry.key()));
}

double error_of(const torch::Tensor& found, const torch::Tensor& expected, double scale) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  return (found - expected).abs().max().item<double>() / scale;
}

void compare_gradients(const torch::nn::Module& module, const std::vector<torch::Tensor>& gradients,
                       const TensorFile& file, const std::string& prefix) {
  double largest =
      0;  // one scale a network: a gradient that is 1e-6 of the others is rounding in both
  for (const auto& entry : module.named_parameters())
    largest = std::max(largest, file.at(prefix + entry.key()).abs().max().item<double>());
  size_t k = 0;
  for (const auto& entry : module.named_parameters()) {
    const auto& expected = file.at(prefix + entry.key());
    ASSERT_TRUE(gradients[k].defined()) << entry.key();
    EXPECT_GT(gradients[k].abs().max().item<double>(), 0) << entry.key() << " gets no gradient";
    EXPECT_LT(error_of(gradients[k], expected, largest), 1e-5) << entry.key();
    ++k;
  }
  EXPECT_EQ(k, gradients.size());
}

TEST(FastganStep, LossesGradientsAndStatisticsEqualPlainPyTorch) {
  for (const bool deviation : {false, true}) {
    const auto file = golden(deviation ? "fastgan_deviation" : "fastgan");
    FastganGenerator generator(small(deviation), 3);
    FastganDiscriminator discriminator(small(deviation), 3);
    load(*generator, file, "generator.");
    load(*discriminator, file, "discriminator.");
    FastganStepOptions options;
    if (deviation) {
      options.real_margin = 0.9;
      options.fake_margin = 0.8;
      options.reconstruction_weight = 2;
    }
    const auto found =
        fastgan_gradients(generator, discriminator, file.at("images"), file.at("conditions"),
                          file.at("z"), file.at("fake_conditions"), 2, 7, options);
    const auto& losses = found.losses;
    const std::pair<const char*, torch::Tensor> named[] = {{"real", losses.real},
                                                           {"fake", losses.fake},
                                                           {"part", losses.part},
                                                           {"whole", losses.whole},
                                                           {"generator", losses.generator}};
    for (const auto& [name, loss] : named)
      EXPECT_NEAR(loss.item<double>(), file.at(std::string("loss.") + name).item<double>(), 1e-5)
          << name;
    compare_gradients(*generator, found.generator, file, "gradient.generator.");
    compare_gradients(*discriminator, found.discriminator, file, "gradient.discriminator.");
    for (const auto& entry : generator->named_buffers())
      EXPECT_LT(error_of(entry.value(), file.at("after.generator." + entry.key()), 1), 1e-5)
          << entry.key();
  }
}

TEST(FastganStep, AugmentationIsSeenByBothAndTheTargetsFollow) {
  const auto file = golden("fastgan");
  FastganGenerator generator(small(false), 3);
  FastganDiscriminator discriminator(small(false), 3);
  load(*generator, file, "generator.");
  load(*discriminator, file, "discriminator.");
  FastganStepOptions options;
  int64_t seen = 0;
  options.augmentation = [&](const torch::Tensor& images) {
    seen = images.size(0);
    return torch::zeros_like(images) + 0 * images;
  };
  const auto found =
      fastgan_gradients(generator, discriminator, file.at("images"), file.at("conditions"),
                        file.at("z"), file.at("fake_conditions"), 0, 0, options);
  EXPECT_EQ(seen, 6);
  // D sees zeros and is asked to reconstruct zeros: each loss is the mean size of what the decoder
  // says.
  EXPECT_LT(found.losses.whole.item<double>(), 1);
  double generator_gradient = 0;
  for (const auto& gradient : found.generator)
    generator_gradient += gradient.abs().sum().item<double>();
  EXPECT_EQ(generator_gradient, 0);  // 0 * images lets no gradient through
}

TEST(Adam, EqualsPyTorchOverAHundredSteps) {
  const auto file = golden("adam");
  Adam::Named parameters = {{"a", file.at("start.0").clone()}, {"b", file.at("start.1").clone()}};
  std::vector<torch::Tensor> averages = {file.at("start.0").clone(), file.at("start.1").clone()};
  AdamSettings settings;
  settings.rate = 1e-2;
  settings.beta1 = 0.8;
  settings.beta2 = 0.99;
  settings.epsilon = 1e-7;
  Adam adam(parameters, settings);
  const auto& gradients = file.at("gradients");
  for (int64_t step = 0; step < gradients.size(0); ++step)
    adam.step({gradients[step].narrow(0, 0, 35).view({7, 5}), gradients[step].narrow(0, 35, 11)},
              averages, 0.9);
  const auto state = adam.state();
  const char* names[] = {"a", "b"};
  for (size_t k = 0; k < 2; ++k) {
    const auto number = std::to_string(k);
    EXPECT_LT(error_of(parameters[k].second, file.at("end." + number), 1), 2e-6);
    EXPECT_LT(error_of(averages[k], file.at("average." + number), 1), 2e-6);
    EXPECT_LT(
        error_of(state.at(std::string(names[k]) + ".exp_avg"), file.at("exp_avg." + number), 1),
        1e-6);
    EXPECT_LT(error_of(state.at(std::string(names[k]) + ".exp_avg_sq"),
                       file.at("exp_avg_sq." + number), 1),
              1e-6);
  }
  EXPECT_EQ(adam.steps(), 100);
}

TEST(Adam, StateGoesOnBitForBit) {
  const auto file = golden("adam");
  const auto& gradients = file.at("gradients");
  const auto walk = [&](Adam& adam, int64_t first, int64_t last) {
    for (int64_t step = first; step < last; ++step)
      adam.step({gradients[step].narrow(0, 0, 35).view({7, 5}), gradients[step].narrow(0, 35, 11)});
  };
  Adam::Named straight = {{"a", file.at("start.0").clone()}, {"b", file.at("start.1").clone()}};
  Adam once(straight, {});
  walk(once, 0, 40);
  Adam::Named resumed = {{"a", file.at("start.0").clone()}, {"b", file.at("start.1").clone()}};
  Adam first(resumed, {});
  walk(first, 0, 15);
  Adam second(resumed, {});
  second.load_state(first.state());
  walk(second, 15, 40);
  EXPECT_TRUE(torch::equal(straight[0].second, resumed[0].second));
  EXPECT_TRUE(torch::equal(straight[1].second, resumed[1].second));
}

}  // namespace
}  // namespace scintigen
