// SPDX-License-Identifier: Apache-2.0
#include "models/resnet_generator.h"

#include <torch/torch.h>

#include <algorithm>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr int64_t kUnit = 4;               // two halvings
constexpr int64_t kLeast = 8;              // a border of one pixel is mirrored at a side of 2
constexpr int64_t kWide = 7, kNarrow = 3;  // sides of kernels
constexpr double kRelu = 0, kLinear = 1;   // slopes

}  // namespace

void ResnetSettings::visit(SettingsVisitor& v) {
  v.visit(number("width", "channels after the first convolution (Zotova 2021: 64)", 1, 512), width);
  v.visit(number("blocks", "residual blocks (Zotova 2021: 9 for slices, 2 for patches)", 1, 32),
          blocks);
  v.visit(
      choice("norm", "normalisation after convolutions (Zotova 2021: batch, Zhu 2017: instance)",
             {"batch", "instance"}),
      norm);
  v.visit(choice("padding",
                 "border of the residual blocks and of both ends (Zotova 2021: reflect for slices, "
                 "replicate for patches)",
                 {"reflect", "replicate"}),
          padding);
  v.visit(number("batch_norm_momentum", "weight of the new batch in the running statistics", 0, 1),
          batch_norm_momentum);
  v.visit(number("batch_norm_epsilon", "added to the variance", 1e-12, 1), batch_norm_epsilon);
}

ResnetGeneratorImpl::ResnetGeneratorImpl(const ResnetSettings& settings)
    : settings_(settings),
      border_(settings.padding == "reflect" ? Border::reflect : Border::replicate) {
  require(settings.dimensions == 2 || settings.dimensions == 3,
          "ResNet generator: {} dimensions; expected 2 or 3", settings.dimensions);
  require(settings.padding == "reflect" || settings.padding == "replicate",
          "ResNet generator: padding is '{}'; expected reflect or replicate", settings.padding);
  LayerSettings layers;
  layers.momentum = settings.batch_norm_momentum;
  layers.epsilon = settings.batch_norm_epsilon;
  auto sequence = container(*this, "model");
  const auto kernel = [&](int64_t first, int64_t second, int64_t side, bool bias, KernelRole role) {
    std::vector<int64_t> shape{first, second};
    shape.resize(static_cast<size_t>(2 + settings.dimensions), side);
    return Kernel(shape, bias, layers, role);
  };
  // A convolution at `place` of its sequence and its norm after it. Batch norm has a bias of its
  // own.
  const auto stage = [&](torch::nn::Module& parent, int64_t place, int64_t in, int64_t out,
                         int64_t side, KernelRole role) {
    Stage made;
    made.norm = NormLayer::of(settings.norm, out, layers);
    const bool turned = role == KernelRole::tiled_transposed;
    made.kernel = parent.register_module(
        std::to_string(place),
        kernel(turned ? in : out, turned ? out : in, side, made.norm.instance, role));
    if (made.norm.batch) parent.register_module(std::to_string(place + 1), made.norm.batch);
    return made;
  };
  const int64_t width = settings.width;
  int64_t place = 1;  // 0 is a padding
  head_ = stage(*sequence, place, settings.inputs, width, kWide, KernelRole::convolution);
  for (int64_t n = 0; n < 2; ++n)
    down_[n] =
        stage(*sequence, place += 3, width << n, width << (n + 1), kNarrow, KernelRole::tiled);
  place += 3;
  for (int64_t n = 0; n < settings.blocks; ++n, ++place) {
    auto parts = container(*container(*sequence, std::to_string(place)), "conv_block");
    Block block;  // padding, convolution, norm, ReLU, padding, convolution, norm
    block.first = stage(*parts, 1, 4 * width, 4 * width, kNarrow, KernelRole::tiled);
    block.second = stage(*parts, 5, 4 * width, 4 * width, kNarrow, KernelRole::tiled);
    blocks_.push_back(std::move(block));
  }
  for (int64_t n = 0; n < 2; ++n, place += 3)
    up_[n] = stage(*sequence, place, (4 * width) >> n, (2 * width) >> n, kNarrow,
                   KernelRole::tiled_transposed);
  image_ = sequence->register_module(
      std::to_string(place + 1),  // after a padding
      kernel(settings.outputs, width, kWide, true, KernelRole::convolution));
  initialise_normal(*this);
}

torch::Tensor ResnetGeneratorImpl::forward(const torch::Tensor& x) {
  const auto sides = x.dim() == 2 + settings_.dimensions ? x.sizes().slice(2) : at::IntArrayRef();
  require(
      !sides.empty() && x.size(1) == settings_.inputs &&
          std::all_of(sides.begin(), sides.end(),
                      [](int64_t s) { return s >= kLeast && s % kUnit == 0; }),
      "ResNet generator: input is [{}]; expected [N,{},{}] with sides that are multiples of {}, "
      "{} or more",
      fmt::join(x.sizes(), ","), settings_.inputs, settings_.dimensions == 2 ? "H,W" : "D,H,W",
      kUnit, kLeast);
  const auto bordered = [&](const torch::Tensor& y, const Stage& stage, int64_t padding) {
    return convolution(y, stage.kernel->weight, {}, 1, padding, border_);
  };
  const auto with_norm = [](const torch::Tensor& y, const Stage& stage, double slope,
                            const torch::Tensor& residual = {}) {
    return stage.norm.leaky(y, stage.kernel->bias, slope, residual);
  };
  auto y = with_norm(bordered(x.to(compute_type_), head_, kWide / 2), head_, kRelu);
  for (auto& down : down_)
    y = with_norm(convolution(y, down.kernel->weight, {}, 2, 1), down, kRelu);
  for (auto& block : blocks_) {
    const auto inside = with_norm(bordered(y, block.first, 1), block.first, kRelu);
    y = with_norm(bordered(inside, block.second, 1), block.second, kLinear, y);
  }
  for (auto& up : up_) y = with_norm(transposed_convolution(y, up.kernel->weight, {}), up, kRelu);
  y = convolution(y, image_->weight, image_->bias, 1, kWide / 2, border_);
  return torch::tanh(y.to(torch::kFloat));
}

}  // namespace scintigen
