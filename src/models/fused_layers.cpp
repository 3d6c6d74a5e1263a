// SPDX-License-Identifier: Apache-2.0
#include "models/fused_layers.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/torch.h>

#include <atomic>
#include <cmath>
#include <cstring>

#include "models/channel_kernels.h"

namespace scintigen {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;
using MaybeTensor = c10::optional<Tensor>;  // an undefined Tensor cannot enter a Function

MaybeTensor maybe(const Tensor& x) { return x.defined() ? MaybeTensor(x) : MaybeTensor(); }

constexpr auto kLast = torch::MemoryFormat::ChannelsLast;
std::atomic<bool> plain_layers{false};

bool fused(const Tensor& x) {
  return !plain_layers && x.is_cpu() &&
         (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kBFloat16);
}

/// Calls work(pointer type tag) with the element type of x.
template <class Work>
void with_type(const Tensor& x, const Work& work) {
  if (x.scalar_type() == torch::kFloat) {
    work(float());
  } else {
    work(c10::BFloat16());
  }
}

template <class T>
T* data(const Tensor& x) {
  return x.defined() ? x.data_ptr<T>() : nullptr;
}

Tensor last(const Tensor& x) { return x.contiguous(kLast); }
int64_t rows_of(const Tensor& x) { return x.size(0) * x.size(2) * x.size(3); }
Tensor empty_map(const Tensor& like, int64_t channels, int64_t height, int64_t width) {
  return torch::empty({like.size(0), channels, height, width}, like.options().memory_format(kLast));
}

/// Per channel, float32: mean used, 1/deviation, and y = scale x + shift.
struct Affine {
  Tensor mean, inverse, scale, shift;
};

Affine normalisation(const Tensor& x, const NormState& norm) {
  Affine affine;
  if (norm.training) {
    const int64_t rows = rows_of(x), channels = x.size(1);
    affine.mean = torch::empty({channels}, torch::kFloat);
    auto variance = torch::empty({channels}, torch::kFloat);
    with_type(x, [&](auto type) {
      channel_moments(data<decltype(type)>(x), rows, channels, data<float>(affine.mean), data<float>(variance));
    });
    const double unbiased = rows > 1 ? static_cast<double>(rows) / static_cast<double>(rows - 1) : 1.0;
    auto running_mean = norm.running_mean, running_var = norm.running_var;
    running_mean.mul_(1 - norm.momentum).add_(affine.mean, norm.momentum);
    running_var.mul_(1 - norm.momentum).add_(variance, norm.momentum * unbiased);
    affine.inverse = variance.add_(norm.epsilon).rsqrt_();
  } else {
    affine.mean = norm.running_mean;
    affine.inverse = (norm.running_var + norm.epsilon).rsqrt_();
  }
  affine.scale = norm.weight.detach() * affine.inverse;
  affine.shift = norm.bias.detach() - affine.mean * affine.scale;
  return affine;
}

/// With sum = sum of gz and moment = sum of gz (x - mean): gradients of weight and bias, and gx = a gz + b x + c.
struct NormGradient {
  Tensor weight, bias, a, b, c;
};

NormGradient norm_gradient(const Tensor& sum, const Tensor& moment, const Affine& affine, int64_t rows,
                           bool training) {
  NormGradient g;
  g.weight = moment * affine.inverse;
  g.bias = sum;
  g.a = affine.scale;
  if (training) {
    g.b = affine.scale * affine.inverse * g.weight / (-static_cast<double>(rows));
    g.c = affine.scale * sum / (-static_cast<double>(rows)) - g.b * affine.mean;
  } else {
    g.b = torch::zeros_like(sum);
    g.c = g.b;
  }
  return g;
}

Tensor plain_norm(const Tensor& x, const NormState& norm) {
  const auto wide = x.scalar_type() == torch::kBFloat16 ? x.to(torch::kFloat) : x;
  return torch::batch_norm(wide, norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.training,
                           norm.momentum, norm.epsilon, x.is_cuda());
}

struct NormLeaky : torch::autograd::Function<NormLeaky> {
  // Weight and bias are arguments so that autograd knows them; their values come in `norm`.
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& /*weight*/,
                        const Tensor& /*bias*/, const MaybeTensor& residual, const NormState& norm, double slope) {
    const auto x = last(input);
    const auto added = residual ? last(*residual) : Tensor();
    const auto affine = normalisation(x, norm);
    auto y = torch::empty_like(x);
    with_type(x, [&](auto type) {
      using T = decltype(type);
      leaky_forward(data<T>(x), data<float>(affine.scale), data<float>(affine.shift), data<T>(added),
                    static_cast<float>(slope), rows_of(x), x.size(1), data<T>(y));
    });
    ctx->save_for_backward({x, affine.mean, affine.inverse, affine.scale, affine.shift});
    ctx->saved_data["slope"] = slope;
    ctx->saved_data["training"] = norm.training;
    ctx->saved_data["residual"] = residual.has_value();
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], g = last(grads[0]);
    const Affine affine{saved[1], saved[2], saved[3], saved[4]};
    const auto slope = static_cast<float>(ctx->saved_data["slope"].toDouble());
    const int64_t rows = rows_of(x), channels = x.size(1);
    auto sum = torch::empty({channels}, torch::kFloat), moment = torch::empty({channels}, torch::kFloat);
    Tensor gx;
    NormGradient norm;
    with_type(x, [&](auto type) {
      using T = decltype(type);
      leaky_backward_sums(data<T>(g), data<T>(x), data<float>(affine.scale), data<float>(affine.shift),
                          data<float>(affine.mean), slope, rows, channels, data<float>(sum), data<float>(moment));
      norm = norm_gradient(sum, moment, affine, rows, ctx->saved_data["training"].toBool());
      if (!ctx->needs_input_grad(0)) return;
      gx = torch::empty_like(x);
      leaky_backward(data<T>(g), data<T>(x), data<float>(affine.scale), data<float>(affine.shift), slope,
                     data<float>(norm.a), data<float>(norm.b), data<float>(norm.c), rows, channels, data<T>(gx));
    });
    return {gx, norm.weight, norm.bias, ctx->saved_data["residual"].toBool() ? grads[0] : Tensor(), {}, {}};
  }
};

struct NormGate : torch::autograd::Function<NormGate> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& /*weight*/,
                        const Tensor& /*bias*/, const NormState& norm) {
    const auto x = last(input);
    const auto affine = normalisation(x, norm);
    const int64_t channels = x.size(1) / 2;
    auto y = empty_map(x, channels, x.size(2), x.size(3));
    with_type(x, [&](auto type) {
      using T = decltype(type);
      gate_forward(data<T>(x), data<float>(affine.scale), data<float>(affine.shift), rows_of(x), channels,
                   data<T>(y));
    });
    ctx->save_for_backward({x, affine.mean, affine.inverse, affine.scale, affine.shift});
    ctx->saved_data["training"] = norm.training;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], g = last(grads[0]);
    const Affine affine{saved[1], saved[2], saved[3], saved[4]};
    const int64_t rows = rows_of(x), channels = x.size(1) / 2;
    auto sum = torch::empty({2 * channels}, torch::kFloat), moment = torch::empty_like(sum);
    Tensor gx;
    NormGradient norm;
    with_type(x, [&](auto type) {
      using T = decltype(type);
      gate_backward_sums(data<T>(g), data<T>(x), data<float>(affine.scale), data<float>(affine.shift),
                         data<float>(affine.mean), rows, channels, data<float>(sum), data<float>(moment));
      norm = norm_gradient(sum, moment, affine, rows, ctx->saved_data["training"].toBool());
      if (!ctx->needs_input_grad(0)) return;
      gx = torch::empty_like(x);
      gate_backward(data<T>(g), data<T>(x), data<float>(affine.scale), data<float>(affine.shift),
                    data<float>(norm.a), data<float>(norm.b), data<float>(norm.c), rows, channels, data<T>(gx));
    });
    return {gx, norm.weight, norm.bias, {}};
  }
};

/// [M,C,3,3] in memory order C,3,3,M (as up blocks keep it) <-> the kernel of the stride-2 form [C,M,3,3], flipped.
Tensor flipped_taps(const Tensor& taps) {
  const int64_t pixels = taps.size(0), channels = taps.size(1);
  auto flipped = torch::empty_like(taps);
  const auto bytes = static_cast<size_t>(channels) * taps.element_size();
  const auto* from = static_cast<const char*>(taps.data_ptr());
  auto* to = static_cast<char*>(flipped.data_ptr());
  at::parallel_for(0, pixels, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t t = 0; t < 9; ++t) std::memcpy(to + (i * 9 + t) * bytes, from + (i * 9 + 8 - t) * bytes, bytes);
    }
  });
  return flipped;
}

struct UpConvolution : torch::autograd::Function<UpConvolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight) {
    const auto x = last(input);
    const int64_t height = 2 * x.size(2), width = 2 * x.size(3), channels = weight.size(0);
    const auto kernel = flipped_taps(last(weight.detach().transpose(0, 1).to(x.scalar_type())));
    const auto shape = empty_map(x, channels, height + 1, width + 1);  // only its size is used
    const auto stuffed = last(std::get<0>(torch::convolution_backward(
        x, shape, kernel, {}, {2, 2}, {0, 0}, {1, 1}, false, {0, 0}, 1, {true, false, false})));
    auto y = empty_map(x, channels, height, width);
    with_type(x, [&](auto type) {
      using T = decltype(type);
      box_sum(data<T>(stuffed), x.size(0), height + 1, width + 1, channels, 0, data<T>(y));
    });
    ctx->save_for_backward({x, kernel});
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &kernel = saved[1];
    const auto g = last(grads[0]);
    auto stuffed = empty_map(g, g.size(1), g.size(2) + 1, g.size(3) + 1);
    with_type(x, [&](auto type) {
      using T = decltype(type);
      box_sum(data<T>(g), g.size(0), g.size(2), g.size(3), g.size(1), 1, data<T>(stuffed));
    });
    Tensor gx, gw;
    if (ctx->needs_input_grad(0)) {
      gx = torch::conv2d(stuffed, kernel, {}, at::IntArrayRef{2, 2}, at::IntArrayRef{0, 0});
    }
    if (ctx->needs_input_grad(1)) {
      const auto taps = last(std::get<1>(torch::convolution_backward(
          x, stuffed, kernel, {}, {2, 2}, {0, 0}, {1, 1}, false, {0, 0}, 1, {false, true, false})));
      gw = flipped_taps(taps).transpose(0, 1).to(torch::kFloat);
    }
    return {gx, gw};
  }
};

struct Convolution : torch::autograd::Function<Convolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight, const MaybeTensor& bias,
                        int64_t stride, int64_t padding) {
    const auto x = last(input);
    const auto kernel = last(weight.detach().to(x.scalar_type()));
    const auto offset = bias ? bias->detach().to(x.scalar_type()) : Tensor();
    ctx->save_for_backward({x, kernel});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    ctx->saved_data["bias"] = bias.has_value();
    return torch::conv2d(x, kernel, offset, at::IntArrayRef{stride, stride}, at::IntArrayRef{padding, padding});
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &kernel = saved[1];
    const int64_t stride = ctx->saved_data["stride"].toInt(), padding = ctx->saved_data["padding"].toInt();
    const bool has_bias = ctx->saved_data["bias"].toBool();
    const int64_t out = kernel.size(0);
    const auto g = torch::convolution_backward(
        last(grads[0]), x, kernel, has_bias ? at::OptionalIntArrayRef(at::IntArrayRef(&out, 1)) : at::OptionalIntArrayRef(),
        {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, 1,
        {ctx->needs_input_grad(0), ctx->needs_input_grad(1), has_bias && ctx->needs_input_grad(2)});
    const auto wide = [](const Tensor& t) { return t.defined() ? t.to(torch::kFloat) : t; };
    return {std::get<0>(g), wide(std::get<1>(g)), wide(std::get<2>(g)), {}, {}};
  }
};

}  // namespace

void use_plain_layers(bool plain) { plain_layers = plain; }

Tensor norm_leaky(const Tensor& x, const NormState& norm, double slope, const Tensor& residual) {
  if (fused(x)) return NormLeaky::apply(x, norm.weight, norm.bias, maybe(residual), norm, slope);
  const auto y = torch::leaky_relu(plain_norm(x, norm), slope).to(x.scalar_type());
  return residual.defined() ? y + residual : y;
}

Tensor norm_gate(const Tensor& x, const NormState& norm) {
  if (fused(x)) return NormGate::apply(x, norm.weight, norm.bias, norm);
  return torch::glu(plain_norm(x, norm), 1).to(x.scalar_type());
}

Tensor up_convolution(const Tensor& x, const Tensor& weight) {
  if (fused(x)) return UpConvolution::apply(x, weight);
  const auto fine = torch::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  return torch::conv2d(fine, weight.to(x.scalar_type()), {}, at::IntArrayRef{1, 1}, at::IntArrayRef{1, 1});
}

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride, int64_t padding) {
  if (fused(x)) return Convolution::apply(x, weight, maybe(bias), stride, padding);
  return torch::conv2d(x, weight.to(x.scalar_type()), bias.defined() ? bias.to(x.scalar_type()) : bias,
                       at::IntArrayRef{stride, stride}, at::IntArrayRef{padding, padding});
}

}  // namespace scintigen
