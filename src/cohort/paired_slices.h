// SPDX-License-Identifier: Apache-2.0
// Axial slices of prepared volumes, input beside target, for paired translators.
// Does: choose the slices of a person, cut them to a square, scale them to (-1,1), batch them.
//       Volumes are mapped: a batch touches its slices' pages and no more.
// Does not: resample or register (prepare did); hold a volume in memory.
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <filesystem>
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

/// Values between `low` and `high` (which differ) to pixels in [-1,1].
struct PixelScale {
  PixelScale(double low, double high);
  float operator()(float value) const { return (value - offset) * factor - 1; }
  /// The pixel of the value 0 of what was masked away: what pieces are padded with.
  float padding() const;
  float offset, factor;
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

/// A modality of a person as it lies on disk.
struct MappedVolume {
  torch::Tensor voxels;      ///< float32 [D,H,W] in RAS, read-only
  double low = 0, high = 0;  ///< what becomes -1 and 1; both 0: each slice's own
};

/// What is translated of one person, and what it is compared with.
struct PairedPerson {
  std::string participant_id;
  Grid grid;
  std::vector<MappedVolume> inputs;                   ///< one channel each
  MappedVolume target;                                ///< voxels undefined where there is none
  std::vector<std::array<double, 2>> target_to_unit;  ///< slope, intercept; one pair or one a plane
  std::string target_unit;                            ///< as far as the cohort says
  std::filesystem::path mask_file;                    ///< of the brain; empty: none
  torch::Tensor mask;                                 ///< the same in memory, instead of a file
  /// What training takes, or took of such a person: planes first .. first + count - 1. `first` is
  /// below 0 where the volume has fewer than `count`.
  int64_t first = 0, count = 0;

  /// Sets first and count: `slices` planes where most of the brain is; 0: every plane.
  void choose_planes(int64_t slices);
  bool is_chosen(int64_t k) const { return k >= first && k < first + count; }
  /// People of few and of many planes meet at `places` equal steps from the first chosen plane to
  /// the last; of `count` places each is a plane. Planes beyond take the nearest place.
  int64_t place_of(int64_t k, int64_t places) const;
  int64_t plane_at(int64_t place, int64_t places) const;
  bool has_mask() const { return mask.defined() || !mask_file.empty(); }
  /// float32 [D,H,W], > 0 inside; without a mask the target (or the first input) itself.
  torch::Tensor brain() const;
};

/// How many places people are compared at: the fewest chosen planes of anyone.
int64_t places_of(const std::vector<PairedPerson>& people);

/// Maps the modalities of a person. `with_target` false: a target is taken where there is one.
/// throws  Error: as the constructor of PairedSlices
PairedPerson map_person(const VolumeCohort& cohort, const std::string& participant_id,
                        const PairedSettings& settings, bool with_target = true);

/// low and high of a volume under a setting `scale`: both 0 for "slice".
MappedVolume mapped_by(const std::string& scale, torch::Tensor voxels);

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
  const std::vector<PairedPerson>& people() const { return people_; }
  const PairedSettings& settings() const { return settings_; }
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
  PairedSettings settings_;
  std::vector<std::string> participants_;
  std::vector<PairedPerson> people_;
  std::vector<Row> rows_;
};

}  // namespace scintigen
