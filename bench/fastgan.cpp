// SPDX-License-Identifier: Apache-2.0
// bench_fastgan WEIGHTS.safetensors step|generate float32|bfloat16 THREADS
// Prints what it computes once, for the driver to compare, then serves repetitions (serve.h). step:
// one training step (both gradients, both Adam updates). generate: one batch of 64 images in eval
// mode.
#include "models/fastgan.h"

#include <torch/torch.h>

#include "bench.h"
#include "core/error.h"
#include "serve.h"
#include "training/adam.h"
#include "training/fastgan_step.h"

namespace scintigen {
int bench(const std::vector<std::string>& words) {
  if (words.size() != 5)
    throw Error("usage: bench_fastgan WEIGHTS step|generate float32|bfloat16 THREADS");
  const auto file = read_tensors(words[1]);
  const auto settings = device_settings(words[3], words[4]);
  const auto device = use_device(settings);
  const int64_t conditions = file.at("conditions").size(1);
  FastganGenerator generator(FastganSettings{}, conditions);
  FastganDiscriminator discriminator(FastganSettings{}, conditions);
  load(*generator, file, "generator.");
  load(*discriminator, file, "discriminator.");
  generator->to(device);
  discriminator->to(device);
  generator->set_compute_type(compute_type(settings));
  discriminator->set_compute_type(compute_type(settings));
  const auto on_device = [&](const char* name) { return file.at(name).to(device); };
  const auto images = on_device("images"), y = on_device("conditions"), z = on_device("z");
  const auto many = on_device("many_z"), many_y = on_device("many_conditions");
  if (words[2] == "generate") {
    const torch::NoGradGuard no_grad;
    generator->eval();
    std::cout
        << generator->forward(many, many_y).to(torch::kFloat).mean({1, 2, 3}).sum().item<double>()
        << std::endl;
    serve([&] { generator->forward(many, many_y).to(torch::kFloat).cpu(); });
    return 0;
  }
  Adam generator_optimiser(named_parameters(*generator), {}),
      discriminator_optimiser(named_parameters(*discriminator), {});
  const auto step = [&] {
    const auto gradients = fastgan_gradients(generator, discriminator, images, y, z, y, 3, 5);
    discriminator_optimiser.step(gradients.discriminator);
    generator_optimiser.step(gradients.generator);
    return gradients.losses;
  };
  const auto first = step();
  for (const auto& loss : {first.real, first.fake, first.part, first.whole, first.generator})
    std::cout << loss.item<double>() << ' ';
  std::cout << std::endl;
  serve([&] { step().generator.item<double>(); });
  return 0;
}

}  // namespace scintigen
