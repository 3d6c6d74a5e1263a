// SPDX-License-Identifier: Apache-2.0
// The convolutions of fused_layers.h.
#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/torch.h>

#include <cstring>

#include "models/channel_kernels.h"
#include "models/channels_last.h"
#include "models/fused_layers.h"
#include "models/narrow_convolution.h"
#include "models/tile_convolution.h"
#include "models/up_convolution.h"

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

/// Chooses the tiles: on small maps the weights are the work, and small tiles transform them less.
TileShape with_tiles(TileShape shape, const Tensor& x) {
  constexpr int64_t kSmall = 16;
  const bool small = shape.stride == 2 && shape.out_height() < kSmall;
  const bool wide = shape.kernel == 4 && x.scalar_type() == torch::kFloat && !small;
  shape.tile_outputs = wide || shape.kernel == 4 * shape.stride ? 4 : 2;
  return shape;
}

TileShape tile_shape(const Tensor& x, const Tensor& weight, int64_t stride) {
  return with_tiles(
      {x.size(0), x.size(2), x.size(3), x.size(1), weight.size(0), weight.size(2), stride}, x);
}

struct TileConvolution : torch::autograd::Function<TileConvolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& weight,
                        int64_t stride) {
    const auto x = last(input), kernel = tiled(weight.detach());
    const auto shape = tile_shape(x, weight, stride);
    auto y = empty_map(x, shape.out, shape.out_height(), shape.out_width());
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
  const int64_t side = weight.size(2);
  return padding == 1 && !bias.defined() && weight.size(3) == side &&
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

/// Which of the forms of narrow_convolution.h, and its weight as that one has it.
struct NarrowForm {
  NarrowShape shape;
  Tensor taps;  // [4,4,narrow,wide]
  bool widens;
};

struct NarrowConvolution : torch::autograd::Function<NarrowConvolution> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& taps,
                        const NarrowShape& s, bool widens) {
    const auto x = last(input);
    auto y = widens ? empty_map(x, s.wide, s.wide_height, s.wide_width)
                    : empty_map(x, s.narrow, s.height, s.width);
    (widens ? narrow_to_wide : wide_to_narrow)(s, data<float>(x), data<float>(taps),
                                               data<float>(y));
    ctx->save_for_backward({x, taps});
    ctx->saved_data["widens"] = widens;
    ctx->saved_data["stride"] = s.stride;
    ctx->saved_data["padding"] = s.padding;
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &taps = saved[1], g = last(grads[0]);
    const bool widens = ctx->saved_data["widens"].toBool();
    const auto &narrow = widens ? x : g, &wide = widens ? g : x;
    const NarrowShape s{x.size(0),
                        narrow.size(2),
                        narrow.size(3),
                        narrow.size(1),
                        wide.size(2),
                        wide.size(3),
                        wide.size(1),
                        ctx->saved_data["stride"].toInt(),
                        ctx->saved_data["padding"].toInt()};
    Tensor gx, gtaps;
    if (ctx->needs_input_grad(0)) {
      gx = torch::empty_like(x);
      (widens ? wide_to_narrow : narrow_to_wide)(s, data<float>(g), data<float>(taps),
                                                 data<float>(gx));
    }
    if (ctx->needs_input_grad(1)) {
      gtaps = torch::empty_like(taps);
      narrow_weight_gradient(s, data<float>(narrow), data<float>(wide), data<float>(gtaps));
    }
    return {gx, gtaps, {}, {}};
  }
};

bool is_4x4(const Tensor& x, const Tensor& weight) {
  return fused(x) && x.scalar_type() == torch::kFloat && weight.scalar_type() == torch::kFloat &&
         weight.size(2) == 4 && weight.size(3) == 4;
}

/// A convolution 4x4 from or to an image, if it is one.
c10::optional<NarrowForm> narrow_form(const Tensor& x, const Tensor& weight, int64_t stride,
                                      int64_t padding) {
  if (!is_4x4(x, weight)) return {};
  const int64_t height = (x.size(2) + 2 * padding - 4) / stride + 1,
                width = (x.size(3) + 2 * padding - 4) / stride + 1;
  const NarrowShape widening{x.size(0), x.size(2),      x.size(3), x.size(1), height,
                             width,     weight.size(0), stride,    padding};
  if (narrow_convolution_applies(widening))
    return NarrowForm{widening, weight.permute({2, 3, 1, 0}).contiguous(), true};
  // Of stride 1 it is the adjoint of a widening one with the taps in opposite order.
  const NarrowShape narrowing{x.size(0), height,    width, weight.size(0), x.size(2),
                              x.size(3), x.size(1), 1,     3 - padding};
  if (stride == 1 && narrow_convolution_applies(narrowing))
    return NarrowForm{narrowing, weight.permute({2, 3, 0, 1}).flip({0, 1}).contiguous(), false};
  return {};
}

c10::optional<NarrowForm> narrow_transposed_form(const Tensor& x, const Tensor& weight) {
  const NarrowShape shape{x.size(0), 2 * x.size(2), 2 * x.size(3), weight.size(1),
                          x.size(2), x.size(3),     x.size(1),     2,
                          1};
  if (!is_4x4(x, weight) || !narrow_convolution_applies(shape)) return {};
  return NarrowForm{shape, weight.permute({2, 3, 1, 0}).contiguous(), false};
}

Tensor with_bias(const Tensor& y, const Tensor& bias) {
  return bias.defined() ? y + bias.to(y.scalar_type()).view({1, -1, 1, 1}) : y;
}

Tensor apply(const NarrowForm& form, const Tensor& x, const Tensor& bias) {
  return with_bias(NarrowConvolution::apply(x, form.taps, form.shape, form.widens), bias);
}

}  // namespace

Tensor up_convolution(const Tensor& x, const Tensor& weight) {
  if (fused(x)) return UpConvolution::apply(x, weight);
  const auto fine = torch::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  return torch::conv2d(fine, weight.to(x.scalar_type()), {}, at::IntArrayRef{1, 1},
                       at::IntArrayRef{1, 1});
}

Tensor convolution(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t stride,
                   int64_t padding) {
  if (const auto narrow = narrow_form(x, weight, stride, padding)) return apply(*narrow, x, bias);
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
  if (const auto narrow = narrow_transposed_form(x, weight)) return apply(*narrow, x, bias);
  Tensor y;
  if (fused(x)) {
    y = TransposedConvolution::apply(x, weight);
  } else {
    y = torch::conv_transpose2d(x, weight.to(x.scalar_type()), {}, at::IntArrayRef{2, 2},
                                at::IntArrayRef{1, 1});
  }
  return with_bias(y, bias);
}

}  // namespace scintigen
