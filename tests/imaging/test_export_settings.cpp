// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <set>

#include "imaging/export_fixture.h"

namespace scintigen {
namespace {

/// The unit of an NM object is in its mapping alone: (0054,1001) belongs to PET.
TEST_F(ExportTest, NmKeepsItsUnit) {
  save_source("NM");
  save_volume(oblique_grid());
  for (const char* unit : {"Bq/mL", "counts", "counts/s", "g/mL", "1"}) {
    settings_.unit = unit;
    run();
    EXPECT_EQ(read_dicom_series(written()).unit, unit);
    clear();
  }
  settings_.unit = "";
  run();
  EXPECT_EQ(read_dicom_series(written()).unit, "1");  // as PET's NONE: no claim of counts
}

/// Unit of an NM file with Rescale Slope `rescale` and a mapping of another slope and code.
std::string unit_beside_rescale(const std::filesystem::path& folder, double rescale, double slope,
                                const std::string& code) {
  const auto grid = centred_grid(6, 5, 4, 2);
  auto made = made_nm(grid, made_values(grid, 0, 4));
  made.text(DCM_RescaleSlope, ds(rescale)).text(DCM_RescaleIntercept, "0");
  DcmItem& map = MadeDicom::in(made.item(), DCM_RealWorldValueMappingSequence);
  map.putAndInsertFloat64(DCM_RealWorldValueSlope, slope);
  map.putAndInsertFloat64(DCM_RealWorldValueIntercept, 0);
  MadeDicom::put_text(MadeDicom::in(map, DCM_MeasurementUnitsCodeSequence), DCM_CodeValue, code);
  std::filesystem::remove_all(folder);
  made.save(folder / "nm.dcm");
  const auto volume = read_dicom_series(find_dicom_series(folder, nullptr).at(0));
  EXPECT_NEAR(volume.voxels[1][0][0].item<double>(), 1009 * rescale, 1e-3 * rescale);
  return volume.unit;
}

TEST(DicomUnit, OfTheMappingThatIsTheRescale) {
  const TemporaryFolder folder;
  const auto unit = [&](double rescale, double slope, const std::string& code) {
    return unit_beside_rescale(folder / "nm", rescale, slope, code);
  };
  EXPECT_EQ(unit(0.125, 0.125, "Bq/ml"), "Bq/mL");
  EXPECT_EQ(unit(0.125, 0.125, "g/ml{SUVbw}"), "g/mL");
  EXPECT_EQ(unit(1.0 / 3, 1.0 / 3, "{counts}/s"), "counts/s");  // 16 characters of DS
  EXPECT_EQ(unit(1, 0.125, "Bq/ml"), "counts");                 // of another line
  EXPECT_EQ(unit(0.125, 0.125, "kBq/ml"), "");                  // known to be something else
}

/// One UID never names two objects: whatever changes the object changes its UIDs.
TEST_F(ExportTest, SeededUidsFollowEverySetting) {
  save_source("PT");
  save_volume(oblique_grid());
  settings_.seed = 7;
  std::set<std::string> series, objects;
  int turns = 0;
  const auto export_with = [&](const std::function<void(ExportSettings&)>& change) {
    const auto before = settings_;
    change(settings_);
    run();
    const auto made = written();
    series.insert(made.series_uid);
    for (const auto& path : made.files) {
      DcmFileFormat file;
      ASSERT_TRUE(file.loadFile(path.c_str()).good());
      OFString text;
      file.getDataset()->findAndGetOFString(DCM_SOPInstanceUID, text);
      objects.insert(text.c_str());
    }
    turns += static_cast<int>(made.files.size());
    settings_ = before;
  };
  export_with([](auto&) {});
  const auto first = series;
  for (const auto& [name, change] : std::map<std::string, std::function<void(ExportSettings&)>>{
           {"unit", [](auto& s) { s.unit = "counts"; }},
           {"participant", [](auto& s) { s.participant = "02"; }},
           {"keep_identity", [](auto& s) { s.keep_identity = true; }},
           {"synthetic", [](auto& s) { s.synthetic = false; }},
           {"seed", [](auto& s) { s.seed = 8; }}}) {
    clear();
    const auto size = series.size();
    export_with(change);
    EXPECT_EQ(series.size(), size + 1) << name;
  }
  clear();
  save_source("PT", [](MadeDicom& made) { made.text(DCM_PatientID, "another"); });
  export_with([](auto& s) { s.keep_identity = true; });
  EXPECT_EQ(series.size(), 7U);
  EXPECT_EQ(static_cast<int>(objects.size()), turns);
  clear();
  save_source("PT");
  const auto all = series;
  export_with([&](auto& s) {  // said or by default, here or there: the same object
    s.modality = "PT";
    std::filesystem::copy_file(s.volume, folder_ / "copy.nii.gz");
    s.volume = (folder_ / "copy.nii.gz").string();
    s.out += "/";
  });
  EXPECT_EQ(series, all);
}

/// What a format cannot hold is not dropped without a word.
TEST_F(ExportTest, OptionsOfAnotherFormatAreRefused) {
  save_volume(oblique_grid());
  save_source("PT");
  const std::vector<std::pair<const char*, std::function<void(ExportSettings&)>>> options = {
      {"--like", [](auto& s) { s.like = "somewhere"; }},
      {"--keep-identity", [](auto& s) { s.keep_identity = true; }},
      {"--seed", [](auto& s) { s.seed = 3; }},
      {"--modality", [](auto& s) { s.modality = "PT"; }},
      {"--participant", [](auto& s) { s.participant = "03"; }},
      {"--unit", [](auto& s) { s.unit = "counts"; }},
      {"--session", [](auto& s) { s.session = "2"; }},
      {"--tracer", [](auto& s) { s.tracer = "FDG"; }},
      {"--space", [](auto& s) { s.space = "MNI152"; }},
      {"--source-dataset", [](auto& s) { s.source_dataset = "bids::"; }}};
  for (size_t o = 0; o < options.size(); ++o) {
    const bool dicom = o < 6, bids = o >= 3;
    const auto formats = dicom && bids ? "dicom or bids" : dicom ? "dicom" : "bids";
    for (const std::string format : {"nifti", "dicom", "bids"}) {
      if ((format == "dicom" && dicom) || (format == "bids" && bids)) continue;
      ExportSettings plain;
      plain.volume = settings_.volume;
      plain.out = settings_.out;
      plain.format = format;
      if (format == "dicom") plain.like = settings_.like;
      if (format == "bids") plain.participant = "03", plain.modality = "PT";
      options[o].second(plain);
      EXPECT_REFUSED(export_volume(plain, notes_),
                     fmt::format("{} goes with --format {}; {} holds none", options[o].first,
                                 formats, format));
      EXPECT_FALSE(std::filesystem::exists(settings_.out));
    }
  }
}

}  // namespace
}  // namespace scintigen
