// SPDX-License-Identifier: Apache-2.0
// Patches of the same voxel of two people, for the siamese auto-encoder.
// Does: scale each person's scans to [0,1], draw voxels of the brains that all have, cut patches.
//       Volumes are mapped: a batch touches its patches' pages and no more.
// Does not: register (prepare did: one space, one grid).
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cohort/scaled_scans.h"
#include "cohort/volume_cohort.h"
#include "core/settings.h"

namespace scintigen {

struct PatchSettings {
  std::vector<std::string> modalities = {"pet"};  ///< one channel each
  std::string session;                            ///< of modalities that have several
  double clip_percent = 1;  ///< brightest part of an image that becomes 1 (Zotova 2025: 1; 2021: 0)
  double smooth_mm = 0;     ///< FWHM of the smoothing of PET and SPECT; 0: none
  double surround_mm = 0;   ///< FWHM of what PET and SPECT are relative to; 0: as they are
  void visit(SettingsVisitor& visitor);
};

/// The scans of some people of a cohort, on one grid, and the voxels that are brain in all of them.
struct PatchPeople {
  std::vector<std::string> participants;
  std::vector<ScaledScans> scans;
  torch::Tensor mask;     ///< bool [D,H,W]
  bool has_masks = true;  ///< all of it from mask files
  Grid grid;
};
/// Without mask files a voxel is brain where every scan is above 0.
/// throws  Error: what VolumeCohort::find(), scale_scans() and make_focal() throw; another grid
///         (names both people); no voxel that is brain in all; smooth_mm or surround_mm without a
///         PET or SPECT
PatchPeople read_patch_people(const VolumeCohort& cohort, const std::vector<std::string>& people,
                              const PatchSettings& settings);

/// Where people's brains are known from mask files: their mask, else undefined. A scan's own zeros
/// are no edge of the brain: a lesion may be empty.
inline torch::Tensor own_brain(const PatchPeople& people) {
  return people.has_masks ? people.mask : torch::Tensor();
}

/// Patches [N,M,side,side] in [0,1] of a person around voxels (int64 [N], flat indices): of the
/// voxel's axial plane; outside the volume a patch is 0.
torch::Tensor cut_patches(const ScaledScans& scans, const torch::Tensor& voxels, int64_t side);

struct PatchPairs {
  torch::Tensor first, second;  ///< float32 [N,M,side,side] in [0,1]
};
/// Pairs `step` of a run: voxel and two different people, a function of (seed, step). A patch is of
/// an axial plane, around its voxel; outside the volume it is 0. throws  Error: fewer than 2 people
PatchPairs draw_pairs(const PatchPeople& people, int64_t count, int64_t side, uint64_t seed,
                      int64_t step);

}  // namespace scintigen
