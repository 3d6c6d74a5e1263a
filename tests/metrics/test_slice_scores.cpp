// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "metrics/slice_scores.h"

namespace scintigen {
namespace {

/// Slices of a made-up population: a blob whose place, size and sides vary.
torch::Tensor population(uint64_t seed, int64_t count, double spread = 1) {
  const auto axis = torch::arange(32, torch::kDouble) - 15.5;
  const auto y = axis.view({32, 1}), x = axis.view({1, 32});
  std::vector<torch::Tensor> slices;
  for (int64_t k = 0; k < count; ++k) {
    Random random(seed, "population", static_cast<uint64_t>(k));
    const double cx = spread * random.normal(), cy = spread * random.normal();
    const double width = 8 + spread * random.normal(), balance = 0.1 * spread * random.normal();
    auto blob = torch::exp(-((x - cx).square() + (y - cy).square()) / (width * width));
    blob = blob * (1 + balance * torch::sign(x));
    slices.push_back(blob / blob.max());
  }
  return torch::stack(slices).to(torch::kFloat);
}

TEST(SliceScores, NewSlicesOfTheSamePopulationScoreNearZero) {
  const SliceScorer scorer(population(1, 120), population(2, 120));
  const auto scores = scorer(population(3, 200));
  EXPECT_LT(std::abs(scores.energy), 0.1);
  EXPECT_LT(scores.distance, 0.15);
  EXPECT_LT(scores.score, 0.8);
  EXPECT_LT(scores.mean_count_error, 0.3);
  EXPECT_LT(scores.left_right_error, 0.3);
  EXPECT_NEAR(scores.deviation_ratio, 1, 0.15);
  EXPECT_NEAR(scores.nearest_ratio, 1, 0.2);
  EXPECT_FALSE(scores.vetoed);
}

TEST(SliceScores, CopiesOfTrainingSlicesAreVetoed) {
  const auto training = population(1, 120);
  const SliceScorer scorer(training, population(2, 120));
  const auto copied = torch::roll(training, {1}, {1}).flip({2}) + 1e-3 * torch::rand({120, 32, 32});
  const auto scores = scorer(copied);
  EXPECT_GT(scores.copies, 0.9);
  EXPECT_TRUE(scores.vetoed);
  EXPECT_GT(scores.score, 1000);
}

TEST(SliceScores, ACollapsedGeneratorScoresWorse) {
  const SliceScorer scorer(population(1, 120), population(2, 120));
  const double good = scorer(population(3, 200)).score;
  const auto collapsed = scorer(population(3, 200, 0.1));
  EXPECT_LT(collapsed.deviation_ratio, 0.3);
  EXPECT_GT(collapsed.score, 2 * good);
}

TEST(SliceScores, SlicesOfAnUntrainedGeneratorScoreBadlyWithoutAnError) {
  const SliceScorer scorer(population(1, 60), population(2, 60));
  const double good = scorer(population(3, 60)).score;
  for (const auto& slices : {torch::zeros({20, 32, 32}), torch::ones({20, 32, 32}),
                             Random(5, "noise").uniform_tensor({20, 32, 32})}) {
    const auto scores = scorer(slices);
    EXPECT_TRUE(std::isfinite(scores.score));
    EXPECT_GT(scores.score, good + 1);
  }
  auto some_empty = population(3, 60);
  some_empty.narrow(0, 0, 3).zero_();
  EXPECT_LT(scorer(some_empty).mean_count_error, 1);
}

TEST(SliceScores, ErrorsThatCancelBetweenClassesAreSeen) {
  // Two conditions, narrow and wide; a generator that swaps them has the right marginal counts.
  const auto wide = population(2, 60), narrow = population(2, 60).pow(3);
  const auto classes =
      torch::cat({torch::zeros({60}, torch::kLong), torch::ones({60}, torch::kLong)});
  const SliceScorer blind(population(1, 60), torch::cat({wide, narrow}));
  const SliceScorer by_class(population(1, 60), torch::cat({wide, narrow}), classes);
  const auto swapped = torch::cat({population(3, 60).pow(3), population(3, 60)});
  EXPECT_LT(blind(swapped).mean_count_error, 0.3);
  EXPECT_GT(by_class(swapped, classes).mean_count_error, 3);
  EXPECT_LT(by_class(swapped, 1 - classes).mean_count_error, 0.5);
}

TEST(SliceScores, ClassesAreRowsOfConditions) {
  const auto classes = classes_of(torch::tensor({{1.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}}));
  EXPECT_EQ(classes[0].item<int64_t>(), classes[2].item<int64_t>());
  EXPECT_NE(classes[0].item<int64_t>(), classes[1].item<int64_t>());
  EXPECT_EQ(classes_of(torch::empty({3, 0})).max().item<int64_t>(), 0);
}

TEST(SliceScores, RefusesTooFew) {
  try {
    const SliceScorer scorer(population(1, 3), population(2, 10));
    FAIL() << "no refusal";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "scores: 3 training and 10 held-out slices; expected at least 4 of each");
  }
}

}  // namespace
}  // namespace scintigen
