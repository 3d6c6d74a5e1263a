// SPDX-License-Identifier: Apache-2.0
// Randomness without state: each draw is a function of (seed, stream, index). A resumed run needs
// no generator state, and the order in which threads work changes nothing.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace scintigen {

/// Independent streams of one seed: "batch", "noise", "augment", "init", ...
uint64_t stream_seed(uint64_t seed, std::string_view stream, uint64_t index = 0);

/// A short-lived generator for one purpose and one index (a step, an epoch, an image). SplitMix64
/// underneath; results are the same on every machine and standard library.
class Random {
 public:
  Random(uint64_t seed, std::string_view stream, uint64_t index = 0)
      : state_(stream_seed(seed, stream, index)) {}
  uint64_t next();
  double uniform();                            ///< [0,1)
  int64_t integer(int64_t low, int64_t high);  ///< low..high, both included, unbiased
  double normal();                             ///< N(0,1), Box-Muller
  std::vector<int64_t> permutation(int64_t count);
  torch::Tensor normal_tensor(torch::IntArrayRef shape);   ///< float32 CPU N(0,1)
  torch::Tensor uniform_tensor(torch::IntArrayRef shape);  ///< float32 CPU [0,1)

 private:
  uint64_t state_;
};

}  // namespace scintigen
