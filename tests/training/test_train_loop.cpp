// SPDX-License-Identifier: Apache-2.0
// The loop on a recipe whose every number is known: files, resume, best, refusals.
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/safetensors.h"
#include "core/table.h"
#include "training/checkpoint.h"
#include "training/train_loop.h"

namespace scintigen {
namespace {

/// weight <- 0.5 weight + step; loss "a" = step, "b" = 1. The score is best (lowest) at
/// `best_step`.
class KnownRecipe : public Recipe {
 public:
  std::string method() const override { return "known"; }
  int64_t steps_per_epoch() const override { return 5; }
  int64_t batch_size() const override { return 2; }
  Losses step(int64_t step) override {
    const double value = step == bad_step ? std::nan("") : static_cast<double>(step);
    weight.mul_(0.5).add_(static_cast<double>(step));
    last_step = step;
    return {{"a", torch::tensor(value)}, {"b", torch::tensor(1.0)}};
  }
  std::map<std::string, torch::Tensor> state() override { return {{"weight", weight}}; }
  void load_state(const std::map<std::string, torch::Tensor>& state) override {
    weight.copy_(state.at("weight"));
  }
  std::map<std::string, std::string> metadata() override { return {{"training", training}}; }
  Picture sample_sheet(int64_t) override { return Picture(8, 8, {0, 0, 0}); }
  Scores evaluate() override {
    return {{"score", std::abs(static_cast<double>(last_step - best_step))}};
  }

  torch::Tensor weight = torch::zeros({3}, torch::kDouble);
  std::string training = R"({"rate": 0.1, "seed": 1})";
  int64_t bad_step = -1, best_step = 8, last_step = 0;
};

class TrainLoop : public testing::Test {
 protected:
  void SetUp() override {
    run_ = std::filesystem::temp_directory_path() /
           ("scintigen-loop-" + std::to_string(::getpid()) + "-" +
            testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(run_);
  }
  void TearDown() override { std::filesystem::remove_all(run_); }
  LoopSettings settings(int64_t steps) const {
    LoopSettings settings;
    settings.out = run_.string();
    settings.steps = steps;
    settings.sample_every = 4;
    settings.log_every = 2;
    settings.checkpoint_minutes = 0;  // after every step
    settings.keep_last = 3;
    return settings;
  }
  std::string refusal(Recipe& recipe, const LoopSettings& settings) const {
    try {
      train(recipe, settings);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::filesystem::path run_;
};

TEST_F(TrainLoop, WritesWhatItSays) {
  KnownRecipe recipe;
  EXPECT_EQ(train(recipe, settings(10)), TrainEnd::kFinished);
  const auto metrics = read_table(run_ / "metrics.csv");
  ASSERT_EQ(metrics.rows.size(), 5u);
  EXPECT_DOUBLE_EQ(metrics.number_at(0, "a"), 1.5);  // mean of steps 1 and 2
  EXPECT_DOUBLE_EQ(metrics.number_at(4, "a"), 9.5);
  EXPECT_DOUBLE_EQ(metrics.number_at(4, "epoch"), 2);
  const auto scores = read_table(run_ / "scores.csv");
  ASSERT_EQ(scores.rows.size(), 3u);  // 4, 8 and the last
  EXPECT_EQ(scores.integer_at(2, "step"), 10);
  EXPECT_EQ(step_checkpoints(run_).size(), 3u);
  EXPECT_EQ(read_tensors(run_ / "checkpoints" / "best.safetensors").metadata.at("step"), "8");
  EXPECT_TRUE(std::filesystem::exists(run_ / "samples" / "step-000000008.png"));
  EXPECT_EQ(chosen_checkpoint(run_).filename(), "best.safetensors");
}

TEST_F(TrainLoop, EpochsCountStepsOfTheCohort) {
  KnownRecipe recipe;
  auto by_epoch = settings(0);
  by_epoch.epochs = 3;
  train(recipe, by_epoch);
  EXPECT_EQ(recipe.last_step, 15);
}

TEST_F(TrainLoop, ResumedEndsAsStraight) {
  KnownRecipe straight;
  auto elsewhere = settings(12);
  elsewhere.out += "-straight";
  train(straight, elsewhere);
  std::filesystem::remove_all(elsewhere.out);
  KnownRecipe first, second;
  train(first, settings(7));
  auto again = settings(12);
  again.resume = true;
  train(second, again);
  EXPECT_TRUE(torch::equal(straight.weight, second.weight));
  const auto metrics = read_table(run_ / "metrics.csv");
  ASSERT_EQ(metrics.rows.size(), 6u);
  for (size_t row = 0; row < metrics.rows.size(); ++row)
    EXPECT_EQ(metrics.integer_at(row, "step"), 2 * static_cast<int64_t>(row) + 2);
}

TEST_F(TrainLoop, PassesOverADamagedCheckpoint) {
  KnownRecipe first, second;
  train(first, settings(6));
  const auto newest = step_checkpoints(run_).back();
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
  auto again = settings(6);
  again.resume = true;
  train(second, again);
  EXPECT_TRUE(torch::equal(first.weight, second.weight));
}

TEST_F(TrainLoop, StopsOnALossThatIsNotFinite) {
  KnownRecipe good, bad;
  train(good, settings(4));
  const auto kept = step_checkpoints(run_);
  bad.bad_step = 5;
  auto again = settings(12);
  again.resume = true;
  EXPECT_NE(refusal(bad, again).find("loss \"a\" is nan at step 5"), std::string::npos);
  EXPECT_EQ(step_checkpoints(run_), kept);
  EXPECT_EQ(read_tensors(kept.back()).metadata.at("step"), "4");
}

TEST_F(TrainLoop, Refuses) {
  KnownRecipe recipe;
  auto nothing_there = settings(4);
  nothing_there.resume = true;
  EXPECT_NE(
      refusal(recipe, nothing_there).find("holds no checkpoint to go on from; leave out --resume"),
      std::string::npos);
  train(recipe, settings(4));
  EXPECT_NE(refusal(recipe, settings(4)).find("holds a run already; give --resume"),
            std::string::npos);
  KnownRecipe other;
  other.training = R"({"rate": 0.2, "seed": 1})";
  auto again = settings(8);
  again.resume = true;
  EXPECT_NE(refusal(other, again).find("the run began with rate = 0.1, now it is 0.2"),
            std::string::npos);
  KnownRecipe larger;
  larger.weight = torch::zeros({4}, torch::kDouble);
  EXPECT_NE(refusal(larger, again).find("tensor weight is [3]; expected [4]"), std::string::npos);
  write_file(run_ / "selected.txt", "../../elsewhere\n");
  EXPECT_THROW(chosen_checkpoint(run_), Error);
}

// Last: a stop once asked for stays asked for.
TEST_F(TrainLoop, StopsWhenAskedAndCanGoOn) {
  KnownRecipe recipe;
  request_stop();
  EXPECT_EQ(train(recipe, settings(10)), TrainEnd::kInterrupted);
  EXPECT_EQ(recipe.last_step, 1);
  EXPECT_EQ(step_checkpoints(run_).size(), 1u);
}

}  // namespace
}  // namespace scintigen
