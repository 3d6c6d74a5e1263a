// SPDX-License-Identifier: Apache-2.0
#include "models/unet.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/torch.h>

#include <algorithm>

#include "core/error.h"
#include "models/unet_layers.h"

namespace scintigen {
namespace {

constexpr double kLeakySlope = 0.2;
constexpr int64_t kWidestFactor = 8;  // 512 channels at width 64
constexpr size_t kOuterLevels = 4;    // without dropout: 256, 128, 64 and the image

LayerSettings layer_settings(double momentum, double epsilon) {
  LayerSettings settings;
  settings.leaky_slope = kLeakySlope;
  settings.momentum = momentum;
  settings.epsilon = epsilon;
  return settings;
}

/// Weight [out,in,4,4]; channels that fill the registers lie in the order of the tiled form.
Kernel convolution_4x4(int64_t in, int64_t out, const LayerSettings& settings) {
  const bool tiles = in % 32 == 0 && out % 32 == 0;
  return Kernel(std::vector<int64_t>{out, in, 4, 4}, false, settings,
                tiles ? KernelRole::tiled : KernelRole::convolution);
}

/// Weight [in,out,4,4], as torch.nn.ConvTranspose2d has it. Read as a convolution from `out` to
/// `in` channels it is the one whose adjoint it is.
Kernel transposed_4x4(int64_t in, int64_t out, bool bias, const LayerSettings& settings) {
  const bool tiles = in % 32 == 0 && out % 32 == 0;
  return Kernel(std::vector<int64_t>{in, out, 4, 4}, bias, settings,
                tiles ? KernelRole::tiled_transposed : KernelRole::transposed);
}

}  // namespace

void UnetSettings::visit(SettingsVisitor& v) {
  v.visit(number("width", "channels after the first convolution (Isola 2017: 64)", 1, 512), width);
  v.visit(number("dropout", "after the inner up-convolutions (Isola 2017: 0.5); 0 = none", 0, 0.95),
          dropout);
  v.visit(number("batch_norm_momentum", "weight of the new batch in the running statistics", 0, 1),
          batch_norm_momentum);
  v.visit(number("batch_norm_epsilon", "added to the variance", 1e-12, 1), batch_norm_epsilon);
}

UnetGeneratorImpl::UnetGeneratorImpl(const UnetSettings& settings) : settings_(settings) {
  require(settings.levels >= 5, "U-Net: {} levels; expected 5 or more (a side of 32 pixels)",
          settings.levels);
  const auto layers = layer_settings(settings.batch_norm_momentum, settings.batch_norm_epsilon);
  const auto count = static_cast<size_t>(settings.levels);
  const auto width_of = [&](size_t level) {  // channels below `level`
    return settings.width *
           std::min<int64_t>(int64_t{1} << std::min<size_t>(level, 30), kWidestFactor);
  };
  levels_.resize(count);
  auto sequence = container(*container(*this, "model"), "model");
  for (size_t level = 0; level < count; ++level) {
    auto& here = levels_[level];
    const bool first = level == 0, last = level + 1 == count;
    const int64_t outside = first ? settings.inputs : width_of(level - 1);
    const int64_t inside = width_of(level);
    here.down =
        sequence->register_module(first ? "0" : "1", convolution_4x4(outside, inside, layers));
    if (!first && !last) here.down_norm = sequence->register_module("2", BatchNorm(inside, layers));
    const int64_t back = first ? settings.outputs : outside;
    here.up = sequence->register_module(
        first || last ? "3" : "5", transposed_4x4(last ? inside : 2 * inside, back, first, layers));
    if (!first) here.up_norm = sequence->register_module(last ? "4" : "6", BatchNorm(back, layers));
    here.drops = settings.dropout > 0 && !last && level >= kOuterLevels;
    if (!last) sequence = container(*container(*sequence, first ? "1" : "3"), "model");
  }
  initialise_normal(*this);
}

torch::Tensor UnetGeneratorImpl::drop(const torch::Tensor& x, uint64_t seed, size_t level) const {
  // On the CPU whatever the device, so that a seed means the same masks everywhere.
  auto generator = at::detail::createCPUGenerator(seed * 64 + level);
  const double keep = 1 - settings_.dropout;
  auto mask = torch::empty(x.sizes(), torch::kFloat).bernoulli_(keep, generator).div_(keep);
  return x * mask.to(x.device(), x.scalar_type());
}

torch::Tensor UnetGeneratorImpl::forward(const torch::Tensor& x, uint64_t dropout_seed) {
  const int64_t unit = int64_t{1} << settings_.levels;
  require(x.dim() == 4 && x.size(1) == settings_.inputs && x.size(2) % unit == 0 &&
              x.size(3) % unit == 0,
          "U-Net: input is [{}]; expected [N,{},H,W] with sides that are multiples of {}",
          fmt::join(x.sizes(), ","), settings_.inputs, unit);
  // skips[l]: what level l puts beside the way up, after its LeakyReLU: a ReLU of either is the
  // same.
  std::vector<torch::Tensor> skips;
  auto y = x.to(compute_type_);
  for (auto& level : levels_) {
    y = level.down->convolve(y, 2, 1);
    if (&level == &levels_.back()) break;
    y = level.down_norm ? norm_leaky(y, level.down_norm->state(), kLeakySlope)
                        : bias_leaky(y, {}, kLeakySlope);
    skips.push_back(y);
  }
  y = torch::relu(y);
  for (size_t l = levels_.size(); l-- > 1;) {
    auto& level = levels_[l];
    const auto norm = level.up_norm->state();
    const auto& skip = skips[l - 1];
    y = transposed_convolution(y, level.up->weight, level.up->bias);
    if (level.drops && (is_training() || always_drop_)) {
      y = torch::cat({torch::relu(skip), drop(norm_leaky(y, norm, 0), dropout_seed, l)}, 1);
    } else {
      y = join_rectified(skip, y, norm);
    }
  }
  auto& outer = levels_.front();
  return torch::tanh(transposed_convolution(y, outer.up->weight, outer.up->bias).to(torch::kFloat));
}

}  // namespace scintigen
