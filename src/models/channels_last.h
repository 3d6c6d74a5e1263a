// SPDX-License-Identifier: Apache-2.0
// What the fused layers share: channels-last maps and their element types.
#pragma once
#include <c10/util/BFloat16.h>
#include <torch/types.h>

#include <cstdint>

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

}  // namespace scintigen
