// SPDX-License-Identifier: Apache-2.0
// Images that tests and tools/make_golden_unet.py, make_golden_resnet.py both compute, so that no
// golden need hold them.
#pragma once
#include <torch/types.h>

#include <cmath>
#include <vector>

namespace scintigen {

/// pattern() of the tools: float32 [2,channels,sides...] in [-1,1], two or three sides.
inline torch::Tensor waves(int64_t channels, const std::vector<int64_t>& sides, double phase) {
  constexpr int64_t kBatch = 2;
  const bool volume = sides.size() == 3;
  const int64_t depth = volume ? sides[0] : 1, height = sides[sides.size() - 2],
                width = sides.back();
  auto image = torch::empty({kBatch, channels, depth, height, width}, torch::kFloat);
  float* pixel = image.data_ptr<float>();
  for (int64_t n = 0; n < kBatch; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t k = 0; k < depth; ++k)
        for (int64_t i = 0; i < height; ++i)
          for (int64_t j = 0; j < width; ++j) {
            const auto x = static_cast<double>(j), y = static_cast<double>(i),
                       z = static_cast<double>(k);
            *pixel++ = static_cast<float>(
                0.6 *
                    std::sin(0.11 * y + 0.05 * x * static_cast<double>(1 + n) + 0.23 * z + phase) +
                0.4 * std::cos(0.03 * y * static_cast<double>(1 + c) - 0.17 * x + 0.07 * z));
          }
  return volume ? image : image.squeeze(2);
}

/// The same of a square.
inline torch::Tensor waves(int64_t channels, int64_t side, double phase) {
  return waves(channels, std::vector<int64_t>{side, side}, phase);
}

}  // namespace scintigen
