// SPDX-License-Identifier: Apache-2.0
#include "models/layers.h"

#include <torch/nn/functional.h>
#include <torch/nn/init.h>
#include <torch/utils.h>

#include <cmath>

namespace scintigen {
namespace {

/// The weight as a matrix with one row an output channel.
torch::Tensor as_matrix(const torch::Tensor& weight, bool transposed) {
  return (transposed ? weight.transpose(0, 1) : weight).reshape({weight.size(transposed ? 1 : 0), -1});
}

torch::Tensor unit(const torch::Tensor& x) { return x / x.norm().clamp_min(1e-12); }

/// Batch norm over 2C channels, then first half x sigmoid(second half).
torch::Tensor gate(BatchNorm& norm, const torch::Tensor& x) {
  return torch::glu(norm->forward(x), 1);
}

torch::Tensor leaky(BatchNorm& norm, const torch::Tensor& x, double slope) {
  return torch::leaky_relu(norm->forward(x), slope);
}

torch::Tensor convolve(Kernel& kernel, const torch::Tensor& x, int64_t stride, int64_t padding) {
  const auto type = x.scalar_type();
  return torch::conv2d(x, kernel->effective_weight(type), kernel->effective_bias(type), stride, padding);
}

}  // namespace

KernelImpl::KernelImpl(std::vector<int64_t> shape, bool with_bias, const LayerSettings& settings,
                       bool transposed)
    : transposed_(transposed) {
  int64_t receptive = 1;
  for (size_t i = 2; i < shape.size(); ++i) receptive *= shape[i];
  const double limit = std::sqrt(6.0 / static_cast<double>((shape[0] + shape[1]) * receptive));
  weight = register_parameter("weight", torch::empty(shape).uniform_(-limit, limit));
  const int64_t out = shape[transposed ? 1 : 0];
  if (with_bias) bias = register_parameter("bias", torch::zeros(out));
  if (settings.spectral_norm) {
    weight_u = register_buffer("weight_u", unit(torch::randn(out)));
    weight_v = register_buffer("weight_v", unit(torch::randn(weight.numel() / out)));
  }
}

torch::Tensor KernelImpl::effective_weight(torch::ScalarType type) {
  if (!weight_u.defined()) return weight.to(type);
  const auto matrix = as_matrix(weight, transposed_);
  if (is_training()) {
    torch::NoGradGuard no_grad;
    weight_v.copy_(unit(torch::mv(matrix.t(), weight_u)));
    weight_u.copy_(unit(torch::mv(matrix, weight_v)));
  }
  // Clones: the buffers are overwritten by the next forward, which may come before this one's backward.
  const auto sigma = torch::dot(weight_u.clone(), torch::mv(matrix, weight_v.clone()));
  return (weight / sigma).to(type);
}

torch::Tensor KernelImpl::effective_bias(torch::ScalarType type) const {
  return bias.defined() ? bias.to(type) : bias;
}

BatchNormImpl::BatchNormImpl(int64_t channels, const LayerSettings& settings)
    : momentum(settings.momentum), epsilon(settings.epsilon) {
  weight = register_parameter("weight", torch::ones(channels));
  bias = register_parameter("bias", torch::zeros(channels));
  running_mean = register_buffer("running_mean", torch::zeros(channels));
  running_var = register_buffer("running_var", torch::ones(channels));
}

torch::Tensor BatchNormImpl::forward(const torch::Tensor& x) {
  const auto wide = x.scalar_type() == torch::kBFloat16 ? x.to(torch::kFloat) : x;
  return torch::batch_norm(wide, weight, bias, running_mean, running_var, is_training(), momentum,
                           epsilon, false)
      .to(x.scalar_type());
}

GatedInputBlockImpl::GatedInputBlockImpl(int64_t in, int64_t out, const LayerSettings& settings)
    : conv(register_module("conv", Kernel(std::vector<int64_t>{in, 2 * out, 4, 4}, false, settings, true))),
      norm(register_module("norm", BatchNorm(2 * out, settings))) {}

torch::Tensor GatedInputBlockImpl::forward(const torch::Tensor& x) {
  const auto map = x.reshape({x.size(0), x.size(1), 1, 1});
  return gate(norm, torch::conv_transpose2d(map, conv->effective_weight(x.scalar_type())));
}

GatedUpBlockImpl::GatedUpBlockImpl(int64_t in, int64_t out, const LayerSettings& settings)
    : conv(register_module("conv", Kernel(std::vector<int64_t>{2 * out, in, 3, 3}, false, settings))),
      norm(register_module("norm", BatchNorm(2 * out, settings))) {}

torch::Tensor GatedUpBlockImpl::forward(const torch::Tensor& x) {
  const auto fine = x.repeat_interleave(2, 2).repeat_interleave(2, 3);
  return gate(norm, convolve(conv, fine, 1, 1));
}

SkipLayerExcitationImpl::SkipLayerExcitationImpl(int64_t coarse, int64_t hidden, int64_t fine,
                                                 const LayerSettings& settings)
    : squeeze(register_module(
          "squeeze", Kernel(std::vector<int64_t>{hidden, coarse, 4, 4}, true, settings))),
      expand(register_module("expand",
                             Kernel(std::vector<int64_t>{fine, hidden, 1, 1}, true, settings))),
      leaky_slope(settings.leaky_slope) {}

torch::Tensor SkipLayerExcitationImpl::forward(const torch::Tensor& coarse, const torch::Tensor& fine) {
  const auto hidden = torch::leaky_relu(convolve(squeeze, coarse, 1, 0), leaky_slope);
  return fine * torch::sigmoid(convolve(expand, hidden, 1, 0));
}

DownBlockImpl::DownBlockImpl(int64_t in, int64_t out, const LayerSettings& settings)
    : reduce(register_module("reduce", Kernel(std::vector<int64_t>{out, in, 4, 4}, false, settings))),
      refine(register_module("refine", Kernel(std::vector<int64_t>{out, out, 3, 3}, false, settings))),
      direct(register_module("direct", Kernel(std::vector<int64_t>{out, in, 1, 1}, false, settings))),
      reduce_norm(register_module("reduce_norm", BatchNorm(out, settings))),
      refine_norm(register_module("refine_norm", BatchNorm(out, settings))),
      direct_norm(register_module("direct_norm", BatchNorm(out, settings))),
      leaky_slope(settings.leaky_slope) {}

torch::Tensor DownBlockImpl::forward(const torch::Tensor& x) {
  const auto reduced = leaky(reduce_norm, convolve(reduce, x, 2, 1), leaky_slope);
  const auto refined = leaky(refine_norm, convolve(refine, reduced, 1, 1), leaky_slope);
  const auto mean = torch::avg_pool2d(x, 2);
  return refined + leaky(direct_norm, convolve(direct, mean, 1, 0), leaky_slope);
}

DecoderImpl::DecoderImpl(int64_t in, const std::vector<int64_t>& widths, const LayerSettings& settings) {
  for (size_t i = 0; i < widths.size(); ++i) {
    up.push_back(register_module("up" + std::to_string(i),
                                 GatedUpBlock(i == 0 ? in : widths[i - 1], widths[i], settings)));
  }
  image = register_module("image", Kernel(std::vector<int64_t>{1, widths.back(), 1, 1}, true, settings));
}

torch::Tensor DecoderImpl::forward(torch::Tensor x) {
  for (auto& block : up) x = block->forward(x);
  return torch::tanh(convolve(image, x, 1, 0).to(torch::kFloat));
}

torch::Tensor append_batch_deviation(const torch::Tensor& x) {
  const auto wide = x.scalar_type() == torch::kBFloat16 ? x.to(torch::kFloat) : x;
  const auto centred = wide - wide.mean(0, true);
  const auto deviation = (centred.square().mean(0) + 1e-8).sqrt().mean();
  const auto plane = deviation.to(x.scalar_type()).expand({x.size(0), 1, x.size(2), x.size(3)});
  return torch::cat({x, plane}, 1);
}

}  // namespace scintigen
