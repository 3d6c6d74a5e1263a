// SPDX-License-Identifier: Apache-2.0
#include "models/narrow_layers.h"

#include <torch/autograd.h>
#include <torch/torch.h>

#include "models/channels_last.h"
#include "models/narrow_convolution.h"

namespace scintigen {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// What a form of narrow_convolution.h is, beside the sizes of its maps.
struct Form {
  bool widens;
  int64_t stride, padding, side;
  Border border;
  bool wide_border;  ///< the border is the wide map's
};

NarrowShape shape_of(const Form& form, at::IntArrayRef narrow, at::IntArrayRef wide) {
  return {narrow[0], narrow[2],   narrow[3],    narrow[1], wide[2],     wide[3],
          wide[1],   form.stride, form.padding, form.side, form.border, form.wide_border};
}

struct NarrowConvolution : torch::autograd::Function<NarrowConvolution> {
  /// taps [k,k,narrow,wide]; sizes: those of the result.
  static Tensor forward(AutogradContext* ctx, const Tensor& input, const Tensor& taps,
                        const Form& form, const std::vector<int64_t>& sizes) {
    const auto x = last(input);
    auto y = empty_map(x, sizes[1], sizes[2], sizes[3]);
    const auto s =
        form.widens ? shape_of(form, x.sizes(), sizes) : shape_of(form, sizes, x.sizes());
    (form.widens ? narrow_to_wide : wide_to_narrow)(s, data<float>(x), data<float>(taps),
                                                    data<float>(y));
    ctx->save_for_backward({x, taps});
    ctx->saved_data["form"] = std::vector<int64_t>{
        form.widens,     form.stride, form.padding, form.side, static_cast<int64_t>(form.border),
        form.wide_border};
    return y;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &taps = saved[1], g = last(grads[0]);
    const auto kept = ctx->saved_data["form"].toIntVector();
    const Form form{kept[0] != 0, kept[1], kept[2], kept[3], static_cast<Border>(kept[4]),
                    kept[5] != 0};
    const auto &narrow = form.widens ? x : g, &wide = form.widens ? g : x;
    const auto s = shape_of(form, narrow.sizes(), wide.sizes());
    Tensor gx, gtaps;
    if (ctx->needs_input_grad(0)) {
      gx = torch::empty_like(x);
      (form.widens ? wide_to_narrow : narrow_to_wide)(s, data<float>(g), data<float>(taps),
                                                      data<float>(gx));
    }
    if (ctx->needs_input_grad(1)) {
      gtaps = torch::empty_like(taps);
      narrow_weight_gradient(s, data<float>(narrow), data<float>(wide), data<float>(gtaps));
    }
    return {gx, gtaps, {}, {}};
  }
};

bool single(const Tensor& x, const Tensor& weight) {
  return fused(x) && x.scalar_type() == torch::kFloat && weight.scalar_type() == torch::kFloat &&
         weight.size(2) == weight.size(3);
}

}  // namespace

Tensor narrow_convolution(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding,
                          Border border) {
  if (!single(x, weight)) return {};
  const int64_t side = weight.size(2);
  const std::vector<int64_t> sizes{x.size(0), weight.size(0),
                                   (x.size(2) + 2 * padding - side) / stride + 1,
                                   (x.size(3) + 2 * padding - side) / stride + 1};
  const Form widening{true, stride, padding, side, border, false};
  if (narrow_convolution_applies(shape_of(widening, x.sizes(), sizes)))
    return NarrowConvolution::apply(x, weight.permute({2, 3, 1, 0}).contiguous(), widening, sizes);
  // Of stride 1 it is the adjoint of a widening one with the taps in opposite order.
  const Form narrowing{false, 1, side - 1 - padding, side, border, true};
  if (stride == 1 && narrow_convolution_applies(shape_of(narrowing, sizes, x.sizes())))
    return NarrowConvolution::apply(x, weight.permute({2, 3, 0, 1}).flip({0, 1}).contiguous(),
                                    narrowing, sizes);
  return {};
}

Tensor narrow_transposed_convolution(const Tensor& x, const Tensor& weight) {
  const std::vector<int64_t> sizes{x.size(0), weight.size(1), 2 * x.size(2), 2 * x.size(3)};
  const Form form{false, 2, 1, 4, Border::zero, false};
  if (!single(x, weight) || weight.size(2) != form.side ||
      !narrow_convolution_applies(shape_of(form, sizes, x.sizes())))
    return {};
  return NarrowConvolution::apply(x, weight.permute({2, 3, 1, 0}).contiguous(), form, sizes);
}

}  // namespace scintigen
