// SPDX-License-Identifier: Apache-2.0
// The Cycle-GAN recipe: data, steps that repeat, checkpoints that translate.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cohort/pair_people.h"
#include "core/picture.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "synthesis/translate.h"
#include "training/checkpoint.h"
#include "training/cycle_recipe.h"

namespace scintigen {
namespace {

class Cycle : public testing::TestWithParam<std::string> {
 protected:
  Cycle() {
    write_pair_people(folder_ / "people", 4);
    settings_.data.side = 32;
    settings_.hold_out = 1;
    settings_.batch_size = 2;
    settings_.pool = 3;  // full after two steps
    settings_.discriminator_width = 4;
    settings_.network.width = 4;
    settings_.network.blocks = 1;
    settings_.weight_mse = 10;
  }
  std::unique_ptr<Recipe> recipe(uint64_t seed = 1) {
    auto settings = settings_;
    return make_cycle_recipe((folder_ / "people").string(), settings, {}, seed);
  }
  TemporaryFolder folder_;
  CycleTraining settings_;
};

class CycleSlow : public Cycle {};

TEST_P(CycleSlow, GoesOnFromACheckpointBitForBitAndTranslates) {
  settings_.pieces.pieces = GetParam();
  if (GetParam() == "patches") {
    settings_.network.padding = "replicate";
    settings_.batch_size = 1;
  }
  const auto straight = recipe();
  // Three people: 4 triplets of 12 planes each, or a cube each.
  EXPECT_EQ(straight->steps_per_epoch(), GetParam() == "patches" ? 3 : 6);
  Losses losses;
  for (int64_t step = 1; step <= 4; ++step) losses = straight->step(step);
  std::map<std::string, double> named;
  for (const auto& [name, loss] : losses) named[name] = loss.item<double>();
  for (const char* name : {"real", "fake_source", "adversarial", "cycle", "cycle_target", "mse",
                           "mse_source", "loader_share"})
    EXPECT_TRUE(std::isfinite(named.at(name))) << name;
  const auto first = recipe();
  for (int64_t step = 1; step <= 2; ++step) first->step(step);
  CheckpointFolder(folder_ / "run", 3).save(*first, {2, 0, 0, false});
  const auto second = recipe();
  EXPECT_EQ(CheckpointFolder(folder_ / "run", 3).load_newest(*second)->step, 2);
  for (int64_t step = 3; step <= 4; ++step) second->step(step);
  for (const auto& [name, tensor] : straight->state())
    EXPECT_TRUE(torch::equal(tensor, second->state().at(name))) << name;
  EXPECT_EQ(straight->state().at("pool.images").size(0), 3);

  // What the checkpoint translates is what evaluate() scored.
  CheckpointFolder(folder_ / "run", 3).save(*second, {4, 0, 0, false});
  const auto scores = second->evaluate();
  EXPECT_EQ(scores[1].first, "ssim");
  std::vector<PairedTranslator> ensemble;
  ensemble.emplace_back(chosen_checkpoint(folder_ / "run"), torch::kCPU, torch::kFloat,
                        Inference{});
  EXPECT_EQ(ensemble.front().method(), "cyclegan");
  EXPECT_EQ(ensemble.front().pieces().pieces, GetParam());
  EXPECT_EQ(ensemble.front().summary().profile.quantiles.size(), kQuantiles);
  auto again = settings_;
  make_cycle_recipe((folder_ / "people").string(), again, {}, 1);
  ASSERT_EQ(again.held_out.size(), 1U) << "written back";
  const auto cohort = read_volume_cohort(folder_ / "people");
  const auto person = map_person(cohort, again.held_out[0], ensemble.front().data());
  const auto pixels = translate(ensemble, person, planes_to_translate(person, "all"), Inference{});
  const auto real =
      (person.target.voxels - person.target.low) * 2 / (person.target.high - person.target.low) - 1;
  const double rmse = (pixels.mean - real).square().mean(torch::kDouble).sqrt().item<double>();
  EXPECT_NEAR(rmse, scores[3].second, 1e-5) << scores[3].first;
  EXPECT_GT(second->sample_sheet(4).width, 100);
}

INSTANTIATE_TEST_SUITE_P(Pieces, CycleSlow, testing::Values("triplets", "patches"),
                         [](const auto& info) { return info.param; });

TEST_F(Cycle, SimpleHasOneNetworkOfEachKindAndLearns) {
  settings_.method = "simple";
  settings_.learning_rate = 2e-3;
  const auto simple = recipe();
  for (const auto& entry : simple->state())
    EXPECT_NE(entry.first.rfind("source_", 0), 0U) << entry.first;
  const double before = simple->evaluate()[3].second;
  for (int64_t step = 1; step <= 30; ++step) simple->step(step);
  EXPECT_LT(simple->evaluate()[3].second, before);
}

TEST_F(Cycle, InstanceNormAndIdentity) {
  settings_.network.norm = "instance";
  settings_.weight_identity = 5;
  const auto made = recipe();
  const auto losses = made->step(1);
  EXPECT_TRUE(std::any_of(losses.begin(), losses.end(),
                          [](const auto& loss) { return loss.first == "identity_source"; }));
}

TEST_F(Cycle, AroundAVolumeTheSheetIsEmpty) {  // 20 x 24 voxels in squares of 32
  const auto sheet = recipe()->sample_sheet(1);
  const auto middle = map_colour("perfusion", 0.5);
  int64_t pixels = 0;
  for (size_t i = 0; i < sheet.rgb.size(); i += 3)
    pixels += std::equal(middle.begin(), middle.end(), sheet.rgb.begin() + static_cast<int64_t>(i));
  // Eight slices, four screen pixels a voxel: 15,360 pixels are of volumes, 17,408 around them.
  EXPECT_LT(pixels, 16000);
}

TEST_F(Cycle, TargetsAreOfNobodyWhoIsKeptOut) {
  settings_.weight_mse = 0;
  write_pair_people(folder_ / "both", 3, {"T1w", "pet"});
  settings_.target_cohort = (folder_ / "both").string();
  const auto made = [&] {
    auto settings = settings_;
    make_cycle_recipe((folder_ / "both").string(), settings, {}, 1);
  };
  settings_.hold_out = 1;
  EXPECT_REFUSED(made(), "who is kept out of training; expected other people");
  settings_.hold_out = 0;
  settings_.leave_out = {"sub-2"};
  EXPECT_REFUSED(made(), "holds sub-2, who is kept out of training");
}

TEST_F(Cycle, TakesTargetsOfOtherPeople) {
  write_pair_people(folder_ / "sources", 3, {"T1w"});
  write_pair_people(folder_ / "targets", 2, {"pet"});
  settings_.target_cohort = (folder_ / "targets").string();
  settings_.hold_out = 0;
  EXPECT_REFUSED(recipe(), "--weight-mse compares pairs");
  settings_.weight_mse = 0;
  auto settings = settings_;
  const auto made = make_cycle_recipe((folder_ / "sources").string(), settings, {}, 1);
  EXPECT_TRUE(settings.unpaired);
  EXPECT_EQ(made->steps_per_epoch(), 6) << "of the longer list";
  made->step(1);
  EXPECT_TRUE(made->evaluate().empty());
  EXPECT_GT(made->sample_sheet(1).width, 30);
  CheckpointFolder(folder_ / "run", 3).save(*made, {1, 0, 0, false});
  const PairedTranslator translator(chosen_checkpoint(folder_ / "run"), torch::kCPU, torch::kFloat,
                                    Inference{});
  EXPECT_EQ(translator.summary().inputs.at(0).modality, "T1w");
  EXPECT_EQ(translator.summary().inputs.at(0).people, 3);
  EXPECT_GT(translator.summary().profile.level, 10);
  const auto flat = predict(translator.summary().baselines, "tissue_regression",
                            torch::rand({1, 1, 32, 32}), {3});
  EXPECT_EQ(flat.min().item<float>(), flat.max().item<float>()) << "nothing ties them to inputs";
  settings_.hold_out = 1;
  EXPECT_REFUSED(make_cycle_recipe((folder_ / "sources").string(), settings_, {}, 1), "no pet of");
}

TEST_F(Cycle, ADamagedCheckpointIsRefused) {
  CheckpointFolder(folder_ / "run", 3).save(*recipe(), {1, 0, 0, false});
  const auto file = read_tensors(chosen_checkpoint(folder_ / "run"));
  const auto changed = [&](const std::string& key, const nlohmann::json& value) {
    auto metadata = file.metadata;
    auto training = nlohmann::json::parse(metadata.at("training"));
    training[key] = value;
    metadata["training"] = training.dump();
    write_tensors(folder_ / "changed.safetensors", file.tensors, metadata);
    return PairedTranslator(folder_ / "changed.safetensors", torch::kCPU, torch::kFloat,
                            Inference{});
  };
  EXPECT_REFUSED(changed("inputs", {"T1w", "T2w"}), "takes 2 modalities in patches of 32");
  EXPECT_REFUSED(changed("patch_side", 34), "in patches of 34; the file is damaged");
  EXPECT_REFUSED(changed("width", 512), "asks for");
  EXPECT_REFUSED(changed("norm", "instance"), "no tensor");
  Inference dropout;
  dropout.dropout = true;
  EXPECT_REFUSED(
      PairedTranslator(chosen_checkpoint(folder_ / "run"), torch::kCPU, torch::kFloat, dropout),
      "was trained without dropout");
}

TEST_F(Cycle, UnpairedRepeatsItself) {
  settings_.unpaired = true;
  EXPECT_REFUSED(recipe(), "--weight-mse compares pairs");
  settings_.weight_mse = 0;
  const auto straight = recipe(), first = recipe();
  for (int64_t step = 1; step <= 2; ++step) straight->step(step);
  for (int64_t step = 1; step <= 2; ++step) first->step(step);
  for (const auto& [name, tensor] : straight->state())
    EXPECT_TRUE(torch::equal(tensor, first->state().at(name))) << name;
}

TEST_F(Cycle, RefusesWhatDoesNotFitTogether) {
  const auto with = [&](auto change) {
    auto settings = settings_;
    change(settings);
    return refusal([&] { make_cycle_recipe((folder_ / "people").string(), settings, {}, 1); });
  };
  const auto expect = [](const std::string& found, const std::string& part) {
    EXPECT_NE(found.find(part), std::string::npos) << found;
    EXPECT_EQ(found.find('\n'), std::string::npos) << found;
  };
  expect(with([](auto& s) {
           s.data.inputs = {"T1w", "flair"};
         }),
         "--inputs T1w,flair: a Cycle-GAN");
  expect(with([](auto& s) { s.data.scale = "slice"; }), "--scale slice: pieces with depth");
  expect(with([](auto& s) { s.data.side = 34; }), "--side 34: expected a multiple of 4");
  expect(with([](auto& s) { s.pieces.patch_side = 33; }), "--patch-side 33: expected a multiple");
  expect(with([](auto& s) {
           s.pieces.pieces = "patches";
           s.data.slices = 6;
         }),
         "--slices 6: patches are cut of the whole volume");
  expect(with([](auto& s) { s.batch_size = 13; }),
         "12 pieces to train on; expected at least a batch of 13");
  expect(with([](auto& s) { s.leave_out = {"sub-9"}; }), "--leave-out sub-9: not in");
}

}  // namespace
}  // namespace scintigen
