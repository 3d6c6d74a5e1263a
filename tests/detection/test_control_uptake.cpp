// SPDX-License-Identifier: Apache-2.0
// Controls' uptake: planted changes have their sign, a file goes round, refusals.
#include <gtest/gtest.h>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "detection/control_uptake.h"
#include "detection/simple_detectors.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 12;

/// Controls of a T1 and a PET of about 1, which differ by noise and by a gain.
class Uptake : public testing::Test {
 protected:
  Uptake() {
    people_.grid = centred_grid(kSide, kSide, kSide, 4);
    people_.mask = torch::zeros({kSide, kSide, kSide}, torch::kBool);
    people_.mask.slice(0, 1, 11).slice(1, 1, 11).slice(2, 1, 11).fill_(true);
    for (uint64_t p = 0; p < 9; ++p) {
      people_.scans.push_back(somebody(p));
      people_.participants.push_back("sub-" + std::to_string(p));
    }
  }
  ScaledScans somebody(uint64_t p) const {
    const auto noise = Random(3, "uptake", p).uniform_tensor({kSide, kSide, kSide});
    return {
        {noise, (static_cast<float>(p + 1) * (noise + 4)).contiguous()}, {0, 0}, {1, 1}, {}, {}};
  }
  TemporaryFolder folder_;
  PatchPeople people_;
  const std::vector<std::string> modalities_ = {"T1w", "pet"};
};

TEST_F(Uptake, LiesBelowZeroWhereAPersonHasLessAndAboveWhereMore) {
  const auto uptake = control_uptake(people_, modalities_);
  ASSERT_EQ(uptake.modality, std::optional<size_t>(1));
  auto person = somebody(100);
  person.voxels[1].slice(0, 2, 5).slice(1, 2, 5).slice(2, 2, 5).mul_(0.7);
  person.voxels[1].slice(0, 7, 10).slice(1, 7, 10).slice(2, 7, 10).mul_(1.3);
  const auto t = uptake.of(person, people_.mask, {}, people_.grid);
  EXPECT_LT(t[3][3][3].item<float>(), -3);
  EXPECT_GT(t[8][8][8].item<float>(), 3);
  EXPECT_EQ(t.masked_select(~people_.mask).abs().max().item<float>(), 0);
  // The scanner's units are nobody's sign.
  auto louder = person;
  louder.voxels[1] = 50 * person.voxels[1];
  EXPECT_TRUE(torch::allclose(uptake.of(louder, people_.mask, {}, people_.grid), t, 1e-3, 1e-4));
  // By hand at one voxel: (x - mean) / (SD sqrt(1 + 1/9)).
  NormalImages images;
  for (const auto& scans : people_.scans)
    images.add(smoothed_uptake(scans.voxels[1], people_.mask, people_.grid));
  const auto normal = images.normal();
  const auto x =
      smoothed_uptake(person.voxels[1], people_.mask, people_.grid)[3][3][3].item<double>();
  EXPECT_NEAR(t[3][3][3].item<double>(),
              (x - normal.mean[3][3][3].item<double>()) / normal.sd[3][3][3].item<double>() /
                  std::sqrt(10.0 / 9),
              1e-3);
}

TEST_F(Uptake, LooksInsideThePersonsOwnBrain) {
  const auto uptake = control_uptake(people_, modalities_);
  auto brain = people_.mask.clone();
  brain.slice(0, 0, 4).fill_(false);
  auto person = somebody(100);
  person.voxels[1].slice(0, 0, 4).zero_();  // what is outside takes no part in the mean
  const auto t = uptake.of(person, people_.mask, brain, people_.grid);
  EXPECT_EQ(t.slice(0, 0, 4).abs().max().item<float>(), 0);
  EXPECT_LT(t.slice(0, 6, 11).abs().max().item<float>(), 8);
}

TEST_F(Uptake, OfAnMriAloneThereIsNone) {
  const auto none = control_uptake(people_, {"T1w", "FLAIR"});
  EXPECT_FALSE(none.modality);
  EXPECT_FALSE(none.of(people_.scans[0], people_.mask, {}, people_.grid).defined());
  write_control_uptake(folder_ / "none", none, "key");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none"));
  EXPECT_FALSE(
      read_control_uptake(folder_ / "none", {"T1w", "FLAIR"}, "key", people_.grid, 9).modality);
}

TEST_F(Uptake, GoesRoundAFile) {
  const auto made = control_uptake(people_, modalities_);
  const auto path = folder_ / "uptake.safetensors";
  write_control_uptake(path, made, "key");
  const auto read = read_control_uptake(path, modalities_, "key", people_.grid, 9);
  const auto person = somebody(100);
  EXPECT_TRUE(torch::equal(read.of(person, people_.mask, {}, people_.grid),
                           made.of(person, people_.mask, {}, people_.grid)));
  EXPECT_REFUSED(read_control_uptake(path, modalities_, "other", people_.grid, 9),
                 "belongs to another detector; fit again into an empty folder");
  EXPECT_REFUSED(read_control_uptake(folder_ / "none", modalities_, "key", people_.grid, 9),
                 "none: is missing; fit again into an empty folder");
  const auto narrow = centred_grid(kSide - 1, kSide, kSide, 4);
  EXPECT_REFUSED(read_control_uptake(path, modalities_, "key", narrow, 9),
                 "is not of the detector's grid; fit again");
}

TEST_F(Uptake, NeedsThreeControls) {
  people_.scans.resize(2);
  EXPECT_REFUSED(control_uptake(people_, modalities_),
                 "controls' uptake: 2 controls; expected at least 3");
}

TEST_F(Uptake, NamesWhoHasNone) {
  people_.scans[4].voxels[1] = torch::zeros({kSide, kSide, kSide});
  EXPECT_REFUSED(control_uptake(people_, modalities_), "sub-4: relative uptake: the mean");
}

/// `prepare --scaling` took an offset off each slice: in units it is as if it had not.
TEST_F(Uptake, IsThatOfTheUnitsWhateverTheScaling) {
  const auto uptake = control_uptake(people_, modalities_);
  const auto person = somebody(100);
  auto scaled = person;
  scaled.voxels[1] = person.voxels[1].clone();
  std::vector<std::array<double, 2>> pairs;
  for (int64_t plane = 0; plane < kSide; ++plane) {
    const double slope = 2.0 + static_cast<double>(plane), intercept = 3;
    scaled.voxels[1][plane].sub_(intercept).div_(slope);
    pairs.push_back({slope, intercept});
  }
  scaled.to_unit = {{{1, 0}}, pairs};
  EXPECT_TRUE(torch::allclose(in_units(scaled, 1), person.voxels[1], 1e-5, 1e-4));
  EXPECT_TRUE(torch::allclose(uptake.of(scaled, people_.mask, {}, people_.grid),
                              uptake.of(person, people_.mask, {}, people_.grid), 1e-2, 1e-3));
  scaled.to_unit = {{{1, 0}}, {{2, 1}}};
  EXPECT_TRUE(torch::equal(in_units(scaled, 1), 2 * scaled.voxels[1] + 1));
  EXPECT_TRUE(in_units(scaled, 0).is_same(scaled.voxels[0]));
}

}  // namespace
}  // namespace scintigen
