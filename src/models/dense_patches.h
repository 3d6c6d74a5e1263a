// SPDX-License-Identifier: Apache-2.0
// The encoder of the patch auto-encoder on a whole slice at once: what every patch of the slice
// would give, without computing a pixel twice.
// Does: own kernels (AVX2, AVX-512 chosen at run time), three rows in flight, one thread's work.
// Does not: decode; know volumes.
// Why     a patch's maximum is taken of pairs that begin at the patch's own corner, so for the
// slice
//         it is taken at every pixel, and the layers after it see every second pixel. A patch's 64
//         latents are then 16 channels at four places of one map: the map holds a quarter of what
//         the patches' latents would, and neighbours share it.
// Checked tests/models/test_dense_patches.cpp: patch by patch, <= 1e-5
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "models/patch_autoencoder.h"

namespace scintigen {

constexpr int64_t kDenseMargin = 11;  ///< a map is this much smaller than its slice

class DensePatchEncoder {
 public:
  /// Copies the encoder's weights (float32).
  explicit DensePatchEncoder(const PatchAutoencoder& network);

  int64_t modalities() const { return modalities_; }
  /// slice [height][width][modalities] -> map [height - 11][width - 11][16]. The patch whose first
  /// pixel is (y, x) has latent (channel c, row u, column v) = map[y + 2 u][x + 2 v][c], u, v in
  /// {0, 1}. height and width at least 15. Any number of threads may call it.
  void encode(const float* slice, int64_t height, int64_t width, float* map) const;

 private:
  struct Layer {
    std::vector<float> weight;  // [3][3][in][16]
    std::vector<float> bias;    // [16]
    int64_t in;
  };
  int64_t modalities_;
  Layer layers_[3];
};

/// The same in tensors, on all threads, for people who want latents: slices [S,M,H,W] -> latents
/// [S,H-14,W-14,64] in the order of PatchAutoencoder::encode().
torch::Tensor dense_latents(const DensePatchEncoder& encoder, const torch::Tensor& slices);

}  // namespace scintigen
