// SPDX-License-Identifier: Apache-2.0
// A volume through a network that takes smaller pieces: cut -> network -> put together.
// A Tiling knows where pieces lie and how they are scaled, and no network; run_pieces() knows
// batches, and neither. Slices are here; slice triplets, or patches with overlap, are one more
// class each: cut() gives a piece of [C, ...], put() takes what came of it and adds it where it
// belongs.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "cohort/paired_slices.h"

namespace scintigen {

class Tiling {
 public:
  virtual ~Tiling() = default;
  virtual int64_t size() const = 0;  ///< pieces
  /// What the network takes of a piece, float32 [C, ...], the same shape for all. Thread-safe.
  virtual torch::Tensor cut(int64_t piece) const = 0;
  /// What the network made of it, float32 [O, ...]. Each piece once, in order.
  virtual void put(int64_t piece, const torch::Tensor& made) = 0;
};

/// pieces [B,C,...] and the number of the batch -> [B,O,...], on the CPU.
using PieceNetwork = std::function<torch::Tensor(const torch::Tensor& pieces, int64_t batch)>;

/// Every piece of the tiling through the network, `batch_size` at a time. Batches are always whole
/// (the last begins earlier, a tiling smaller than a batch repeats itself): arithmetic that depends
/// on a batch's size or, by batch statistics, on its content then never meets made-up pieces.
/// `done(n)` is called after each batch with the number of new pieces; false stops.
/// Returns whether all pieces were put. throws  Error: batch_size < 1, a network that gives another
/// number of pieces.
bool run_pieces(Tiling& tiling, const PieceNetwork& network, int64_t batch_size,
                const std::function<bool(int64_t)>& done = {});

/// Axial slices, as cohort/paired_slices.h cuts them for training.
class SliceTiling : public Tiling {
 public:
  /// `planes`: which k of the inputs [D,H,W] are cut. `outputs`: how many channels come back.
  SliceTiling(std::vector<MappedVolume> inputs, std::vector<int64_t> planes, int64_t side,
              int64_t outputs = 1);
  int64_t size() const override { return static_cast<int64_t>(planes_.size()); }
  torch::Tensor cut(int64_t piece) const override;
  void put(int64_t piece, const torch::Tensor& made) override;
  /// Channel `output` of what came back, float32 [D,H,W] in the volume's own grid; `outside` where
  /// no slice was put. Valid when run_pieces() is done.
  const torch::Tensor& volume(int64_t output) const {
    return made_.at(static_cast<size_t>(output));
  }

 private:
  std::vector<MappedVolume> inputs_;
  std::vector<int64_t> planes_;
  int64_t side_;
  std::vector<torch::Tensor> made_;
};

/// What SliceTiling puts where no slice was: the lower end of the scale, and no deviation.
constexpr float kNoSlice[] = {-1.0F, 0.0F};

}  // namespace scintigen
