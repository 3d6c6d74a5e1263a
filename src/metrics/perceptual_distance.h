// SPDX-License-Identifier: Apache-2.0
// LPIPS, version 0.1: how different two images look to a network trained on photographs. Zhang et
// al. 2018. No weights come with scintigen: the user names a safetensors file, and every figure
// belongs to that file.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/safetensors.h"

namespace scintigen {

enum class PerceptualNetwork { kAlex, kVgg };  ///< AlexNet, VGG16

/// Steps, for two images of one channel repeated to three, in [-1,1]:
///   x = (x - shift) / scale per channel (-0.030 -0.088 -0.188; 0.458 0.448 0.450);
///   five layers after their ReLU: AlexNet 64 192 384 256 256 channels, VGG16 64 128 256 512 512;
///   each pixel's channels divided by their norm + 1e-10; squared difference; weighted sum over
///   channels (1 x 1 convolution without bias); mean over pixels; sum over the five layers.
/// Weights: features.N.weight [out,in,k,k] and features.N.bias [out] as torchvision names them
/// (AlexNet N = 0 3 6 8 10; VGG16 N = 0 2 5 7 10 12 14 17 19 21 24 26 28), and linL.model.1.weight
/// [1,channels,1,1], L = 0 .. 4, as the package lpips does. float32 through LibTorch.
/// Checked tests/metrics/test_perceptual_distance.cpp: made-up weights, against plain PyTorch in
///         float64 (1e-5 of the value: float32 convolutions).
class PerceptualDistance {
 public:
  /// throws  Error naming file and tensor: missing, another shape, not floating point, not finite.
  PerceptualDistance(const TensorFile& weights, PerceptualNetwork network);

  /// [N,H,W] and [N,H,W] in [-1,1] -> [N] float64. Values beyond are used as they are.
  /// throws  Error: other shapes, a side under smallest_side().
  torch::Tensor operator()(const torch::Tensor& a, const torch::Tensor& b) const;

  /// 31 pixels (AlexNet) or 16 (VGG16): below, the deepest layer has no pixel.
  int64_t smallest_side() const;

 private:
  struct Convolution {
    torch::Tensor weight, bias;
    int64_t stride = 1, padding = 1;
    bool pool_before = false, compared = false;
  };
  PerceptualNetwork network_;
  std::vector<Convolution> convolutions_;
  std::vector<torch::Tensor> layer_weights_;  ///< [1,C,1,1], >= 0 in the authors' files
};

}  // namespace scintigen
