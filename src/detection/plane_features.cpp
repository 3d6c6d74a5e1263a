// SPDX-License-Identifier: Apache-2.0
#include "detection/plane_features.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/instruction_clones.h"

namespace scintigen {
namespace {

constexpr int64_t kBorder = kPatchSide / 2;

/// [H+14][W+14][M] in [0,1], 0 outside.
void padded_plane(const ScaledScans& scans, int64_t plane, float* out) {
  const auto modalities = static_cast<int64_t>(scans.voxels.size());
  const int64_t height = scans.voxels[0].size(1), width = scans.voxels[0].size(2);
  const int64_t row = (width + 2 * kBorder) * modalities;
  std::fill(out, out + (height + 2 * kBorder) * row, 0.0f);
  for (int64_t m = 0; m < modalities; ++m) {
    const auto at = static_cast<size_t>(m);
    const float low = scans.low[at], scale = 1.0f / (scans.high[at] - low);
    const float* in = scans.voxels[at].data_ptr<float>() + plane * height * width;
    for (int64_t y = 0; y < height; ++y, in += width) {
      float* to = out + (y + kBorder) * row + kBorder * modalities + m;
      for (int64_t x = 0; x < width; ++x)
        to[x * modalities] = std::min(std::max((in[x] - low) * scale, 0.0f), 1.0f);
    }
  }
}

}  // namespace

std::vector<torch::Tensor> plane_maps(const DensePatchEncoder& encoder,
                                      const std::vector<ScaledScans>& people, int64_t plane) {
  for (const auto& person : people)
    require(static_cast<int64_t>(person.voxels.size()) == encoder.modalities() &&
                person.voxels[0].sizes() == people[0].voxels[0].sizes(),
            "machines at every voxel: a person has other modalities or another grid");
  const int64_t height = people[0].voxels[0].size(1) + 2 * kBorder;
  const int64_t width = people[0].voxels[0].size(2) + 2 * kBorder;
  std::vector<torch::Tensor> maps(people.size());
  at::parallel_for(0, static_cast<int64_t>(people.size()), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> image(static_cast<size_t>(height * width * encoder.modalities()));
    for (int64_t p = begin; p < end; ++p) {
      auto& map = maps[static_cast<size_t>(p)];
      map = torch::empty({height - kDenseMargin, width - kDenseMargin, kPatchMaps});
      padded_plane(people[static_cast<size_t>(p)], plane, image.data());
      encoder.encode(image.data(), height, width, map.data_ptr<float>());
    }
  });
  return maps;
}

void latent_of_map(const float* map, int64_t map_width, int64_t row, int64_t column,
                   float* latent) {
  for (const int64_t u : {0, 2})
    for (const int64_t v : {0, 2}) {
      std::memcpy(latent, map + ((row + u) * map_width + column + v) * kPatchMaps,
                  kPatchMaps * sizeof(float));
      latent += kPatchMaps;
    }
}

SCINTIGEN_CLONES
void round_to_half(float* values, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {  // to the nearest of 11 bits, ties to even
    uint32_t bits;
    std::memcpy(&bits, values + i, 4);
    bits = (bits + 0x0fffu + ((bits >> 13) & 1u)) & ~0x1fffu;
    std::memcpy(values + i, &bits, 4);
  }
}

SCINTIGEN_CLONES
float decide_by_halves(const uint16_t* vectors, const float* coefficients, int64_t count,
                       const float* latent, float gamma, float rho) {
  float sum = 0;
  for (int64_t i = 0; i < count; ++i, vectors += kPatchLatents) {
    float square = 0;
#pragma omp simd reduction(+ : square)
    for (int64_t k = 0; k < kPatchLatents; ++k) {
      const int32_t bits = vectors[k]
                           << 13;  // the exponent is 112 too low, also without a leading 1
      float value;
      std::memcpy(&value, &bits, 4);
      const float difference = value * 0x1p112f - latent[k];
      square += difference * difference;
    }
    sum += coefficients[i] * std::exp(-gamma * square);
  }
  return sum - rho;
}

}  // namespace scintigen
