// SPDX-License-Identifier: Apache-2.0
// A detector on disk: fitted by the plane, gone on with, applied.
#include <gtest/gtest.h>

#include "cohort/volume_people.h"
#include "core/atomic_file.h"
#include "core/progress.h"
#include "core/temporary_folder.h"
#include "detection/detector.h"

namespace scintigen {
namespace {

class DetectorOnDisk : public testing::Test {
 protected:
  DetectorOnDisk() : network_((torch::manual_seed(3), 1)) {
    write_tiny_people(folder_ / "people", 9);
    cohort_ = read_volume_cohort(folder_ / "people");
    auto ids = cohort_.participants();
    ids.pop_back();
    controls_ = read_patch_people(cohort_, ids, patches_);
  }
  TemporaryFolder folder_;
  PatchAutoencoder network_;
  VolumeCohort cohort_;
  PatchSettings patches_;
  PatchPeople controls_;
};

TEST_F(DetectorOnDisk, KnowsWhatItsImagesAreRelativeTo) {
  patches_.smooth_mm = 4;
  patches_.surround_mm = 12;
  controls_ = read_patch_people(cohort_, controls_.participants, patches_);
  const VoxelMachineSettings settings;
  begin_detector(folder_ / "d", network_, controls_, patches_, settings, cohort_);
  const auto read = read_detector(folder_ / "d");
  EXPECT_EQ(read.patches.smooth_mm, 4);
  EXPECT_EQ(read.patches.surround_mm, 12);
  // Uptake is of the same images as scores are: relative ones, whose mean is about 1 everywhere.
  const auto mean = read.uptake.normal.mean.masked_select(controls_.mask);
  EXPECT_NEAR(mean.mean().item<double>(), 1, 0.02);
  // A detector of before the setting is one of images as they are.
  const auto path = folder_ / "d" / "detector.json";
  auto json = read_file(path);
  for (const std::string line : {"  \"smooth_mm\": 4.0,\n", "  \"surround_mm\": 12.0,\n"}) {
    const auto at = json.find(line);
    ASSERT_NE(at, std::string::npos);
    json.erase(at, line.size());
  }
  write_file(path, json);
  EXPECT_EQ(read_detector(folder_ / "d").patches.smooth_mm, 0);
  EXPECT_EQ(read_detector(folder_ / "d").patches.surround_mm, 0);
}

TEST_F(DetectorOnDisk, ScoresAsItsPlanes) {
  VoxelMachineSettings settings;
  settings.folds = 4;
  const auto begun =
      begin_detector(folder_ / "d", network_, controls_, patches_, settings, cohort_);
  int64_t planes = 0;
  const auto fit = fit_detector(begun, controls_, settings, {}, [&] { ++planes; });
  EXPECT_EQ(planes, 3);
  EXPECT_EQ(fit.fitted, 3);
  EXPECT_EQ(fit.voxels, 3 * 12 * 16);
  const auto detector = read_detector(folder_ / "d");
  const auto patient = read_patch_people(cohort_, {"sub-9"}, detector.patches);
  const auto scored = score_people(detector, {patient.scans[0], controls_.scans[0]}, [] {});
  const auto& maps = scored.maps;
  EXPECT_TRUE(torch::equal(maps[0].mask, controls_.mask));
  const DensePatchEncoder encoder(network_);
  const auto machines = fit_plane(encoder, controls_.scans, controls_.mask[1], 1, settings);
  const auto expected = score_plane(encoder, patient.scans[0], machines, 1);
  EXPECT_TRUE(torch::equal(maps[0].score[1].masked_select(controls_.mask[1]), expected));
  EXPECT_TRUE(torch::allclose(maps[0].z[1].masked_select(controls_.mask[1]),
                              (expected - machines.mean) / machines.deviation));
  EXPECT_EQ(maps[0].score.masked_select(~controls_.mask).abs().max().item<float>(), 0);
  // 8 controls, 3 planes of 12 x 16 voxels, of which every eighth is counted.
  EXPECT_EQ(scored.healthy.total(), 8 * 3 * (12 * 16 / 8));
  EXPECT_TRUE(torch::equal(maps[0].p.masked_select(maps[0].mask),
                           scored.healthy.p_values(maps[0].z.masked_select(maps[0].mask))));
  EXPECT_EQ(maps[0].p.masked_select(~maps[0].mask).min().item<float>(), 1);
  // A control lies inside more often than somebody new.
  EXPECT_GT(maps[1].score.mean().item<double>(), maps[0].score.mean().item<double>());
}

TEST_F(DetectorOnDisk, GoesOnWhereItStopped) {
  const VoxelMachineSettings settings;
  const auto detector =
      begin_detector(folder_ / "d", network_, controls_, patches_, settings, cohort_);
  const auto patient = controls_.scans[0];
  request_stop();
  EXPECT_TRUE(fit_detector(detector, controls_, settings, {}, [] {}).stopped);
  request_stop(false);
  EXPECT_REFUSED(score_people(detector, {patient}, [] {}), "plane 0 is not fitted yet");
  fit_detector(detector, controls_, settings, {}, [] {});
  const auto whole = score_people(detector, {patient}, [] {}).maps[0].score;
  std::filesystem::remove(folder_ / "d" / "planes" / "plane-0001.safetensors");
  const auto again =
      fit_detector(begin_detector(folder_ / "d", network_, controls_, patches_, settings, cohort_),
                   controls_, settings, {}, [] {});
  EXPECT_EQ(again.fitted, 1);
  EXPECT_EQ(again.kept, 2);
  EXPECT_TRUE(torch::equal(score_people(detector, {patient}, [] {}).maps[0].score, whole));
}

TEST_F(DetectorOnDisk, ShardsGiveTheWholeBitForBit) {
  VoxelMachineSettings settings;
  settings.folds = 4;
  const auto whole =
      begin_detector(folder_ / "whole", network_, controls_, patches_, settings, cohort_);
  fit_detector(whole, controls_, settings, {}, [] {});
  const auto parts =
      begin_detector(folder_ / "parts", network_, controls_, patches_, settings, cohort_);
  EXPECT_EQ(fit_detector(parts, controls_, settings, parse_shard("2/2"), [] {}).fitted, 1);
  EXPECT_EQ(missing_planes(parts), (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(fit_detector(parts, controls_, settings, parse_shard("1/2"), [] {}).fitted, 2);
  EXPECT_TRUE(missing_planes(parts).empty());
  for (const char* file : {"detector.json", "network.safetensors", "uptake.safetensors",
                           "planes/plane-0000.safetensors", "planes/plane-0001.safetensors",
                           "planes/plane-0002.safetensors"})
    EXPECT_EQ(sha256_of_file(folder_ / "whole" / file), sha256_of_file(folder_ / "parts" / file))
        << file;
}

TEST_F(DetectorOnDisk, RefusesOtherControlsAndDamage) {
  const VoxelMachineSettings settings;
  begin_detector(folder_ / "d", network_, controls_, patches_, settings, cohort_);
  VoxelMachineSettings other;
  other.one_class.nu = 0.1;
  EXPECT_REFUSED(begin_detector(folder_ / "d", network_, controls_, patches_, other, cohort_),
                 "holds a detector of other controls, settings or features; name another --out");
  write_file(folder_ / "d" / "detector.json",
             "{\"format\": \"scintigen detector\", \"version\": 4}");
  EXPECT_REFUSED(read_detector(folder_ / "d"), "detector.json: is damaged");
  write_file(folder_ / "d" / "detector.json",
             "{\"format\": \"scintigen detector\", \"version\": 3}");
  write_file(folder_ / "d" / "detector.json", "[]");
  EXPECT_REFUSED(read_detector(folder_ / "d"), "expected a detector of version 4");
}

}  // namespace
}  // namespace scintigen
