// SPDX-License-Identifier: Apache-2.0
// The siamese recipe: pairs of patches, steps that repeat, checkpoints that detect fit reads.
#include <gtest/gtest.h>

#include "cohort/surroundings.h"
#include "cohort/volume_people.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "training/checkpoint.h"
#include "training/siamese_recipe.h"

namespace scintigen {
namespace {

class Siamese : public testing::Test {
 protected:
  Siamese() {
    write_tiny_people(folder_ / "people", 6);
    settings_.hold_out = 2;
    settings_.batch_size = 40;
    settings_.patches = 100;
  }
  std::unique_ptr<Recipe> recipe(uint64_t seed = 1) {
    auto settings = settings_;
    return make_siamese_recipe((folder_ / "people").string(), settings, {}, seed);
  }
  TemporaryFolder folder_;
  SiameseTraining settings_;
};

TEST_F(Siamese, PairsAreOfOneVoxelOfTwoPeople) {
  const auto cohort = read_volume_cohort(folder_ / "people");
  const auto people = read_patch_people(cohort, cohort.participants(), {});
  EXPECT_EQ(people.mask.sum().item<int64_t>(), 3 * 12 * 16);
  const auto pairs = draw_pairs(people, 50, 15, 1, 3);
  EXPECT_EQ(pairs.first.sizes(), (torch::IntArrayRef{50, 1, 15, 15}));
  for (int64_t k = 0; k < 50; ++k) {
    EXPECT_FALSE(torch::equal(pairs.first[k], pairs.second[k]));
    // Of the same voxel: outside the volume both are 0, and the common image shows.
    EXPECT_TRUE(torch::equal(pairs.first[k] == 0, pairs.second[k] == 0));
    const auto inside = pairs.first[k] != 0;
    const auto both =
        torch::stack({pairs.first[k].masked_select(inside), pairs.second[k].masked_select(inside)});
    EXPECT_GT(torch::corrcoef(both)[0][1].item<double>(), 0.8);
  }
  EXPECT_TRUE(torch::equal(pairs.first, draw_pairs(people, 50, 15, 1, 3).first));
  EXPECT_FALSE(torch::equal(pairs.first, draw_pairs(people, 50, 15, 1, 4).first));
}

TEST_F(Siamese, LearnsAndGoesOnFromACheckpoint) {
  const auto straight = recipe();
  EXPECT_EQ(straight->steps_per_epoch(), 4 * 100 / 40);
  const double before = straight->evaluate()[0].second;
  for (int64_t step = 0; step < 30; ++step) straight->step(step);
  EXPECT_LT(straight->evaluate()[0].second, before);
  EXPECT_EQ(settings_.data.surround_mm, 0);
  const auto first = recipe();
  for (int64_t step = 0; step < 10; ++step) first->step(step);
  CheckpointFolder(folder_ / "run", 3).save(*first, {10, 0, 0, false});
  const auto second = recipe();
  EXPECT_EQ(CheckpointFolder(folder_ / "run", 3).load_newest(*second)->step, 10);
  for (int64_t step = 10; step < 30; ++step) second->step(step);
  for (const auto& [name, tensor] : straight->state())
    EXPECT_TRUE(torch::equal(tensor, second->state().at(name))) << name;
  const auto trained = read_patch_network(chosen_checkpoint(folder_ / "run").string());
  EXPECT_EQ(trained.data.modalities, settings_.data.modalities);
  EXPECT_TRUE(
      torch::equal(trained.network->encode1->weight, first->state().at("network.encode1.weight")));
  EXPECT_GT(straight->sample_sheet(30).width, 100);
}

TEST_F(Siamese, PatchesRelativeToTheirSurroundings) {
  settings_.data.smooth_mm = 5;
  settings_.data.surround_mm = 12;
  const auto cohort = read_volume_cohort(folder_ / "people");
  const auto people = read_patch_people(cohort, cohort.participants(), settings_.data);
  const auto as_stored = read_patch_people(cohort, cohort.participants(), {});
  const auto& scans = people.scans[0];
  EXPECT_TRUE(torch::equal(
      scans.voxels[0], relative_to_surroundings(as_stored.scans[0].voxels[0], people.mask, 5, 12,
                                                people.grid.voxel_to_world)));
  EXPECT_TRUE(torch::equal(scans.shown[0], as_stored.scans[0].voxels[0]));
  EXPECT_EQ(scans.low[0], kRatiosSmoothed[0]);
  EXPECT_EQ(scans.high[0], kRatiosSmoothed[1]);
  EXPECT_TRUE(torch::equal(people.mask, as_stored.mask));
  const auto trained = recipe();
  trained->step(0);
  CheckpointFolder(folder_ / "run", 3).save(*trained, {1, 0, 0, false});
  const auto read = read_patch_network(chosen_checkpoint(folder_ / "run").string()).data;
  EXPECT_EQ(read.smooth_mm, 5);
  EXPECT_EQ(read.surround_mm, 12);
  settings_.data.modalities = {"T1w"};
  EXPECT_REFUSED(recipe(), "--smooth-mm: T1w shows no uptake of a tracer; expected pet or spect");
  settings_.data.smooth_mm = 0;
  EXPECT_REFUSED(recipe(), "--surround-mm: T1w shows no uptake of a tracer; expected pet or spect");
}

TEST_F(Siamese, RefusesWhatItCannotTrainOn) {
  settings_.hold_out = 5;
  EXPECT_REFUSED(recipe(), "1 person to train on; expected at least 2");
  settings_.hold_out = 1;
  EXPECT_REFUSED(recipe(), "one person is held out; pairs need two");
  settings_.hold_out = 0;
  settings_.data.modalities = {"T1w"};
  EXPECT_REFUSED(recipe(), "no T1w of sub-1; there are: pet");
  settings_.leave_out = {"sub-7"};
  EXPECT_REFUSED(recipe(), "--leave-out sub-7: not in");
  write_tensors(folder_ / "other.safetensors", {{"a", torch::zeros({1})}});
  EXPECT_REFUSED(read_patch_network((folder_ / "other.safetensors").string()),
                 "expected a checkpoint of `scintigen train siamese`");
}

}  // namespace
}  // namespace scintigen
