// SPDX-License-Identifier: Apache-2.0
// bench_cyclegan WEIGHTS.safetensors step|step3d|translate|translate3d float32|bfloat16 THREADS
// Prints what it computes once for the driver to compare, then serves repetitions (serve.h). step:
// one Cycle-GAN step, both generators and both discriminators with their Adam updates, without a
// pool. translate: one generator over all pieces of a volume, in batches, in eval mode.
#include <torch/torch.h>

#include "bench.h"
#include "core/error.h"
#include "models/patch_discriminator.h"
#include "models/resnet_generator.h"
#include "serve.h"
#include "training/adam.h"
#include "training/cycle_step.h"

namespace scintigen {
namespace {

/// What differs between slices and patches.
struct Setting {
  int64_t dimensions, channels, blocks;
  std::string padding;
};
Setting setting_of(bool patches) {
  return patches ? Setting{3, 1, 2, "replicate"} : Setting{2, 3, 9, "reflect"};
}

ResnetGenerator generator_of(const TensorFile& file, const std::string& name, const Setting& of,
                             torch::ScalarType compute) {
  ResnetSettings settings;
  settings.dimensions = of.dimensions;
  settings.inputs = settings.outputs = of.channels;
  settings.blocks = of.blocks;
  settings.padding = of.padding;
  ResnetGenerator generator(settings);
  load(*generator, file, name);
  generator->set_compute_type(compute);
  return generator;
}

PatchDiscriminator judge_of(const TensorFile& file, const std::string& name, const Setting& of,
                            torch::ScalarType compute) {
  PatchDiscriminatorSettings settings;
  settings.dimensions = of.dimensions;
  settings.inputs = of.channels;
  PatchDiscriminator judge(settings);
  load(*judge, file, name);
  judge->set_compute_type(compute);
  return judge;
}

template <class Network>
StepNetwork step_network(Network network) {
  return {[network](const torch::Tensor& x) mutable { return network->forward(x); },
          network->parameters()};
}

/// All four networks and their optimisers.
class Trainer {
 public:
  Trainer(const TensorFile& file, const Setting& of, torch::ScalarType compute)
      : to_b_(generator_of(file, "to_b.", of, compute)),
        to_a_(generator_of(file, "to_a.", of, compute)),
        judge_b_(judge_of(file, "judge_b.", of, compute)),
        judge_a_(judge_of(file, "judge_a.", of, compute)),
        networks_{step_network(to_b_), step_network(judge_b_), step_network(to_a_),
                  step_network(judge_a_)} {
    AdamSettings settings;
    settings.rate = 2e-4;
    settings.beta1 = 0.5;
    const auto optimiser = [&](const auto& first, const auto& second) {
      auto tensors = named_parameters(*first);
      for (auto& [name, tensor] : named_parameters(*second))
        tensors.emplace_back("second." + name, tensor);
      return std::make_unique<Adam>(tensors, settings);
    };
    for_generators_ = optimiser(to_b_, to_a_);
    for_judges_ = optimiser(judge_b_, judge_a_);
  }
  Losses step(const torch::Tensor& a, const torch::Tensor& b) {
    return cycle_step(
        networks_, a, b, {}, [](const torch::Tensor& made, bool) { return made; },
        [&](const auto& gradients) { for_generators_->step(gradients); },
        [&](const auto& gradients) { for_judges_->step(gradients); });
  }

 private:
  ResnetGenerator to_b_, to_a_;
  PatchDiscriminator judge_b_, judge_a_;
  CycleNetworks networks_;
  std::unique_ptr<Adam> for_generators_, for_judges_;
};

void serve_steps(const TensorFile& file, const Setting& of, torch::ScalarType compute) {
  const auto a = file.at("a"), b = file.at("b");
  Trainer trainer(file, of, compute);
  for (const auto& [name, loss] : trainer.step(a, b)) std::cout << loss.item<double>() << ' ';
  std::cout << std::endl;
  serve([&] { trainer.step(a, b).front().second.item<double>(); });
}

void serve_translations(const TensorFile& file, const Setting& of, torch::ScalarType compute) {
  const torch::NoGradGuard no_grad;
  const auto pieces = file.at("pieces");
  auto generator = generator_of(file, "to_b.", of, compute);
  generator->eval();
  serve_by_eight(generator, pieces);
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  const auto expects = [&](const char* work) { return words.size() == 5 && words[2] == work; };
  const bool patches = expects("step3d") || expects("translate3d");
  const bool steps = expects("step") || expects("step3d");
  if (!patches && !steps && !expects("translate"))
    throw Error(
        "usage: bench_cyclegan WEIGHTS step|step3d|translate|translate3d float32|bfloat16 THREADS");
  const auto file = read_tensors(words[1]);
  const auto settings = device_settings(words[3], words[4]);
  use_device(settings);
  const auto compute = compute_type(settings);
  (steps ? serve_steps : serve_translations)(file, setting_of(patches), compute);
  return 0;
}

}  // namespace scintigen
