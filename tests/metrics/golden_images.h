// SPDX-License-Identifier: Apache-2.0
// Images for tests of the image metrics.
#pragma once
#include <ATen/ATen.h>

#include "core/random.h"
#include "core/safetensors.h"
#include "metrics/image_pair.h"

namespace scintigen {

/// tests/golden/metrics/image_metrics.safetensors: float64 results of scikit-image and SciPy.
inline TensorFile image_golden() {
  return read_tensors(SCINTIGEN_TEST_GOLDEN "/metrics/image_metrics.safetensors");
}

/// a, b and mask of the golden.
inline ImagePair golden_pair(const TensorFile& golden, const std::string& prefix = "") {
  return image_pair(golden.at(prefix + "a"), golden.at(prefix + "b"), golden.at("mask"));
}

/// Element `index` of a golden result.
inline double number(const TensorFile& golden, const std::string& name, int64_t index = 0) {
  return golden.at(name).flatten()[index].item<double>();
}

inline torch::Tensor random_image(uint64_t seed, int64_t depth, int64_t height, int64_t width) {
  return Random(seed, "image").uniform_tensor({depth, height, width});
}

}  // namespace scintigen
