// SPDX-License-Identifier: Apache-2.0
// A network out of a checkpoint of training/: what every user of one checks first.
#pragma once
#include <torch/nn/module.h>

#include <string>

#include "core/safetensors.h"

namespace scintigen {

/// throws  Error: the metadata has no such key (names the command that writes one, by `method`)
const std::string& metadata_at(const TensorFile& file, const std::string& key,
                               const std::string& method);

/// throws  Error: another format or method than `method`
void require_method(const TensorFile& file, const std::string& method);

/// Whether the file has a tensor under `prefix` ("average.": where weights were averaged).
bool has_any(const TensorFile& file, const std::string& prefix);

/// Weights of a module that are the file's tensors under `prefix`, each one used and none left
/// over. throws  Error naming the tensor: missing, left over, of another shape, not finite
void load_weights(torch::nn::Module& module, const TensorFile& file, const std::string& prefix);

/// Settings that a damaged or hostile file made huge must not allocate: the file has to hold as
/// many weights under `prefix` as they ask for.
void require_weights(double needed, const TensorFile& file, const std::string& prefix);

}  // namespace scintigen
