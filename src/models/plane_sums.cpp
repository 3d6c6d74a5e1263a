// SPDX-License-Identifier: Apache-2.0
#include "models/plane_sums.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>
#include <torch/custom_class.h>
#include <torch/torch.h>

#include <algorithm>

#include "models/channels_last.h"
#include "models/vector_loops.h"

namespace scintigen {
namespace {

using c10::BFloat16;
using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

/// `rows` rows of `count` elements, `step` elements apart.
template <class T>
struct Rows {
  T* data;
  int64_t step;
};

template <class T, bool add>
SCINTIGEN_INLINE void take(Rows<const T> from, float factor, int64_t rows, int64_t count,
                           Rows<T> to) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* in = from.data + r * from.step;
    T* out = to.data + r * to.step;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i)
      store(add ? load(out + i) + factor * load(in + i) : factor * load(in + i), out + i);
  }
}
// Compiled for each instruction set. (A template cannot be multiversioned, so: one for each.)
#define SCINTIGEN_TAKE(name, T, add)                                                        \
  SCINTIGEN_CLONES void name(Rows<const T> from, float factor, int64_t rows, int64_t count, \
                             Rows<T> to) {                                                  \
    take<T, add>(from, factor, rows, count, to);                                            \
  }
SCINTIGEN_TAKE(assign, float, false)
SCINTIGEN_TAKE(assign, BFloat16, false)
SCINTIGEN_TAKE(add_to, float, true)
SCINTIGEN_TAKE(add_to, BFloat16, true)

/// The planes of maps of equal size, one after another.
struct Planes {
  explicit Planes(const tensor_list& of) : maps(of) {}
  int64_t each() const { return maps[0].size(0); }
  int64_t size() const { return each() * static_cast<int64_t>(maps.size()); }
  int64_t pixels() const { return maps[0].size(2) * maps[0].size(3); }
  int64_t channels() const { return maps[0].size(1); }
  template <class T>
  T* plane(int64_t i) const {
    return data<T>(maps[static_cast<size_t>(i / each())]) + i % each() * pixels() * channels();
  }
  tensor_list maps;  // channels-last
};

tensor_list empty_maps(const Tensor& like, int64_t count, int64_t planes, int64_t channels) {
  tensor_list maps;
  for (int64_t k = 0; k < count; ++k)
    maps.push_back(torch::empty({planes, channels, like.size(2), like.size(3)},
                                like.options().memory_format(kLast)));
  return maps;
}

/// Fills `to`: a thread takes whole blocks of it, so that the order of additions is that of the
/// terms.
template <class T>
void run(const PlaneSum& sum, const Planes& from, const Planes& to) {
  std::vector<std::vector<PlaneTerm>> of(static_cast<size_t>(sum.planes * sum.blocks));
  for (const auto& term : sum.terms)
    of[static_cast<size_t>(term.to * sum.blocks + term.to_block)].push_back(term);
  const int64_t block = to.channels() / sum.blocks, pixels = to.pixels();
  // Where a plane has one block, it is one long row.
  const bool whole = sum.blocks == 1 && sum.from_blocks == 1;
  const int64_t rows = whole ? 1 : pixels, count = whole ? pixels * block : block;
  at::parallel_for(0, sum.planes * sum.blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Rows<T> out{to.plane<T>(i / sum.blocks) + i % sum.blocks * block, to.channels()};
      const auto& terms = of[static_cast<size_t>(i)];
      for (size_t k = 0; k < terms.size(); ++k) {
        const auto& term = terms[k];
        const Rows<const T> in{from.plane<T>(term.from) + term.from_block * block, from.channels()};
        if (k == 0) {
          assign(in, term.factor, rows, count, out);
        } else {
          add_to(in, term.factor, rows, count, out);
        }
      }
      for (int64_t p = 0; terms.empty() && p < pixels; ++p)
        std::fill_n(out.data + p * out.step, block, T(0.0f));
    }
  });
}

/// What the backward pass needs, as autograd keeps it.
struct Kept : torch::CustomClassHolder {
  explicit Kept(PlaneSum s) : sum(std::move(s)) {}
  PlaneSum sum;
};

struct SumPlanes : torch::autograd::Function<SumPlanes> {
  static tensor_list forward(AutogradContext* ctx, const at::TensorList& maps, const PlaneSum& sum,
                             int64_t outputs) {
    tensor_list inputs;
    for (const auto& map : maps) inputs.push_back(last(map));
    const Planes from(inputs);
    const Planes to(empty_maps(inputs[0], outputs, sum.planes / outputs,
                               from.channels() / sum.from_blocks * sum.blocks));
    with_type(inputs[0], [&](auto type) { run<decltype(type)>(sum, from, to); });
    PlaneSum adjoint{from.size(), sum.from_blocks, sum.blocks, {}};
    for (const auto& t : sum.terms)
      adjoint.terms.push_back({t.from, t.from_block, t.to, t.to_block, t.factor});
    ctx->saved_data["adjoint"] =
        c10::IValue::make_capsule(c10::make_intrusive<Kept>(std::move(adjoint)));
    ctx->saved_data["maps"] = static_cast<int64_t>(inputs.size());
    return to.maps;
  }
  static tensor_list backward(AutogradContext* ctx, tensor_list grads) {
    const auto kept = ctx->saved_data["adjoint"].toCapsule();
    const auto& sum = static_cast<const Kept&>(*kept).sum;
    const int64_t maps = ctx->saved_data["maps"].toInt();
    for (auto& g : grads) g = last(g);
    const Planes from(grads);
    const Planes to(empty_maps(grads[0], maps, sum.planes / maps,
                               from.channels() / sum.from_blocks * sum.blocks));
    with_type(grads[0], [&](auto type) { run<decltype(type)>(sum, from, to); });
    auto made = to.maps;
    made.insert(made.end(), {Tensor(), Tensor()});
    return made;
  }
};

}  // namespace

std::vector<Tensor> sum_planes(at::TensorList maps, const PlaneSum& sum, int64_t outputs) {
  return SumPlanes::apply(maps, sum, outputs);
}

}  // namespace scintigen
