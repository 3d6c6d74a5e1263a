// SPDX-License-Identifier: Apache-2.0
#include "models/layers.h"

#include <torch/torch.h>

#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

/// The weight as a matrix with one row an output channel.
torch::Tensor as_matrix(const torch::Tensor& weight, bool transposed) {
  return (transposed ? weight.transpose(0, 1) : weight)
      .reshape({weight.size(transposed ? 1 : 0), -1});
}

/// A weight of torch.nn's shape in the memory order of its role.
torch::Tensor empty_kernel(const std::vector<int64_t>& shape, KernelRole role) {
  const bool tiles = role == KernelRole::tiled || role == KernelRole::tiled_transposed;
  if (shape.size() == 5 && tiles) {
    const int64_t a = shape[0], b = shape[1], h = shape[3], w = shape[4];
    return torch::empty_strided(shape, {1, h * w * a, b * h * w * a, w * a, a});
  }
  if (shape.size() != 4) return torch::empty(shape);
  const int64_t a = shape[0], b = shape[1], h = shape[2], w = shape[3];
  switch (role) {
    case KernelRole::tiled:
    case KernelRole::tiled_transposed:
      return torch::empty_strided(shape, {1, h * w * a, w * a, a});
    case KernelRole::transposed:
      return torch::empty_strided(shape, {1, a, w * a * b, a * b});
    default:
      return torch::empty_strided(shape, {h * w * b, 1, w * b, b});
  }
}

Kernel kernel(std::vector<int64_t> shape, bool with_bias, const LayerSettings& settings,
              KernelRole role = KernelRole::convolution) {
  return Kernel(std::move(shape), with_bias, settings, role);
}

/// Whether the second axis of the weight is the output's.
bool transposes(KernelRole role) {
  return role == KernelRole::transposed || role == KernelRole::tiled_transposed;
}

torch::Tensor unit(const torch::Tensor& x) { return x / x.norm().clamp_min(1e-12); }

}  // namespace

KernelImpl::KernelImpl(std::vector<int64_t> shape, bool with_bias, const LayerSettings& settings,
                       KernelRole role)
    : role_(role) {
  int64_t receptive = 1;
  for (size_t i = 2; i < shape.size(); ++i) receptive *= shape[i];
  const double limit = std::sqrt(6.0 / static_cast<double>((shape[0] + shape[1]) * receptive));
  weight = register_parameter("weight", empty_kernel(shape, role).uniform_(-limit, limit));
  const int64_t out = shape[transposes(role) ? 1 : 0];
  if (with_bias) bias = register_parameter("bias", torch::zeros(out));
  if (settings.spectral_norm) {
    weight_u = register_buffer("weight_u", unit(torch::randn(out)));
    weight_v = register_buffer("weight_v", unit(torch::randn(weight.numel() / out)));
  }
}

torch::Tensor KernelImpl::effective_weight() {
  if (!weight_u.defined()) return weight;
  const auto matrix = as_matrix(weight, transposes(role_));
  if (is_training()) {
    torch::NoGradGuard no_grad;
    weight_v.copy_(unit(torch::mv(matrix.t(), weight_u)));
    weight_u.copy_(unit(torch::mv(matrix, weight_v)));
  }
  // Clones: the buffers are overwritten by the next forward, which may come before this one's
  // backward.
  const auto sigma = torch::dot(weight_u.clone(), torch::mv(matrix, weight_v.clone()));
  return weight / sigma;
}

torch::Tensor KernelImpl::convolve(const torch::Tensor& x, int64_t stride, int64_t padding) {
  return convolution(x, effective_weight(), bias, stride, padding);
}

BatchNormImpl::BatchNormImpl(int64_t channels, const LayerSettings& settings)
    : momentum(settings.momentum), epsilon(settings.epsilon) {
  weight = register_parameter("weight", torch::ones(channels));
  bias = register_parameter("bias", torch::zeros(channels));
  running_mean = register_buffer("running_mean", torch::zeros(channels));
  running_var = register_buffer("running_var", torch::ones(channels));
}

NormState BatchNormImpl::state() const {
  return {weight, bias, running_mean, running_var, momentum, epsilon, is_training()};
}

NormLayer NormLayer::of(const std::string& norm, int64_t channels, const LayerSettings& settings) {
  require(norm == "batch" || norm == "instance", "norm is '{}'; expected batch or instance", norm);
  NormLayer layer;
  layer.instance = norm == "instance";
  layer.epsilon = settings.epsilon;
  if (!layer.instance) layer.batch = BatchNorm(channels, settings);
  return layer;
}

torch::Tensor NormLayer::leaky(const torch::Tensor& x, const torch::Tensor& bias, double slope,
                               const torch::Tensor& residual) const {
  if (instance) return instance_leaky(x, bias, epsilon, slope, residual);
  if (batch) return norm_leaky(x, batch->state(), slope, residual);
  return bias_leaky(x, bias, slope);
}

void initialise_normal(torch::nn::Module& module) {
  torch::NoGradGuard no_grad;
  for (auto& child : module.modules(/*include_self=*/false)) {
    if (auto* kernel = child->as<KernelImpl>()) {
      // Drawn in torch.nn's order of elements, whatever the order in memory.
      kernel->weight.copy_(torch::randn(kernel->weight.sizes()) * 0.02);
      if (kernel->bias.defined()) kernel->bias.zero_();
    } else if (auto* norm = child->as<BatchNormImpl>()) {
      norm->weight.copy_(1 + torch::randn(norm->weight.sizes()) * 0.02);
      norm->bias.zero_();
    }
  }
}

std::shared_ptr<torch::nn::Module> container(torch::nn::Module& parent, const std::string& name) {
  return parent.register_module(name, std::make_shared<torch::nn::Module>());
}

GatedInputBlockImpl::GatedInputBlockImpl(int64_t in, int64_t out, const LayerSettings& settings)
    : conv(register_module("conv",
                           kernel({in, 2 * out, 4, 4}, false, settings, KernelRole::transposed))),
      norm(register_module("norm", BatchNorm(2 * out, settings))) {}

torch::Tensor GatedInputBlockImpl::forward(const torch::Tensor& x) {
  // On a 1x1 map a transposed convolution is one matrix product: [N,in] x [in, 4*4*2out].
  const int64_t in = x.size(1), wide = conv->weight.size(1);
  const auto matrix = conv->effective_weight().permute({2, 3, 1, 0}).reshape({16 * wide, in, 1, 1});
  const auto y = convolution(x.reshape({x.size(0), in, 1, 1}), matrix, {}, 1, 0);
  return norm_gate(y.reshape({x.size(0), 4, 4, wide}).permute({0, 3, 1, 2}), norm->state());
}

GatedUpBlockImpl::GatedUpBlockImpl(int64_t in, int64_t out, const LayerSettings& settings)
    : conv(
          register_module("conv", kernel({2 * out, in, 3, 3}, false, settings, KernelRole::tiled))),
      norm(register_module("norm", BatchNorm(2 * out, settings))) {}

torch::Tensor GatedUpBlockImpl::forward(const torch::Tensor& x) {
  return norm_gate(up_convolution(x, conv->effective_weight()), norm->state());
}

SkipLayerExcitationImpl::SkipLayerExcitationImpl(int64_t coarse, int64_t hidden, int64_t fine,
                                                 const LayerSettings& settings)
    : squeeze(register_module("squeeze", kernel({hidden, coarse, 4, 4}, true, settings))),
      expand(register_module("expand", kernel({fine, hidden, 1, 1}, true, settings))),
      leaky_slope(settings.leaky_slope) {}

torch::Tensor SkipLayerExcitationImpl::forward(const torch::Tensor& coarse,
                                               const torch::Tensor& fine) {
  const auto hidden = torch::leaky_relu(squeeze->convolve(coarse), leaky_slope);
  return fine * torch::sigmoid(expand->convolve(hidden));
}

DownBlockImpl::DownBlockImpl(int64_t in, int64_t out, const LayerSettings& settings)
    : reduce(
          register_module("reduce", kernel({out, in, 4, 4}, false, settings, KernelRole::tiled))),
      refine(
          register_module("refine", kernel({out, out, 3, 3}, false, settings, KernelRole::tiled))),
      direct(register_module("direct", kernel({out, in, 1, 1}, false, settings))),
      reduce_norm(register_module("reduce_norm", BatchNorm(out, settings))),
      refine_norm(register_module("refine_norm", BatchNorm(out, settings))),
      direct_norm(register_module("direct_norm", BatchNorm(out, settings))),
      leaky_slope(settings.leaky_slope) {}

torch::Tensor DownBlockImpl::forward(const torch::Tensor& x) {
  const auto reduced = norm_leaky(reduce->convolve(x, 2, 1), reduce_norm->state(), leaky_slope);
  const auto refined =
      norm_leaky(refine->convolve(reduced, 1, 1), refine_norm->state(), leaky_slope);
  return norm_leaky(direct->convolve(torch::avg_pool2d(x, 2)), direct_norm->state(), leaky_slope,
                    refined);
}

DecoderImpl::DecoderImpl(int64_t in, const std::vector<int64_t>& widths,
                         const LayerSettings& settings) {
  for (size_t i = 0; i < widths.size(); ++i) {
    up.push_back(register_module("up" + std::to_string(i),
                                 GatedUpBlock(i == 0 ? in : widths[i - 1], widths[i], settings)));
  }
  image = register_module("image", kernel({1, widths.back(), 1, 1}, true, settings));
}

torch::Tensor DecoderImpl::forward(torch::Tensor x) {
  for (auto& block : up) x = block->forward(x);
  return torch::tanh(image->convolve(x).to(torch::kFloat));
}

torch::Tensor append_batch_deviation(const torch::Tensor& x) {
  const auto wide = x.scalar_type() == torch::kBFloat16 ? x.to(torch::kFloat) : x;
  const auto centred = wide - wide.mean(0, true);
  const auto deviation = (centred.square().mean(0) + 1e-8).sqrt().mean();
  const auto plane = deviation.to(x.scalar_type()).expand({x.size(0), 1, x.size(2), x.size(3)});
  return torch::cat({x, plane}, 1);
}

}  // namespace scintigen
