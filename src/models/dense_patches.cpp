// SPDX-License-Identifier: Apache-2.0
#include "models/dense_patches.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/error.h"
#include "models/aligned_room.h"
#include "models/vector_lanes.h"

namespace scintigen {
namespace {

constexpr int64_t kPixels = 6;  // of a block: 12 registers of sums, 2 of weights, 1 of input
constexpr int64_t kMaps = kPatchMaps;

/// Three rows in, one row out of a 3x3 convolution with ReLU; taps `step` pixels apart.
struct RowConvolution {
  const float* rows[3];
  int64_t in, step;
  const float *weight, *bias;
  float* out;

  template <int N>
  SCINTIGEN_INLINE void pixels(int64_t x) const {
    Eight low[N], high[N];
    const auto* start = reinterpret_cast<const Eight*>(bias);
#pragma GCC unroll 6
    for (int p = 0; p < N; ++p) low[p] = start[0], high[p] = start[1];
    const auto* w = reinterpret_cast<const Eight*>(weight);
    for (int64_t a = 0; a < 3; ++a)
      for (int64_t b = 0; b < 3; ++b) {
        const float* from = rows[a] + (x + step * b) * in;
        for (int64_t c = 0; c < in; ++c, w += 2) {
          const Eight w0 = w[0], w1 = w[1];
#pragma GCC unroll 6
          for (int p = 0; p < N; ++p) {
            const float value = from[p * in + c];
            low[p] += value * w0;
            high[p] += value * w1;
          }
        }
      }
#pragma GCC unroll 6
    for (int p = 0; p < N; ++p) {
      auto* to = reinterpret_cast<Eight*>(out + (x + p) * kMaps);
      to[0] = low[p] > 0.0f ? low[p] : Eight{};
      to[1] = high[p] > 0.0f ? high[p] : Eight{};
    }
  }

  SCINTIGEN_INLINE void run(int64_t width) const {
    int64_t x = 0;
    for (; x + kPixels <= width; x += kPixels) pixels<kPixels>(x);
    if (x < width && width >= kPixels) {
      pixels<kPixels>(width - kPixels);  // some pixels again
    } else {
      for (; x < width; ++x) pixels<1>(x);
    }
  }
};

SCINTIGEN_CLONES
void convolve_row(const RowConvolution& row, int64_t width) { row.run(width); }

/// out[x] = the largest of two rows' pixels x and x + 1, channel by channel.
SCINTIGEN_CLONES
void pool_row(const float* upper, const float* lower, int64_t width, float* out) {
  const auto *u = reinterpret_cast<const Eight*>(upper), *l = reinterpret_cast<const Eight*>(lower);
  auto* to = reinterpret_cast<Eight*>(out);
  for (int64_t i = 0; i < 2 * width; ++i) {
    const Eight here = u[i] > l[i] ? u[i] : l[i];
    const Eight next = u[i + 2] > l[i + 2] ? u[i + 2] : l[i + 2];
    to[i] = here > next ? here : next;
  }
}

/// The last few rows of a layer.
class Ring {
 public:
  Ring(float* room, int64_t row, int64_t count) : room_(room), row_(row), count_(count) {}
  float* at(int64_t y) const { return room_ + (y % count_) * row_; }
  static int64_t size(int64_t row, int64_t count) { return row * count; }

 private:
  float* room_;
  int64_t row_, count_;
};

}  // namespace

DensePatchEncoder::DensePatchEncoder(const PatchAutoencoder& network)
    : modalities_(network->modalities) {
  const PatchLayer convolutions[] = {network->encode1, network->encode2, network->encode3};
  for (size_t k = 0; k < 3; ++k) {
    // [16,in,3,3] -> [3,3,in,16]
    const auto weight = convolutions[k]
                            ->weight.detach()
                            .to(torch::kCPU, torch::kFloat)
                            .permute({2, 3, 1, 0})
                            .contiguous();
    const auto bias = convolutions[k]->bias.detach().to(torch::kCPU, torch::kFloat).contiguous();
    layers_[k].in = weight.size(2);
    layers_[k].weight.assign(weight.data_ptr<float>(), weight.data_ptr<float>() + weight.numel());
    layers_[k].bias.assign(bias.data_ptr<float>(), bias.data_ptr<float>() + kMaps);
  }
}

void DensePatchEncoder::encode(const float* slice, int64_t height, int64_t width,
                               float* map) const {
  thread_local AlignedRoom<float> room;
  const int64_t row = width * kMaps;
  int64_t weights = 0;
  for (const auto& layer : layers_) weights += 9 * layer.in * kMaps + kMaps;
  float* memory = room.of(weights + Ring::size(row, 2 + 5 + 5) + row);
  const float *weight[3], *bias[3];
  for (size_t k = 0; k < 3; ++k) {  // onto borders of 32 bytes, which a vector does not promise
    weight[k] = memory;
    memory = std::copy(layers_[k].weight.begin(), layers_[k].weight.end(), memory);
    bias[k] = memory;
    memory = std::copy(layers_[k].bias.begin(), layers_[k].bias.end(), memory);
  }
  const Ring first(memory, row, 2), pooled(memory + 2 * row, row, 5),
      second(memory + 7 * row, row, 5);
  float* last = memory + 12 * row;
  for (int64_t y = 0; y < height - 2; ++y) {
    const float* in = slice + y * width * modalities_;
    const int64_t next = width * modalities_;
    convolve_row({{in, in + next, in + 2 * next}, modalities_, 1, weight[0], bias[0], first.at(y)},
                 width - 2);
    const int64_t p = y - 1;  // rows of the pooled map that are there: 0..p
    if (p < 0) continue;
    pool_row(first.at(p), first.at(y), width - 3, pooled.at(p));
    const int64_t s = p - 4;
    if (s < 0) continue;
    convolve_row({{pooled.at(s), pooled.at(s + 2), pooled.at(s + 4)},
                  kMaps,
                  2,
                  weight[1],
                  bias[1],
                  second.at(s)},
                 width - 7);
    const int64_t t = s - 4;
    if (t < 0) continue;
    convolve_row(
        {{second.at(t), second.at(t + 2), second.at(t + 4)}, kMaps, 2, weight[2], bias[2], last},
        width - kDenseMargin);
    std::copy(last, last + (width - kDenseMargin) * kMaps,
              map + t * (width - kDenseMargin) * kMaps);
  }
}

torch::Tensor dense_latents(const DensePatchEncoder& encoder, const torch::Tensor& slices) {
  require(slices.dim() == 4 && slices.size(1) == encoder.modalities() &&
              slices.size(2) >= kPatchSide && slices.size(3) >= kPatchSide,
          "patch features: slices are {}; expected [S,{},H,W] with sides of at least {}",
          fmt::join(slices.sizes(), ","), encoder.modalities(), kPatchSide);
  const int64_t count = slices.size(0), height = slices.size(2), width = slices.size(3);
  const auto pixels = slices.to(torch::kFloat).permute({0, 2, 3, 1}).contiguous();
  auto maps = torch::empty({count, height - kDenseMargin, width - kDenseMargin, kPatchMaps});
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s)
      encoder.encode(pixels.data_ptr<float>() + s * pixels.stride(0), height, width,
                     maps.data_ptr<float>() + s * maps.stride(0));
  });
  const int64_t rows = height - kPatchSide + 1, columns = width - kPatchSide + 1;
  std::vector<torch::Tensor> corners;
  for (const int64_t u : {0, 2})
    for (const int64_t v : {0, 2}) corners.push_back(maps.narrow(1, u, rows).narrow(2, v, columns));
  return torch::stack(corners, -1).flatten(3);
}

}  // namespace scintigen
