// SPDX-License-Identifier: Apache-2.0
// Pieces of prepared volumes with depth, for networks of 2.5 and of 3 dimensions: triplets of
// adjacent axial slices, and cubes.
// Source  Zotova et al. 2021, section 3.2: 46 triplets a person of 136 planes; cubes of 32^3 voxels
//         with a stride of 8, 6,069 a person on 157 x 189 x 136 voxels padded to 160 x 192 x 160.
// Does: say where pieces lie, cut them out of mapped volumes to [-1,1], batch them, paired or not.
// Does not: put them together again (synthesis/tiling.h); wait for the disk (prefetch.h does).
// Checked tests/cohort/test_volume_pieces.cpp
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cohort/paired_slices.h"
#include "core/settings.h"

namespace scintigen {

constexpr int64_t kTriplet = 3;

struct PieceSettings {
  std::string pieces = "triplets";  ///< or patches
  int64_t patch_side = 32;          ///< voxels (Zotova 2021: 32)
  int64_t patch_stride = 8;         ///< voxels between training patches (Zotova 2021: 8)
  bool patches() const { return pieces == "patches"; }
  int64_t channels() const { return patches() ? 1 : kTriplet; }
  /// [C,...] of a piece whose slices are squares of `side`.
  std::vector<int64_t> shape(int64_t side) const;
  void visit(SettingsVisitor& visitor);
};

/// First voxel of a piece; may lie before the volume. Of a triplet j and i are not looked at.
struct PiecePlace {
  int64_t k = 0, j = 0, i = 0;
};

/// Triplets one after another from plane `first` over `count` planes; the last begins earlier, so
/// that it holds three planes where there are as many.
std::vector<PiecePlace> triplet_places(int64_t first, int64_t count, int64_t stride = kTriplet);

/// Cubes at every `stride` voxels of the volume [D,H,W], padded around its middle to multiples of
/// `side`.
std::vector<PiecePlace> patch_places(torch::IntArrayRef sizes, int64_t side, int64_t stride);

/// Planes k, k + 1, k + 2 as scaled_slice() cuts them, [3,side,side] into `out`; beyond the volume
/// its last (first) plane again.
void cut_triplet(const MappedVolume& volume, int64_t k, int64_t side, float* out);

/// [side,side,side] into `out`, axes as they lie; beyond the volume what was masked away (value 0).
void cut_patch(const MappedVolume& volume, const PiecePlace& place, int64_t side, float* out);

/// The pieces of one domain.
class PieceList {
 public:
  /// `slice_side`: of triplets.
  PieceList(const PieceSettings& settings, int64_t slice_side)
      : settings_(settings), slice_side_(slice_side) {}
  /// A volume's training pieces: triplets of planes first .. first + count - 1, or all patches.
  void add(MappedVolume volume, int64_t first, int64_t count);
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  /// float32 [C,...] in [-1,1].
  std::vector<int64_t> piece_shape() const { return settings_.shape(slice_side_); }
  /// Pieces `indices`, [N,C,...]. One thread: others train meanwhile.
  torch::Tensor gather(const std::vector<int64_t>& indices) const;

 private:
  struct Row {
    size_t volume;
    PiecePlace place;
  };
  PieceSettings settings_;
  int64_t slice_side_;
  std::vector<MappedVolume> volumes_;
  std::vector<Row> rows_;
};

struct PieceBatch {
  torch::Tensor sources, targets;  ///< float32 [N,C,...] in [-1,1]
};

/// Pieces of two domains, in pairs (the same place of the same person) or each drawn by itself.
class VolumePieces {
 public:
  /// throws  Error: paired lists of different lengths
  VolumePieces(PieceList sources, PieceList targets, bool paired);
  /// Of a longer list not paired with a shorter one every piece comes once an epoch.
  int64_t size() const;
  int64_t steps_per_epoch(int64_t batch_size) const { return size() / batch_size; }
  std::vector<int64_t> piece_shape() const { return sources_.piece_shape(); }
  PieceBatch gather(const std::vector<int64_t>& sources, const std::vector<int64_t>& targets) const;
  /// Batch `step` of a run: a function of (seed, epoch, place in the epoch), the last incomplete
  /// batch of an epoch dropped. Any thread may ask.
  PieceBatch batch(int64_t step, int64_t batch_size, uint64_t seed) const;

 private:
  PieceList sources_, targets_;
  bool paired_;
};

}  // namespace scintigen
