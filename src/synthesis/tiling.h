// SPDX-License-Identifier: Apache-2.0
// A volume through a network that takes smaller pieces: cut -> network -> put together.
// A Tiling knows where pieces lie and how they are scaled, and no network; run_pieces() knows
// batches, and neither. cut() gives a piece of [C, ...], put() takes what came of it and adds it
// where it belongs: slices (SliceTiling), triplets of slices (TripletTiling), cubes (PatchTiling).
// A network that hands back what it is given gives every volume back bit for bit.
// Checked tests/synthesis/test_tiling.cpp
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cohort/paired_slices.h"
#include "cohort/volume_pieces.h"

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

/// Pieces of a volume, and the volumes they become.
class VolumeTiling : public Tiling {
 public:
  /// Output `output`, float32 [D,H,W] in the volume's own grid; kNoSlice where nothing was put.
  /// Valid when run_pieces() is done.
  virtual torch::Tensor volume(int64_t output) const = 0;
};

/// What lies where nothing was put: the lower end of the scale, and no deviation.
constexpr float kNoSlice[] = {-1.0F, 0.0F};

/// Axial slices, as cohort/paired_slices.h cuts them for training.
class SliceTiling : public VolumeTiling {
 public:
  /// `planes`: which k of the inputs [D,H,W] are cut. `outputs`: how many channels come back.
  SliceTiling(std::vector<MappedVolume> inputs, std::vector<int64_t> planes, int64_t side,
              int64_t outputs = 1);
  int64_t size() const override { return static_cast<int64_t>(planes_.size()); }
  torch::Tensor cut(int64_t piece) const override;
  void put(int64_t piece, const torch::Tensor& made) override;
  torch::Tensor volume(int64_t output) const override {
    return made_.at(static_cast<size_t>(output));
  }

 private:
  std::vector<MappedVolume> inputs_;
  std::vector<int64_t> planes_;
  int64_t side_;
  std::vector<torch::Tensor> made_;
};

/// Where pieces overlap: the first that came (triplets) or the one whose middle it is (patches), as
/// the papers do it; or a mean of all that hold a voxel.
enum class Overlap { kNone, kMean };

/// Triplets of adjacent slices over planes first .. first + count - 1.
/// kNone: one after another, stacked (Zotova 2021). kMean: one at every plane; a plane is the mean
/// of the (up to) three that hold it.
class TripletTiling : public VolumeTiling {
 public:
  /// A piece is [3,S,S] and comes back as [3 outputs,S,S]. S: `side`, or the plane's own longer
  /// side where that is more, up to a multiple of 4: no plane is cut off, since the networks are
  /// convolutions throughout.
  TripletTiling(MappedVolume input, int64_t first, int64_t count, int64_t side, Overlap overlap,
                int64_t outputs = 1);
  int64_t size() const override { return static_cast<int64_t>(places_.size()); }
  torch::Tensor cut(int64_t piece) const override;
  void put(int64_t piece, const torch::Tensor& made) override;
  torch::Tensor volume(int64_t output) const override;

 private:
  MappedVolume input_;
  int64_t side_ = 0;
  Overlap overlap_;
  int64_t first_, end_;  // planes asked for
  std::vector<PiecePlace> places_;
  std::vector<torch::Tensor> sums_;  // float64 [D,H,W]
  std::vector<int64_t> counts_;      // [D]
};

/// Cubes of `side` voxels at every half side.
/// kNone: of each the middle half along each axis is kept, and the volume is padded by a quarter
/// side (Zotova 2021: 32, 16 and 8). kMean: a mean under Hann's window sin^2(pi (x + 1/2) / side),
/// whose weights are kept in 256ths: their sums and products with float32 are exact in double, so
/// that a weighted mean of one value is that value.
class PatchTiling : public VolumeTiling {
 public:
  /// A piece is [1,side,side,side] and comes back as [outputs,side,side,side]. `side`: a multiple
  /// of 4.
  PatchTiling(MappedVolume input, int64_t side, Overlap overlap, int64_t outputs = 1);
  int64_t size() const override { return static_cast<int64_t>(places_.size()); }
  torch::Tensor cut(int64_t piece) const override;
  void put(int64_t piece, const torch::Tensor& made) override;
  torch::Tensor volume(int64_t output) const override;

 private:
  MappedVolume input_;
  int64_t side_;
  std::vector<double> window_;  // [side], whole numbers
  std::vector<PiecePlace> places_;
  std::vector<torch::Tensor> sums_;  // float64 [D,H,W]
  torch::Tensor weights_;            // float64 [D,H,W]
};

}  // namespace scintigen
