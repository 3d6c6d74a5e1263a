// SPDX-License-Identifier: Apache-2.0
// Axial slices of prepared volumes, input beside target, for paired translators.
// Does: choose the slices of a person, cut them to a square, scale them to (-1,1), batch them.
//       Volumes are mapped: a batch touches its slices' pages and no more.
// Does not: resample or register (prepare did); hold a volume in memory.
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cohort/volume_cohort.h"
#include "core/settings.h"

namespace scintigen {

struct PairedSettings {
  std::vector<std::string> inputs = {"T1w"};  ///< modalities, one channel each
  std::string target = "spect";
  std::string session;          ///< of every modality that has several; empty: the only one
  int64_t slices = 100;         ///< a person (the SPECT paper: 100); 0 = all there are
  int64_t side = 256;           ///< pixels; slices are cut or padded around the volume's middle
  std::string scale = "slice";  ///< slice: minimum and maximum of each slice -> -1 and 1; volume
  void visit(SettingsVisitor& visitor);
};

/// A slice on the network's side of things: [rows front to back, columns patient right to left].
struct ScaledSlice {
  torch::Tensor pixels;      ///< float32 [side,side] in [-1,1]
  double low = 0, high = 1;  ///< value = low + (pixel + 1) / 2 * (high - low)
};

/// Plane `k` of a volume [D,H,W] in RAS, cut to `side`, scaled by `low` and `high` (by its own
/// minimum and maximum where they are equal). A constant plane is -1.
ScaledSlice scaled_slice(const torch::Tensor& volume, int64_t k, int64_t side, double low = 0,
                         double high = 0);
/// The reverse of the cut: [side,side] into plane `k` of a volume; pixels outside stay.
void put_slice(const torch::Tensor& pixels, int64_t k, torch::Tensor& volume);

/// First of `count` consecutive planes that hold most of the mask (> 0) of [D,H,W]; around the
/// middle where there is no mask. `count` at most D.
int64_t first_slice(const torch::Tensor& mask, int64_t count);

struct PairedBatch {
  torch::Tensor inputs;   ///< float32 [B,channels,side,side]
  torch::Tensor targets;  ///< float32 [B,1,side,side]
};

class PairedSlices {
 public:
  /// throws  Error: a person without one of the modalities (names it); volumes of a person on
  ///         different grids; fewer slices than asked for
  PairedSlices(VolumeCohort cohort, std::vector<std::string> participants,
               const PairedSettings& settings);
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  const std::vector<std::string>& participants() const { return participants_; }
  struct Row {
    size_t person;  ///< of participants()
    int64_t slice;  ///< k of its volumes
  };
  const Row& row(int64_t index) const { return rows_[static_cast<size_t>(index)]; }
  /// The slices with these indices.
  PairedBatch gather(const std::vector<int64_t>& indices) const;
  /// Batch `step` of a run: every slice once an epoch in an order of (seed, epoch), the last
  /// incomplete batch dropped. The same whenever it is asked for.
  PairedBatch batch(int64_t step, int64_t batch_size, uint64_t seed) const;
  int64_t steps_per_epoch(int64_t batch_size) const { return size() / batch_size; }
  /// FNV-1a over names and values of what is trained on: a run does not go on with other data.
  std::string key() const;

 private:
  struct Mapped {
    torch::Tensor voxels;      ///< [D,H,W]
    double low = 0, high = 0;  ///< of the volume; both 0: by slice
  };
  struct Person {
    std::vector<Mapped> inputs;
    Mapped target;
  };
  PairedSettings settings_;
  std::vector<std::string> participants_;
  std::vector<Person> people_;
  std::vector<Row> rows_;
};

}  // namespace scintigen
