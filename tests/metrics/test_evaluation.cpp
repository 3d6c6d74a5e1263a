// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/temporary_folder.h"
#include "metrics/brain_slices.h"
#include "metrics/evaluation.h"
#include "metrics/slice_statistics.h"

namespace scintigen {
namespace {

constexpr double kLesion = 0.3;

/// 60 real patients of two slices who were held out, 120 others trained on, unilateral lesions.
EvaluationInput unilateral(const torch::Tensor& synthetic) {
  BrainSlices like;
  like.lesion = kLesion;
  like.slices_per_patient = 2;
  EvaluationInput input;
  input.reference = brain_set("real", brain_slices(1, 120, like), "sub", 2);
  input.training = brain_set("training", brain_slices(2, 240, like), "old", 2);
  input.synthetic = {brain_set("synthetic", synthetic, "syn")};
  input.reference_is_held_out = true;
  return input;
}

EvaluationSettings by_level() {
  EvaluationSettings settings;
  settings.by = {"level"};
  settings.resamples = 500;
  return settings;
}

const Quantity& quantity(const Evaluation& evaluation, const std::string& key) {
  for (const auto& found : evaluation.quantities)
    if (found.key == key) return found;
  throw std::runtime_error("no quantity " + key);
}

const Finding& finding(const Evaluation& evaluation, const std::string& subject) {
  for (const auto& found : evaluation.findings)
    if (found.subject.rfind(subject, 0) == 0) return found;
  throw std::runtime_error("no finding " + subject);
}

BrainSlices lesions() {
  BrainSlices like;
  like.lesion = kLesion;
  return like;
}

TEST(Evaluation, NewPeopleOfTheSamePopulationPass) {
  const auto evaluation = evaluate_slices(unilateral(brain_slices(3, 300, lesions())), by_level());
  for (const auto& found : evaluation.findings)
    EXPECT_NE(found.grade, Finding::Grade::bad) << found.subject << ": " << found.sentence;
  EXPECT_EQ(finding(evaluation, "Mean counts").grade, Finding::Grade::good);
  EXPECT_EQ(finding(evaluation, "Left/right").grade, Finding::Grade::good);
  EXPECT_EQ(finding(evaluation, "Variety").grade, Finding::Grade::good);
  EXPECT_EQ(finding(evaluation, "Distribution").grade, Finding::Grade::good);
  EXPECT_NEAR(*evaluation.maps[0].deviation_ratio[1], 1, 0.15);
  EXPECT_EQ(evaluation.patients[0], 60);
  EXPECT_EQ(evaluation.counts[1][0], 300);
}

TEST(Evaluation, SymmetricImagesFailImbalanceAlthoughTheMeanRatioIsRight) {
  auto symmetric = lesions();
  symmetric.both_sides = true;
  const auto evaluation = evaluate_slices(unilateral(brain_slices(3, 300, symmetric)), by_level());
  const auto& ratio = quantity(evaluation, "left_right_ratio").conditions[0].sets[0];
  EXPECT_LT(std::abs(*ratio.difference), 0.5);  // the paper's test: nothing to see
  EXPECT_GT(*ratio.p, 0.05);
  const auto& imbalance = quantity(evaluation, "abs_ln_left_right").conditions[0].sets[0];
  EXPECT_EQ(imbalance.agreement, Agreement::different);
  EXPECT_LT(*imbalance.difference, -2);
  EXPECT_LT(*imbalance.adjusted_p, 1e-6);
  EXPECT_EQ(finding(evaluation, "Left/right imbalance").grade, Finding::Grade::bad);
  EXPECT_EQ(evaluation.headline.rfind("Not a substitute", 0), 0U) << evaluation.headline;
}

TEST(Evaluation, LesionsOnOneSideOnlyFailTheSideBalance) {
  auto left = lesions();
  left.left_only = true;
  const auto evaluation = evaluate_slices(unilateral(brain_slices(3, 300, left)), by_level());
  const auto& lower = quantity(evaluation, "left_lower").conditions[0];
  EXPECT_NEAR(lower.reference_mean, 0.5, 0.15);
  EXPECT_NEAR(lower.sets[0].mean, 1, 0.01);
  EXPECT_EQ(finding(evaluation, "Side balance").grade, Finding::Grade::bad);
  EXPECT_EQ(finding(evaluation, "Left/right imbalance").grade, Finding::Grade::good);
}

TEST(Evaluation, ACollapsedGeneratorFailsVarietyAndDistribution) {
  const auto one = brain_slices(3, 1, lesions());
  const auto collapsed =
      one.repeat({300, 1, 1}) + 0.002 * Random(4, "noise").uniform_tensor({300, 32, 32});
  const auto evaluation =
      evaluate_slices(unilateral(collapsed / collapsed.amax({1, 2}, true)), by_level());
  EXPECT_EQ(finding(evaluation, "Variety").grade, Finding::Grade::bad);
  EXPECT_EQ(finding(evaluation, "Distribution").grade, Finding::Grade::bad);
}

TEST(Evaluation, ImagesThatAreAllTheSameHaveNoVariety) {
  for (const int64_t count : {8, 100}) {
    const auto evaluation = evaluate_slices(
        unilateral(brain_slices(3, 1, lesions()).repeat({count, 1, 1})), by_level());
    EXPECT_EQ(finding(evaluation, "Variety").grade, Finding::Grade::bad) << count;
    EXPECT_LT(*evaluation.maps[0].deviation_ratio[1], 0.01);
    EXPECT_EQ(finding(evaluation, "Variety").sentence.find("nan"), std::string::npos);
  }
}

TEST(Evaluation, AGeneratorOfOneConditionDoesNotPass) {
  auto input = unilateral(brain_slices(3, 300, lesions()));
  for (size_t row = 0; row < 40; ++row) input.reference.table.rows[row][1] = "cerebellum";
  const auto evaluation = evaluate_slices(input, by_level());
  EXPECT_EQ(finding(evaluation, "Conditions").grade, Finding::Grade::bad);
  EXPECT_NE(finding(evaluation, "Conditions").sentence.find("no synthetic slice of cerebellum"),
            std::string::npos);
  EXPECT_NE(finding(evaluation, "Mean counts").grade, Finding::Grade::good);
  EXPECT_NE(finding(evaluation, "Variety").grade, Finding::Grade::good);
}

TEST(Evaluation, OneExactCopyIsNotPassedOver) {
  auto input = unilateral(brain_slices(3, 300, lesions()));
  const auto clean = evaluate_slices(input, by_level());
  EXPECT_NE(finding(clean, "Copies").sentence.find(" 0 of them less"), std::string::npos);
  input.synthetic[0].slices[40] = input.training.slices[7].clone();
  const auto evaluation = evaluate_slices(input, by_level());
  EXPECT_NE(finding(evaluation, "Copies").grade, Finding::Grade::good);
  EXPECT_NE(finding(evaluation, "Copies").sentence.find("1 of them less than half"),
            std::string::npos);
}

TEST(Evaluation, UnevenPatientsAreNoCrash) {
  auto input = unilateral(brain_slices(3, 40, lesions()));
  input.reference = brain_set("real", brain_slices(1, 14, lesions()), "sub");
  for (size_t row = 0; row < 12; ++row) input.reference.table.rows[row][0] = "sub-1";
  const auto evaluation = evaluate_slices(input, by_level());
  EXPECT_TRUE(evaluation.features[0].distances[0].values[0].value);
  EXPECT_FALSE(evaluation.features[0].distances[0].values[0].interval);
  EXPECT_EQ(finding(evaluation, "Distribution").grade, Finding::Grade::unknown);
}

TEST(Evaluation, SwappedSidesAreFoundWhereSideIsTheCondition) {
  auto left = lesions();
  left.left_only = true;
  auto input = unilateral(brain_slices(3, 100, left).flip({2}));
  input.reference = brain_set("real", brain_slices(1, 60, left), "sub");
  const auto evaluation = evaluate_slices(input, by_level());
  EXPECT_EQ(finding(evaluation, "Side balance").grade, Finding::Grade::bad);
}

TEST(EvaluationSlow, RealPeopleRarelyFailAgainstRealPeople) {
  int bad = 0;
  constexpr int kDraws = 40;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    BrainSlices like;
    like.lesion = kLesion;
    like.slices_per_patient = 2;
    EvaluationInput input;
    input.reference = brain_set("real", brain_slices(1000 + draw, 180, like), "sub", 2);
    input.training = brain_set("training", brain_slices(2000 + draw, 180, like), "old", 2);
    input.synthetic = {brain_set("synthetic", brain_slices(3000 + draw, 180, lesions()), "syn")};
    input.reference_is_held_out = true;
    // Nine conditions of ten patients each.
    for (auto* set : {&input.reference, &input.training, &input.synthetic[0]})
      for (size_t row = 0; row < set->table.rows.size(); ++row)
        set->table.rows[row][1] = std::to_string(row / 20);
    const auto evaluation = evaluate_slices(input, by_level());
    for (const auto& found : evaluation.findings) {
      if (found.grade != Finding::Grade::bad) continue;
      ++bad;
      std::cout << found.subject << ": " << found.sentence << std::endl;
    }
  }
  EXPECT_LE(bad, 4);  // of 40 evaluations with 27 comparisons each
}

TEST(Evaluation, PlantedCopiesAreListedNearestFirst) {
  auto synthetic = brain_slices(3, 100, lesions());
  auto input = unilateral(synthetic);
  input.synthetic[0].slices[40] = input.training.slices[7].flip({1});
  const auto evaluation = evaluate_slices(input, by_level());
  ASSERT_TRUE(evaluation.audits[0].audit);
  const auto& suspects = evaluation.audits[0].audit->suspects;
  ASSERT_FALSE(suspects.empty());
  EXPECT_EQ(suspects[0].synthetic, 40);
  EXPECT_EQ(suspects[0].training, 7);
  EXPECT_TRUE(evaluation.audits[0].auc_interval);
}

TEST(Evaluation, MemorisedTrainingSlicesFailTheAudit) {
  const auto input = unilateral(brain_slices(2, 240, [] {
    auto like = lesions();
    like.slices_per_patient = 2;
    return like;
  }()));  // the training slices themselves
  const auto evaluation = evaluate_slices(input, by_level());
  EXPECT_EQ(finding(evaluation, "Copies").grade, Finding::Grade::bad);
  EXPECT_GT(evaluation.audits[0].audit->membership_auc, 0.9);
}

TEST(Evaluation, IntervalsDrawPatientsNotSlices) {
  // The same slices, once 5 of each of 24 patients, once as if 120 people: the truth is wider.
  BrainSlices like;
  like.slices_per_patient = 5;
  const auto slices = brain_slices(1, 120, like);
  EvaluationInput input;
  input.synthetic = {brain_set("synthetic", brain_slices(3, 200, {}), "syn")};
  input.reference = brain_set("real", slices, "sub", 5);
  const auto honest = evaluate_slices(input, by_level());
  input.reference = brain_set("real", slices, "sub", 1);
  const auto naive = evaluate_slices(input, by_level());
  const auto width = [](const Evaluation& evaluation) {
    const auto& interval = *quantity(evaluation, "mean_counts").conditions[0].sets[0].interval;
    return interval.high - interval.low;
  };
  EXPECT_GT(width(honest), 1.4 * width(naive));
  EXPECT_EQ(honest.patients[0], 24);
}

TEST(Evaluation, SaysWhatCannotBeSaid) {
  auto input = unilateral(brain_slices(3, 40, lesions()));
  input.training = {};
  input.reference_is_held_out = false;
  // A condition that nobody real has, and one that was not made.
  for (size_t row = 0; row < 10; ++row) input.synthetic[0].table.rows[row][1] = "cerebellum";
  for (size_t row = 0; row < 4; ++row) input.reference.table.rows[row][1] = "ganglia";
  const auto evaluation = evaluate_slices(input, by_level());
  EXPECT_EQ(evaluation.conditions, (std::vector<std::string>{"ganglia", "cortex", "cerebellum"}));
  const auto has = [&](const std::string& text) {
    for (const auto& warning : evaluation.warnings)
      if (warning.find(text) != std::string::npos) return true;
    return false;
  };
  EXPECT_TRUE(has("may have been trained on"));
  EXPECT_TRUE(has("no real slice, so nothing can be said of cerebellum"));
  EXPECT_TRUE(has("no synthetic slice of ganglia in 'synthetic'"));
  EXPECT_TRUE(has("fewer than 10 real patients in ganglia (4 slices of 2 patients)"));
  EXPECT_TRUE(has("slices stand for patients: 120 real slices of 60 patients"));
  EXPECT_TRUE(has("distances: left out for want of slices in some set: ganglia"));
  EXPECT_EQ(finding(evaluation, "Copies").grade, Finding::Grade::unknown);
  const auto& counts = quantity(evaluation, "mean_counts");
  EXPECT_EQ(counts.conditions[0].sets[0].agreement, Agreement::unknown);
  EXPECT_EQ(counts.conditions[0].sets[0].why, "4 real slices of 2 patients; needs at least 3 of 3");
  EXPECT_EQ(counts.conditions[2].sets[0].why, "0 real slices of 0 patients; needs at least 3 of 3");
}

TEST(Evaluation, WhatIsSaidOfASetDoesNotDependOnTheOthers) {
  auto input = unilateral(brain_slices(3, 60, lesions()));
  input.synthetic.push_back(brain_set("second", brain_slices(4, 60, lesions()), "syn"));
  const auto evaluation = evaluate_slices(input, by_level());
  const auto& condition = quantity(evaluation, "mean_counts").conditions[0];
  ASSERT_EQ(condition.sets.size(), 2U);
  const auto alone = evaluate_slices(unilateral(brain_slices(3, 60, lesions())), by_level());
  const auto& own = quantity(alone, "mean_counts").conditions[0].sets[0];
  EXPECT_EQ(condition.sets[0].interval->low, own.interval->low);
  EXPECT_EQ(*condition.sets[0].p, *own.p);
  EXPECT_EQ(condition.sets[1].test, "Welch's t on patients' means");
  EXPECT_TRUE(condition.comparison->many.size() >= 2);  // Dunnett among them
  EXPECT_EQ(evaluation.findings.size(), 12U);
}

TEST(Evaluation, JsonHoldsEveryPart) {
  const auto evaluation = evaluate_slices(unilateral(brain_slices(3, 60, lesions())), by_level());
  const auto json = evaluation_to_json(evaluation);
  for (const char* key : {"headline", "findings", "warnings", "sets", "conditions", "quantities",
                          "variety", "features", "audits", "methods"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json["features"][0]["key"], "pixels_pca");
  EXPECT_TRUE(json["features"][0]["distances"]["energy"]["sets"]["synthetic"]["value"].is_number());
  EXPECT_TRUE(json["features"][0]["distances"]["energy"]["sets"].contains("training"));
  EXPECT_TRUE(json["quantities"][0]["conditions"][0]["comparison"].contains("anova"));
  EXPECT_EQ(evaluation.slices.rows.size(), 180U);
  EXPECT_EQ(json.dump().find("NaN"), std::string::npos);
}

TEST(Evaluation, ThePlaneOfTheMaskFollowsAHeadThatIsNotInTheMiddle) {
  const auto slices = brain_slices(3, 20, lesions());
  const auto moved = at::roll(slices, {4}, {2});
  const auto centred = left_right_ratio(slices, 0.2, midsagittal_column(slices));
  const auto followed = left_right_ratio(moved, 0.2, midsagittal_column(moved));
  EXPECT_LT((centred - followed).abs().max().item<double>(), 1e-9);
  EXPECT_GT((left_right_ratio(slices) - left_right_ratio(moved)).abs().max().item<double>(), 0.02);
  const auto middle = at::full({20}, 16.0, torch::kDouble);
  EXPECT_LT(
      (left_right_ratio(slices) - left_right_ratio(slices, 0.2, middle)).abs().max().item<double>(),
      1e-12);
  EXPECT_NEAR((midsagittal_column(moved) - midsagittal_column(slices)).mean().item<double>(), 4,
              1e-9);
  EXPECT_EQ(midsagittal_column(at::zeros({1, 8, 8}))[0].item<double>(), 4);
}

TEST(Evaluation, RefusesWhatCannotBeCompared) {
  const auto good = unilateral(brain_slices(3, 20, lesions()));
  auto input = good;
  input.synthetic.clear();
  EXPECT_REFUSED(evaluate_slices(input, by_level()), "0 synthetic sets; expected 1 to 4");
  input = good;
  input.synthetic.push_back(input.synthetic[0]);
  EXPECT_REFUSED(evaluate_slices(input, by_level()), "two sets are called 'synthetic'");
  input = good;
  input.synthetic[0].slices = input.synthetic[0].slices.narrow(1, 0, 30);
  EXPECT_REFUSED(evaluate_slices(input, by_level()), "slices of 30 x 32 pixels");
  input = good;
  input.synthetic[0].table.rows.pop_back();
  EXPECT_REFUSED(evaluate_slices(input, by_level()), "20 slices and 19 rows");
  input = good;
  input.reference = {};
  input.reference.name = "real";
  EXPECT_REFUSED(evaluate_slices(input, by_level()), "'real' has no slices");
  auto settings = by_level();
  settings.by = {"levle"};
  EXPECT_REFUSED(evaluate_slices(good, settings), "levle");
  input = good;
  input.synthetic[0].name = "n/a";
  EXPECT_REFUSED(evaluate_slices(input, by_level()), "'n/a' cannot be the name of a set");
  input = good;
  for (int k = 0; k < 4; ++k) {
    input.synthetic.push_back(good.synthetic[0]);
    input.synthetic.back().name = "more-" + std::to_string(k);
  }
  EXPECT_REFUSED(evaluate_slices(input, by_level()), "5 synthetic sets; expected 1 to 4");
  settings.by = {"participant_id"};
  EXPECT_REFUSED(evaluate_slices(good, settings),
                 "conditions by participant_id; expected at most 64");
}

}  // namespace
}  // namespace scintigen
