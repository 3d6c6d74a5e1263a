// SPDX-License-Identifier: Apache-2.0
#include "models/patch_discriminator.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kLeakySlope = 0.2;
constexpr int64_t kSide = 4;
constexpr int64_t kWidestFactor = 8;  // 512 channels at width 64

/// Channels that fill the registers lie in the order of the tiled form.
Kernel kernel_of(const PatchDiscriminatorSettings& settings, int64_t in, int64_t out, bool bias,
                 const LayerSettings& layers) {
  std::vector<int64_t> shape{out, in};
  shape.resize(static_cast<size_t>(2 + settings.dimensions), kSide);
  const bool tiles = in % 32 == 0 && out % 32 == 0;
  return Kernel(shape, bias, layers, tiles ? KernelRole::tiled : KernelRole::convolution);
}

}  // namespace

PatchDiscriminatorImpl::PatchDiscriminatorImpl(const PatchDiscriminatorSettings& settings)
    : settings_(settings) {
  require(settings.dimensions == 2 || settings.dimensions == 3,
          "patch discriminator: {} dimensions; expected 2 or 3", settings.dimensions);
  LayerSettings layers;
  layers.momentum = settings.batch_norm_momentum;
  layers.epsilon = settings.batch_norm_epsilon;
  auto sequence = container(*this, "model");
  int64_t channels = settings.inputs, place = 0;
  for (int64_t n = 0; n <= settings.layers + 1; ++n) {
    const bool first = n == 0, last = n == settings.layers + 1;
    const int64_t out =
        last ? 1 : settings.width * std::min<int64_t>(int64_t{1} << n, kWidestFactor);
    Stage stage;
    stage.stride = n < settings.layers ? 2 : 1;
    if (!first && !last) stage.norm = NormLayer::of(settings.norm, out, layers);
    stage.convolution = sequence->register_module(
        std::to_string(place), kernel_of(settings, channels, out, !stage.norm.batch, layers));
    if (stage.norm.batch) sequence->register_module(std::to_string(place + 1), stage.norm.batch);
    place += first ? 2 : 3;  // convolution, [norm,] LeakyReLU
    channels = out;
    stages_.push_back(std::move(stage));
  }
  initialise_normal(*this);
}

torch::Tensor PatchDiscriminatorImpl::forward(const torch::Tensor& x) {
  // Sides that leave one logit or more: halved `layers` times, then 2 less.
  const int64_t least = 3 << settings_.layers;
  const auto sides = x.dim() == 2 + settings_.dimensions ? x.sizes().slice(2) : at::IntArrayRef();
  require(!sides.empty() && x.size(1) == settings_.inputs &&
              std::all_of(sides.begin(), sides.end(), [&](int64_t s) { return s >= least; }),
          "patch discriminator: input is [{}]; expected [N,{},{}] with sides of {} or more",
          fmt::join(x.sizes(), ","), settings_.inputs, settings_.dimensions == 2 ? "H,W" : "D,H,W",
          least);
  auto y = x.to(compute_type_);
  for (auto& stage : stages_) {
    auto& kernel = stage.convolution;
    y = &stage == &stages_.back()
            ? kernel->convolve(y, stage.stride, 1)
            : stage.norm.leaky(convolution(y, kernel->weight, {}, stage.stride, 1), kernel->bias,
                               kLeakySlope);
  }
  return y.to(torch::kFloat);
}

}  // namespace scintigen
