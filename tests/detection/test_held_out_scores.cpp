// SPDX-License-Identifier: Apache-2.0
// Held-out scores by hand, and p-values of people whom no machine has seen.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.h"
#include "core/temporary_folder.h"
#include "detection/held_out_scores.h"
#include "metrics/samples.h"

namespace scintigen {
namespace {

constexpr int64_t kFeatures = 16;

/// Latents of people at a voxel, a distribution of its own at each: half of 8 latent factors mixed,
/// cut at 0 as the encoder's are. [people][features]
torch::Tensor latents(int64_t voxel, int64_t people, const char* who) {
  const auto at = static_cast<uint64_t>(voxel);
  const auto mixing = Random(1, "mixing", at).normal_tensor({8, kFeatures});
  const auto centre = Random(1, "centre", at).uniform_tensor({kFeatures}) * 2;
  return (Random(1, who, at).normal_tensor({people, 8}).matmul(mixing) * 0.5 + centre)
      .clamp_min(0)
      .contiguous();
}

TEST(HeldOutScores, AreOfMachinesWithoutTheControl) {
  const auto rows = latents(3, 7, "controls");
  HeldOutScorer scorer(7, kFeatures, {}, 3);
  const auto scores = scorer.score(rows.data_ptr<float>());
  for (int64_t i = 0; i < 7; ++i) {
    std::vector<int64_t> others;
    for (int64_t j = 0; j < 7; ++j)
      if (j % 3 != i % 3) others.push_back(j);
    const auto kept = rows.index_select(0, torch::tensor(others)).unsqueeze(0);
    const auto expected =
        decide_one_class(fit_one_class(kept, {}), kept, rows[i].view({1, 1, kFeatures}));
    EXPECT_NEAR(scores[static_cast<size_t>(i)],
                expected.item<double>() * 7 / static_cast<double>(others.size()), 1e-6);
  }
}

TEST(HeldOutScores, StandardiseAControlAsADetectorWithoutItDoes) {
  constexpr int64_t kControls = 7, kFolds = 3;
  const auto rows = latents(5, kControls, "controls");
  HeldOutScorer scorer(kControls, kFeatures, {}, kFolds);
  scorer.score(rows.data_ptr<float>());
  const auto z = scorer.z_as_new(rows.data_ptr<float>());
  for (int64_t i = 0; i < kControls; ++i) {
    // The detector of the other folds' controls, each of whom is scored without its own fold.
    std::vector<int64_t> kept;
    for (int64_t j = 0; j < kControls; ++j)
      if (j % kFolds != i % kFolds) kept.push_back(j);
    const auto decide = [&](const std::vector<int64_t>& controls, int64_t person) {
      const auto x = rows.index_select(0, torch::tensor(controls)).unsqueeze(0);
      return decide_one_class(fit_one_class(x, {}), x, rows[person].view({1, 1, kFeatures}))
          .item<double>();
    };
    std::vector<double> scores;
    for (const int64_t j : kept) {
      std::vector<int64_t> fewer;
      for (const int64_t other : kept)
        if (other % kFolds != j % kFolds) fewer.push_back(other);
      scores.push_back(decide(fewer, j) * static_cast<double>(kept.size()) /
                       static_cast<double>(fewer.size()));
    }
    const auto moments = moments_of(scores);
    EXPECT_NEAR(z[static_cast<size_t>(i)],
                (decide(kept, i) - moments.mean) / std::sqrt(moments.variance), 1e-3);
  }
}

TEST(HeldOutScores, HaveNoZWhereControlsAreAlike) {
  const auto rows = torch::ones({6, kFeatures});
  HeldOutScorer scorer(6, kFeatures, {}, 3);
  scorer.score(rows.data_ptr<float>());
  ZDistribution healthy;
  healthy.add(scorer.z_as_new(rows.data_ptr<float>()));
  EXPECT_EQ(healthy.total(), 0);
}

TEST(ZDistribution, CountsByHand) {
  ZDistribution healthy;
  healthy.add({-2, -0.5, 0.5, 2});
  EXPECT_EQ(healthy.total(), 4);
  EXPECT_FLOAT_EQ(healthy.p_values(torch::tensor({-2.01f})).item<float>(), 0.2f);
  EXPECT_FLOAT_EQ(healthy.p_values(torch::tensor({-1.99f})).item<float>(), 0.4f);
  EXPECT_FLOAT_EQ(healthy.p_values(torch::tensor({1e9f})).item<float>(), 1.0f);
  EXPECT_NEAR(healthy.z_at(0.2), -2, 0.011);
  EXPECT_LT(healthy.z_at(0.2), -2);
  EXPECT_EQ(healthy.z_at(0.1), -std::numeric_limits<double>::infinity());
  healthy.add({std::numeric_limits<double>::quiet_NaN()});
  EXPECT_EQ(healthy.total(), 4);
  ZDistribution twice(healthy.counts());
  twice.add(healthy);
  EXPECT_EQ(twice.total(), 8);
  EXPECT_REFUSED(ZDistribution(torch::zeros({5}, torch::kLong)),
                 "distribution of z: not what this version writes; fit again");
}

TEST(HeldOutScores, RefuseFoldsThatLeaveNobody) {
  EXPECT_REFUSED(HeldOutScorer(3, kFeatures, {}, 3), "--folds 3: expected 0, or 3 to 3");
  EXPECT_REFUSED(HeldOutScorer(8, kFeatures, {}, 9), "--folds 9: expected 0, or 3 to 8");
  EXPECT_REFUSED(HeldOutScorer(8, kFeatures, {}, 2), "--folds 2: expected 0, or 3 to 8");
}

/// p-values of people from the controls' own distribution, 20 at each of 400 voxels.
torch::Tensor p_of_new_people(int64_t controls, int64_t folds) {
  constexpr int64_t kVoxels = 400, kNew = 20;
  HeldOutScorer held_out(controls, kFeatures, {}, folds);
  OneClassSolver solver(controls, kFeatures, {});
  ZDistribution healthy;
  auto z = torch::empty({kVoxels, kNew});
  for (int64_t v = 0; v < kVoxels; ++v) {
    const auto rows = latents(v, controls, "controls"), people = latents(v, kNew, "new");
    const auto moments = moments_of(held_out.score(rows.data_ptr<float>()));
    healthy.add(held_out.z_as_new(rows.data_ptr<float>()));
    solver.take_examples(rows.data_ptr<float>());
    const auto fit = solver.solve();
    for (int64_t p = 0; p < kNew; ++p)
      z[v][p] = static_cast<float>(
          (decide_one_class(rows.data_ptr<float>(), solver.coefficients(), controls, kFeatures,
                            people.data_ptr<float>() + p * kFeatures, fit.gamma, fit.rho) -
           moments.mean) /
          std::sqrt(moments.variance));
  }
  return healthy.p_values(z).flatten();
}

/// Kolmogorov's distance of p-values to uniform ones.
double distance_to_uniform(const torch::Tensor& p) {
  const auto sorted = std::get<0>(p.to(torch::kDouble).sort());
  const auto n = static_cast<double>(p.numel());
  const auto rank = torch::arange(1, p.numel() + 1, torch::kDouble);
  return std::max((rank / n - sorted).max().item<double>(),
                  (sorted - (rank - 1) / n).max().item<double>());
}

// Kolmogorov's bound at 1 % is 1.63 / sqrt(8000) = 0.018. With few folds a control's detector has
// too few people to stand for the whole one (docs/methods.md): 5 of 35 are held to less.
TEST(HeldOutScores, GiveNewPeopleUniformP) {
  struct Case {
    int64_t controls, folds;
    double distance, rate_at_5_percent;
  };
  for (const auto& [controls, folds, distance, rate] : {Case{35, 35, 0.018, 0.0075},
                                                        {35, 10, 0.025, 0.0085},
                                                        {75, 10, 0.018, 0.0075},
                                                        {35, 5, 0.05, 0.0125}}) {
    const auto p = p_of_new_people(controls, folds);
    const auto at_5_percent = p.le(0.05).to(torch::kDouble).mean().item<double>();
    const auto at_1_percent = p.le(0.01).to(torch::kDouble).mean().item<double>();
    EXPECT_LT(distance_to_uniform(p), distance) << controls << " controls, " << folds << " folds";
    EXPECT_NEAR(at_5_percent, 0.05, rate) << controls << " controls, " << folds << " folds";
    EXPECT_NEAR(at_1_percent, 0.01, 0.0035) << controls << " controls, " << folds << " folds";
    const auto name = std::to_string(controls) + "_controls_" + std::to_string(folds) + "_folds_";
    RecordProperty(name + "distance", std::to_string(distance_to_uniform(p)));
    RecordProperty(name + "5_percent", std::to_string(at_5_percent));
    RecordProperty(name + "1_percent", std::to_string(at_1_percent));
  }
}

}  // namespace
}  // namespace scintigen
