// SPDX-License-Identifier: Apache-2.0
// What is on disk after write_person(): every modality, read back and held against the plan.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/table.h"
#include "core/temporary_folder.h"
#include "core/volume_io.h"
#include "simulate/colin.h"
#include "simulate/data_set.h"
#include "simulate/person_files.h"

namespace scintigen {
namespace {

using Json = nlohmann::json;

/// Small and quick, on the same field of view.
SimulateSettings quick(const std::string& like) {
  SimulateSettings settings;
  settings.like = like;
  settings.spect.views = 24;
  settings.spect.iterations = 1;
  settings.spect.subsets = 6;
  settings.pet.matrix = 64;
  settings.pet.slices = 42;
  settings.pet.pixel_mm = 4;
  settings.pet.views = 48;
  settings.pet.iterations = 1;
  settings.pet.subsets = 12;
  return settings;
}

Affine affine_of(const Json& rows) {
  Affine affine{};
  for (size_t i = 0; i < 4; ++i)
    for (size_t j = 0; j < 4; ++j) affine[i][j] = rows.at(i).at(j).get<double>();
  return affine;
}

/// World point of the middle of a mask's voxels, mm.
Point centroid(const Volume& mask) {
  const auto places = mask.voxels.nonzero().to(torch::kDouble).mean(0);
  return transform_point(mask.voxel_to_world, {places[2].item<double>(), places[1].item<double>(),
                                               places[0].item<double>()});
}

TEST(PersonFiles, EveryModalityShowsTheFocusWhereTheTruthSays) {
  const TemporaryFolder folder;
  const auto settings = quick("epilepsy-spect");
  const auto groups = cohort_groups(settings);
  const auto plan = plan_person(colin(), settings, groups, 0);
  int scans = 0;
  write_person(folder.path(), colin(), settings, plan, [&] { ++scans; });
  EXPECT_EQ(scans, 4);
  const auto truth = Json::parse(read_file(truth_file(folder.path(), "sub-001")));
  const auto person = make_person(colin(), 1, 0, plan.age_years, plan.female);
  const auto& focus = plan.scans[1].lesions.front();
  for (const auto& [scan, name] :
       {std::pair{1, "pet/sub-001_trc-FDG"}, {3, "ses-ictal/spect/sub-001_ses-ictal"}}) {
    const auto mask = read_volume(
        folder / ("derivatives/truth/sub-001/" + std::string(name) + "_desc-lesion_mask.nii.gz"));
    ASSERT_GT(mask.voxels.sum().item<double>(), 5) << name;
    const Affine to_person = inverse(affine_of(truth.at("scans").at(scan).at("person_to_world")));
    const Point found = person.to_template(transform_point(to_person, centroid(mask)));
    double away = 0;
    for (size_t axis = 0; axis < 3; ++axis) away += std::pow(found[axis] - focus.centre[axis], 2);
    // A focus at the rim of the brain is cut on one side: its middle moves inwards.
    EXPECT_LT(std::sqrt(away), 7) << name;
    const auto image =
        read_volume(folder / truth.at("scans").at(scan).at("file").get<std::string>());
    EXPECT_EQ(image.voxels.sizes(), mask.voxels.sizes());
    EXPECT_EQ(image.voxel_to_world, mask.voxel_to_world);
    EXPECT_GT(image.voxels.max().item<double>(), 0);
  }
  const auto t1 = read_volume(folder / "sub-001/anat/sub-001_T1w.nii.gz");
  const auto brain =
      read_volume(folder / "derivatives/truth/sub-001/anat/sub-001_desc-brain_mask.nii.gz");
  EXPECT_EQ(t1.voxels.sizes(), (std::vector<int64_t>{176, 256, 256}));
  const double millilitres = brain.voxels.sum().item<double>() / 1e3;
  EXPECT_GT(millilitres, 1200);
  EXPECT_LT(millilitres, 2300);
  // The middle of the brain, through the recorded position, is the middle of the template's brain.
  const Affine to_person = inverse(affine_of(truth.at("scans").at(0).at("person_to_world")));
  const Point middle = person.to_template(transform_point(to_person, centroid(brain)));
  EXPECT_NEAR(middle[0], 0, 4);
  EXPECT_NEAR(middle[1], -20, 8);
  EXPECT_NEAR(middle[2], 10, 8);
}

TEST(PersonFiles, AControlOfFdgHasAPetAndNoLesion) {
  const TemporaryFolder folder;
  const auto settings = quick("fdg");
  const auto groups = cohort_groups(settings);
  const auto index = std::find(groups.begin(), groups.end(), "control") - groups.begin();
  auto plan = plan_person(colin(), settings, groups, index);
  plan.scans.erase(plan.scans.begin());  // the T1, which the other test writes
  write_person(folder.path(), colin(), settings, plan, [] {});
  const auto pet = read_volume(folder / fmt::format("{0}/pet/{0}_trc-FDG_pet.nii.gz", plan.id));
  const auto activity = read_volume(
      folder /
      fmt::format("derivatives/truth/{0}/pet/{0}_trc-FDG_desc-activity_pet.nii.gz", plan.id));
  // Bq/mL, and the image follows what was planted.
  EXPECT_NEAR(pet.voxels.mean().item<double>() / activity.voxels.mean().item<double>(), 1, 0.1);
  EXPECT_FALSE(std::filesystem::exists(
      folder /
      fmt::format("derivatives/truth/{0}/pet/{0}_trc-FDG_desc-lesion_mask.nii.gz", plan.id)));
}

TEST(DataSet, Table1SaysWhatItIsShortOf) {
  const TemporaryFolder folder;
  SimulateSettings settings;
  settings.like = "table1";
  Json slices = Json::array();
  for (int n = 0; n < 200; ++n)
    slices.push_back({{"slice", n},
                      {"level", "cortex"},
                      {"pattern", "normal"},
                      {"side", "none"},
                      {"severity", 0}});
  slices.push_back({{"slice", 200},
                    {"level", "cerebellum"},
                    {"pattern", "bilateral"},
                    {"side", "both"},
                    {"severity", 20}});
  const Json truth = {{"participant_id", "sub-001"},
                      {"age", 60},
                      {"sex", "F"},
                      {"group", "normal"},
                      {"scans",
                       {{{"session", "rest"},
                         {"modality", "spect"},
                         {"tracer", "IMP"},
                         {"file", "x.nii.gz"},
                         {"slices", slices}}}}};
  write_file(truth_file(folder.path(), "sub-001"), truth.dump());
  const auto notes = finish_data_set(folder.path(), settings, 1);
  // All but cerebellum, bilateral (0 wanted) and cortex, normal (129 wanted, 200 there) fall short.
  EXPECT_EQ(notes.size(), 7U);
  EXPECT_EQ(std::count(notes.begin(), notes.end(),
                       "table1: 0 bilateral slices at level cortex; the paper has 52"),
            1);
  const auto table = read_table(folder / "slices.tsv");
  EXPECT_EQ(table.rows.size(), 129U);
  EXPECT_EQ(table.at(0, "pattern"), "normal");
}

TEST(DataSet, IsContinuedOnlyByTheSameSettingsAndTemplate) {
  const TemporaryFolder folder;
  SimulateSettings settings;
  const auto place = folder / "cohort";
  begin_data_set(place, settings);
  begin_data_set(place, settings);
  settings.seed = 2;
  EXPECT_REFUSED(begin_data_set(place, settings), "begun with seed = 1, now 2");
  settings.seed = 1;
  const auto names = read_file(settings.head.template_names);
  auto other = settings;
  other.head.template_names = put_bytes(folder / "names.txt", names + "\n").string();
  EXPECT_REFUSED(begin_data_set(place, other), "begun with template_names");
  // Killed before the design was there: an empty folder of the truth, and a file half written.
  std::filesystem::create_directories(folder / "early/derivatives/truth");
  put_bytes(folder / "early/derivatives/truth/design.json.tmp-999999999-1", "{");
  begin_data_set(folder / "early", settings);
  EXPECT_FALSE(
      std::filesystem::exists(folder / "early/derivatives/truth/design.json.tmp-999999999-1"));
}

}  // namespace
}  // namespace scintigen
