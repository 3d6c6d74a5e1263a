// SPDX-License-Identifier: Apache-2.0
#include "synthesis/checkpoint_weights.h"

#include <torch/torch.h>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr const char* kFormat = "scintigen-checkpoint-1";

std::string shape_text(const torch::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ","));
}

}  // namespace

const std::string& metadata_at(const TensorFile& file, const std::string& key,
                               const std::string& method) {
  const auto found = file.metadata.find(key);
  require(found != file.metadata.end(),
          "{}: metadata has no \"{}\"; expected a checkpoint of `scintigen train {}`", file.source,
          key, method);
  return found->second;
}

void require_method(const TensorFile& file, const std::string& method) {
  const auto& format = metadata_at(file, "format", method);
  require(format == kFormat,
          "{}: format is \"{}\"; expected \"{}\"; was it written by another "
          "version of scintigen?",
          file.source, format, kFormat);
  const auto& found = metadata_at(file, "method", method);
  require(found == method, "{}: is a checkpoint of method \"{}\"; expected \"{}\"", file.source,
          found, method);
}

bool has_any(const TensorFile& file, const std::string& prefix) {
  const auto first = file.tensors.lower_bound(prefix);
  return first != file.tensors.end() && first->first.rfind(prefix, 0) == 0;
}

void load_weights(torch::nn::Module& module, const TensorFile& file, const std::string& prefix) {
  const torch::NoGradGuard no_gradients;
  auto live = module.named_parameters();
  for (const auto& buffer : module.named_buffers()) live.insert(buffer.key(), buffer.value());
  for (auto& entry : live) {
    const auto name = prefix + entry.key();
    const auto& saved = file.at(name);
    require(saved.sizes() == entry.value().sizes(), "{}: tensor {} is {}; expected {}", file.source,
            name, shape_text(saved), shape_text(entry.value()));
    require(saved.is_floating_point() && saved.isfinite().all().item<bool>(),
            "{}: tensor {} holds values that are not finite numbers; the training went wrong",
            file.source, name);
    entry.value().copy_(saved);
  }
  for (const auto& entry : file.tensors) {
    if (entry.first.rfind(prefix, 0) != 0) continue;
    require(live.contains(entry.first.substr(prefix.size())),
            "{}: holds tensor {}, which its network settings do not have", file.source,
            entry.first);
  }
}

void require_weights(double needed, const TensorFile& file, const std::string& prefix) {
  double held = 0;
  for (const auto& [name, tensor] : file.tensors)
    if (name.rfind(prefix, 0) == 0) held += static_cast<double>(tensor.numel());
  require(needed <= held,
          "{}: network asks for {:.0f} weights and more; the file holds {:.0f}; it is damaged",
          file.source, needed, held);
}

}  // namespace scintigen
