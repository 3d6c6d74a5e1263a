// SPDX-License-Identifier: Apache-2.0
// A cohort in a folder whose people have a T1 and a PET that follows from it: for tests.
#pragma once
#include <string>
#include <vector>

#include "cohort/volume_cohort.h"
#include "core/nifti.h"
#include "core/random.h"

namespace scintigen {

/// sub-1 .. sub-N, 12 x 20 x 24 voxels of 2 mm, with a brain mask. `modalities`: T1w, pet or both.
inline void write_pair_people(const std::filesystem::path& folder, int64_t people,
                              const std::vector<std::string>& modalities = {"T1w", "pet"}) {
  const Grid grid = centred_grid(24, 20, 12, 2);
  auto mask = torch::zeros({12, 20, 24});
  mask.slice(0, 1, 11).slice(1, 3, 17).slice(2, 4, 20).fill_(1);
  VolumeCohort cohort;
  cohort.folder = folder;
  cohort.name = "pairs";
  cohort.space = "template";
  Table more{"", {}, {}};
  for (int64_t p = 1; p <= people; ++p) {
    const auto id = "sub-" + std::to_string(p);
    std::filesystem::create_directories(folder / id);
    const auto t1 =
        mask * Random(2, "t1", static_cast<uint64_t>(p)).uniform_tensor({12, 20, 24}).add(0.2);
    write_nifti(folder / id / "mask.nii", {mask, grid.voxel_to_world, "1"}, "");
    for (const auto& modality : modalities) {
      const auto voxels = modality == "T1w" ? t1 * 100 : mask * (1.4 - t1) * 30;
      write_nifti(folder / id / (modality + ".nii"),
                  {voxels.contiguous(), grid.voxel_to_world, "1"}, "");
      PreparedVolume volume;
      volume.participant_id = id;
      volume.modality = modality;
      volume.file = id + "/" + modality + ".nii";
      volume.mask_file = id + "/mask.nii";
      volume.scaling = "none";
      cohort.volumes.push_back(volume);
      more.rows.emplace_back();
    }
  }
  write_volume_cohort(cohort, more, "{}");
}

}  // namespace scintigen
