// SPDX-License-Identifier: Apache-2.0
// Made-up people in memory for tests of what is learned from training people.
#pragma once
#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "cohort/paired_slices.h"
#include "core/nifti.h"
#include "core/temporary_folder.h"

namespace scintigen {

/// A cohort on disk, one volume after another.
class MadeUpCohort {
 public:
  MadeUpCohort() {
    cohort_.folder = folder_.path();
    cohort_.table.name = "volumes.tsv";
  }
  void add(const std::string& person, const std::string& modality, const torch::Tensor& voxels,
           double spacing_mm = 1) {
    Volume volume{voxels.contiguous(), {}, ""};
    volume.voxel_to_world = {
        {{spacing_mm, 0, 0, 0}, {0, spacing_mm, 0, 0}, {0, 0, spacing_mm, 0}, {0, 0, 0, 1}}};
    PreparedVolume entry;
    entry.participant_id = person;
    entry.modality = modality;
    entry.file = person + "_" + modality + ".nii";
    entry.grid = grid_of(volume);
    write_nifti(folder_.path() / entry.file, volume, "");
    cohort_.volumes.push_back(entry);
  }
  VolumeCohort& cohort() { return cohort_; }
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  VolumeCohort cohort_;
};

/// A head of ellipsoids in 8 x 8 x 8 mm or finer: bright rim (grey matter) around a darker inside,
/// a bright part below and behind (cerebellum) and a darker one in front above, so that no turn but
/// left to right leaves it as it is. `grey` and `white`: their values; `size`: of its axes;
/// `wobble` moves and shapes it a little.
inline torch::Tensor made_up_head(double grey, double white, double size = 1, double wobble = 0,
                                  double spacing_mm = 4) {
  const auto side = static_cast<int64_t>(240 / spacing_mm);
  const auto axis =
      (at::arange(side, at::kDouble) - (static_cast<double>(side) - 1) / 2) * spacing_mm;
  const auto z = axis.view({-1, 1, 1}), y = axis.view({1, -1, 1}), x = axis.view({1, 1, -1});
  const auto ball = [&](double cx, double cy, double cz, double rx, double ry, double rz) {
    return ((x - cx) / (rx * size)).square() + ((y - cy - wobble) / (ry * size)).square() +
           ((z - cz) / (rz * size)).square();
  };
  const auto cerebrum = ball(0, 5, 15, 66, 82, 55 + wobble), core = ball(0, 5, 15, 50, 66, 40);
  const auto cerebellum = ball(0, -50, -45, 48, 28, 24);
  auto head = at::where(cerebrum < 1, at::full_like(cerebrum, grey), at::zeros_like(cerebrum));
  head = at::where(core < 1, at::full_like(head, white), head);
  head = at::where(cerebellum < 1, at::full_like(head, 0.5 * (grey + white)), head);
  return head.to(at::kFloat).contiguous();
}

}  // namespace scintigen
