// SPDX-License-Identifier: Apache-2.0
// The convolutions of fused_layers.h.
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/torch.h>

#include <cstring>

#include "models/channel_kernels.h"
#include "models/channels_last.h"
#include "models/fused_layers.h"
#include "models/narrow_layers.h"
#include "models/panel_product.h"
#include "models/tile_convolution.h"
#include "models/up_convolution.h"
#include "models/volume_convolutions.h"

namespace scintigen {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

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
    if (!up_products_apply(shape)) return up_strided(x, strided_kernel(weight, x));
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
    if (!up_products_apply(shape)) {
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

/// Chooses the tiles: on small maps the weights are the work, and small tiles transform them less.
TileShape with_tiles(TileShape shape, const Tensor& x) {
  constexpr int64_t kSmall = 16, kFew = 4;
  const bool small = shape.stride == 2 ? shape.out_height() < kSmall : shape.out_height() < kFew;
  const bool wide = x.scalar_type() == torch::kFloat && !small;
  shape.tile_outputs = wide || shape.kernel == 4 * shape.stride ? 4 : 2;
  return shape;
}

TileShape tile_shape(const Tensor& x, const Tensor& weight, int64_t stride,
                     Border border = Border::zero) {
  return with_tiles({x.size(0), x.size(2), x.size(3), x.size(1), weight.size(0), weight.size(2),
                     stride, 2, border},
                    x);
}

struct TileConvolution : torch::autograd::Function<TileConvolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight,
                        int64_t stride, int64_t border) {
    const auto x = last(input), kernel = tiled(weight.detach());
    const auto shape = tile_shape(x, weight, stride, static_cast<Border>(border));
    auto y = empty_map(x, shape.out, shape.out_height(), shape.out_width());
    with_type(x, [&](auto type) {
      using T = decltype(type);
      tile_convolution_forward(shape, data<T>(x), data<float>(kernel), data<T>(y));
    });
    ctx->save_for_backward({x, weight});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["border"] = border;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], kernel = tiled(saved[1].detach()), g = last(grads[0]);
    const auto shape = tile_shape(x, saved[1], ctx->saved_data["stride"].toInt(),
                                  static_cast<Border>(ctx->saved_data["border"].toInt()));
    const auto gx = ctx->needs_input_grad(0) ? torch::empty_like(x) : Tensor();
    const auto gkernel = ctx->needs_input_grad(1) ? torch::empty_like(kernel) : Tensor();
    with_type(x, [&](auto type) {
      using T = decltype(type);
      tile_convolution_backward(shape, data<T>(g), data<T>(x), data<float>(kernel), data<T>(gx),
                                data<float>(gkernel));
    });
    return {gx, gkernel.defined() ? gkernel.permute({3, 0, 1, 2}) : Tensor(), {}, {}};
  }
};

bool tiles_apply(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) {
  const int64_t side = weight.size(2);
  return padding == 1 && weight.size(3) == side &&
         ((side == 3 && stride == 1) || (side == 4 && stride <= 2)) &&
         weight.scalar_type() == torch::kFloat &&
         tile_convolution_applies(tile_shape(x, weight, stride),
                                  x.scalar_type() == torch::kBFloat16);
}

/// The convolution 4x4, stride 2, padding 1, whose adjoint a transposed one is: from y to x.
TileShape adjoint_shape(const Tensor& x, const Tensor& weight) {
  return with_tiles({x.size(0), 2 * x.size(2), 2 * x.size(3), weight.size(1), x.size(1), 4, 2}, x);
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

/// [A,B,3,3] -> [A,B,4,4] with zeros, both in the order of tiled kernels.
Tensor with_fourth_taps(const Tensor& weight) {
  return torch::constant_pad_nd(tiled(weight), {0, 0, 0, 1, 0, 1}).permute({3, 0, 1, 2});
}

/// A convolution 3x3 of stride 2 is one of 4x4 whose last taps are 0, where that one's tiles of 4x4
/// outputs (100 products instead of 144) can be had. Else the weight as it is.
Tensor halving_kernel(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding,
                      Border border) {
  if (stride != 2 || padding != 1 || border != Border::zero || weight.size(2) != 3 ||
      x.size(2) % 2 != 0 || x.size(3) % 2 != 0 || weight.size(0) % 32 != 0 || x.size(1) % 32 != 0 ||
      x.scalar_type() != torch::kFloat || weight.scalar_type() != torch::kFloat)
    return weight;
  return with_fourth_taps(weight);
}

/// x with its border, which is not zero, around it: [N,C,(D + 2 p,)H + 2 p,W + 2 p].
Tensor bordered(const Tensor& x, int64_t padding, Border border) {
  const std::vector<int64_t> around(static_cast<size_t>(2 * (x.dim() - 2)), padding);
  // LibTorch 1.13 has neither in bfloat16 on the CPU.
  const auto wide = x.scalar_type() == torch::kBFloat16 ? x.to(torch::kFloat) : x;
  const bool volume = x.dim() == 5;
  const auto made =
      border == Border::reflect
          ? (volume ? at::reflection_pad3d(wide, around) : at::reflection_pad2d(wide, around))
          : (volume ? at::replication_pad3d(wide, around) : at::replication_pad2d(wide, around));
  return made.to(x.scalar_type());
}

Tensor plain_convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                         int64_t padding, Border border) {
  const auto kernel = weight.to(x.scalar_type()),
             offset = bias.defined() ? bias.to(x.scalar_type()) : bias;
  const bool zeros = border == Border::zero;
  const auto in = zeros ? x : bordered(x, padding, border);
  const auto sides = static_cast<size_t>(x.dim() - 2);
  const std::vector<int64_t> strides(sides, stride), paddings(sides, zeros ? padding : 0);
  return x.dim() == 5 ? at::conv3d(in, kernel, offset, strides, paddings)
                      : at::conv2d(in, kernel, offset, strides, paddings);
}

Tensor plain_transposed(const Tensor& x, const Tensor& weight) {
  const auto kernel = weight.to(x.scalar_type());
  const auto sides = static_cast<size_t>(x.dim() - 2);
  const std::vector<int64_t> strides(sides, 2), paddings(sides, 1),
      more(sides, weight.size(2) == 3 ? 1 : 0);
  return x.dim() == 5 ? at::conv_transpose3d(x, kernel, {}, strides, paddings, more)
                      : at::conv_transpose2d(x, kernel, {}, strides, paddings, more);
}

/// Whether the products of x are computed in float32 and their sums rounded to its bfloat16.
/// (LibTorch emulates what the processor lacks, which takes minutes where float32 takes seconds.)
bool multiplied_wide(const Tensor& x) {
  return x.scalar_type() == torch::kBFloat16 && x.device().is_cpu() && !bfloat16_products_pay();
}
Tensor widened(const Tensor& x) { return x.to(torch::kFloat); }
Tensor rounded(const Tensor& y) { return y.to(torch::kBFloat16); }

}  // namespace

Tensor up_convolution(const Tensor& x, const Tensor& weight) {
  if (multiplied_wide(x)) return rounded(up_convolution(widened(x), weight));
  if (fused(x)) return UpConvolution::apply(x, weight);
  const auto fine = torch::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  return torch::conv2d(fine, weight.to(x.scalar_type()), {}, at::IntArrayRef{1, 1},
                       at::IntArrayRef{1, 1});
}

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                   int64_t padding, Border border) {
  if (multiplied_wide(x))
    return rounded(convolution(widened(x), weight, bias, stride, padding, border));
  if (!fused(x)) return plain_convolution(x, weight, bias, stride, padding, border);
  if (x.dim() == 5) return with_bias(volume_convolution(x, weight, stride, padding, border), bias);
  if (const auto y = narrow_convolution(x, weight, stride, padding, border); y.defined())
    return with_bias(y, bias);
  const auto kernel = halving_kernel(x, weight, stride, padding, border);
  if (tiles_apply(x, kernel, stride, padding))
    return with_bias(TileConvolution::apply(x, kernel, stride, static_cast<int64_t>(border)), bias);
  if (border == Border::zero) return Convolution::apply(x, weight, maybe(bias), stride, padding);
  return Convolution::apply(bordered(x, padding, border), weight, maybe(bias), stride, 0);
}

Tensor transposed_convolution(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (multiplied_wide(x)) return rounded(transposed_convolution(widened(x), weight, bias));
  if (!fused(x)) return with_bias(plain_transposed(x, weight), bias);
  if (x.dim() == 5) return with_bias(volume_transposed_convolution(x, weight), bias);
  if (const auto y = narrow_transposed_convolution(x, weight); y.defined())
    return with_bias(y, bias);
  const bool odd = weight.size(2) == 3;  // the fourth tap is 0
  return with_bias(TransposedConvolution::apply(x, odd ? with_fourth_taps(weight) : weight), bias);
}

}  // namespace scintigen
