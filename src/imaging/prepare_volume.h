// SPDX-License-Identifier: Apache-2.0
// One scan in one space: resampled, masked, scaled, written.
#pragma once
#include "core/spatial_map.h"
#include "imaging/prepare_patient.h"
#include "imaging/scaling.h"

namespace scintigen {

/// A scan and the maps (world to world, mm, RAS+) that lead to it.
struct PreparedScan {
  const Volume* volume = nullptr;
  const Volume* mask = nullptr;           ///< null: none
  std::string modality, name, mask_name;  ///< names of the files, without .nii
  SpatialMap space_to_scan = identity_affine(), space_to_mask = identity_affine();
  SpatialMap space_to_template = identity_affine();  ///< only for SUVR by a region
};

struct TargetSpace {
  std::string name;
  Grid grid;
};

/// What --scaling asks of a modality.
Scaling scaling_for(const std::string& modality, const PrepareSettings& settings);

/// Writes OUT/<space>/<participant>/<name>.nii, its mask and, scaled by slice, its table. Returns
/// the entry of PatientRecord: scans[].volumes[].
/// throws  Error: it cannot be scaled, the reference region is empty, the grid cuts the brain
PatientRecord write_prepared(const PreparedScan& scan, const TargetSpace& space,
                             const std::string& participant_id, const PrepareSettings& settings,
                             const PrepareTemplate& brain_template);

}  // namespace scintigen
