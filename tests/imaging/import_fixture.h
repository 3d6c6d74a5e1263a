// SPDX-License-Identifier: Apache-2.0
// Three patients' volumes and their slice table, made up for the tests of import.
#pragma once
#include <gtest/gtest.h>
#include <torch/types.h>

#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "core/nifti_bytes.h"
#include "core/temporary_folder.h"
#include "imaging/import.h"

namespace scintigen {

constexpr int64_t kImportSide = 12, kImportDepth = 6;

/// Slice k of patient p: uneven, maximum 100 (p + 1) + k at one pixel.
inline double import_voxel(int64_t p, int64_t i, int64_t j, int64_t k) {
  if (i == 4 && j == 7) return static_cast<double>(100 * (p + 1) + k);
  return static_cast<double>((7 * i + 13 * j + 5 * k + p) % 50);
}

inline NiftiBytes import_volume(int64_t p) {
  NiftiBytes file;
  file.shape = {kImportSide, kImportSide, kImportDepth};
  for (int64_t k = 0; k < kImportDepth; ++k)
    for (int64_t j = 0; j < kImportSide; ++j)
      for (int64_t i = 0; i < kImportSide; ++i) file.values.push_back(import_voxel(p, i, j, k));
  // stored right to left, front to back, feet to head: as displayed
  file.set_sform(signed_permutation({0, 1, 2}, 3, {4, 4, 4}, {0, 0, 0}));
  return file;
}

class ImportTest : public ::testing::Test {
 protected:
  ImportTest() {
    for (int64_t p = 0; p < 3; ++p) import_volume(p).write(volume_path(p));
    std::string text = "participant_id\tslice\tlevel\n";
    for (int64_t p = 0; p < 3; ++p)
      for (int64_t k = 1; k < 5; ++k)
        text += "sub-" + std::to_string(p + 1) + "\t" + std::to_string(k) + "\t" +
                (k < 3 ? "low" : "high") + "\n";
    write_text("slices.tsv", text);
    settings_.table = (folder_ / "slices.tsv").string();
    settings_.volumes = "{participant_id}/{participant_id}_spect.nii.gz";
    settings_.out = (folder_ / "cohort").string();
    settings_.name = "cohort";
    settings_.matrix = kImportSide;
  }

  std::filesystem::path volume_path(int64_t p) const {
    const auto id = "sub-" + std::to_string(p + 1);
    return folder_ / (id + "/" + id + "_spect.nii.gz");
  }
  void write_text(const std::string& name, const std::string& text) {
    put_bytes(folder_ / name, text);
  }
  std::string table_text() const { return bytes_of(folder_ / "slices.tsv"); }
  void replace_in_table(const std::string& from, const std::string& to) {
    auto text = table_text();
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    write_text("slices.tsv", text.replace(at, from.size(), to));
  }

  /// What the command does.
  ImportResult import() {
    const auto plan = plan_import(settings_);
    check_import_folder(settings_);
    auto result = import_slices(plan);
    write_import(plan, result);
    return result;
  }
  PreparedCohort imported() {
    import();
    return read_cohort(settings_.out);
  }

  TemporaryFolder folder_;
  ImportSettings settings_;
};

}  // namespace scintigen
