// SPDX-License-Identifier: Apache-2.0
// A volume and a source series, made up for the tests of export.
#pragma once
#include <ATen/ATen.h>

#include <cmath>
#include <functional>

#include "core/nifti.h"
#include "core/random.h"
#include "core/same_grid.h"
#include "core/temporary_folder.h"
#include "core/volume_io.h"
#include "imaging/dicom_maker.h"
#include "imaging/dicom_series.h"
#include "imaging/export.h"

namespace scintigen {

inline Grid oblique_grid(double handed = 1) {
  Grid grid{9, 7, 5, rigid_affine({0.1, -0.2, 0.3}, {-12, 8, 21})};
  const double size[3] = {2, 1.5, 3.25 * handed};
  for (size_t i = 0; i < 3; ++i)
    for (size_t axis = 0; axis < 3; ++axis) grid.voxel_to_world[i][axis] *= size[axis];
  return grid;
}

inline const DcmTag kSyntheticData(0x0008, 0x001c, DcmVR(EVR_CS));

class ExportTest : public ::testing::Test {
 protected:
  ExportTest() {
    settings_.volume = (folder_ / "volume.nii.gz").string();
    settings_.out = (folder_ / "out").string();
    settings_.like = (folder_ / "like").string();
    settings_.format = "dicom";
    settings_.synthetic = true;
    settings_.unit = "Bq/mL";
  }
  /// Every slice of another magnitude; from `least` on.
  Volume save_volume(const Grid& grid, double least = 0) {
    auto volume = empty_volume(grid, "");
    Random random(3, "test");
    volume.voxels = random.uniform_tensor({grid.nk, grid.nj, grid.ni}) * (1 - least) + least;
    for (int64_t k = 0; k < grid.nk; ++k) volume.voxels[k] *= std::pow(10.0, 2 * k - 3);
    write_nifti(settings_.volume, volume, "");
    return read_volume(settings_.volume);
  }
  void save_source(const std::string& modality,
                   const std::function<void(MadeDicom&)>& change = {}) {
    const auto grid = centred_grid(6, 5, 4, 2);
    if (modality == "NM") {
      auto made = made_nm(grid, made_values(grid, 0, 4), 2);
      if (change) change(made);
      made.save(folder_ / "like/nm.dcm");
      return;
    }
    for (int64_t k = 0; k < grid.nk; ++k) {
      auto made = made_slice(modality, grid, k, made_values(grid, k, 1));
      if (change) change(made);
      made.save(folder_ / fmt::format("like/{}.dcm", k));
    }
  }
  std::vector<std::filesystem::path> run() {
    notes_.clear();
    return export_volume(settings_, notes_);
  }
  DicomSeries written() {
    const auto found = find_dicom_series(settings_.out, nullptr);
    EXPECT_EQ(found.size(), 1U);
    EXPECT_EQ(found.at(0).refusal, "");
    return found.at(0);
  }
  void clear() { std::filesystem::remove_all(settings_.out); }
  std::string everything_written() {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(settings_.out))
      if (entry.is_regular_file()) all += bytes_of(entry.path());
    return all;
  }
  TemporaryFolder folder_;
  ExportSettings settings_;
  std::vector<std::string> notes_;
};

}  // namespace scintigen
