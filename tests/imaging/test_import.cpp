// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "imaging/import.h"
#include "imaging/import_fixture.h"

namespace scintigen {
namespace {

/// Slice k of patient p as displayed, divided by its maximum.
torch::Tensor expected_slice(int64_t p, int64_t k) {
  auto slice = torch::empty({kImportSide, kImportSide});
  for (int64_t j = 0; j < kImportSide; ++j)
    for (int64_t i = 0; i < kImportSide; ++i) slice[j][i] = import_voxel(p, i, j, k);
  return slice / slice.max();
}

bool is_slice(const torch::Tensor& found, int64_t p, int64_t k) {
  return found.defined() && torch::allclose(found, expected_slice(p, k), 0, 1e-6);
}

TEST_F(ImportTest, SlicesScalesAndNeighbours) {
  settings_.unit = "counts";
  const auto cohort = imported();
  ASSERT_EQ(cohort.size(), 12);
  EXPECT_EQ(cohort.neighbours.size(0), 6);  // slices 0 and 5 of each patient
  EXPECT_EQ(cohort.pixel_mm, 4);
  EXPECT_EQ(cohort.unit, "counts");
  EXPECT_EQ(cohort.name, "cohort");
  for (int64_t row = 0; row < 12; ++row) {
    const int64_t p = row / 4, k = row % 4 + 1;
    EXPECT_TRUE(is_slice(cohort.slices[row], p, k));
    EXPECT_TRUE(is_slice(cohort.below(row), p, k - 1));
    EXPECT_TRUE(is_slice(cohort.above(row), p, k + 1));
    EXPECT_EQ(cohort.scale(row), static_cast<double>(100 * (p + 1) + k));
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "cohort/contact_sheet.png"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cohort/skipped.tsv"));
}

TEST_F(ImportTest, WhereLeavesNeighboursOfOtherLevels) {
  settings_.where = "level=high";
  const auto cohort = imported();
  ASSERT_EQ(cohort.size(), 6);
  for (int64_t row = 0; row < 6; ++row) {
    const int64_t p = row / 2, k = row % 2 + 3;
    EXPECT_TRUE(is_slice(cohort.slices[row], p, k));
    EXPECT_TRUE(is_slice(cohort.below(row), p, k - 1));
    EXPECT_TRUE(is_slice(cohort.above(row), p, k + 1));
  }
}

TEST_F(ImportTest, RowsKeepTheOrderOfTheTable) {
  write_text("slices.tsv",
             "slice\tparticipant_id\n4\tsub-3\n1\tsub-1\n2\tsub-3\n3\tsub-1\n1\tsub-2\n3\tsub-3\n");
  const auto cohort = imported();
  const std::vector<std::pair<int64_t, int64_t>> order = {{2, 4}, {0, 1}, {2, 2},
                                                          {0, 3}, {1, 1}, {2, 3}};
  for (size_t row = 0; row < order.size(); ++row) {
    EXPECT_TRUE(
        is_slice(cohort.slices[static_cast<int64_t>(row)], order[row].first, order[row].second))
        << row;
  }
  EXPECT_EQ(cohort.table.at(0, "below"), "s5");
  EXPECT_EQ(cohort.table.at(5, "above"), "s0");
  EXPECT_EQ(cohort.table.at(5, "below"), "s2");
}

TEST_F(ImportTest, BelowIsTowardsTheFeetWhateverTheFile) {
  auto file = import_volume(0);
  file.set_sform(signed_permutation({0, 1, 2}, 7, {4, 4, 4}, {0, 0, 0}));  // head to feet
  file.write(volume_path(0));
  const auto cohort = imported();
  EXPECT_TRUE(is_slice(cohort.slices[1], 0, 2));
  EXPECT_TRUE(is_slice(cohort.below(1), 0, 3));
  EXPECT_TRUE(is_slice(cohort.above(1), 0, 1));
  EXPECT_TRUE(is_slice(cohort.below(5), 1, 1));
}

TEST_F(ImportTest, NeighboursAreJudgedByPositionWhereThereIsOne) {
  write_text("slices.tsv",
             "participant_id\tslice\toriginal_slice\tlevel\n"
             "sub-1\t0\t8\tlow\nsub-1\t1\t9\tlow\nsub-1\t2\t12\thigh\nsub-1\t3\t13\thigh\nsub-"
             "1\t4\tn/a\thigh\n");
  const auto cohort = imported();
  const auto column = [&](const char* name) {
    std::vector<std::string> cells;
    for (size_t row = 0; row < 5; ++row) cells.push_back(cohort.table.at(row, name));
    return cells;
  };
  EXPECT_EQ(column("below"), (std::vector<std::string>{"n/a", "s0", "n/a", "s2", "n/a"}));
  EXPECT_EQ(column("above"), (std::vector<std::string>{"s1", "n/a", "s3", "n/a", "n/a"}));
  EXPECT_EQ(cohort.neighbours.size(0), 0);  // slice 5 has no row, so no position
  settings_.overwrite = true;
  settings_.where = "level=low";
  EXPECT_EQ(imported().size(), 2);
}

TEST_F(ImportTest, FileColumnInPlaceOfAPattern) {
  settings_.volumes.clear();
  write_text("slices.csv",
             "participant_id,slice,file\nsub-1,1,sub-1/sub-1_spect.nii.gz\nsub-2,2,./sub-2/../"
             "sub-2/sub-2_spect.nii.gz\n");
  settings_.table = (folder_ / "slices.csv").string();
  const auto cohort = imported();
  EXPECT_TRUE(is_slice(cohort.slices[0], 0, 1));
  EXPECT_TRUE(is_slice(cohort.slices[1], 1, 2));
}

TEST_F(ImportTest, ABadVolumeIsSkippedAndTheRestGoesOn) {
  put_bytes(volume_path(1), "<!DOCTYPE html><html>not found</html>");
  const auto result = import();
  EXPECT_EQ(result.cohort.size(), 8);
  EXPECT_EQ(result.bad_volumes, 1);
  const auto skipped = read_table(folder_ / "cohort/skipped.tsv");
  ASSERT_EQ(skipped.rows.size(), 4u);
  EXPECT_EQ(skipped.at(0, "participant_id"), "sub-2");
  EXPECT_EQ(skipped.at(0, "file"), "sub-2_spect.nii.gz");
  EXPECT_NE(skipped.at(3, "reason").find("web page"), std::string::npos) << skipped.at(3, "reason");
  // put right, the same folder needs --overwrite, and the list of the skipped goes away
  import_volume(1).write(volume_path(1));
  EXPECT_REFUSED(import(), "holds a prepared cohort already; give another folder or --overwrite");
  settings_.overwrite = true;
  EXPECT_EQ(imported().size(), 12);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cohort/skipped.tsv"));
}

TEST_F(ImportTest, ABadSliceIsSkippedAndIsNobodysNeighbour) {
  auto file = import_volume(0);
  for (size_t n = 2 * 144; n < 3 * 144; ++n) file.values[n] = 0;  // slice 2: a row
  file.values[5 * 144 + 7] = std::nan("");                        // slice 5: not a row
  file.write(volume_path(0));
  const auto result = import();
  ASSERT_EQ(result.skipped.rows.size(), 1u);
  EXPECT_NE(result.skipped.at(0, "reason").find("slice 2 is empty (no value above 0)"),
            std::string::npos);
  EXPECT_EQ(result.cohort.size(), 11);
  EXPECT_EQ(result.cohort.table.at(0, "above"), "n/a");
  EXPECT_EQ(result.cohort.table.at(1, "below"), "n/a");
  EXPECT_EQ(result.cohort.table.at(2, "above"), "n/a");
  EXPECT_TRUE(is_slice(result.cohort.above(1), 0, 4));
}

TEST_F(ImportTest, NegativeValuesAreSetToZero) {
  auto file = import_volume(0);
  file.values[1 * 144 + 3] = -50.5;
  file.write(volume_path(0));
  const auto result = import();
  EXPECT_EQ(result.cohort.slices[0][0][3].item<float>(), 0.f);
  ASSERT_EQ(result.notes.size(), 1u);
  EXPECT_EQ(result.notes[0],
            "1 slices hold negative values, down to -0.5 of the maximum; they are set to 0");
}

TEST_F(ImportTest, ScaleTakesTheCountsBack) {
  settings_.matrix = 8;
  const auto cohort = imported();
  for (int64_t row = 0; row < cohort.size(); ++row) {
    EXPECT_EQ(cohort.slices[row].max().item<float>(), 1.f);
    const auto original =
        expected_slice(row / 4, row % 4 + 1) * (100 * (row / 4 + 1) + row % 4 + 1);
    EXPECT_NEAR(cohort.slices[row].mean().item<double>() * cohort.scale(row),
                original.mean().item<double>(), 1e-4);
  }
}

TEST_F(ImportTest, DifferentPixelsAreTold) {
  auto file = import_volume(1);
  file.set_sform(signed_permutation({0, 1, 2}, 3, {5, 5, 4}, {0, 0, 0}));
  file.write(volume_path(1));
  const auto result = import();
  EXPECT_EQ(result.cohort.pixel_mm, 0);
  EXPECT_EQ(result.cohort.table.at(0, "pixel_mm"), "4");
  EXPECT_EQ(result.cohort.table.at(4, "pixel_mm"), "5");
  ASSERT_FALSE(result.notes.empty());
  EXPECT_NE(result.notes[0].find("pixels differ between volumes, 4 to 5 mm"), std::string::npos)
      << result.notes[0];
  settings_.fov_mm = 60;
  settings_.overwrite = true;
  const auto same = imported();
  EXPECT_EQ(same.pixel_mm, 5);
  EXPECT_FALSE(same.table.find_column("pixel_mm").has_value());
}

TEST_F(ImportTest, FieldOfViewTooSmallOrTooLargeIsTold) {
  settings_.fov_mm = 24;
  EXPECT_NE(import().notes.at(0).find("--fov-mm 24 cuts 18 slices; up to "), std::string::npos);
  settings_.fov_mm = 200;
  settings_.overwrite = true;
  const auto notes = import().notes;
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("of the field of view; --fov-mm "), std::string::npos) << notes[0];
}

TEST_F(ImportTest, ATiltedVolumeIsTold) {
  auto file = import_volume(2);
  const double c = std::cos(0.25), s = std::sin(0.25);
  file.set_sform({{{-4, 0, 0, 0}, {0, -4 * c, -4 * s, 0}, {0, -4 * s, 4 * c, 0}, {0, 0, 0, 1}}});
  file.write(volume_path(2));
  const auto notes = import().notes;
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(
      notes[0].find(
          "1 of 3 volumes are tilted against the patient's axes, up to 14.3 degrees (sub-3_spect"),
      std::string::npos)
      << notes[0];
}

TEST_F(ImportTest, DescribesItselfAndItsGrids) {
  const auto result = import();
  const auto lines = describe_import(result);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(
      lines[0],
      "12 slices of 3 participants, 12 x 12 pixels of 4 mm, 6 neighbouring slices beside them");
  EXPECT_EQ(lines[1], "level: low 6 (of 3), high 6 (of 3)");
  EXPECT_NE(result.provenance_json.find("12 x 12 pixels of 4 x 4 mm -> 12 x 12 of 4 mm"),
            std::string::npos);
}

/// Nine real patients. Read the data set's README: its files never enter the project.
TEST(ImportReal, NinePatientsComeInUpright) {
  const char* named = std::getenv("SCINTIGEN_TEST_DATA");
  const auto data =
      (named && *named ? std::filesystem::path(named)
                       : std::filesystem::path(SCINTIGEN_TEST_SOURCE) / "../shared/data") /
      "aanlib";
  if (!std::filesystem::exists(data / "slices.tsv")) {
    GTEST_SKIP()
        << "no real scans: set SCINTIGEN_TEST_DATA to a folder that holds aanlib/slices.tsv";
  }
  ImportSettings settings;
  settings.table = (data / "slices.tsv").string();
  settings.volumes = "{participant_id}/{participant_id}_spect.nii.gz";
  settings.where = "level=cerebellum,basal_ganglia,cortex";
  const auto result = import_slices(plan_import(settings));
  const auto& cohort = result.cohort;
  EXPECT_TRUE(result.skipped.rows.empty());
  EXPECT_TRUE(result.notes.empty());
  EXPECT_EQ(cohort.participants().size(), 9u);
  EXPECT_EQ(cohort.size(), 153);
  double cerebellum = 0, ganglia = 0, n_cerebellum = 0, n_ganglia = 0;
  const auto place = torch::arange(64, torch::kFloat);
  for (int64_t row = 0; row < cohort.size(); ++row) {
    const auto slice = cohort.slices[row];
    const double centre = ((slice.sum(1) * place).sum() / slice.sum()).item<double>();
    const auto& level = cohort.table.at(static_cast<size_t>(row), "level");
    if (level == "cerebellum") cerebellum += centre, ++n_cerebellum;
    if (level == "basal_ganglia") ganglia += centre, ++n_ganglia;
    const auto& position = cohort.table.at(static_cast<size_t>(row), "original_slice");
    const auto above = cohort.table.at(static_cast<size_t>(row), "above");
    if (above[0] == 's') {
      EXPECT_EQ(std::stoll(cohort.table.at(std::stoul(above.substr(1)), "original_slice")),
                std::stoll(position) + 1);
    }
  }
  // the cerebellum is at the back of the head: further down the picture than the ganglia
  EXPECT_GT(cerebellum / n_cerebellum, ganglia / n_ganglia + 3);
}

}  // namespace
}  // namespace scintigen
