// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/temporary_folder.h"
#include "imaging/prepare.h"

namespace scintigen {
namespace {

TEST(PrepareBids, ASidecarFurtherUpSpeaksForItsScans) {
  TemporaryFolder folder;
  const auto put = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder / name).parent_path());
    put_bytes(folder / name, text);
  };
  put("sub-01/anat/sub-01_T1w.nii.gz", "");
  put("sub-01/ses-a/pet/sub-01_ses-a_trc-18FFDG_pet.nii.gz", "");
  put("sub-01/ses-a/pet/sub-01_ses-a_trc-18FFDG_pet.json", R"({"TracerName": "FDG"})");
  put("pet.json", R"({"Units": "Bq/mL", "TracerName": "any"})");
  put("trc-11CPIB_pet.json", R"({"Units": "counts"})");  // of other scans
  put("sub-02/anat/sub-02_T1w.nii", "");
  put("sub-02/spect/sub-02_spect.nii", "");
  put("sub-02/sub-02_spect.json", "not JSON");
  PrepareSettings settings;
  settings.out = (folder / "out").string();
  for (const std::string end : {"", "/"}) {
    settings.input = folder.path().string() + end;
    const auto plan = plan_prepare(settings);
    ASSERT_EQ(plan.patients.size(), 2U);
    const auto& pet = plan.patients[0].scans.at(1);
    EXPECT_EQ(pet.modality, "pet");
    EXPECT_EQ(pet.session, "ses-a");
    EXPECT_EQ(pet.unit, "Bq/mL");
    EXPECT_EQ(pet.tracer, "FDG");
    EXPECT_EQ(plan.patients[0].scans.at(0).unit, "");
    EXPECT_EQ(plan.patients[1].scans.at(1).unit, "");
    ASSERT_EQ(plan.notes.size(), 1U);
    EXPECT_NE(plan.notes[0].find("sub-02_spect.json: not JSON"), std::string::npos);
  }
}

}  // namespace
}  // namespace scintigen
