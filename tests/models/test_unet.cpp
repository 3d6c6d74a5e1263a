// SPDX-License-Identifier: Apache-2.0
// U-Net and patch discriminator against plain PyTorch (tools/make_golden_unet.py).
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "models/unet.h"
#include "models/waves.h"

namespace scintigen {
namespace {

TensorFile golden(int64_t side) {
  return read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/models/unet_" + std::to_string(side) +
                      ".safetensors");
}

void load(torch::nn::Module& module, const TensorFile& file, const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : module.named_parameters()) entry.value().copy_(file.at(prefix + entry.key()));
  for (auto& entry : module.named_buffers()) entry.value().copy_(file.at(prefix + entry.key()));
}

double error_of(const torch::Tensor& found, const torch::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  const auto difference = (found.to(torch::kDouble) - expected.to(torch::kDouble)).abs().max();
  return (difference / expected.abs().max().clamp_min(1e-12)).item<double>();
}

UnetSettings small(int64_t levels) {
  UnetSettings settings;
  settings.inputs = 2;
  settings.width = 2;
  settings.levels = levels;
  settings.dropout = 0;
  return settings;
}

class Unet : public testing::TestWithParam<int64_t> {};

TEST_P(Unet, ForwardAndGradientsEqualPlainPyTorch) {
  const int64_t side = GetParam();
  const auto file = golden(side);
  UnetGenerator generator(small(side == 256 ? 8 : 7));
  PatchDiscriminator discriminator(PatchDiscriminatorSettings{3, 4, 3, 0.1, 1e-5});
  load(*generator, file, "generator.");
  load(*discriminator, file, "discriminator.");
  const auto source = waves(2, side, 0), target = waves(1, side, 1);
  // Double: float32 sums of thousands of products would hide a wrong term of 1e-5.
  generator->to(torch::kDouble);
  discriminator->to(torch::kDouble);
  generator->set_compute_type(torch::kDouble);
  discriminator->set_compute_type(torch::kDouble);
  const auto made = generator->forward(source);
  EXPECT_LT(error_of(made, file.at("made")), 1e-5);
  const auto logits = discriminator->forward(torch::cat({source, made}, 1));
  EXPECT_EQ(logits.size(2), side == 256 ? 30 : 14);
  EXPECT_LT(error_of(logits, file.at("logits")), 1e-5);
  const auto loss = torch::binary_cross_entropy_with_logits(logits, torch::ones_like(logits)) +
                    100 * (made - target).abs().mean();
  EXPECT_LT(error_of(loss.view({1}), file.at("loss")), 1e-5);
  loss.backward();
  for (auto& [module, prefix] :
       {std::pair<torch::nn::Module*, std::string>{generator.ptr().get(), "generator."},
        {discriminator.ptr().get(), "discriminator."}})
    for (const auto& entry : module->named_parameters())
      EXPECT_LT(error_of(entry.value().grad(), file.at("gradient." + prefix + entry.key())), 1e-5)
          << prefix << entry.key();
  generator->eval();
  EXPECT_LT(error_of(generator->forward(source), file.at("eval.made")), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Sides, Unet, testing::Values(256, 128));

/// The fast forms against LibTorch's own operators, at widths that fill the registers.
TEST(UnetLayers, FusedEqualsPlain) {
  UnetSettings settings;
  settings.width = 32;
  settings.levels = 6;
  settings.dropout = 0;
  torch::manual_seed(3);
  UnetGenerator generator(settings);
  PatchDiscriminator discriminator(PatchDiscriminatorSettings{2, 32, 3, 0.1, 1e-5});
  const auto source = waves(1, 64, 0);
  const auto run = [&](bool plain) {
    use_plain_layers(plain);
    generator->zero_grad();
    discriminator->zero_grad();
    const auto made = generator->forward(source);
    const auto logits = discriminator->forward(torch::cat({source, made}, 1));
    (logits.mean() + made.square().sum()).backward();
    std::vector<torch::Tensor> found = {made.detach(), logits.detach()};
    for (const auto& parameter : generator->parameters()) found.push_back(parameter.grad().clone());
    for (const auto& parameter : discriminator->parameters())
      found.push_back(parameter.grad().clone());
    use_plain_layers(false);
    return found;
  };
  const auto plain = run(true), fused = run(false);
  for (size_t i = 0; i < plain.size(); ++i) EXPECT_LT(error_of(fused[i], plain[i]), 2e-4) << i;
}

TEST(UnetLayers, TransposedConvolutionEqualsLibTorchs) {
  torch::manual_seed(5);
  for (const auto& [in, out, side] :
       {std::tuple<int64_t, int64_t, int64_t>{32, 64, 16}, {64, 32, 8}, {8, 3, 4}, {32, 32, 1}}) {
    const auto x = torch::randn({2, in, side, side}).requires_grad_();
    const auto weight = torch::randn({in, out, 4, 4}).requires_grad_();
    const auto bias = torch::randn({out});
    const auto g = torch::randn({2, out, 2 * side, 2 * side});
    const auto y = transposed_convolution(x, weight, bias);
    const auto expected =
        torch::conv_transpose2d(x, weight, bias, at::IntArrayRef{2, 2}, at::IntArrayRef{1, 1});
    EXPECT_LT(error_of(y, expected), 1e-5);
    const auto found = torch::autograd::grad({y}, {x, weight}, {g});
    const auto wanted = torch::autograd::grad({expected}, {x, weight}, {g});
    EXPECT_LT(error_of(found[0], wanted[0]), 1e-5);
    EXPECT_LT(error_of(found[1], wanted[1]), 1e-5);
  }
}

TEST(UnetSizes, AreThoseOfThePaper) {
  UnetGenerator generator(UnetSettings{});
  int64_t count = 0;
  for (const auto& parameter : generator->parameters()) count += parameter.numel();
  EXPECT_NEAR(static_cast<double>(count), 54.41e6, 0.01e6);
  // One logit sees 70 x 70 pixels: its gradient reaches no further.
  PatchDiscriminator discriminator(PatchDiscriminatorSettings{1, 2, 3, 0.1, 1e-5});
  discriminator->eval();  // batch statistics would reach everywhere
  auto x = torch::randn({1, 1, 256, 256}).requires_grad_();
  const auto logits = discriminator->forward(x);
  EXPECT_EQ(logits.size(2), 30);
  EXPECT_EQ(logits.size(3), 30);
  logits[0][0][15][15].backward();
  const auto rows = x.grad()[0][0].abs().sum(1).nonzero();
  EXPECT_EQ((rows[-1] - rows[0]).item<int64_t>() + 1, 70);
}

TEST(UnetDropout, IsAFunctionOfItsSeed) {
  UnetSettings settings;
  settings.width = 2;
  settings.levels = 7;
  UnetGenerator generator(settings);
  {  // of a trained network's size: at N(0, 0.02) inner levels this narrow do not reach the image
     // in float32
    torch::NoGradGuard no_gradients;
    for (const auto& parameter : generator->parameters())
      if (parameter.dim() == 4) parameter.mul_(20);
  }
  const auto x = waves(1, 128, 0);
  const auto first = generator->forward(x, 1);
  EXPECT_TRUE(torch::equal(first, generator->forward(x, 1)));
  EXPECT_FALSE(torch::equal(first, generator->forward(x, 2)));
  generator->eval();
  EXPECT_TRUE(torch::equal(generator->forward(x, 1), generator->forward(x, 2)));
  generator->set_dropout(true);
  EXPECT_FALSE(torch::equal(generator->forward(x, 1), generator->forward(x, 2)));
}

TEST(UnetSizes, AreChecked) {
  UnetGenerator generator(small(7));
  EXPECT_REFUSED(generator->forward(torch::zeros({1, 2, 128, 100})),
                 "U-Net: input is [1,2,128,100]; expected [N,2,H,W] with sides that are multiples "
                 "of 128");
}

}  // namespace
}  // namespace scintigen
