// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <set>

#include "imaging/dicom_canaries.h"
#include "imaging/export_fixture.h"

namespace scintigen {
namespace {

TEST_F(ExportTest, PetKeepsGeometryAndQuantities) {
  save_source("PT");
  for (double handed : {1, -1})
    for (double least : {0, -1}) {
      const auto volume = save_volume(oblique_grid(handed), least);
      EXPECT_EQ(run().size(), 5U);
      const auto series = written();
      EXPECT_EQ(series.technical.modality, "PT");
      auto again = read_dicom_series(series, &notes_);
      EXPECT_TRUE(notes_.empty());
      EXPECT_EQ(again.unit, "Bq/mL");
      if (handed < 0) {  // read along the normal
        again.voxels = again.voxels.flip(0).contiguous();
        for (size_t i = 0; i < 3; ++i) {
          again.voxel_to_world[i][3] += 4 * again.voxel_to_world[i][2];
          again.voxel_to_world[i][2] *= -1;
        }
      }
      EXPECT_LT(
          corner_distance_mm(again.voxel_to_world, volume.voxel_to_world, again.voxels.sizes()),
          1e-6);
      for (int64_t k = 0; k < 5; ++k) {
        const double most = volume.voxels[k].abs().max().item<double>();
        const double error = (again.voxels[k] - volume.voxels[k]).abs().max().item<double>();
        EXPECT_LE(error, most / 32767 / 2 * (1 + 1e-3)) << k;
        EXPECT_GT(error, 0);
      }
      clear();
    }
}

TEST_F(ExportTest, NmKeepsGeometryAndQuantities) {
  save_source("NM");
  settings_.unit = "counts";
  for (double handed : {1, -1})
    for (double least : {0, -1}) {
      const auto volume = save_volume(oblique_grid(handed), least);
      EXPECT_EQ(run().size(), 1U);
      auto again = read_dicom_series(written(), &notes_);
      EXPECT_TRUE(notes_.empty());
      EXPECT_EQ(again.unit, "counts");
      DcmFileFormat file;
      file.loadFile((settings_.out + "/NM00001.dcm").c_str());
      Float64 spacing = 0;
      file.getDataset()->findAndGetFloat64(DCM_SpacingBetweenSlices, spacing);
      EXPECT_NEAR(spacing, 3.25 * handed, 1e-6);
      const auto expected = handed < 0 ? volume.voxels.flip(0) : volume.voxels;
      const double most = volume.voxels.abs().max().item<double>();
      EXPECT_LE((again.voxels - expected).abs().max().item<double>(),
                most / (least < 0 ? 32767 : 65535) / 2 * (1 + 1e-3));
      const auto corner = transform_point(volume.voxel_to_world, {0, 0, handed < 0 ? 4.0 : 0.0});
      for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(again.voxel_to_world[i][3], corner[i], 1e-6);
      clear();
    }
}

TEST_F(ExportTest, ZerosAreZeros) {
  save_source("PT");
  auto volume = empty_volume(oblique_grid(), "");
  write_nifti(settings_.volume, volume, "");
  run();
  EXPECT_EQ(read_dicom_series(written()).voxels.abs().max().item<float>(), 0);
}

TEST_F(ExportTest, UidsAndReferences) {
  save_source("PT");
  save_volume(oblique_grid());
  settings_.seed = 7;
  run();
  const auto first = written();
  const auto bytes = bytes_of(first.files[0]);
  EXPECT_EQ(first.study_uid, "1.2.3.1");
  EXPECT_EQ(first.frame_of_reference_uid, "1.2.3.3");
  EXPECT_EQ(first.series_uid.rfind("2.25.", 0), 0U);
  EXPECT_LE(first.series_uid.size(), 44U);
  clear();
  run();
  EXPECT_EQ(written().series_uid, first.series_uid);
  clear();
  settings_.seed = 8;
  run();
  EXPECT_NE(written().series_uid, first.series_uid);
  settings_.seed = 0;
  std::set<std::string> uids;
  for (int turn = 0; turn < 3; ++turn) {
    clear();
    run();
    uids.insert(written().series_uid);
    for (const auto& path : written().files) {
      DcmFileFormat file;
      ASSERT_TRUE(file.loadFile(path.c_str()).good());
      DcmItem& object = *file.getDataset();
      OFString text;
      object.findAndGetOFString(DCM_SOPInstanceUID, text);
      uids.insert(text.c_str());
      object.findAndGetOFStringArray(DCM_ImageType, text);
      EXPECT_EQ(text, "DERIVED\\SECONDARY");
      object.findAndGetOFString(kSyntheticData, text);
      EXPECT_EQ(text, "YES");
      object.findAndGetOFString(DCM_SeriesDescription, text);
      EXPECT_EQ(text, "scintigen: synthetic PT");
      DcmSequenceOfItems* sources = nullptr;
      ASSERT_TRUE(object.findAndGetSequence(DCM_SourceImageSequence, sources).good());
      EXPECT_EQ(sources->card(), 4U);
      sources->getItem(2)->findAndGetOFString(DCM_ReferencedSOPInstanceUID, text);
      EXPECT_EQ(text, "1.2.3.4.3");
    }
  }
  EXPECT_EQ(uids.size(), 3U * 6U);
  clear();
  settings_.synthetic = false;
  run();
  DcmFileFormat file;
  file.loadFile(written().files[0].c_str());
  EXPECT_FALSE(file.getDataset()->tagExists(kSyntheticData));
  EXPECT_NE(bytes, "");
}

TEST_F(ExportTest, NothingOfThePatientComesOut) {
  save_volume(oblique_grid());
  settings_.participant = "07";
  for (const char* source : {"PT", "NM", "MR"})
    for (const char* modality : {"PT", "NM"}) {
      std::filesystem::remove_all(folder_ / "like");
      save_source(source, [](MadeDicom& made) { EXPECT_GE(put_canaries(made), 30); });
      settings_.modality = modality;
      testing::internal::CaptureStderr();
      run();
      const auto log =
          testing::internal::GetCapturedStderr() + fmt::format("{}", fmt::join(notes_, " "));
      for (const auto& text : {everything_written(), log})
        for (const char* secret : {"CANARY", "CNRY", "19123456"})
          EXPECT_EQ(text.find(secret), std::string::npos)
              << source << " " << modality << " " << text.substr(text.find(secret), 20);
      DcmFileFormat file;
      file.loadFile(written().files[0].c_str());
      OFString name;
      file.getDataset()->findAndGetOFString(DCM_PatientName, name);
      EXPECT_EQ(name, "07");
      clear();

      settings_.keep_identity = true;
      run();
      const auto text = everything_written();
      for (const char* kept : {"CANARY0", "CANARY1", "CANARY11", "CANARY13", "19123456"})
        EXPECT_NE(text.find(kept), std::string::npos) << kept;
      for (const char* dropped : {"CANARY22", "CANARY27", "CANARY50", "CANARY54"})
        EXPECT_EQ(text.find(dropped), std::string::npos) << dropped;
      settings_.keep_identity = false;
      clear();
    }
}

/// Refusals of a source quote tags and files, never its texts.
TEST_F(ExportTest, RefusalsTellNoSecrets) {
  save_volume(oblique_grid());
  for (const auto& tag : {DCM_Modality, DCM_ImageType, DCM_SOPClassUID, DCM_PixelSpacing,
                          DCM_RescaleSlope, DCM_ImagePositionPatient, DCM_PhotometricInterpretation,
                          DCM_Units, DCM_FrameOfReferenceUID, DCM_StudyInstanceUID}) {
    save_source("PT", [&](MadeDicom& made) {
      put_canaries(made);
      made.text(tag, "CANARY");
    });
    const auto text = refusal([&] { run(); });
    EXPECT_EQ(text.find("CANARY"), std::string::npos) << text;
    EXPECT_EQ(text.find("19123456"), std::string::npos) << text;
    clear();
  }
}

TEST_F(ExportTest, Nifti) {
  const auto volume = save_volume(oblique_grid());
  settings_.format = "nifti";
  settings_.like = "";
  settings_.unit = "";
  settings_.out = (folder_ / "new.nii.gz").string();
  run();
  const auto again = read_volume(settings_.out, &notes_);
  EXPECT_TRUE(notes_.empty());
  EXPECT_TRUE(again.voxels.equal(volume.voxels));
  EXPECT_EQ(again.voxel_to_world, volume.voxel_to_world);
  EXPECT_REFUSED(run(), "is there already");
  settings_.keep_identity = true;
  EXPECT_REFUSED(run(), "--keep-identity goes with --format dicom");
}

TEST_F(ExportTest, BidsDerivatives) {
  save_volume(oblique_grid());
  settings_.format = "bids";
  settings_.like = "";
  settings_.participant = "sub-03";
  settings_.session = "2";
  settings_.tracer = "FDG";
  settings_.source_dataset = "bids::";
  settings_.modality = "PT";
  run();
  const auto root = folder_ / "out";
  const auto name = root / "sub-03/ses-2/pet/sub-03_ses-2_trc-FDG_space-individual_desc-synth_pet";
  EXPECT_TRUE(std::filesystem::exists(name.string() + ".nii.gz"));
  const auto sidecar = nlohmann::json::parse(bytes_of(name.string() + ".json"));
  EXPECT_EQ(sidecar["SyntheticData"], true);
  EXPECT_EQ(sidecar["Units"], "Bq/mL");
  const auto description = nlohmann::json::parse(bytes_of(root / "dataset_description.json"));
  EXPECT_EQ(description["GeneratedBy"][0]["Name"], "scintigen");
  EXPECT_EQ(description["SourceDatasets"][0]["URL"], "bids::");
  EXPECT_EQ(description["DatasetType"], "derivative");
  EXPECT_FALSE(std::filesystem::exists(root / ".bidsignore"));
  EXPECT_REFUSED(run(), "is there already");
  settings_.modality = "NM";
  settings_.synthetic = false;
  run();
  EXPECT_EQ(bytes_of(root / ".bidsignore"), "**/spect/\n");
  EXPECT_TRUE(std::filesystem::exists(
      root / "sub-03/ses-2/spect/sub-03_ses-2_trc-FDG_space-individual_desc-derived_spect.nii.gz"));
  put_bytes(root / "dataset_description.json", "{\"Name\": \"raw\"}");
  settings_.session = "3";
  EXPECT_REFUSED(run(), "not a derivative of scintigen");
  settings_.participant = "../03";
  EXPECT_REFUSED(run(), "--participant is '../03'; expected up to 40 letters and digits");
  settings_.participant = "";
  EXPECT_REFUSED(run(), "--format bids needs --participant");
}

TEST_F(ExportTest, Refusals) {
  const auto volume = save_volume(oblique_grid());
  EXPECT_REFUSED(run(), "not a folder");
  settings_.like = "";
  EXPECT_REFUSED(run(), "--format dicom needs --like");
  settings_.like = (folder_ / "like").string();
  std::filesystem::create_directories(settings_.like);
  EXPECT_REFUSED(run(), "no DICOM series");
  save_source("MR");
  EXPECT_REFUSED(run(), "the series of --like is MR; say PT or NM");
  settings_.modality = "PT";
  put_bytes(folder_ / "out", "in the way");
  EXPECT_REFUSED(run(), "is there already");
  std::filesystem::remove(settings_.out);
  std::filesystem::create_directories(settings_.out);
  put_bytes(folder_ / "out/file", "in the way");
  EXPECT_REFUSED(run(), "is there already");
  clear();
  auto bad = volume;
  bad.voxels = volume.voxels.clone();
  bad.voxels[2][3][4] = NAN;
  write_nifti(settings_.volume, bad, "");
  EXPECT_REFUSED(run(), "voxels that are not finite");
  EXPECT_FALSE(std::filesystem::exists(settings_.out));
  write_nifti(settings_.volume, volume, "");
  save_source("PT", [](MadeDicom& made) { made.text(DCM_SeriesInstanceUID, "1.2.3.77"); });
  made_nm(centred_grid(6, 5, 4, 2), made_values(centred_grid(6, 5, 4, 2), 0, 4))
      .save(folder_ / "like/nm.dcm");
  EXPECT_REFUSED(run(), "2 DICOM series; expected one");
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
}

}  // namespace
}  // namespace scintigen
