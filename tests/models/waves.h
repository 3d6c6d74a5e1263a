// SPDX-License-Identifier: Apache-2.0
// Images that a test and tools/make_golden_unet.py both compute, so that no golden need hold them.
#pragma once
#include <torch/types.h>

#include <cmath>

namespace scintigen {

/// pattern() of the tool: float32 [2,channels,side,side] in [-1,1].
inline torch::Tensor waves(int64_t channels, int64_t side, double phase) {
  constexpr int64_t kBatch = 2;
  auto image = torch::empty({kBatch, channels, side, side}, torch::kFloat);
  float* pixel = image.data_ptr<float>();
  for (int64_t n = 0; n < kBatch; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < side; ++i)
        for (int64_t j = 0; j < side; ++j) {
          const auto x = static_cast<double>(j), y = static_cast<double>(i);
          *pixel++ = static_cast<float>(
              0.6 * std::sin(0.11 * y + 0.05 * x * static_cast<double>(1 + n) + phase) +
              0.4 * std::cos(0.03 * y * static_cast<double>(1 + c) - 0.17 * x));
        }
  return image;
}

}  // namespace scintigen
