// SPDX-License-Identifier: Apache-2.0
// bench_pix2pix WEIGHTS.safetensors step|translate float32|bfloat16 THREADS
// Prints what it computes once, without dropout, for the driver to compare, then serves repetitions
// (serve.h). step: one training step of both networks, both Adam updates, dropout on. translate:
// the generator over all slices of a volume, in batches, in eval mode.
#include <torch/torch.h>

#include "bench.h"
#include "core/error.h"
#include "models/unet.h"
#include "serve.h"
#include "training/adam.h"
#include "training/paired_step.h"

namespace scintigen {
namespace {

UnetGenerator generator_of(const TensorFile& file, double dropout, torch::ScalarType compute) {
  UnetSettings settings;
  settings.dropout = dropout;
  UnetGenerator generator(settings);
  load(*generator, file, "generator.");
  generator->set_compute_type(compute);
  return generator;
}

/// Both networks and their optimisers.
struct Trainer {
  Trainer(const TensorFile& file, double dropout, torch::ScalarType compute)
      : generator(generator_of(file, dropout, compute)),
        discriminator(PatchDiscriminatorSettings{}) {
    load(*discriminator, file, "discriminator.");
    discriminator->set_compute_type(compute);
    AdamSettings settings;
    settings.rate = 2e-4;
    settings.beta1 = 0.5;
    for_generator = std::make_unique<Adam>(named_parameters(*generator), settings);
    for_discriminator = std::make_unique<Adam>(named_parameters(*discriminator), settings);
  }
  PairedLosses step(const torch::Tensor& source, const torch::Tensor& target, uint64_t seed) {
    return paired_step(
        generator, discriminator, source, target, seed, {},
        [&](const auto& gradients) { for_discriminator->step(gradients); },
        [&](const auto& gradients) { for_generator->step(gradients); });
  }
  UnetGenerator generator;
  PatchDiscriminator discriminator;
  std::unique_ptr<Adam> for_generator, for_discriminator;
};

void serve_steps(const TensorFile& file, torch::ScalarType compute) {
  const auto source = file.at("source"), target = file.at("target");
  const auto first = Trainer(file, 0, compute).step(source, target, 0);
  for (const auto& loss : {first.real, first.fake, first.adversarial, first.l1})
    std::cout << loss.item<double>() << ' ';
  std::cout << std::endl;
  Trainer trainer(file, UnetSettings{}.dropout, compute);
  uint64_t seed = 0;
  serve([&] { trainer.step(source, target, ++seed).l1.item<double>(); });
}

void serve_translations(const TensorFile& file, torch::ScalarType compute) {
  const torch::NoGradGuard no_grad;
  const auto volume = file.at("volume");
  auto generator = generator_of(file, 0, compute);
  generator->eval();
  serve_by_eight(generator, volume);
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  if (words.size() != 5 || (words[2] != "step" && words[2] != "translate"))
    throw Error("usage: bench_pix2pix WEIGHTS step|translate float32|bfloat16 THREADS");
  const auto file = read_tensors(words[1]);
  const auto settings = device_settings(words[3], words[4]);
  use_device(settings);
  const auto compute = compute_type(settings);
  words[2] == "step" ? serve_steps(file, compute) : serve_translations(file, compute);
  return 0;
}

}  // namespace scintigen
