// SPDX-License-Identifier: Apache-2.0
// The network of a translator's checkpoint, whichever method trained it, as one function of pieces.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "cohort/volume_pieces.h"
#include "core/safetensors.h"
#include "synthesis/tiling.h"

namespace scintigen {

/// How the network is run. Defaults: running statistics and no dropout, one answer for one input.
/// Isola et al. 2017, section 3.3: dropout and the batch's own statistics at inference too.
struct Inference {
  bool dropout = false;
  bool batch_statistics = false;
  int64_t samples = 1;  ///< of dropout: mean and SD of so many
  int64_t batch_size = 8;
  uint64_t seed = 1;                 ///< of dropout: a function of seed, run, sample and batch
  Overlap overlap = Overlap::kNone;  ///< of triplets and patches
};

/// What `pieces` of PieceSettings is of pix2pix: axial slices, one by one.
constexpr const char* kSlicePieces = "slices";

struct TranslatorNetwork {
  std::string method;  ///< pix2pix, cyclegan
  PairedSettings data;
  PieceSettings pieces;
  /// pieces [B,C,...] in [-1,1] on the CPU -> [B,O,...] in (-1,1) on the CPU. `draw` chooses the
  /// dropout.
  std::function<torch::Tensor(const torch::Tensor& pieces, uint64_t draw)> forward;
};

/// throws  Error: another method or format; metadata missing or damaged; network settings that do
///         not fit the tensors; dropout of a network trained without
TranslatorNetwork read_translator_network(const TensorFile& file, torch::Device device,
                                          torch::ScalarType compute, const Inference& inference);

}  // namespace scintigen
