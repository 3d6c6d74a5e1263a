// SPDX-License-Identifier: Apache-2.0
// The conditional light-weight GAN against plain PyTorch (tools/make_golden_models.py), and what no
// port may lack.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "models/fastgan.h"

namespace scintigen {
namespace {

TensorFile golden(const std::string& name) {
  return read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/models/" + name + ".safetensors");
}

FastganSettings small() {
  FastganSettings settings;
  settings.latent = 16;
  settings.embedding = 8;
  settings.generator_widths = {16, 16, 8, 8, 4};
  settings.excitation_width = 8;
  settings.discriminator_widths = {4, 4, 8, 8, 16};
  settings.decoder_width = 16;
  return settings;
}

void load(torch::nn::Module& module, const TensorFile& file, const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : module.named_parameters()) entry.value().copy_(file.at(prefix + entry.key()));
  for (auto& entry : module.named_buffers()) entry.value().copy_(file.at(prefix + entry.key()));
}

/// Largest difference as a fraction of the expected tensor's largest value.
double error_of(const torch::Tensor& found, const torch::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  const auto difference = (found.to(torch::kDouble) - expected.to(torch::kDouble)).abs().max();
  return (difference / expected.abs().max().clamp_min(1e-12)).item<double>();
}

TEST(Fastgan, ForwardEqualsPlainPyTorch) {
  for (const bool deviation : {false, true}) {
    const auto file = golden(deviation ? "fastgan_deviation" : "fastgan");
    auto settings = small();
    settings.minibatch_deviation = deviation;
    FastganGenerator generator(settings, 3);
    FastganDiscriminator discriminator(settings, 3);
    load(*generator, file, "generator.");
    load(*discriminator, file, "discriminator.");
    generator->eval();
    discriminator->eval();
    const torch::NoGradGuard no_grad;
    const auto image = generator->forward(file.at("z"), file.at("conditions"));
    EXPECT_LT(error_of(image, file.at("eval.image")), 1e-5);
    const auto judged =
        discriminator->judge_and_reconstruct(file.at("images"), file.at("conditions"), 2, 7);
    EXPECT_LT(error_of(judged.logits, file.at("eval.logits")), 1e-5);
    EXPECT_LT(error_of(judged.part, file.at("eval.part")), 1e-5);
    EXPECT_LT(error_of(judged.whole, file.at("eval.whole")), 1e-5);
    EXPECT_LT(error_of(discriminator->forward(file.at("images"), file.at("conditions")),
                       file.at("eval.logits")),
              1e-5);
  }
}

TEST(Fastgan, HasTheReferenceParametersAndNoOthers) {
  const auto file = golden("fastgan");
  FastganGenerator generator(small(), 3);
  FastganDiscriminator discriminator(small(), 3);
  size_t expected = 0, found = 0;
  for (const auto& entry : file.tensors) expected += entry.first.rfind("gradient.", 0) == 0 ? 1 : 0;
  for (const auto& entry : generator->named_parameters()) {
    EXPECT_EQ(file.at("generator." + entry.key()).sizes(), entry.value().sizes()) << entry.key();
    ++found;
  }
  for (const auto& entry : discriminator->named_parameters()) {
    EXPECT_EQ(file.at("discriminator." + entry.key()).sizes(), entry.value().sizes())
        << entry.key();
    ++found;
  }
  EXPECT_EQ(found, expected);
}

TEST(Fastgan, ShapesAndSizeAtThePresetsWidths) {
  FastganGenerator generator(FastganSettings{}, 6);
  FastganDiscriminator discriminator(FastganSettings{}, 6);
  int64_t count = 0, excitation = 0;
  for (const auto& entry : generator->named_parameters()) {
    count += entry.value().numel();
    if (entry.key().rfind("excitation", 0) == 0) excitation += entry.value().numel();
  }
  EXPECT_NEAR(static_cast<double>(count - excitation), 4.20e6,
              0.01e6);  // methods: 4.20 M without, 0.26 M in it
  EXPECT_NEAR(static_cast<double>(excitation), 0.26e6, 0.01e6);
  const torch::NoGradGuard no_grad;
  const auto image = generator->forward(torch::randn({2, 256}), torch::zeros({2, 6}));
  EXPECT_EQ(image.sizes(), (std::vector<int64_t>{2, 1, 64, 64}));
  EXPECT_LE(image.abs().max().item<double>(), 1);
  const auto judged = discriminator->judge_and_reconstruct(image, torch::zeros({2, 6}), 0, 8);
  EXPECT_EQ(judged.logits.sizes(), (std::vector<int64_t>{2, 1, 5, 5}));
  EXPECT_EQ(judged.part.sizes(), (std::vector<int64_t>{2, 1, 32, 32}));
  EXPECT_EQ(judged.whole.sizes(), (std::vector<int64_t>{2, 1, 64, 64}));
}

TEST(Fastgan, PartIsAlignedWithTheCropOfTheMap) {
  // A 16 x 16 map whose cell (r, c) stands for the 4 x 4 pixels at (4 r, 4 c) of the image.
  const auto map = torch::arange(256, torch::kFloat).view({1, 1, 16, 16});
  const auto image = map.repeat_interleave(4, 2).repeat_interleave(4, 3);
  for (const auto& [row, column] : {std::pair{0, 0}, std::pair{8, 8}, std::pair{2, 7}}) {
    const auto expected = map.narrow(2, row, 8).narrow(3, column, 8);
    const auto part = crop_part(image, row, column);
    EXPECT_TRUE(torch::equal(torch::max_pool2d(part, 4, 4), expected));
    EXPECT_TRUE(torch::equal(-torch::max_pool2d(-part, 4, 4), expected));
  }
}

/// Widths at which the fast paths run, and odd ones at which they do not.
FastganSettings widths(int64_t narrow) {
  FastganSettings settings;
  settings.generator_widths = {8 * narrow, 4 * narrow, 4 * narrow, 2 * narrow, narrow};
  settings.discriminator_widths = {narrow / 2, narrow, narrow, 2 * narrow, 4 * narrow};
  settings.decoder_width = 4 * narrow;
  return settings;
}

TEST(Fastgan, Bfloat16IsNearFloat32) {
  torch::manual_seed(3);
  FastganGenerator generator(widths(16), 3);
  FastganDiscriminator discriminator(widths(16), 3);
  const auto z = Random(1, "z").normal_tensor({8, 256});
  const auto y = torch::eye(3).index_select(0, torch::tensor({0, 1, 2, 0, 1, 2, 0, 1}));
  const torch::NoGradGuard no_grad;
  for (const bool training : {true, false}) {
    generator->train(training);
    discriminator->train(training);
    generator->set_compute_type(torch::kFloat);
    discriminator->set_compute_type(torch::kFloat);
    const auto image = generator->forward(z, y);
    const auto logits = discriminator->forward(image, y);
    generator->set_compute_type(torch::kBFloat16);
    discriminator->set_compute_type(torch::kBFloat16);
    // Eight bits of mantissa (0.4 %) through some ten layers, mean over pixels.
    const double scale = image.abs().mean().item<double>();
    EXPECT_LT((generator->forward(z, y).to(torch::kFloat) - image).abs().mean().item<double>(),
              0.05 * scale + 0.005);
    const auto nearby = discriminator->forward(image, y).to(torch::kFloat);
    EXPECT_LT((nearby - logits).abs().mean().item<double>(),
              0.05 * logits.abs().mean().item<double>() + 0.02);
  }
}

TEST(Fastgan, EvalIsByImageAndTrainingIsByBatch) {
  torch::manual_seed(4);
  FastganGenerator generator(widths(16), 3);
  const auto z = Random(2, "z").normal_tensor({4, 256});
  const auto y = torch::zeros({4, 3});
  const torch::NoGradGuard no_grad;
  generator->forward(z, y);  // moves the running statistics
  generator->eval();
  const auto together = generator->forward(z, y);
  const auto alone = generator->forward(z.narrow(0, 1, 1), y.narrow(0, 1, 1));
  EXPECT_LT((together.narrow(0, 1, 1) - alone).abs().max().item<double>(), 1e-5);
  // Back in training and changed, eval must not use what it kept of the old weights.
  generator->train();
  for (auto& parameter : generator->parameters()) parameter.mul_(1.5);
  generator->eval();
  EXPECT_GT((generator->forward(z, y) - together).abs().max().item<double>(), 1e-3);
}

TEST(SpectralNorm, EqualsPyTorch) {
  const auto file = golden("spectral_norm");
  LayerSettings settings;
  settings.spectral_norm = true;
  const struct {
    std::string name;
    std::vector<int64_t> shape;
    KernelRole role;
  } cases[] = {{"conv", {5, 3, 3, 3}, KernelRole::convolution},
               {"transposed", {6, 4, 4, 4}, KernelRole::transposed},
               {"linear", {5, 7}, KernelRole::linear}};
  for (const auto& [name, shape, role] : cases) {
    Kernel kernel(shape, false, settings, role);
    const torch::NoGradGuard no_grad;
    kernel->weight.copy_(file.at(name + ".weight"));
    kernel->weight_u.copy_(file.at(name + ".u"));
    kernel->weight_v.copy_(file.at(name + ".v"));
    kernel->train();
    const auto normalised = kernel->effective_weight();
    EXPECT_LT(error_of(normalised, file.at(name + ".normalised")), 1e-5) << name;
    EXPECT_LT(error_of(kernel->weight_u, file.at(name + ".u_after")), 1e-5) << name;
    EXPECT_LT(error_of(kernel->weight_v, file.at(name + ".v_after")), 1e-5) << name;
  }
}

TEST(BatchDeviation, KnownAnswer) {
  const auto x = torch::stack(
      {torch::zeros({2, 3, 3}), torch::full({2, 3, 3}, 2.0)});  // population SD 1 everywhere
  const auto y = append_batch_deviation(x);
  EXPECT_EQ(y.size(1), 3);
  EXPECT_LT((y.select(1, 2) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(torch::equal(y.narrow(1, 0, 2), x));
}

/// conv3x3(upsample(x)), batch norm, GLU: what a gated up block stands for.
torch::Tensor plain_up(GatedUpBlock& block, const torch::Tensor& x) {
  const auto fine = x.repeat_interleave(2, 2).repeat_interleave(2, 3);
  const auto h = torch::conv2d(fine, block->conv->weight, {}, 1, 1);
  const auto normed = torch::batch_norm(h, block->norm->weight, block->norm->bias, {}, {}, true,
                                        0.1, block->norm->epsilon, false);
  return torch::glu(normed, 1);
}

TEST(GatedUpBlock, CoarseGridEqualsUpsampledConvolutionForwardAndBackward) {
  struct Case {
    int64_t batch, in, out, side;
  };
  for (const auto& [batch, in, out, side] :
       {Case{1, 8, 8, 4}, Case{3, 16, 8, 8}, Case{4, 64, 32, 8}, Case{4, 32, 32, 16},
        Case{2, 64, 64, 4}, Case{5, 6, 5, 7}, Case{2, 32, 16, 32}}) {
    for (int64_t seed = 0; seed < 3; ++seed) {
      torch::manual_seed(static_cast<uint64_t>(seed));
      GatedUpBlock block(in, out, LayerSettings{});
      {
        const torch::NoGradGuard no_grad;
        block->norm->weight.uniform_(0.5, 1.5);
        block->norm->bias.normal_();
      }
      const auto x = torch::randn({batch, in, side, side}).requires_grad_();
      const std::vector<torch::Tensor> inputs = {x, block->conv->weight, block->norm->weight,
                                                 block->norm->bias};
      const auto expected = plain_up(block, x);
      const auto cotangent = torch::randn_like(expected);
      const auto expected_gradients = torch::autograd::grad({expected}, inputs, {cotangent});
      const auto found = block->forward(x);
      const auto gradients = torch::autograd::grad({found}, inputs, {cotangent});
      EXPECT_LT(error_of(found, expected), 2e-5) << in << " " << out << " " << side;
      for (size_t k = 0; k < inputs.size(); ++k)
        EXPECT_LT(error_of(gradients[k], expected_gradients[k]), 1e-4)
            << k << ": " << in << " " << out << " " << side;
    }
  }
}

TEST(Fastgan, UnitMaximumDividesEachImageByItsMaximum) {
  FastganSettings settings;
  settings.generator_widths = {16, 16, 8, 8, 8};
  settings.excitation_width = 8;
  torch::manual_seed(1);
  FastganGenerator plain(settings, 2);
  settings.unit_maximum = true;
  torch::manual_seed(1);
  FastganGenerator divided(settings, 2);
  plain->eval();
  divided->eval();
  const auto z = torch::randn({3, settings.latent}), y = torch::eye(3).narrow(1, 0, 2);
  const auto before = (plain->forward(z, y) + 1) / 2;
  const auto after = (divided->forward(z, y) + 1) / 2;
  EXPECT_TRUE(torch::allclose(after, before / before.amax({1, 2, 3}, true), 1e-5, 1e-6));
  // No gradient leads along the direction that the division takes out: brightness.
  auto weight = divided->output->bias;
  (divided->forward(z, y).amax({1, 2, 3})).sum().backward();
  EXPECT_LT(weight.grad().abs().max().item<float>(), 1e-5);
}

TEST(Fastgan, JudgedTogetherTheBatchesShareTheirStatistics) {
  FastganSettings settings;
  settings.discriminator_widths = {4, 8, 8, 16, 16};
  settings.decoder_width = 8;
  torch::manual_seed(1);
  FastganDiscriminator discriminator(settings, 2);
  discriminator->train();
  const auto real = torch::rand({6, 1, 64, 64}) * 2 - 1,
             generated = torch::rand({4, 1, 64, 64}) - 1;
  const auto real_y = torch::eye(6).narrow(1, 0, 2), generated_y = torch::eye(4).narrow(1, 0, 2);
  const auto both = discriminator->judge_together(real, real_y, generated, generated_y, 3, 5);
  const auto at_once =
      discriminator->forward(torch::cat({real, generated}), torch::cat({real_y, generated_y}));
  EXPECT_TRUE(
      torch::allclose(torch::cat({both.real.logits, both.generated_logits}), at_once, 1e-4, 1e-5));
  EXPECT_EQ(both.real.part.sizes(), (std::vector<int64_t>{6, 1, 32, 32}));
  EXPECT_EQ(both.real.whole.sizes(), (std::vector<int64_t>{6, 1, 64, 64}));
  // A batch alone hides that it is darker: judged together, the logits move further apart.
  const auto gap = [](const torch::Tensor& a, const torch::Tensor& b) {
    return (a.mean() - b.mean()).abs().item<double>();
  };
  double alone = 0, together = 0;
  const auto y = torch::zeros({8, 2});
  for (int draw = 0; draw < 8; ++draw) {
    FastganDiscriminator judge(settings, 2);
    const auto same = torch::rand({8, 1, 64, 64}) * 2 - 1, darker = 0.6 * (same + 1) - 1;
    alone += gap(judge->forward(same, y), judge->forward(darker, y));
    const auto found = judge->judge_together(same, y, darker, y, 0, 0);
    together += gap(found.real.logits, found.generated_logits);
  }
  EXPECT_GT(together, 2 * alone);
}

TEST(Fastgan, NoiseMapsStartAtNothingAndAreEachImagesOwn) {
  FastganSettings settings;
  settings.generator_widths = {16, 16, 8, 8, 8};
  settings.excitation_width = 8;
  torch::manual_seed(1);
  FastganGenerator plain(settings, 2);
  settings.noise_maps = true;
  EXPECT_EQ(settings.latent_elements(), 256 + 256 + 1024 + 4096);
  torch::manual_seed(1);
  FastganGenerator noisy(settings, 2);
  plain->eval();
  noisy->eval();
  auto z = torch::randn({2, settings.latent_elements()});
  z[1].narrow(0, 0, settings.latent) =
      z[0].narrow(0, 0, settings.latent);  // one latent, two noises
  const auto y = torch::eye(2)[0].expand({2, 2});
  EXPECT_TRUE(
      torch::allclose(noisy->forward(z, y), plain->forward(z.narrow(1, 0, 256), y), 1e-5, 1e-6));
  noisy->forward(z, y).square().sum().backward();
  EXPECT_GT(noisy->noise64.grad().abs().max().item<float>(), 0);
  {
    const torch::NoGradGuard no_gradients;
    noisy->noise16.fill_(0.1);
  }
  const auto images = noisy->forward(z, y);
  EXPECT_GT((images[0] - images[1]).abs().max().item<float>(), 1e-4);
}

}  // namespace
}  // namespace scintigen
