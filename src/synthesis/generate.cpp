// SPDX-License-Identifier: Apache-2.0
#include "synthesis/generate.h"

#include <torch/torch.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "core/table.h"
#include "synthesis/checkpoint_weights.h"

namespace scintigen {
namespace {

constexpr const char* kMethod = "fastgan";

std::string shape_text(const torch::Tensor& tensor) {
  return fmt::format("[{}]", fmt::join(tensor.sizes(), ","));
}

FastganSettings network_settings(const TensorFile& file) {
  struct Network : Settings {
    FastganSettings fastgan;
    void visit(SettingsVisitor& visitor) override { fastgan.visit(visitor); }
  } network;
  const auto where = file.source + ": network";
  const auto json = nlohmann::ordered_json::parse(metadata_at(file, "network", kMethod), nullptr,
                                                  /*allow_exceptions=*/false);
  require(json.is_object(), "{}: is not a JSON object; the file is damaged", where);
  settings_from_json(network, json, where);
  check_settings(network, where);
  return network.fastgan;
}

// As many as the large kernels ask for.
void require_weights_for(const FastganSettings& settings, const TensorFile& file,
                         const std::string& prefix) {
  const auto embedding = static_cast<double>(settings.embedding);
  const std::vector<double> widths(settings.generator_widths.begin(),
                                   settings.generator_widths.end());
  require(!widths.empty(), "{}: network: generator_widths is empty", file.source);
  double needed = embedding * static_cast<double>(settings.latent) + 32 * embedding * widths[0] +
                  16 * widths[0] * static_cast<double>(settings.excitation_width);
  for (size_t level = 1; level < widths.size(); ++level)
    needed += 18 * widths[level - 1] * widths[level];
  require_weights(needed, file, prefix);
}

// Weights no longer change: divided by their largest singular value once, not at every batch.
void fold_spectral_norm(torch::nn::Module& module) {
  const torch::NoGradGuard no_gradients;
  module.eval();  // no power iteration
  for (const auto& part : module.modules()) {
    auto* kernel = part->as<KernelImpl>();
    if (kernel == nullptr || !kernel->weight_u.defined()) continue;
    kernel->weight.copy_(kernel->effective_weight());
    kernel->weight_u = torch::Tensor();
    kernel->weight_v = torch::Tensor();
  }
}

}  // namespace

SliceGenerator::SliceGenerator(const std::filesystem::path& checkpoint, torch::Device device,
                               torch::ScalarType compute, bool average_weights)
    : device_(device) {
  const auto file = read_tensors(checkpoint);
  require_method(file, kMethod);
  settings_ = network_settings(file);
  encoder_ = ConditionEncoder::from_json(metadata_at(file, "conditions", kMethod), file.source);
  averaged_ = average_weights && has_any(file, "average.");
  const std::string prefix = averaged_ ? "average." : "generator.";
  require_weights_for(settings_, file, prefix);
  generator_ = FastganGenerator(settings_, encoder_.size());
  load_weights(*generator_, file, prefix);
  fold_spectral_norm(*generator_);
  generator_->to(device_);
  generator_->set_compute_type(compute);
  metadata_ = file.metadata;
}

torch::Tensor SliceGenerator::generate(const torch::Tensor& latents,
                                       const torch::Tensor& conditions, int64_t batch_size) {
  const torch::NoGradGuard no_gradients;
  require(latents.dim() == 2 && latents.size(1) == settings_.latent_elements(),
          "generate: latents are {}; expected [N,{}]", shape_text(latents),
          settings_.latent_elements());
  require(conditions.dim() == 2 && conditions.size(0) == latents.size(0) &&
              conditions.size(1) == encoder_.size(),
          "generate: conditions are {}; expected [{},{}]", shape_text(conditions), latents.size(0),
          encoder_.size());
  require(batch_size >= 1, "generate: batch size is {}; expected at least 1", batch_size);
  const int64_t count = latents.size(0);
  auto images = torch::empty({count, 64, 64});
  for (int64_t first = 0; first < count; first += batch_size) {
    const int64_t here = std::min(batch_size, count - first);
    // Always a whole batch: oneDNN chooses its arithmetic by the batch's size, and an image must
    // not depend on how many others were asked for.
    const auto whole = [&](const torch::Tensor& rows) {
      return torch::constant_pad_nd(rows.narrow(0, first, here), {0, 0, 0, batch_size - here})
          .to(device_, torch::kFloat);
    };
    const auto made = generator_->forward(whole(latents), whole(conditions));
    images.narrow(0, first, here)
        .copy_(made.narrow(0, 0, here).squeeze(1).to(torch::kFloat).add(1).mul(0.5).clamp(0, 1));
  }
  return images;
}

torch::Tensor SliceGenerator::latents(uint64_t seed, int64_t first, int64_t count) const {
  require(first >= 0 && count >= 0, "latents: {} from {}; expected none negative", count, first);
  auto latents = torch::empty({count, settings_.latent_elements()});
  for (int64_t row = 0; row < count; ++row)
    latents[row] = Random(seed, "latent", static_cast<uint64_t>(first + row))
                       .normal_tensor({settings_.latent_elements()});
  return latents;
}

torch::Tensor interpolate_latents(const torch::Tensor& a, const torch::Tensor& b, int64_t steps) {
  require(a.dim() == 1 && a.sizes() == b.sizes(),
          "interpolation: latents are {} and {}; expected two vectors of one length", shape_text(a),
          shape_text(b));
  require(steps >= 2, "interpolation: {} steps; expected at least 2 (both ends are included)",
          steps);
  const auto from = a.to(torch::kDouble), to = b.to(torch::kDouble);
  const double lengths = (from.norm() * to.norm()).item<double>();
  require(lengths > 0, "interpolation: a latent is zero; expected two directions");
  const double angle = std::acos(std::clamp(from.dot(to).item<double>() / lengths, -1.0, 1.0));
  constexpr double kParallel = 1e-6;
  require(M_PI - angle > kParallel,
          "interpolation: the latents are opposite; no great circle between them is the shortest");
  const auto part =
      torch::arange(steps, torch::kDouble).unsqueeze(1) / static_cast<double>(steps - 1);
  if (angle < kParallel) return ((1 - part) * from + part * to).to(a.scalar_type());
  const auto weight_from = ((1 - part) * angle).sin() / std::sin(angle);
  const auto weight_to = (part * angle).sin() / std::sin(angle);
  return (weight_from * from + weight_to * to).to(a.scalar_type());
}

}  // namespace scintigen
