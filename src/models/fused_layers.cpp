// SPDX-License-Identifier: Apache-2.0
#include "models/fused_layers.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "models/channel_kernels.h"
#include "models/tile_convolution.h"
#include "models/up_convolution.h"

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

/// Per channel, float32, rows of one tensor [4,C]: mean used, 1 / deviation, and y = scale x +
/// shift.
struct Affine {
  explicit Affine(Tensor saved) : rows(std::move(saved)) {}
  float* row(int64_t i) const { return rows.data_ptr<float>() + i * rows.size(1); }
  float* mean() const { return row(0); }
  float* inverse() const { return row(1); }
  float* scale() const { return row(2); }
  float* shift() const { return row(3); }
  Tensor rows;
};

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

/// From sum = sum of gz and moment = sum of gz (x - mean): gradients of weight and bias, and gx = a
/// gz + b x + c.
struct NormGradient {
  NormGradient(const Affine& affine, int64_t total_rows, bool in_training)
      : sum(torch::empty({affine.rows.size(1)}, torch::kFloat)),
        moment(torch::empty_like(sum)),
        factors(torch::zeros({2, sum.size(0)}, torch::kFloat)),
        used(affine),
        rows(total_rows),
        training(in_training) {}
  void finish() {
    const int64_t channels = sum.size(0);
    auto *s = data<float>(sum), *m = data<float>(moment), *fb = b(), *fc = c();
    const auto n = static_cast<float>(rows);
    for (int64_t i = 0; i < channels; ++i) {
      m[i] *= used.inverse()[i];
      if (!training) continue;
      fb[i] = -used.scale()[i] * used.inverse()[i] * m[i] / n;
      fc[i] = -used.scale()[i] * s[i] / n - fb[i] * used.mean()[i];
    }
  }
  float* a() const { return used.scale(); }
  float* b() const { return data<float>(factors); }
  float* c() const { return data<float>(factors) + sum.size(0); }
  Tensor sum, moment, factors;  // after finish(): gradient of bias, of weight
  Affine used;
  int64_t rows;
  bool training;
};

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
                    static_cast<float>(slope), rows_of(x), x.size(1), data<T>(y));
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
      leaky_backward_sums(data<T>(g), data<T>(x), affine.scale(), affine.shift(), affine.mean(),
                          slope, rows, channels, data<float>(norm.sum), data<float>(norm.moment));
      norm.finish();
      if (!ctx->needs_input_grad(0)) return;
      gx = torch::empty_like(x);
      leaky_backward(data<T>(g), data<T>(x), affine.scale(), affine.shift(), slope, norm.a(),
                     norm.b(), norm.c(), rows, channels, data<T>(gx));
    });
    return {gx, norm.moment, norm.sum, ctx->saved_data["residual"].toBool() ? grads[0] : Tensor(),
            {}, {}};
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

/// [M,C,3,3] in memory order C,3,3,M (as up blocks keep it) <-> the kernel of the stride-2 form
/// [C,M,3,3], flipped.
Tensor flipped_taps(const Tensor& taps) {
  const int64_t pixels = taps.size(0), channels = taps.size(1);
  auto flipped = torch::empty_like(taps);
  const auto bytes = static_cast<size_t>(channels) * taps.element_size();
  const auto* from = static_cast<const char*>(taps.data_ptr());
  auto* to = static_cast<char*>(flipped.data_ptr());
  at::parallel_for(0, pixels, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t t = 0; t < 9; ++t)
        std::memcpy(to + (i * 9 + t) * bytes, from + (i * 9 + 8 - t) * bytes, bytes);
    }
  });
  return flipped;
}

/// The form of up_convolution() for processors without AVX-512: transposed convolution of stride 2,
/// then 2x2 sums.
Tensor up_strided(const Tensor& x, const Tensor& kernel) {
  const int64_t height = 2 * x.size(2), width = 2 * x.size(3), channels = kernel.size(1);
  const auto shape = empty_map(x, channels, height + 1, width + 1);  // only its size is used
  const auto stuffed = last(std::get<0>(torch::convolution_backward(
      x, shape, kernel, {}, {2, 2}, {0, 0}, {1, 1}, false, {0, 0}, 1, {true, false, false})));
  auto y = empty_map(x, channels, height, width);
  with_type(x, [&](auto type) {
    using T = decltype(type);
    box_sum(data<T>(stuffed), x.size(0), height + 1, width + 1, channels, 0, data<T>(y));
  });
  return y;
}

tensor_list up_strided_gradients(const Tensor& g, const Tensor& x, const Tensor& kernel, bool of_x,
                                 bool of_kernel) {
  auto stuffed = empty_map(g, g.size(1), g.size(2) + 1, g.size(3) + 1);
  with_type(x, [&](auto type) {
    using T = decltype(type);
    box_sum(data<T>(g), g.size(0), g.size(2), g.size(3), g.size(1), 1, data<T>(stuffed));
  });
  const auto gradients = torch::convolution_backward(x, stuffed, kernel, {}, {2, 2}, {0, 0}, {1, 1},
                                                     false, {0, 0}, 1, {false, of_kernel, false});
  return {of_x ? torch::conv2d(stuffed, kernel, {}, at::IntArrayRef{2, 2}, at::IntArrayRef{0, 0})
               : Tensor(),
          std::get<1>(gradients)};
}

/// Kernel of the strided form, [C,M,3,3] in the type of x, from an up block's weight [M,C,3,3].
Tensor strided_kernel(const Tensor& weight, const Tensor& x) {
  return flipped_taps(last(weight.transpose(0, 1).to(x.scalar_type())));
}

UpShape shape_of(const Tensor& x, const Tensor& weight) {
  return {x.size(0), x.size(2), x.size(3), x.size(1), weight.size(0)};
}

struct UpConvolution : torch::autograd::Function<UpConvolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight) {
    const auto x = last(input);
    const auto shape = shape_of(x, weight);
    ctx->save_for_backward({x, weight});
    if (!up_products_apply(shape, x.scalar_type() == torch::kBFloat16))
      return up_strided(x, strided_kernel(weight, x));
    auto y = empty_map(x, shape.out, 2 * shape.height, 2 * shape.width);
    const auto taps = last(weight.transpose(0, 1));
    with_type(x, [&](auto type) {
      using T = decltype(type);
      up_products_forward(shape, data<T>(x), data<float>(taps), data<T>(y));
    });
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto g = last(grads[0]);
    const auto shape = shape_of(x, weight);
    const bool of_x = ctx->needs_input_grad(0), of_weight = ctx->needs_input_grad(1);
    if (!up_products_apply(shape, x.scalar_type() == torch::kBFloat16)) {
      auto gradients = up_strided_gradients(g, x, strided_kernel(weight, x), of_x, of_weight);
      if (of_weight)
        gradients[1] = flipped_taps(last(gradients[1])).transpose(0, 1).to(torch::kFloat);
      return gradients;
    }
    const auto taps = last(weight.transpose(0, 1));
    const auto gx = of_x ? torch::empty_like(x) : Tensor();
    const auto gtaps = of_weight ? torch::empty_like(taps) : Tensor();
    with_type(x, [&](auto type) {
      using T = decltype(type);
      up_products_backward(shape, data<T>(g), data<T>(x), data<float>(taps), data<T>(gx),
                           data<float>(gtaps));
    });
    return {gx, of_weight ? gtaps.transpose(0, 1) : Tensor()};
  }
};

struct Convolution : torch::autograd::Function<Convolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight,
                        const MaybeTensor& bias, int64_t stride, int64_t padding) {
    const auto x = last(input);
    const auto kernel = last(weight.detach().to(x.scalar_type()));
    const auto offset = bias ? bias->detach().to(x.scalar_type()) : Tensor();
    ctx->save_for_backward({x, kernel});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    ctx->saved_data["bias"] = bias.has_value();
    return torch::conv2d(x, kernel, offset, at::IntArrayRef{stride, stride},
                         at::IntArrayRef{padding, padding});
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &kernel = saved[1];
    const int64_t stride = ctx->saved_data["stride"].toInt(),
                  padding = ctx->saved_data["padding"].toInt();
    const bool has_bias = ctx->saved_data["bias"].toBool();
    const int64_t out = kernel.size(0);
    const auto g = torch::convolution_backward(
        last(grads[0]), x, kernel,
        has_bias ? at::OptionalIntArrayRef(at::IntArrayRef(&out, 1)) : at::OptionalIntArrayRef(),
        {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, 1,
        {ctx->needs_input_grad(0), ctx->needs_input_grad(1), has_bias && ctx->needs_input_grad(2)});
    const auto wide = [](const Tensor& t) { return t.defined() ? t.to(torch::kFloat) : t; };
    return {std::get<0>(g), wide(std::get<1>(g)), wide(std::get<2>(g)), {}, {}};
  }
};

/// A weight of torch.nn's shape [O,I,k,k] as I,k,k,O in memory; no copy for kernels of role
/// `tiled`.
Tensor tiled(const Tensor& weight) { return weight.permute({1, 2, 3, 0}).contiguous(); }

TileShape tile_shape(const Tensor& x, const Tensor& weight, int64_t stride) {
  return {x.size(0), x.size(2), x.size(3), x.size(1), weight.size(0), stride};
}

struct TileConvolution : torch::autograd::Function<TileConvolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight,
                        int64_t stride) {
    const auto x = last(input), kernel = tiled(weight.detach());
    const auto shape = tile_shape(x, weight, stride);
    auto y = empty_map(x, shape.out, shape.height / stride, shape.width / stride);
    with_type(x, [&](auto type) {
      using T = decltype(type);
      tile_convolution_forward(shape, data<T>(x), data<float>(kernel), data<T>(y));
    });
    ctx->save_for_backward({x, weight});
    ctx->saved_data["stride"] = stride;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], kernel = tiled(saved[1].detach()), g = last(grads[0]);
    const auto shape = tile_shape(x, saved[1], ctx->saved_data["stride"].toInt());
    const auto gx = ctx->needs_input_grad(0) ? torch::empty_like(x) : Tensor();
    const auto gkernel = ctx->needs_input_grad(1) ? torch::empty_like(kernel) : Tensor();
    with_type(x, [&](auto type) {
      using T = decltype(type);
      tile_convolution_backward(shape, data<T>(g), data<T>(x), data<float>(kernel), data<T>(gx),
                                data<float>(gkernel));
    });
    return {gx, gkernel.defined() ? gkernel.permute({3, 0, 1, 2}) : Tensor(), {}};
  }
};

bool tiles_apply(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                 int64_t padding) {
  const int64_t side = stride == 1 ? 3 : 4;
  return padding == 1 && !bias.defined() && weight.size(2) == side && weight.size(3) == side &&
         weight.scalar_type() == torch::kFloat &&
         tile_convolution_applies(tile_shape(x, weight, stride),
                                  x.scalar_type() == torch::kBFloat16);
}

/// The convolution 4x4, stride 2, padding 1, whose adjoint a transposed one is: from y to x.
TileShape adjoint_shape(const Tensor& x, const Tensor& weight) {
  return {x.size(0), 2 * x.size(2), 2 * x.size(3), weight.size(1), x.size(1), 2};
}

struct TransposedConvolution : torch::autograd::Function<TransposedConvolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight) {
    const auto x = last(input);
    const auto shape = adjoint_shape(x, weight);
    auto y = empty_map(x, shape.in, shape.height, shape.width);
    ctx->save_for_backward({x, weight});
    if (!tile_convolution_applies(shape, x.scalar_type() == torch::kBFloat16)) {
      const auto kernel = last(weight.detach().to(x.scalar_type()));
      return last(std::get<0>(torch::convolution_backward(x, y, kernel, {}, {2, 2}, {1, 1}, {1, 1},
                                                          false, {0, 0}, 1, {true, false, false})));
    }
    const auto kernel = tiled(weight.detach());
    with_type(x, [&](auto type) {
      using T = decltype(type);
      tile_convolution_backward<T>(shape, data<T>(x), nullptr, data<float>(kernel), data<T>(y),
                                   nullptr);
    });
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], g = last(grads[0]);
    const auto shape = adjoint_shape(x, weight);
    const bool of_x = ctx->needs_input_grad(0), of_weight = ctx->needs_input_grad(1);
    if (!tile_convolution_applies(shape, x.scalar_type() == torch::kBFloat16)) {
      const auto kernel = last(weight.detach().to(x.scalar_type()));
      const auto gweight =
          of_weight
              ? std::get<1>(torch::convolution_backward(x, g, kernel, {}, {2, 2}, {1, 1}, {1, 1},
                                                        false, {0, 0}, 1, {false, true, false}))
                    .to(torch::kFloat)
              : Tensor();
      return {of_x ? torch::conv2d(g, kernel, {}, at::IntArrayRef{2, 2}, at::IntArrayRef{1, 1})
                   : Tensor(),
              gweight};
    }
    const auto kernel = tiled(weight.detach());
    const auto gx = of_x ? torch::empty_like(x) : Tensor();
    const auto gkernel = of_weight ? torch::empty_like(kernel) : Tensor();
    with_type(x, [&](auto type) {
      using T = decltype(type);
      if (of_x) tile_convolution_forward<T>(shape, data<T>(g), data<float>(kernel), data<T>(gx));
      if (of_weight)
        tile_convolution_backward<T>(shape, data<T>(x), data<T>(g), data<float>(kernel), nullptr,
                                     data<float>(gkernel));
    });
    return {gx, of_weight ? gkernel.permute({3, 0, 1, 2}) : Tensor()};
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
  return torch::conv2d(fine, weight.to(x.scalar_type()), {}, at::IntArrayRef{1, 1},
                       at::IntArrayRef{1, 1});
}

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                   int64_t padding) {
  if (fused(x)) {
    return tiles_apply(x, weight, bias, stride, padding)
               ? TileConvolution::apply(x, weight, stride)
               : Convolution::apply(x, weight, maybe(bias), stride, padding);
  }
  return torch::conv2d(x, weight.to(x.scalar_type()),
                       bias.defined() ? bias.to(x.scalar_type()) : bias,
                       at::IntArrayRef{stride, stride}, at::IntArrayRef{padding, padding});
}

Tensor transposed_convolution(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor y;
  if (fused(x)) {
    y = TransposedConvolution::apply(x, weight);
  } else {
    y = torch::conv_transpose2d(x, weight.to(x.scalar_type()), {}, at::IntArrayRef{2, 2},
                                at::IntArrayRef{1, 1});
  }
  return bias.defined() ? y + bias.to(y.scalar_type()).view({1, -1, 1, 1}) : y;
}

}  // namespace scintigen
