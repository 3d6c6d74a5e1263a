// SPDX-License-Identifier: Apache-2.0
// Detectors in a group with planted clusters whose answers are counted by hand.
#include <gtest/gtest.h>

#include "core/grid.h"
#include "core/temporary_folder.h"
#include "detection/detection_study.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 16;

torch::Tensor box(torch::Tensor voxels, int64_t at, float value) {
  voxels.slice(0, at, at + 2).slice(1, at, at + 2).slice(2, at, at + 2).fill_(value);
  return voxels;
}

/// Clusters of 2^3 voxels; the lesion, if any, at 10.
ScoredPerson person(const std::string& id, const std::vector<std::pair<int64_t, float>>& boxes,
                    bool lesion) {
  ScoredPerson made;
  made.participant_id = id;
  made.scores = empty_volume(centred_grid(kSide, kSide, kSide, 2), "1");
  for (const auto& [at, value] : boxes) box(made.scores.voxels, at, value);
  made.mask = torch::ones({kSide, kSide, kSide}, torch::kBool);
  if (lesion) made.lesion = box(torch::zeros({kSide, kSide, kSide}), 10, 1);
  return made;
}

StudyRule rule() {
  StudyRule made;
  made.clusters.threshold = -1;
  made.most = 3;
  made.thresholds = {-2, -6};
  made.draws = 50;
  return made;
}

std::vector<ScoredPerson> group() {
  return {person("a", {{10, -9}, {2, -5}}, true), person("b", {{10, -3}, {2, -7}}, true),
          person("c", {{2, -4}}, true), person("healthy", {{2, -7}, {6, -3}}, false),
          person("well", {}, false)};
}

TEST(DetectionStudy, CountsByHand) {
  const auto study = study_detector("first", group(), rule());
  EXPECT_EQ(study.patients, (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_EQ(study.curve.size(), 3);
  EXPECT_NEAR(study.curve[0].sensitivity, 1.0 / 3, 1e-12);  // a
  EXPECT_NEAR(study.curve[1].sensitivity, 2.0 / 3, 1e-12);  // a and b
  EXPECT_NEAR(study.curve[2].clusters, 5.0 / 3, 1e-12);
  // At -2: a and b hit, each with a false cluster, c with one. At -6: a hits, b is wrong.
  EXPECT_NEAR(study.at_thresholds[0].sensitivity, 2.0 / 3, 1e-12);
  EXPECT_NEAR(study.at_thresholds[0].misses, 1, 1e-12);
  EXPECT_NEAR(study.at_thresholds[1].sensitivity, 1.0 / 3, 1e-12);
  EXPECT_NEAR(study.in_controls[0], 1, 1e-12);
  EXPECT_NEAR(study.in_controls[1], 0.5, 1e-12);
  EXPECT_GT(study.chance[2], 0);
  EXPECT_LT(study.chance[2], 0.1);  // 2^3 voxels meet 2^3 among 16^3 in 27 places of 4096
  const auto hits = hit_table(study);
  EXPECT_EQ(hits.rows.size(), 9);
  EXPECT_EQ(hits.at(4, "participant_id"), "b");
  EXPECT_EQ(hits.at(4, "rank"), "2");
  EXPECT_EQ(froc_table(study, rule().thresholds).at(1, "in_controls"), "0.5");
  EXPECT_EQ(curve_table(study).at(0, "sensitivity"), "0.333333");
}

TEST(DetectionStudy, ComparesDetectorsByPatient) {
  auto worse = group();
  worse[0] = person("a", {{2, -9}}, true);
  worse[1] = person("b", {{2, -9}}, true);
  auto quick = rule();
  quick.draws = 0;
  const auto pairs =
      pair_table({study_detector("first", group(), quick), study_detector("second", worse, quick)});
  ASSERT_EQ(pairs.rows.size(), 3);
  EXPECT_EQ(pairs.at(1, "only_a"), "2");
  EXPECT_EQ(pairs.at(1, "only_b"), "0");
  EXPECT_EQ(pairs.at(1, "p"), "0.5");  // 2 x 0.5^2
  EXPECT_TRUE(study_detector("first", group(), quick).chance.empty());
}

TEST(DetectionStudy, RefusesNobody) {
  EXPECT_REFUSED(study_detector("first", {person("well", {}, false)}, rule()),
                 "first: nobody with a lesion to find");
  auto misplaced = group();
  misplaced[1].lesion = torch::ones({4, 4, 4});
  EXPECT_REFUSED(study_detector("first", misplaced, rule()), "the lesion is on another grid");
  auto other = std::vector<ScoredPerson>{person("z", {{10, -5}}, true)};
  auto quick = rule();
  quick.draws = 0;
  EXPECT_REFUSED(
      pair_table({study_detector("first", group(), quick), study_detector("second", other, quick)}),
      "first and second: no patient in common");
}

}  // namespace
}  // namespace scintigen
