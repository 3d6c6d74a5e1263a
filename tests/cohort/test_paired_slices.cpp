// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "cohort/paired_slices.h"
#include "core/affine.h"
#include "core/nifti.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

TEST(PairedSlices, LieAsInRadiology) {
  // One bright voxel: patient's left, front, in plane 2.
  auto volume = torch::zeros({4, 10, 8}, torch::kFloat);
  volume[2][9][0] = 5;  // RAS: first i is the patient's left, last j the front
  EXPECT_EQ(scaled_slice(volume, 2, 8).pixels.max().item<float>(), -1) << "cut away in front";
  const auto whole = scaled_slice(volume, 2, 16);
  const auto place = whole.pixels.argmax().item<int64_t>();
  EXPECT_EQ(place / 16, 3);      // first row of the ten in the middle of 16
  EXPECT_EQ(place % 16, 4 + 7);  // left of the patient on the right, eight in the middle of 16
  EXPECT_EQ(whole.pixels.max().item<float>(), 1);
  EXPECT_EQ(whole.pixels.min().item<float>(), -1);
  EXPECT_EQ(whole.high, 5);
}

TEST(PairedSlices, ComeBackWhereTheyWere) {
  torch::manual_seed(2);
  const auto volume = torch::rand({3, 9, 12}, torch::kFloat);
  auto back = torch::zeros_like(volume);
  for (int64_t k = 0; k < 3; ++k) {
    const auto slice = scaled_slice(volume, k, 16);
    put_slice(slice.low + (slice.pixels + 1) / 2 * (slice.high - slice.low), k, back);
  }
  EXPECT_LT((back - volume).abs().max().item<double>(), 1e-6);
}

TEST(PairedSlices, HoldMostOfTheBrain) {
  auto mask = torch::zeros({20, 4, 4}, torch::kFloat);
  mask.slice(0, 7, 15).fill_(1);
  EXPECT_EQ(first_slice(mask, 8), 7);
  EXPECT_EQ(first_slice(mask, 20), 0);
  EXPECT_EQ(first_slice(torch::zeros({20, 4, 4}), 10), 5);
}

class PairedCohort : public testing::Test {
 protected:
  PairedCohort() {
    cohort_.folder = folder_.path();
    cohort_.table.name = "volumes.tsv";
    for (const char* person : {"a", "b", "c"})
      for (const char* modality : {"T1w", "spect"}) add(person, modality, 12);
    settings_.slices = 6;
    settings_.side = 32;
  }
  void add(const std::string& person, const std::string& modality, int64_t depth) {
    Volume volume;
    torch::manual_seed(depth + static_cast<int64_t>(cohort_.volumes.size()));
    volume.voxels = torch::rand({depth, 20, 24}, torch::kFloat);
    volume.voxel_to_world = identity_affine();
    PreparedVolume entry;
    entry.participant_id = person;
    entry.modality = modality;
    entry.file = person + "_" + modality + ".nii";
    entry.grid = grid_of(volume);
    write_nifti(folder_.path() / entry.file, volume, "");
    cohort_.volumes.push_back(entry);
  }
  TemporaryFolder folder_;
  VolumeCohort cohort_;
  PairedSettings settings_;
};

TEST_F(PairedCohort, EverySliceOnceAnEpoch) {
  const PairedSlices slices(cohort_, {"a", "b", "c"}, settings_);
  EXPECT_EQ(slices.size(), 18);
  EXPECT_EQ(slices.steps_per_epoch(6), 3);
  const auto all = slices.gather({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::set<int64_t> seen;
    for (int64_t step = 0; step < 3; ++step) {
      const auto batch = slices.batch(3 * epoch + step, 6, 7);
      for (int64_t n = 0; n < 6; ++n) {
        const auto distance = (all.targets - batch.targets[n]).abs().sum({1, 2, 3});
        const auto nearest = distance.argmin().item<int64_t>();
        EXPECT_EQ(distance[nearest].item<float>(), 0);
        EXPECT_TRUE(torch::equal(all.inputs[nearest], batch.inputs[n]));  // beside its own input
        seen.insert(nearest);
      }
    }
    EXPECT_EQ(seen.size(), 18U);
  }
  EXPECT_TRUE(torch::equal(slices.batch(2, 6, 7).inputs, slices.batch(2, 6, 7).inputs));
  EXPECT_FALSE(torch::equal(slices.batch(2, 6, 7).inputs, slices.batch(2, 6, 8).inputs));
}

TEST_F(PairedCohort, AllSlicesOfPeopleWithOtherNumbersOfThem) {
  add("f", "T1w", 5);
  add("f", "spect", 5);
  settings_.slices = 0;
  const PairedSlices slices(cohort_, {"a", "f"}, settings_);
  ASSERT_EQ(slices.size(), 17);
  EXPECT_EQ(slices.row(0).slice, 0);
  EXPECT_EQ(slices.row(11).slice, 11);
  EXPECT_EQ(slices.row(12).person, 1U);
  EXPECT_EQ(slices.row(12).slice, 0);

  // They meet at as many places as the shorter has planes; of its own, each plane is a place.
  ASSERT_EQ(places_of(slices.people()), 5);
  const auto& tall = slices.people()[0];
  std::vector<int64_t> places;
  for (int64_t k = 0; k < 12; ++k) places.push_back(tall.place_of(k, 5));
  EXPECT_EQ(places, (std::vector<int64_t>{0, 0, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4}));
  for (int64_t place = 0; place < 5; ++place) {
    EXPECT_EQ(tall.place_of(tall.plane_at(place, 5), 5), place);
    EXPECT_EQ(slices.people()[1].place_of(place, 5), place);
    EXPECT_EQ(slices.people()[1].plane_at(place, 5), place);
  }
  EXPECT_EQ(tall.place_of(-3, 5), 0) << "planes beyond take the nearest";
  EXPECT_EQ(tall.place_of(20, 5), 4);
}

TEST_F(PairedCohort, NamesWhatDoesNotFit) {
  EXPECT_REFUSED(PairedSlices(cohort_, {"d"}, settings_), "no spect of d");
  settings_.slices = 13;
  EXPECT_REFUSED(PairedSlices(cohort_, {"a"}, settings_),
                 "spect of a has 12 slices; --slices 13 are asked for");
  settings_.slices = 6;
  add("e", "T1w", 10);
  add("e", "spect", 12);
  EXPECT_REFUSED(PairedSlices(cohort_, {"e"}, settings_),
                 "T1w and spect of e lie on different grids");
}

}  // namespace
}  // namespace scintigen
