// SPDX-License-Identifier: Apache-2.0
// What the fused layers share: channels-last maps and their element types.
#pragma once
#include <c10/util/BFloat16.h>
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace scintigen {

constexpr auto kLast = torch::MemoryFormat::ChannelsLast;

/// Whether a fused form takes x: on the CPU, float32 or bfloat16, and use_plain_layers() not on.
bool fused(const torch::Tensor& x);

/// Calls work(element of x's type).
template <class Work>
void with_type(const torch::Tensor& x, const Work& work) {
  if (x.scalar_type() == torch::kFloat) {
    work(float());
  } else {
    work(c10::BFloat16());
  }
}

/// Null of an undefined tensor.
template <class T>
T* data(const torch::Tensor& x) {
  return x.defined() ? x.data_ptr<T>() : nullptr;
}

using MaybeTensor = c10::optional<torch::Tensor>;  // an undefined Tensor cannot enter a Function
inline MaybeTensor maybe(const torch::Tensor& x) {
  return x.defined() ? MaybeTensor(x) : MaybeTensor();
}

inline torch::Tensor last(const torch::Tensor& x) { return x.contiguous(kLast); }
inline int64_t rows_of(const torch::Tensor& x) { return x.size(0) * x.size(2) * x.size(3); }
inline torch::Tensor empty_map(const torch::Tensor& like, int64_t channels, int64_t height,
                               int64_t width) {
  return torch::empty({like.size(0), channels, height, width}, like.options().memory_format(kLast));
}

/// x [N,C,...] + bias [C], in the type of x; x where there is none.
inline torch::Tensor with_bias(const torch::Tensor& x, const torch::Tensor& bias) {
  if (!bias.defined()) return x;
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[1] = -1;
  return x + bias.to(x.scalar_type()).view(shape);
}

/// [N,C,D,H,W] -> its planes [N D,C,H,W], and back; no copy where memory is channels-last. Anything
/// else as it is.
inline torch::Tensor as_planes(const torch::Tensor& x) {
  if (x.dim() != 5) return x;
  return x.permute({0, 2, 1, 3, 4})
      .reshape({x.size(0) * x.size(2), x.size(1), x.size(3), x.size(4)});
}
inline torch::Tensor as_volumes(const torch::Tensor& planes, int64_t images) {
  return planes
      .view({images, planes.size(0) / images, planes.size(1), planes.size(2), planes.size(3)})
      .permute({0, 2, 1, 3, 4});
}

}  // namespace scintigen
