// SPDX-License-Identifier: Apache-2.0
#include "models/fused_layers.h"

#include <torch/autograd.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "models/channel_affine.h"
#include "models/channel_kernels.h"
#include "models/channels_last.h"
#include "models/unet_layers.h"

namespace scintigen {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

std::atomic<bool> plain_layers{false};

// Plain loops: a handful of operators on 64 numbers would cost more than the pass over the map.
Affine normalisation(const Tensor& x, const NormState& norm) {
  const int64_t rows = rows_of(x), channels = x.size(1);
  const Affine affine(torch::empty({4, channels}, torch::kFloat));
  float *mean = affine.mean(), *inverse = affine.inverse();
  auto *running_mean = data<float>(norm.running_mean), *running_var = data<float>(norm.running_var);
  if (norm.training) {
    with_type(x, [&](auto type) {
      channel_moments(data<decltype(type)>(x), rows, channels, mean, inverse);
    });
    const double unbiased =
        rows > 1 ? static_cast<double>(rows) / static_cast<double>(rows - 1) : 1.0;
    const auto keep = static_cast<float>(1 - norm.momentum),
               take = static_cast<float>(norm.momentum);
    const auto take_variance = static_cast<float>(norm.momentum * unbiased);
    for (int64_t c = 0; c < channels; ++c) {
      running_mean[c] = keep * running_mean[c] + take * mean[c];
      running_var[c] = keep * running_var[c] + take_variance * inverse[c];
    }
  } else {
    std::copy_n(running_mean, channels, mean);
    std::copy_n(running_var, channels, inverse);
  }
  const auto *weight = data<float>(norm.weight), *bias = data<float>(norm.bias);
  for (int64_t c = 0; c < channels; ++c) {
    inverse[c] = 1.0f / std::sqrt(inverse[c] + static_cast<float>(norm.epsilon));
    affine.scale()[c] = weight[c] * inverse[c];
    affine.shift()[c] = bias[c] - mean[c] * affine.scale()[c];
  }
  return affine;
}

/// Finishes `norm` and answers the gradient of x, undefined unless asked for; the rows of g, the
/// gradient of leaky(norm(x)), are g_step apart.
template <class T>
Tensor leaky_gradients(const T* g, int64_t g_step, const Tensor& x, float slope, bool of_x,
                       NormGradient& norm) {
  const Affine& affine = norm.used;
  const int64_t rows = rows_of(x), channels = x.size(1);
  leaky_backward_sums(g, g_step, data<T>(x), affine.scale(), affine.shift(), affine.mean(), slope,
                      rows, channels, data<float>(norm.sum), data<float>(norm.moment));
  norm.finish();
  if (!of_x) return {};
  auto gx = torch::empty_like(x);
  leaky_backward(g, g_step, data<T>(x), affine.scale(), affine.shift(), slope, norm.a(), norm.b(),
                 norm.c(), rows, channels, data<T>(gx));
  return gx;
}

/// No normalisation: y = x + bias.
Affine shift_by(const Tensor& bias, int64_t channels) {
  Affine affine(torch::zeros({4, channels}, torch::kFloat));
  std::fill_n(affine.inverse(), channels, 1.0f);
  std::fill_n(affine.scale(), channels, 1.0f);
  if (bias.defined()) affine.rows[3].copy_(bias.detach());
  return affine;
}

Tensor plain_norm(const Tensor& x, const NormState& norm) {
  const auto wide = x.scalar_type() == torch::kBFloat16 ? x.to(torch::kFloat) : x;
  return torch::batch_norm(wide, norm.weight, norm.bias, norm.running_mean, norm.running_var,
                           norm.training, norm.momentum, norm.epsilon, x.is_cuda());
}

struct NormLeaky : torch::autograd::Function<NormLeaky> {
  // Weight and bias are arguments so that autograd knows them; their values come in `norm`.
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& /*weight*/,
                        const Tensor& /*bias*/, const MaybeTensor& residual, const NormState& norm,
                        double slope) {
    const auto x = last(input);
    const auto added = residual ? last(*residual) : Tensor();
    const auto affine = normalisation(x, norm);
    auto y = torch::empty_like(x);
    with_type(x, [&](auto type) {
      using T = decltype(type);
      leaky_forward(data<T>(x), affine.scale(), affine.shift(), data<T>(added),
                    static_cast<float>(slope), rows_of(x), x.size(1), data<T>(y), x.size(1));
    });
    ctx->save_for_backward({x, affine.rows});
    ctx->saved_data["slope"] = slope;
    ctx->saved_data["training"] = norm.training;
    ctx->saved_data["residual"] = residual.has_value();
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], g = last(grads[0]);
    const Affine affine(saved[1]);
    const auto slope = static_cast<float>(ctx->saved_data["slope"].toDouble());
    const int64_t rows = rows_of(x), channels = x.size(1);
    Tensor gx;
    NormGradient norm(affine, rows, ctx->saved_data["training"].toBool());
    with_type(x, [&](auto type) {
      using T = decltype(type);
      gx = leaky_gradients<T>(data<T>(g), channels, x, slope, ctx->needs_input_grad(0), norm);
    });
    return {gx, norm.moment, norm.sum, ctx->saved_data["residual"].toBool() ? grads[0] : Tensor(),
            {}, {}};
  }
};

struct BiasLeaky : torch::autograd::Function<BiasLeaky> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const MaybeTensor& bias,
                        double slope) {
    const auto x = last(input);
    const auto affine = shift_by(bias ? *bias : Tensor(), x.size(1));
    auto y = torch::empty_like(x);
    with_type(x, [&](auto type) {
      using T = decltype(type);
      leaky_forward<T>(data<T>(x), affine.scale(), affine.shift(), nullptr,
                       static_cast<float>(slope), rows_of(x), x.size(1), data<T>(y), x.size(1));
    });
    ctx->save_for_backward({x, affine.rows});
    ctx->saved_data["slope"] = slope;
    ctx->saved_data["bias"] = bias.has_value();
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], g = last(grads[0]);
    const auto slope = static_cast<float>(ctx->saved_data["slope"].toDouble());
    NormGradient norm(Affine(saved[1]), rows_of(x), /*in_training=*/false);
    Tensor gx;
    with_type(x, [&](auto type) {
      using T = decltype(type);
      gx = leaky_gradients<T>(data<T>(g), x.size(1), x, slope, ctx->needs_input_grad(0), norm);
    });
    return {gx, ctx->saved_data["bias"].toBool() ? norm.sum : Tensor(), {}};
  }
};

struct JoinRectified : torch::autograd::Function<JoinRectified> {
  static Tensor forward(AutogradContext* ctx, const Tensor& skip_input, const Tensor& input,
                        const Tensor& /*weight*/, const Tensor& /*bias*/, const NormState& norm) {
    const auto skip = last(skip_input), x = last(input);
    const auto same = shift_by({}, skip.size(1)), affine = normalisation(x, norm);
    const int64_t before = skip.size(1), wide = before + x.size(1);
    auto y = empty_map(x, wide, x.size(2), x.size(3));
    with_type(x, [&](auto type) {
      using T = decltype(type);
      leaky_forward<T>(data<T>(skip), same.scale(), same.shift(), nullptr, 0, rows_of(x), before,
                       data<T>(y), wide);
      leaky_forward<T>(data<T>(x), affine.scale(), affine.shift(), nullptr, 0, rows_of(x),
                       x.size(1), data<T>(y) + before, wide);
    });
    ctx->save_for_backward({skip, x, affine.rows});
    ctx->saved_data["training"] = norm.training;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &skip = saved[0], &x = saved[1], g = last(grads[0]);
    const int64_t before = skip.size(1), wide = g.size(1);
    NormGradient norm(Affine(saved[2]), rows_of(x), ctx->saved_data["training"].toBool());
    Tensor gskip, gx;
    with_type(x, [&](auto type) {
      using T = decltype(type);
      gx = leaky_gradients<T>(data<T>(g) + before, wide, x, 0, ctx->needs_input_grad(1), norm);
      if (!ctx->needs_input_grad(0)) return;
      const auto same = shift_by({}, before);
      const auto zero = torch::zeros({before}, torch::kFloat);
      gskip = torch::empty_like(skip);
      leaky_backward(data<T>(g), wide, data<T>(skip), same.scale(), same.shift(), 0, same.scale(),
                     data<float>(zero), data<float>(zero), rows_of(x), before, data<T>(gskip));
    });
    return {gskip, gx, norm.moment, norm.sum, {}};
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
      gate_forward(data<T>(x), affine.scale(), affine.shift(), rows_of(x), channels, data<T>(y));
    });
    ctx->save_for_backward({x, affine.rows});
    ctx->saved_data["training"] = norm.training;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], g = last(grads[0]);
    const Affine affine(saved[1]);
    const int64_t rows = rows_of(x), channels = x.size(1) / 2;
    Tensor gx;
    NormGradient norm(affine, rows, ctx->saved_data["training"].toBool());
    with_type(x, [&](auto type) {
      using T = decltype(type);
      gate_backward_sums(data<T>(g), data<T>(x), affine.scale(), affine.shift(), affine.mean(),
                         rows, channels, data<float>(norm.sum), data<float>(norm.moment));
      norm.finish();
      if (!ctx->needs_input_grad(0)) return;
      gx = torch::empty_like(x);
      gate_backward(data<T>(g), data<T>(x), affine.scale(), affine.shift(), norm.a(), norm.b(),
                    norm.c(), rows, channels, data<T>(gx));
    });
    return {gx, norm.moment, norm.sum, {}};
  }
};

}  // namespace

void use_plain_layers(bool plain) { plain_layers = plain; }
bool fused(const Tensor& x) {
  return !plain_layers && x.is_cpu() &&
         (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kBFloat16);
}

namespace {

/// work(x, residual) on planes, its result in the shape of x.
template <class Work>
Tensor by_plane(const Tensor& x, const Tensor& residual, const Work& work) {
  if (x.dim() != 5) return work(x, residual);
  return as_volumes(work(as_planes(x), residual.defined() ? as_planes(residual) : residual),
                    x.size(0));
}

}  // namespace

Tensor norm_leaky(const Tensor& x, const NormState& norm, double slope, const Tensor& residual) {
  if (fused(x)) {
    return by_plane(x, residual, [&](const Tensor& map, const Tensor& added) {
      return NormLeaky::apply(map, norm.weight, norm.bias, maybe(added), norm, slope);
    });
  }
  const auto y = torch::leaky_relu(plain_norm(x, norm), slope).to(x.scalar_type());
  return residual.defined() ? y + residual : y;
}

Tensor bias_leaky(const Tensor& x, const Tensor& bias, double slope) {
  if (fused(x)) {
    return by_plane(x, {}, [&](const Tensor& map, const Tensor&) {
      return BiasLeaky::apply(map, maybe(bias), slope);
    });
  }
  return torch::leaky_relu(with_bias(x, bias), slope);
}

Tensor join_rectified(const Tensor& skip, const Tensor& x, const NormState& norm) {
  if (fused(x)) return JoinRectified::apply(skip, x, norm.weight, norm.bias, norm);
  return torch::cat({torch::relu(skip), norm_leaky(x, norm, 0)}, 1);
}

Tensor norm_gate(const Tensor& x, const NormState& norm) {
  if (fused(x)) return NormGate::apply(x, norm.weight, norm.bias, norm);
  return torch::glu(plain_norm(x, norm), 1).to(x.scalar_type());
}

}  // namespace scintigen
