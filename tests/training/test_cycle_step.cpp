// SPDX-License-Identifier: Apache-2.0
// Steps of Simple-GAN and Cycle-GAN, with pool and schedule, against plain PyTorch
// (tools/make_golden_cycle.py).
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "core/safetensors.h"
#include "models/waves.h"
#include "training/adam.h"
#include "training/cycle_step.h"
#include "training/image_pool.h"
#include "training/named_tensors.h"
#include "training/rate_schedule.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 16, kPool = 3, kSteps = 4;
constexpr uint64_t kSeed = 5;

using torch::nn::BatchNorm2d, torch::nn::Conv2d, torch::nn::Conv2dOptions;

torch::nn::Sequential generator() {
  return torch::nn::Sequential(Conv2d(Conv2dOptions(2, 4, 3).padding(1)), BatchNorm2d(4),
                               torch::nn::ReLU(), Conv2d(Conv2dOptions(4, 2, 3).padding(1)),
                               torch::nn::Tanh());
}

torch::nn::Sequential discriminator() {
  const auto leaky = [] {
    return torch::nn::LeakyReLU(torch::nn::LeakyReLUOptions().negative_slope(0.2));
  };
  return torch::nn::Sequential(Conv2d(Conv2dOptions(2, 4, 4).stride(2).padding(1)), leaky(),
                               Conv2d(Conv2dOptions(4, 4, 3).padding(1)), BatchNorm2d(4), leaky(),
                               Conv2d(Conv2dOptions(4, 1, 3).padding(1)));
}

struct Case {
  const char* name;
  bool cycle;
  CycleStepOptions options;
};

class CycleStep : public testing::TestWithParam<Case> {
 protected:
  CycleStep()
      : file_(read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/training/cycle_" +
                           GetParam().name + ".safetensors")) {
    add("to_target", generator(), networks_.to_target, makers_);
    add("judge_target", discriminator(), networks_.judge_target, judges_);
    if (!GetParam().cycle) return;
    add("to_source", generator(), networks_.to_source, makers_);
    add("judge_source", discriminator(), networks_.judge_source, judges_);
  }
  /// In double: Adam divides by the gradient's size and would show float32's noise.
  void add(const std::string& name, torch::nn::Sequential network, StepNetwork& as,
           Adam::Named& optimised) {
    const torch::NoGradGuard no_grad;
    network->to(torch::kDouble);
    collect(*network, name + ".", tensors_);
    for (auto& [key, tensor] : tensors_)
      if (key.rfind(name, 0) == 0 && key.find("num_batches") == std::string::npos)
        tensor.copy_(file_.at(key));
    for (const auto& entry : named_parameters(*network)) {
      optimised.emplace_back(name + "." + entry.first, entry.second);
      as.parameters.push_back(entry.second);
    }
    as.forward = [network](const torch::Tensor& x) mutable { return network->forward(x); };
  }
  double farthest(const torch::Tensor& found, const std::string& name) const {
    return (found.to(torch::kDouble) - file_.at(name).to(torch::kDouble))
        .abs()
        .max()
        .item<double>();
  }

  TensorFile file_;
  NamedTensors tensors_;
  CycleNetworks networks_;
  Adam::Named makers_, judges_;
};

TEST_P(CycleStep, FourStepsEqualPlainPyTorch) {
  AdamSettings adam;
  adam.rate = 1e-3;
  adam.beta1 = 0.5;
  Adam for_makers(makers_, adam), for_judges(judges_, adam);
  ImagePool of_target(kPool, {2, kSide, kSide}, torch::kCPU, kSeed, "target");
  ImagePool of_source(kPool, {2, kSide, kSide}, torch::kCPU, kSeed, "source");
  for (int64_t step = 0; step < kSteps; ++step) {
    const double phase = 0.3 * static_cast<double>(step);
    const auto check = [&](const Adam::Named& parameters, const auto& gradients, Adam& optimiser) {
      ASSERT_EQ(gradients.size(), parameters.size());
      for (size_t n = 0; step == 0 && n < gradients.size(); ++n)
        EXPECT_LT(farthest(gradients[n], "gradient." + parameters[n].first), 1e-5)
            << parameters[n].first;
      optimiser.step(gradients);
    };
    const auto losses = cycle_step(
        networks_, waves(2, kSide, phase).to(torch::kDouble),
        waves(2, kSide, 1 + phase).to(torch::kDouble), GetParam().options,
        [&](const torch::Tensor& made, bool target) {
          EXPECT_FALSE(made.requires_grad());
          return (target ? of_target : of_source).exchange(made, step);
        },
        [&](const auto& gradients) { check(makers_, gradients, for_makers); },
        [&](const auto& gradients) { check(judges_, gradients, for_judges); });
    size_t expected = 0;
    for (const auto& entry : file_.tensors)
      expected += entry.first.rfind(std::to_string(step) + ".", 0) == 0 ? 1 : 0;
    EXPECT_EQ(losses.size(), expected) << "every term is told";
    for (const auto& [name, loss] : losses)
      EXPECT_LT(farthest(loss, std::to_string(step) + "." + name), 1e-5) << step << name;
  }
  for (const auto& [name, tensor] : tensors_) {
    if (name.find("num_batches") != std::string::npos) continue;
    EXPECT_LT(farthest(tensor, "after." + name), 1e-5) << name;
  }
  EXPECT_LT(farthest(of_target.state().at("images"), "pool.target"), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Methods, CycleStep,
                         testing::Values(Case{"simple", false, {10, 0, 0}},
                                         Case{"simple_mse", false, {10, 0, 10}},
                                         Case{"cycle", true, {10, 0, 0}},
                                         Case{"cycle_mse_identity", true, {10, 5, 10}}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RateFactor, IsWhatTheSchedulerOfPyTorchGives) {
  const auto file =
      read_tensors(std::string(SCINTIGEN_TEST_GOLDEN) + "/training/schedule.safetensors");
  const auto long_run = file.at("rates_100_100"), short_run = file.at("rates_3_4");
  for (int64_t epoch = 0; epoch < long_run.size(0); ++epoch)
    EXPECT_NEAR(rate_factor(epoch, 100, 100), long_run[epoch].item<double>(), 1e-6) << epoch;
  for (int64_t epoch = 0; epoch < short_run.size(0); ++epoch)
    EXPECT_NEAR(rate_factor(epoch, 3, 4), short_run[epoch].item<double>(), 1e-6) << epoch;
}

}  // namespace
}  // namespace scintigen
