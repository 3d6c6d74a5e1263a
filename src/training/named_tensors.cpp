// SPDX-License-Identifier: Apache-2.0
#include "training/named_tensors.h"

namespace scintigen {

void collect(const torch::nn::Module& module, const std::string& prefix, NamedTensors& into) {
  for (const auto& entry : module.named_parameters()) into[prefix + entry.key()] = entry.value();
  for (const auto& entry : module.named_buffers()) into[prefix + entry.key()] = entry.value();
}

NamedTensors below(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors found;
  for (const auto& [name, tensor] : tensors)
    if (name.rfind(prefix, 0) == 0) found[name.substr(prefix.size())] = tensor;
  return found;
}

Adam::Named named_parameters(const torch::nn::Module& module) {
  Adam::Named named;
  for (const auto& entry : module.named_parameters())
    named.emplace_back(entry.key(), entry.value());
  return named;
}

}  // namespace scintigen
