// SPDX-License-Identifier: Apache-2.0
// Tensors of networks and optimisers by name: what a checkpoint holds.
#pragma once
#include <torch/nn/module.h>
#include <torch/types.h>

#include <map>
#include <string>

#include "training/adam.h"

namespace scintigen {

using NamedTensors = std::map<std::string, torch::Tensor>;

/// Parameters and buffers of a module, live, under `prefix`.
void collect(const torch::nn::Module& module, const std::string& prefix, NamedTensors& into);

/// The entries under `prefix`, without it.
NamedTensors below(const NamedTensors& tensors, const std::string& prefix);

Adam::Named named_parameters(const torch::nn::Module& module);

}  // namespace scintigen
