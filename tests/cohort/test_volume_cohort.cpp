// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "cohort/volume_cohort.h"
#include "core/affine.h"
#include "core/atomic_file.h"
#include "core/nifti.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

class VolumeCohorts : public testing::Test {
 protected:
  VolumeCohorts() {
    torch::manual_seed(1);
    volume_.voxels = torch::rand({4, 5, 6}, torch::kFloat);
    volume_.voxel_to_world = compose(rigid_affine({0, 0, 0.25}, {-3, -4, -5}), identity_affine());
    cohort_.folder = folder_.path();
    cohort_.name = "eight";
    cohort_.space = "native";
    for (const char* modality : {"T1w", "pet"})
      for (const char* person : {"sub-1", "sub-2"}) {
        PreparedVolume entry;
        entry.participant_id = person;
        entry.modality = modality;
        entry.file = std::string(person) + "/" + modality + ".nii";
        entry.unit = entry.modality == "pet" ? "Bq/mL" : "";
        entry.scaling = "volume";
        entry.slope = 2.5;
        entry.intercept = -1;
        std::filesystem::create_directories(folder_.path() / person);
        write_nifti(folder_.path() / entry.file, volume_, "");
        cohort_.volumes.push_back(entry);
      }
    more_ = {"", {"age"}, {{"31"}, {"44"}, {"31"}, {"44"}}};
  }
  TemporaryFolder folder_;
  Volume volume_;
  VolumeCohort cohort_;
  Table more_;
};

TEST_F(VolumeCohorts, ComeBackAsWritten) {
  write_volume_cohort(cohort_, more_, R"({"command": "prepare"})");
  const auto read = read_volume_cohort(folder_.path());
  EXPECT_EQ(read.name, "eight");
  EXPECT_EQ(read.space, "native");
  ASSERT_EQ(read.volumes.size(), 4U);
  EXPECT_EQ(read.participants(), (std::vector<std::string>{"sub-1", "sub-2"}));
  const size_t row = read.find("sub-2", "pet");
  EXPECT_EQ(row, 3U);
  EXPECT_EQ(read.volumes[row].unit, "Bq/mL");
  EXPECT_EQ(read.volumes[row].slope, 2.5);
  EXPECT_EQ(read.volumes[row].grid.ni, 6);
  EXPECT_NEAR(read.volumes[row].grid.voxel_to_world[1][0], volume_.voxel_to_world[1][0], 1e-6);
  EXPECT_EQ(read.table.at(row, "age"), "44");
  EXPECT_TRUE(torch::equal(map_voxels(read, row), volume_.voxels));
}

TEST_F(VolumeCohorts, MappedVoxelsStayPrivate) {
  write_volume_cohort(cohort_, more_, "{}");
  const auto read = read_volume_cohort(folder_.path());
  map_voxels(read, 0).fill_(9);
  EXPECT_TRUE(torch::equal(map_voxels(read, 0), volume_.voxels));
}

TEST_F(VolumeCohorts, NameWhatIsMissing) {
  const auto folder = folder_.path().string();
  EXPECT_EQ(refusal([&] { read_volume_cohort(folder); }),
            folder +
                ": no volumes.json; expected a folder that `scintigen prepare` finished, such "
                "as prepared/native");
  write_volume_cohort(cohort_, more_, "{}");
  const auto read = read_volume_cohort(folder);
  EXPECT_EQ(refusal([&] { read.find("sub-1", "spect"); }),
            (folder_.path() / "volumes.tsv").string() + ": no spect of sub-1; there are: T1w, pet");
  std::filesystem::remove(folder_.path() / "sub-2" / "pet.nii");
  EXPECT_NE(refusal([&] { read_volume_cohort(folder); }).find("sub-2/pet.nii"), std::string::npos);
}

TEST_F(VolumeCohorts, NeverLeaveTheirFolder) {
  cohort_.volumes[1].file = "../secret.nii";
  write_volume_cohort(cohort_, more_, "{}");
  EXPECT_EQ(refusal([&] { read_volume_cohort(folder_.path()); }),
            (folder_.path() / "volumes.tsv").string() +
                ": row 3, column file: ../secret.nii: expected a file below the cohort's folder");
}

TEST_F(VolumeCohorts, RefuseAnotherFormat) {
  write_volume_cohort(cohort_, more_, "{}");
  const auto file = folder_.path() / "volumes.json";
  write_file(file, R"({"format": "scintigen-prepared-volumes", "format_version": 2})");
  EXPECT_EQ(refusal([&] { read_volume_cohort(folder_.path()); }),
            file.string() + ": format version 2; this scintigen reads 1");
  write_file(file, "[]");
  EXPECT_EQ(refusal([&] { read_volume_cohort(folder_.path()); }),
            file.string() + ": not a description of prepared volumes");
}

}  // namespace
}  // namespace scintigen
