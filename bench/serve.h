// SPDX-License-Identifier: Apache-2.0
// What the programs that bench/reference/alternate.py drives have in common.
#pragma once
#include <torch/types.h>

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/safetensors.h"
#include "training/named_tensors.h"

namespace scintigen {

/// The weights and statistics of `module`, kept in `file` under `prefix`.
inline void load(const torch::nn::Module& module, const TensorFile& file,
                 const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  NamedTensors live;
  collect(module, prefix, live);
  for (auto& [name, tensor] : live) tensor.copy_(file.at(name));
}

inline DeviceSettings device_settings(const std::string& precision, const std::string& threads) {
  DeviceSettings settings;
  settings.precision = precision;
  settings.threads = std::stoll(threads);
  return settings;
}

/// Answers each line "N" on stdin with the milliseconds of each of N repetitions of `work`.
template <class Work>
void serve(const Work& work) {
  using Clock = std::chrono::steady_clock;
  for (int64_t count = 0; std::cin >> count;) {
    for (int64_t k = 0; k < count; ++k) {
      const auto begin = Clock::now();
      work();
      std::cout << std::chrono::duration<double, std::milli>(Clock::now() - begin).count() << ' ';
    }
    std::cout << std::endl;
  }
}

/// serve() of `network` over `pieces` [N,...], eight at a time; first their mean and mean absolute
/// value in a line, by which the driver sees that both sides compute the same.
template <class Network>
void serve_by_eight(Network& network, const torch::Tensor& pieces) {
  const auto run = [&] {
    std::vector<torch::Tensor> made;
    for (const auto& some : pieces.split(8)) made.push_back(network->forward(some));
    return torch::cat(made);
  };
  const auto first = run();
  std::cout << first.mean().template item<double>() << ' '
            << first.abs().mean().template item<double>() << std::endl;
  serve(run);
}

}  // namespace scintigen
