// SPDX-License-Identifier: Apache-2.0
// ResNet generator and patch discriminator in two and three dimensions against plain PyTorch
// (tools/make_golden_resnet.py), and their fast forms against the plain ones.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <set>

#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "models/fused_layers.h"
#include "models/patch_discriminator.h"
#include "models/resnet_generator.h"
#include "models/waves.h"

namespace scintigen {
namespace {

void load(torch::nn::Module& module, const TensorFile& file, const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  for (auto& entry : module.named_parameters()) entry.value().copy_(file.at(prefix + entry.key()));
  // As made before the forward passes: zeros and ones, as here.
}

double error_of(const torch::Tensor& found, const torch::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  const auto difference = (found.to(torch::kDouble) - expected.to(torch::kDouble)).abs().max();
  return (difference / expected.abs().max().clamp_min(1e-12)).item<double>();
}

/// Of a gradient that is nothing but rounding where a norm follows, an absolute one.
double gradient_error(const torch::Tensor& found, const torch::Tensor& expected) {
  const auto difference = (found.to(torch::kDouble) - expected.to(torch::kDouble)).abs().max();
  return (difference / expected.abs().max().clamp_min(1e-6)).item<double>();
}

struct Case {
  int64_t dimensions;
  std::string norm, padding;
  int64_t channels;
  std::vector<int64_t> sides;
  std::string name() const {
    return "resnet_" + std::to_string(dimensions) + "d_" + norm + "_" + padding;
  }
  ResnetSettings generator(int64_t width) const {
    ResnetSettings settings;
    settings.inputs = settings.outputs = channels;
    settings.width = width;
    settings.blocks = 2;
    settings.dimensions = dimensions;
    settings.norm = norm;
    settings.padding = padding;
    return settings;
  }
  PatchDiscriminatorSettings discriminator(int64_t width) const {
    PatchDiscriminatorSettings settings;
    settings.inputs = channels;
    settings.width = width;
    settings.dimensions = dimensions;
    settings.norm = norm;
    return settings;
  }
};

void PrintTo(const Case& of, std::ostream* out) { *out << of.name(); }

class Resnet : public testing::TestWithParam<Case> {};

TEST_P(Resnet, ForwardAndGradientsEqualPlainPyTorch) {
  const auto& of = GetParam();
  const auto file =
      read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/models/" + of.name() + ".safetensors");
  ResnetGenerator generator(of.generator(2));
  PatchDiscriminator discriminator(of.discriminator(2));
  load(*generator, file, "generator.");
  load(*discriminator, file, "discriminator.");
  const auto target = waves(of.channels, of.sides, 1);
  // Double: float32 sums of thousands of products would hide a wrong term of 1e-5.
  generator->to(torch::kDouble);
  discriminator->to(torch::kDouble);
  generator->set_compute_type(torch::kDouble);
  discriminator->set_compute_type(torch::kDouble);
  const auto x = waves(of.channels, of.sides, 0).to(torch::kDouble).requires_grad_();
  const auto made = generator->forward(x);
  EXPECT_LT(error_of(made, file.at("made")), 1e-5);
  const auto logits = discriminator->forward(made);
  EXPECT_LT(error_of(logits, file.at("logits")), 1e-5);
  const auto loss = (logits - 1).square().mean() + 10 * (made - target).abs().mean();
  EXPECT_LT(error_of(loss.view({1}), file.at("loss")), 1e-5);
  loss.backward();
  EXPECT_LT(error_of(x.grad(), file.at("gradient.input")), 1e-5);
  for (auto& [module, prefix] :
       {std::pair<torch::nn::Module*, std::string>{generator.ptr().get(), "generator."},
        {discriminator.ptr().get(), "discriminator."}})
    for (const auto& entry : module->named_parameters())
      EXPECT_LT(gradient_error(entry.value().grad(), file.at("gradient." + prefix + entry.key())),
                1e-5)
          << prefix << entry.key();
  generator->eval();
  EXPECT_LT(error_of(generator->forward(x), file.at("eval.made")), 1e-5);
}

/// Every name of a state dict of the public implementation has its place, and no other is needed.
TEST_P(Resnet, NamesAreThoseOfThePublicImplementation) {
  const auto& of = GetParam();
  const auto file =
      read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/models/" + of.name() + ".safetensors");
  std::set<std::string> expected, found;
  for (const auto& [name, tensor] : file.tensors)
    if (name.rfind("generator.", 0) == 0) expected.insert(name);
  ResnetGenerator generator(of.generator(2));
  for (const auto& entry : generator->named_parameters()) found.insert("generator." + entry.key());
  for (const auto& entry : generator->named_buffers()) found.insert("generator." + entry.key());
  EXPECT_EQ(found, expected);
}

/// What a network makes and the gradients of its input and parameters, of smooth weights on what it
/// makes.
template <class Network>
std::vector<torch::Tensor> derived(Network& network, const torch::Tensor& input, bool plain) {
  use_plain_layers(plain);
  const auto x = input.clone().requires_grad_();
  const auto y = network->forward(x);
  const auto weights = torch::linspace(-1, 1, y.numel()).view(y.sizes());
  std::vector<torch::Tensor> of{x};
  for (const auto& parameter : network->parameters()) of.push_back(parameter);
  auto made = torch::autograd::grad({(y * weights).sum() + y.square().sum()}, of);
  made.insert(made.begin(), y.detach());
  use_plain_layers(false);
  return made;
}

/// Whether both forms derive the same; errors relative to the largest value of each. The bias
/// before an instance norm has no gradient: the fused form says 0, the plain one rounding.
template <class Network>
bool forms_are_equal(Network& network, const torch::Tensor& input) {
  const auto plain = derived(network, input, true), fused = derived(network, input, false);
  const auto size = [](const torch::Tensor& x) { return x.abs().max().template item<double>(); };
  EXPECT_LT(size(fused[0] - plain[0]), 2e-4 * size(plain[0]));
  double largest = 0;
  for (const auto& gradient : plain) largest = std::max(largest, size(gradient));
  bool equal = true;
  for (size_t i = 1; i < plain.size(); ++i) {
    const bool none = size(fused[i]) == 0;
    if (none) {
      EXPECT_LT(size(plain[i]), 1e-5 * largest) << i;
    }
    equal = equal && (none || size(fused[i] - plain[i]) < 2e-4 * size(plain[i]));
  }
  return equal;
}

/// The fast forms against LibTorch's own operators, at widths that fill the registers. A ReLU whose
/// argument is 0 but for rounding may fall on either side, and then gradients differ by percents
/// (as they do between LibTorch in float32 and float64); a wrong term would show in every draw of
/// the weights, so one draw without such a ReLU is asked for.
TEST_P(Resnet, FusedEqualsPlain) {
  const auto& of = GetParam();
  const std::vector<int64_t> sides =
      of.dimensions == 2 ? std::vector<int64_t>{16, 24} : std::vector<int64_t>{8, 8, 12};
  int generators = 0, discriminators = 0;
  for (const uint64_t seed : {3, 4, 5, 6}) {
    torch::manual_seed(seed);
    ResnetGenerator generator(of.generator(32));
    generators += forms_are_equal(generator, waves(of.channels, sides, 0)) ? 1 : 0;
    PatchDiscriminator discriminator(of.discriminator(32));
    discriminators += forms_are_equal(discriminator, waves(of.channels, of.sides, 0)) ? 1 : 0;
  }
  EXPECT_GE(generators, 1);
  EXPECT_GE(discriminators, 1);
}

INSTANTIATE_TEST_SUITE_P(Cases, Resnet,
                         testing::Values(Case{2, "batch", "reflect", 3, {32, 40}},
                                         Case{2, "instance", "replicate", 3, {32, 40}},
                                         Case{3, "batch", "replicate", 1, {24, 24, 28}},
                                         Case{3, "instance", "reflect", 1, {24, 24, 28}}));

int64_t count(const torch::nn::Module& module) {
  int64_t sum = 0;
  for (const auto& parameter : module.parameters()) sum += parameter.numel();
  return sum;
}

TEST(ResnetSizes, AreThoseOfThePapers) {
  ResnetSettings slices;
  slices.norm = "instance";
  EXPECT_EQ(count(*ResnetGenerator(slices)), 11378179);
  ResnetSettings patches;
  patches.inputs = patches.outputs = 1;
  patches.blocks = 2;
  patches.dimensions = 3;
  EXPECT_NEAR(static_cast<double>(count(*ResnetGenerator(patches))), 9.33e6, 0.01e6);
  PatchDiscriminatorSettings judge;
  judge.inputs = 1;
  judge.dimensions = 3;
  EXPECT_NEAR(static_cast<double>(count(*PatchDiscriminator(judge))), 11.05e6, 0.01e6);
}

TEST(ResnetSizes, LogitsAreThoseOfThePapers) {
  PatchDiscriminatorSettings settings;
  settings.inputs = 3;
  settings.width = 2;
  EXPECT_EQ(PatchDiscriminator(settings)->forward(torch::zeros({1, 3, 128, 128})).sizes(),
            (std::vector<int64_t>{1, 1, 14, 14}));
  settings.inputs = 1;
  settings.dimensions = 3;
  EXPECT_EQ(PatchDiscriminator(settings)->forward(torch::zeros({1, 1, 32, 32, 32})).sizes(),
            (std::vector<int64_t>{1, 1, 2, 2, 2}));
}

TEST(ResnetSettings, AreChecked) {
  ResnetSettings settings;
  settings.width = 2;
  EXPECT_REFUSED(ResnetGenerator(settings)->forward(torch::zeros({1, 3, 32, 30})),
                 "ResNet generator: input is [1,3,32,30]; expected [N,3,H,W] with sides that are "
                 "multiples of 4, 8 or more");
  settings.dimensions = 4;
  EXPECT_REFUSED(ResnetGenerator{settings}, "ResNet generator: 4 dimensions; expected 2 or 3");
  settings.dimensions = 3;
  EXPECT_REFUSED(ResnetGenerator(settings)->forward(torch::zeros({1, 3, 32, 32})),
                 "ResNet generator: input is [1,3,32,32]; expected [N,3,D,H,W] with sides that are "
                 "multiples of 4, 8 or more");
  settings.padding = "zero";
  EXPECT_REFUSED(ResnetGenerator{settings},
                 "ResNet generator: padding is 'zero'; expected reflect or replicate");
  settings.padding = "reflect";
  settings.norm = "group";
  EXPECT_REFUSED(ResnetGenerator{settings}, "norm is 'group'; expected batch or instance");
  PatchDiscriminatorSettings judge;
  judge.width = 2;
  EXPECT_REFUSED(
      PatchDiscriminator(judge)->forward(torch::zeros({1, 2, 32, 20})),
      "patch discriminator: input is [1,2,32,20]; expected [N,2,H,W] with sides of 24 or "
      "more");
  judge.dimensions = 1;
  EXPECT_REFUSED(PatchDiscriminator{judge}, "patch discriminator: 1 dimensions; expected 2 or 3");
}

}  // namespace
}  // namespace scintigen
