// SPDX-License-Identifier: Apache-2.0
// From DICOM to prepared cohorts: everybody arrives, and nothing that names anyone does.
#include <ATen/ATen.h>

#include <cctype>
#include <cmath>

#include "core/temporary_folder.h"
#include "imaging/dicom_canaries.h"
#include "imaging/head_phantom.h"
#include "imaging/prepare.h"

namespace scintigen {
namespace {

/// What must not come out, in any case: texts, dates, UIDs of the made-up files and their names.
const char* const kSecrets[] = {"canary", "cnry", "19123456", "7711998"};

std::string secret_in(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* secret : kSecrets) {
    const auto at = text.find(secret);
    if (at == std::string::npos) continue;
    auto around = text.substr(at < 60 ? 0 : at - 60, 100);
    for (char& c : around) c = std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '.';
    return around;
  }
  return "";
}

/// A made-up person: who they are, where they are, and how much they took up.
struct Person {
  std::string id, study;
  double uptake_bqml;
  Affine place;
};

const Affine kSmaller = {{{0.72, 0, 0, 0}, {0, 0.6, 0, 0}, {0, 0, 0.66, 0}, {0, 0, 0, 1}}};

class PrepareDicom : public ::testing::Test {
 protected:
  PrepareDicom() {
    settings_.input = (folder_ / "in").string();
    settings_.out = (folder_ / "out").string();
    settings_.spacing_mm = 8;
    settings_.matrix = {24, 24, 24};
    settings_.brain = "none";
    settings_.keep_doubtful = true;
  }

  /// A series of `person`: `number` tells series apart; slice `missing` is not there.
  void save_series(const Person& person, const std::string& modality, int number, const Grid& grid,
                   int64_t missing = -1) {
    const bool pet = modality == "PT";
    const auto head = head_phantom(grid, compose(person.place, kSmaller),
                                   pet ? PhantomScan::kUptake : PhantomScan::kT1, {});
    const auto folder =
        folder_ / fmt::format("in/CANARY_Jane_{}/Canary study/{}{}", person.id, modality, number);
    for (int64_t k = 0; k < grid.nk; ++k) {
      if (k == missing) continue;
      // PET: each slice has a slope of its own, so that its brightest voxel is 20000
      const auto slice = head.voxels[k].flatten() * (pet ? person.uptake_bqml : 1000.0);
      const double most = std::max(slice.max().item<double>(), 1e-3);
      const double slope = pet ? most / 20000 : 1;
      const auto stored = (slice / slope).round().to(torch::kLong).contiguous();
      auto made =
          made_slice(modality, grid, k,
                     {stored.data_ptr<int64_t>(), stored.data_ptr<int64_t>() + stored.numel()});
      if (k == 0)
        EXPECT_GE(put_canaries(made), 30);
      else
        put_canaries(made);
      const auto uid = fmt::format("1.2.840.7711998.{}.{}", person.id.back() - 'A' + 1, number);
      made.text(DCM_PatientID, "CANARY" + person.id).text(DCM_StudyInstanceUID, person.study);
      made.text(DCM_SeriesInstanceUID, uid).text(DCM_FrameOfReferenceUID, uid + ".99");
      made.text(DCM_SOPInstanceUID, fmt::format("{}.{}", uid, k + 1));
      made.text(DCM_LossyImageCompression, "01");  // a note, with the file's name
      if (pet) made.text(DCM_RescaleSlope, ds(slope));
      if (!pet) made.text(DCM_EchoTime, "3");
      made.save(folder / fmt::format("CANARY^{}_{:03}.dcm", person.id, k));
    }
  }
  void save_person(const Person& person) {
    save_series(person, "MR", 1, centred_grid(40, 40, 40, 4));
    save_series(person, "PT", 2, centred_grid(30, 32, 28, 5.5));
  }
  void save_two() {
    save_person({"A", "1.2.840.7711998.1", 8000, rigid_affine({0.02, 0, 0.03}, {2, -3, 1})});
    save_person({"B", "1.2.840.7711998.2", 24000, rigid_affine({0, 0.03, -0.02}, {-3, 2, 2})});
  }
  MergedPeople prepare(const PreparePlan& plan) {
    prepare_people(plan, [this](const std::string& id) { said_ += id + "\n"; });
    return merge_cohort(plan);
  }
  void expect_no_secret_said(const PreparePlan& plan, const MergedPeople& people) {
    for (const auto& note : plan.notes) said_ += note + "\n";
    for (const auto& line : describe_plan(plan)) said_ += line + "\n";
    for (const auto& record : people.records) said_ += record.dump() + "\n";
    EXPECT_EQ(secret_in(said_), "");
  }
  void expect_no_secret_written() {
    int files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(settings_.out)) {
      const auto name = entry.path().lexically_relative(settings_.out).string();
      EXPECT_EQ(secret_in(name), "");
      if (!entry.is_regular_file()) continue;
      EXPECT_NE(entry.path().extension(), ".gz") << name << ": cannot be searched";
      EXPECT_EQ(secret_in(bytes_of(entry.path())), "") << name;
      ++files;
    }
    EXPECT_GE(files, 4);
  }

  TemporaryFolder folder_;
  PrepareSettings settings_;
  std::string said_;
};

TEST_F(PrepareDicom, NothingThatNamesAnyoneComesOut) {
  save_two();
  save_series({"A", "1.2.840.7711998.1", 8000, identity_affine()}, "PT", 3,
              centred_grid(12, 12, 10, 12), 5);  // a gap: refused
  put_bytes(folder_ / "in/CANARY_Jane_A/canary.txt", "CANARY");
  const auto plan = plan_prepare(settings_);
  ASSERT_EQ(plan.patients.size(), 2U);
  std::string notes;
  for (const auto& note : plan.notes) notes += note + "\n";
  EXPECT_NE(notes.find("sub-001: a series is left out: "), std::string::npos) << notes;
  EXPECT_NE(notes.find("1 files are not DICOM"), std::string::npos) << notes;
  const auto people = prepare(plan);
  for (const auto& record : people.records) EXPECT_EQ(record.value("failed", ""), "");
  ASSERT_EQ(people.outcome.prepared, 2);
  EXPECT_EQ(people.outcome.volumes, 4);
  EXPECT_EQ(people.outcome.left_out, 0);

  const auto cohort = read_volume_cohort(folder_ / "out/native");
  EXPECT_EQ(cohort.participants(), (std::vector<std::string>{"sub-001", "sub-002"}));
  for (const auto& [id, uptake] : {std::pair{"sub-001", 8000.0}, {"sub-002", 24000.0}}) {
    const auto pet = cohort.find(id, "pet"), t1 = cohort.find(id, "T1w");
    EXPECT_EQ(cohort.volumes[pet].unit, "Bq/mL");
    EXPECT_EQ(cohort.volumes[pet].tracer, "FDG");
    const auto voxels = map_voxels(cohort, pet);
    EXPECT_EQ(voxels.sizes(), (std::vector<int64_t>{24, 24, 24}));
    // Their own uptake, by each slice's slope; the phantom's is up to 1, blurred.
    EXPECT_NEAR(voxels.max().item<double>() / uptake, 0.95, 0.15) << id;
    EXPECT_NEAR(map_voxels(cohort, t1).max().item<double>(), 900, 200) << id;
  }
  for (const auto& record : people.records)
    EXPECT_EQ(record["scans"][1]["registration"]["flip"].get<std::string>().find("mirrored"),
              std::string::npos);
  expect_no_secret_said(plan, people);
  expect_no_secret_written();
}

/// A study's UID is not who it is of: anonymisers empty it, or put one for all.
TEST_F(PrepareDicom, EqualOrEmptyStudyUidsAreStillTwoPeople) {
  const auto grid = centred_grid(40, 40, 40, 4);
  for (const std::string study : {"", "1.2.840.7711998.5"}) {
    std::filesystem::remove_all(settings_.input);
    for (const char* id : {"A", "B"}) {
      save_series({id, study, 8000, identity_affine()}, "MR", 1, grid);
      save_series({id, study, 8000, identity_affine()}, "PT", 2, centred_grid(12, 12, 10, 12));
    }
    const auto plan = plan_prepare(settings_);
    ASSERT_EQ(plan.patients.size(), 2U) << study;
    for (size_t p = 0; p < 2; ++p) {
      const auto& patient = plan.patients[p];
      EXPECT_EQ(patient.participant_id, fmt::format("sub-{:03}", p + 1));
      EXPECT_EQ(patient.problem, "");
      ASSERT_EQ(patient.scans.size(), 2U);
      const auto of = [&](const ScanSource& scan) {
        return scan.series.files.at(0).string().find("CANARY_Jane_B") != std::string::npos;
      };
      EXPECT_EQ(of(patient.scans[0]), of(patient.scans[1]));
      EXPECT_NE(of(patient.scans[0]), of(plan.patients[1 - p].scans[0]));
    }
    EXPECT_EQ(plan.columns.rows.size(), 2U);
  }
}

/// Neither ID nor study: nothing says that two series are of one person, or that they are not.
TEST_F(PrepareDicom, WhoIsNamedByNothingIsRefused) {
  const auto grid = centred_grid(40, 40, 40, 4);
  save_person({"A", "1.2.840.7711998.1", 8000, identity_affine()});
  for (const char* id : {"B", "C"}) save_series({id, "", 8000, identity_affine()}, "MR", 1, grid);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(settings_.input)) {
    const auto name = entry.path().filename().string();
    if (!entry.is_regular_file() || name.rfind("CANARY^A", 0) == 0) continue;
    DcmFileFormat file;
    ASSERT_TRUE(file.loadFile(entry.path().c_str()).good());
    file.getDataset()->findAndDeleteElement(DCM_PatientID);
    file.getDataset()->findAndDeleteElement(DCM_StudyInstanceUID);
    ASSERT_TRUE(file.saveFile(entry.path().c_str()).good());
  }
  const auto plan = plan_prepare(settings_);
  ASSERT_EQ(plan.patients.size(), 3U);  // not 2, of whom one is two people
  int refused = 0;
  for (const auto& patient : plan.patients) {
    if (patient.problem.empty()) continue;
    ++refused;
    EXPECT_EQ(patient.scans.size(), 1U);
    EXPECT_NE(patient.problem.find("neither Patient ID (0010,0020) nor Study Instance UID"),
              std::string::npos);
    EXPECT_NE(patient.problem.find("list it in a --table"), std::string::npos);
  }
  EXPECT_EQ(refused, 2);
  const auto people = prepare(plan);
  EXPECT_EQ(people.outcome.prepared, 1);
  EXPECT_EQ(people.outcome.failed, 2);
  expect_no_secret_said(plan, people);
}

/// Files that change between plan and preparation: the refusals are kept, without names.
TEST_F(PrepareDicom, ErrorsNameNoOne) {
  save_two();
  const auto plan = plan_prepare(settings_);
  const auto folder_of = [&](const char* id, const char* series) {
    return folder_ / fmt::format("in/CANARY_Jane_{}/Canary study/{}", id, series);
  };
  const auto pet = folder_of("A", "PT2") / "CANARY^A_007.dcm";
  std::filesystem::resize_file(pet, std::filesystem::file_size(pet) / 2);  // cannot be read
  std::filesystem::remove(folder_of("B", "MR1") / "CANARY^B_011.dcm");     // cannot be found
  const auto people = prepare(plan);
  EXPECT_EQ(people.outcome.prepared, 1);
  EXPECT_EQ(people.outcome.failed, 1);
  EXPECT_EQ(people.outcome.left_out, 2);
  EXPECT_EQ(people.outcome.volumes, 1);
  EXPECT_NE(people.records.at(0)["scans"][1].value("left_out", ""), "");
  EXPECT_NE(people.records.at(1).value("failed", ""), "");
  expect_no_secret_said(plan, people);
  expect_no_secret_written();
}

}  // namespace
}  // namespace scintigen
