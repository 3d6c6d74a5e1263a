// SPDX-License-Identifier: Apache-2.0
#include "models/volume_convolutions.h"

#include <torch/torch.h>

#include "models/channels_last.h"
#include "models/fused_layers.h"
#include "models/narrow_convolution.h"
#include "models/plane_sums.h"

namespace scintigen {
namespace {

using torch::Tensor;

/// How planes of a result see the planes of `images` volumes along depth.
struct Depth {
  int64_t images, planes, made, side, stride, padding;
  Border border;
  /// work(plane of the result, tap, plane of x), counted over images, of those that are no zeros.
  template <class Work>
  void each(const Work& work) const {
    for (int64_t n = 0; n < images; ++n) {
      for (int64_t z = 0; z < made; ++z) {
        for (int64_t tap = 0; tap < side; ++tap) {
          const int64_t seen = border_pixel(z * stride + tap - padding, planes, border);
          if (seen >= 0) work(n * made + z, tap, n * planes + seen);
        }
      }
    }
  }
};

/// Planes whose channels are those of all planes that they see: [made, side C,H,W].
Tensor windows(const Tensor& planes, const Depth& depth) {
  PlaneSum sum{depth.images * depth.made, depth.side, 1, {}};
  depth.each([&](int64_t to, int64_t tap, int64_t from) {
    sum.terms.push_back({to, tap, from, 0});
  });
  return sum_planes({planes}, sum)[0];
}

/// [O,I,d,k,k] -> [O,d I,k,k], the order of channels of windows(). No copy for `tiled` kernels.
Tensor windows_weight(const Tensor& weight) {
  return weight.permute({0, 2, 1, 3, 4})
      .reshape({weight.size(0), weight.size(2) * weight.size(1), weight.size(3), weight.size(4)});
}

Tensor by_sums(const Tensor& planes, const Tensor& weight, const Depth& depth) {
  const auto every_tap = weight.permute({2, 0, 1, 3, 4})
                             .reshape({weight.size(2) * weight.size(0), weight.size(1),
                                       weight.size(3), weight.size(4)});
  const auto taps = convolution(planes, every_tap, {}, depth.stride, depth.padding, depth.border);
  PlaneSum sum{depth.images * depth.made, 1, depth.side, {}};
  depth.each([&](int64_t to, int64_t tap, int64_t from) {
    sum.terms.push_back({to, 0, from, tap});
  });
  return sum_planes({taps}, sum)[0];
}

// Two planes of three taps by the points 0, 1, -1 and infinity, as ThreeTaps of
// tile_transforms.cpp: result = kOut [(kTap weight) * (kIn planes)].
constexpr int64_t kPoints = 4, kPair = 2, kTaps = 3;
constexpr float kIn[kPoints][kPoints] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
constexpr float kTap[kPoints][kTaps] = {
    {1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
constexpr float kOut[kPair][kPoints] = {{1, 1, 1, 0}, {0, 1, -1, -1}};

/// The taps of depth as planes: [O,I,d,k,k] -> [d,O,I,k k]. No copy for `tiled` kernels.
Tensor taps_of(const Tensor& weight) {
  return weight.permute({2, 0, 1, 3, 4})
      .reshape({weight.size(2), weight.size(0), weight.size(1), weight.size(3) * weight.size(4)});
}
/// One plane of these, or blocks of one, as the weight of a convolution over planes.
Tensor weight_of(const Tensor& taps, int64_t side) {
  return taps.view({taps.size(1), taps.size(2), side, side});
}

Tensor by_pairs(const Tensor& planes, const Tensor& weight, const Depth& depth) {
  const int64_t pairs = depth.planes / kPair, all = depth.images * pairs;
  PlaneSum in{kPoints * all, 1, 1, {}}, tap{kPoints, 1, 1, {}}, out{kPair * all, 1, 1, {}};
  const Depth seen{depth.images, depth.planes, pairs, kPoints, kPair, 1, depth.border};
  for (int64_t p = 0; p < kPoints; ++p) {
    seen.each([&](int64_t pair, int64_t k, int64_t from) {
      if (kIn[p][k] != 0) in.terms.push_back({p * all + pair, 0, from, 0, kIn[p][k]});
    });
    for (int64_t t = 0; t < kTaps; ++t)
      if (kTap[p][t] != 0) tap.terms.push_back({p, 0, t, 0, kTap[p][t]});
    for (int64_t pair = 0; pair < all; ++pair)
      for (int64_t k = 0; k < kPair; ++k)
        if (kOut[k][p] != 0)
          out.terms.push_back({kPair * pair + k, 0, p * all + pair, 0, kOut[k][p]});
  }
  const auto points = sum_planes({planes}, in, kPoints);
  const auto weights = sum_planes({taps_of(weight)}, tap, kPoints);
  std::vector<Tensor> products;
  for (size_t p = 0; p < points.size(); ++p)
    products.push_back(
        convolution(points[p], weight_of(weights[p], weight.size(3)), {}, 1, 1, depth.border));
  return sum_planes(products, out)[0];
}

}  // namespace

Tensor volume_convolution(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding,
                          Border border) {
  const int64_t side = weight.size(2);
  const Depth depth{x.size(0), x.size(2), (x.size(2) + 2 * padding - side) / stride + 1,
                    side,      stride,    padding,
                    border};
  const auto planes = as_planes(x);
  const bool single = x.scalar_type() == torch::kFloat && weight.scalar_type() == torch::kFloat;
  if (single && side == kTaps && stride == 1 && padding == 1 && depth.planes % kPair == 0)
    return as_volumes(by_pairs(planes, weight, depth), x.size(0));
  if (stride == 1 && side * weight.size(0) <= kMostNarrow)
    return as_volumes(by_sums(planes, weight, depth), x.size(0));
  return as_volumes(
      convolution(windows(planes, depth), windows_weight(weight), {}, stride, padding, border),
      x.size(0));
}

Tensor volume_transposed_convolution(const Tensor& x, const Tensor& weight) {
  const int64_t images = x.size(0), planes = x.size(2), side = weight.size(3);
  const auto maps = as_planes(x), taps = taps_of(weight);  // [3,I,O,k k]
  // Plane 2 z is tap 1 of plane z; plane 2 z + 1 is tap 2 of plane z and tap 0 of plane z + 1.
  const auto middle = sum_planes({taps}, {1, 1, 1, {{0, 0, 1, 0}}})[0];
  const auto ends = sum_planes({taps}, {1, 2, 1, {{0, 0, 2, 0}, {0, 1, 0, 0}}})[0];
  const Depth pair{images, planes, planes, 2, 1, 0, Border::zero};
  const auto even = transposed_convolution(maps, weight_of(middle, side), {});
  const auto odd = transposed_convolution(windows(maps, pair), weight_of(ends, side), {});
  PlaneSum sum{2 * images * planes, 1, 1, {}};
  for (int64_t z = 0; z < images * planes; ++z) {
    sum.terms.push_back({2 * z, 0, z, 0});
    sum.terms.push_back({2 * z + 1, 0, images * planes + z, 0});
  }
  return as_volumes(sum_planes({even, odd}, sum)[0], images);
}

}  // namespace scintigen
