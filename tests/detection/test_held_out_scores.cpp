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

TEST(ZDistribution, CountsByHand) {
  ZDistribution healthy;
  healthy.add_voxel({1, 2, 3, 4});
  EXPECT_EQ(healthy.total(), 4);
  // Others of the first: 2, 3, 4, mean 3, deviation 1: z = -2.
  EXPECT_FLOAT_EQ(healthy.p_values(torch::tensor({-2.01f})).item<float>(), 0.2f);
  EXPECT_FLOAT_EQ(healthy.p_values(torch::tensor({-1.99f})).item<float>(), 0.4f);
  EXPECT_FLOAT_EQ(healthy.p_values(torch::tensor({1e9f})).item<float>(), 1.0f);
  EXPECT_NEAR(healthy.z_at(0.2), -2, 0.011);
  EXPECT_LT(healthy.z_at(0.2), -2);
  EXPECT_EQ(healthy.z_at(0.1), -std::numeric_limits<double>::infinity());
  healthy.add_voxel({5, 5, 5, 5});  // alike: no z
  EXPECT_EQ(healthy.total(), 4);
  ZDistribution twice(healthy.counts());
  twice.add(healthy);
  EXPECT_EQ(twice.total(), 8);
  EXPECT_REFUSED(ZDistribution(torch::zeros({5}, torch::kLong)),
                 "distribution of z: not what this version writes; fit again");
}

TEST(HeldOutScores, RefuseFoldsThatLeaveNobody) {
  EXPECT_REFUSED(HeldOutScorer(3, kFeatures, {}, 3), "--folds 3: expected 0, or 2 to 3");
  EXPECT_REFUSED(HeldOutScorer(8, kFeatures, {}, 9), "--folds 9: expected 0, or 2 to 8");
  EXPECT_REFUSED(HeldOutScorer(8, kFeatures, {}, 1), "--folds 1: expected 0, or 2 to 8");
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
    const auto& scores = held_out.score(rows.data_ptr<float>());
    healthy.add_voxel(scores);
    const auto moments = moments_of(scores);
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

/// How far the part of p-values at or below x lies above x at most (one-sided Kolmogorov).
double too_small(const torch::Tensor& p) {
  const auto sorted = std::get<0>(p.to(torch::kDouble).sort());
  const auto n = static_cast<double>(p.numel());
  const auto rank = torch::arange(1, p.numel() + 1, torch::kDouble);
  return (rank / n - sorted).max().item<double>();
}

// p-values promise at most so many false alarms. They are not uniform: machines of fewer controls,
// and machines that have seen the control itself, give controls lower scores than new people get
// (docs/methods.md). 8000 values: 1.52 / sqrt(8000) = 0.017 is the one-sided bound at 1 %.
TEST(HeldOutScores, GiveNewPeopleNoMoreFalseAlarmsThanStated) {
  for (const auto& [controls, folds] : {std::pair<int64_t, int64_t>{35, 35}, {35, 5}, {75, 10}}) {
    const auto p = p_of_new_people(controls, folds);
    const auto name = std::to_string(controls) + "_controls_" + std::to_string(folds) + "_folds_";
    EXPECT_LT(too_small(p), 0.017) << name;
    for (const double level : {0.01, 0.05}) {
      const double rate = p.le(level).to(torch::kDouble).mean().item<double>();
      const double sd = std::sqrt(level * (1 - level) / static_cast<double>(p.numel()));
      EXPECT_LT(rate, level + 3 * sd) << name;
      EXPECT_GT(rate, level / 5) << name << "so few that p says nothing";
      RecordProperty(name + std::to_string(level), std::to_string(rate));
    }
  }
}

}  // namespace
}  // namespace scintigen
