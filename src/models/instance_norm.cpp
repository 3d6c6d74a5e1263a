// SPDX-License-Identifier: Apache-2.0
// Instance norm of fused_layers.h: batch norm's passes over memory, image by image.
#include <torch/autograd.h>
#include <torch/torch.h>

#include <cmath>

#include "models/channel_affine.h"
#include "models/channel_kernels.h"
#include "models/channels_last.h"
#include "models/fused_layers.h"

namespace scintigen {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// Of one image of x: mean and deviation, no weights.
void instance_affine(const Affine& affine, double epsilon) {
  for (int64_t c = 0; c < affine.rows.size(1); ++c) {
    const float inverse = 1.0f / std::sqrt(affine.inverse()[c] + static_cast<float>(epsilon));
    affine.inverse()[c] = affine.scale()[c] = inverse;
    affine.shift()[c] = -affine.mean()[c] * inverse;
  }
}

/// x [N,C,H,W]: statistics of each image.
struct InstanceLeaky : torch::autograd::Function<InstanceLeaky> {
  // The bias is an argument so that autograd knows it.
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const MaybeTensor& bias,
                        const MaybeTensor& residual, double epsilon, double slope) {
    const auto x = last(input);
    const auto added = residual ? last(*residual) : Tensor();
    const int64_t channels = x.size(1), rows = x.size(2) * x.size(3), size = rows * channels;
    const auto statistics = torch::empty({x.size(0), 4, channels}, torch::kFloat);
    auto y = torch::empty_like(x);
    with_type(x, [&](auto type) {
      using T = decltype(type);
      for (int64_t n = 0; n < x.size(0); ++n) {
        const Affine affine(statistics[n]);
        channel_moments(data<T>(x) + n * size, rows, channels, affine.mean(), affine.inverse());
        instance_affine(affine, epsilon);
        leaky_forward<T>(data<T>(x) + n * size, affine.scale(), affine.shift(),
                         residual ? data<T>(added) + n * size : nullptr, static_cast<float>(slope),
                         rows, channels, data<T>(y) + n * size, channels);
      }
    });
    ctx->save_for_backward({x, statistics});
    ctx->saved_data["slope"] = slope;
    ctx->saved_data["bias"] = bias.has_value();
    ctx->saved_data["residual"] = residual.has_value();
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], g = last(grads[0]);
    const auto slope = static_cast<float>(ctx->saved_data["slope"].toDouble());
    const int64_t channels = x.size(1), rows = x.size(2) * x.size(3), size = rows * channels;
    Tensor gx;
    if (ctx->needs_input_grad(0)) {
      gx = torch::empty_like(x);
      with_type(x, [&](auto type) {
        using T = decltype(type);
        for (int64_t n = 0; n < x.size(0); ++n) {
          NormGradient norm(Affine(saved[1][n]), rows, /*in_training=*/true);
          const Affine& affine = norm.used;
          const T *above = data<T>(g) + n * size, *seen = data<T>(x) + n * size;
          leaky_backward_sums(above, channels, seen, affine.scale(), affine.shift(), affine.mean(),
                              slope, rows, channels, data<float>(norm.sum),
                              data<float>(norm.moment));
          norm.finish();
          leaky_backward(above, channels, seen, affine.scale(), affine.shift(), slope, norm.a(),
                         norm.b(), norm.c(), rows, channels, data<T>(gx) + n * size);
        }
      });
    }
    return {gx,
            ctx->saved_data["bias"].toBool() ? torch::zeros({channels}, torch::kFloat) : Tensor(),
            ctx->saved_data["residual"].toBool() ? grads[0] : Tensor(),
            {},
            {}};
  }
};

/// [N,C,D,H,W] <-> [N,C,D H,W]: all of an image as one map.
Tensor as_one_map(const Tensor& x) {
  const auto planes = last(as_planes(x)).permute({0, 2, 3, 1});
  return planes.reshape({x.size(0), x.size(2) * x.size(3), x.size(4), x.size(1)})
      .permute({0, 3, 1, 2});
}
Tensor as_shape_of(const Tensor& like, const Tensor& map) {
  return map.permute({0, 2, 3, 1})
      .reshape({like.size(0), like.size(2), like.size(3), like.size(4), like.size(1)})
      .permute({0, 4, 1, 2, 3});
}

}  // namespace

Tensor instance_leaky(const Tensor& x, const Tensor& bias, double epsilon, double slope,
                      const Tensor& residual) {
  if (fused(x) && x.dim() == 5) {
    const auto added = residual.defined() ? as_one_map(residual) : residual;
    return as_shape_of(x, instance_leaky(as_one_map(x), bias, epsilon, slope, added));
  }
  if (fused(x)) return InstanceLeaky::apply(x, maybe(bias), maybe(residual), epsilon, slope);
  const auto shifted = with_bias(x, bias);
  const auto wide = x.scalar_type() == torch::kBFloat16 ? shifted.to(torch::kFloat) : shifted;
  const auto normed = torch::instance_norm(wide, {}, {}, {}, {}, true, 0, epsilon, x.is_cuda());
  const auto y = torch::leaky_relu(normed, slope).to(x.scalar_type());
  return residual.defined() ? y + residual : y;
}

}  // namespace scintigen
