// SPDX-License-Identifier: Apache-2.0
// A cohort of tiny volumes of people who differ, in a folder: for tests.
#pragma once
#include <string>

#include "cohort/volume_cohort.h"
#include "core/nifti.h"
#include "core/random.h"

namespace scintigen {

/// `people` scans ("pet") of 3 x 18 x 20 voxels: a common image and each person's own noise, brain
/// where a disc is. sub-1, sub-2, ...
inline void write_tiny_people(const std::filesystem::path& folder, int64_t people) {
  const Grid grid = centred_grid(20, 18, 3, 2);
  auto mask = torch::zeros({3, 18, 20});
  mask.slice(1, 3, 15).slice(2, 2, 18).fill_(1);
  const auto common = Random(1, "common").uniform_tensor({3, 18, 20});
  VolumeCohort cohort;
  cohort.folder = folder;
  cohort.name = "tiny";
  cohort.space = "template";
  Table more{"", {}, {}};
  for (int64_t p = 1; p <= people; ++p) {
    const auto id = "sub-" + std::to_string(p);
    std::filesystem::create_directories(folder / id);
    const auto own = Random(2, "own", static_cast<uint64_t>(p)).uniform_tensor({3, 18, 20});
    write_nifti(folder / id / "pet.nii", {50 * (common + 0.2 * own), grid.voxel_to_world, "1"}, "");
    write_nifti(folder / id / "mask.nii", {mask, grid.voxel_to_world, "1"}, "");
    PreparedVolume volume;
    volume.participant_id = id;
    volume.modality = "pet";
    volume.file = id + "/pet.nii";
    volume.mask_file = id + "/mask.nii";
    volume.scaling = "none";
    cohort.volumes.push_back(volume);
    more.rows.emplace_back();
  }
  write_volume_cohort(cohort, more, "{}");
}

}  // namespace scintigen
