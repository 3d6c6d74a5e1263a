// SPDX-License-Identifier: Apache-2.0
// Hits, curves and chance with planted clusters whose answers are counted by hand.
#include <gtest/gtest.h>

#include "core/grid.h"
#include "core/mask_morphology.h"
#include "core/temporary_folder.h"
#include "detection/detection_curve.h"

namespace scintigen {
namespace {

constexpr int64_t kSide = 20;

/// Scores 0 but for boxes that stand out downwards: {first voxel, side, score}.
struct Box {
  int64_t at, side;
  float score;
};
Volume boxes(const std::vector<Box>& all) {
  auto volume = empty_volume(centred_grid(kSide, kSide, kSide, 2), "1");
  for (const auto& box : all)
    volume.voxels.slice(0, box.at, box.at + box.side)
        .slice(1, box.at, box.at + box.side)
        .slice(2, box.at, box.at + box.side)
        .fill_(box.score);
  return volume;
}

const ClusterRule kRule{Direction::kBelow, -1, 0};
torch::Tensor everywhere() { return torch::ones({kSide, kSide, kSide}, torch::kBool); }

TEST(DetectionCurve, JudgesByEachRule) {
  // A lesion of 6^3 voxels from 10; clusters of 4^3 from 2 (a miss) and of 2^3 from 15 (shares 1).
  const auto lesion = boxes({{10, 6, 1}}).voxels;
  const auto scores = boxes({{2, 4, -3}, {15, 2, -2}});
  const auto clusters = find_clusters(scores, kRule, everywhere());
  const auto hit = [&](HitRule rule) {
    return judge_clusters(clusters, lesion, scores.voxel_to_world, rule);
  };
  EXPECT_EQ(hit(HitRule::kVoxel).rank, 2);
  EXPECT_EQ(hit(HitRule::kVoxel).clusters, 2);
  EXPECT_EQ(hit(HitRule::kVoxel).misses, 1);
  EXPECT_FALSE(hit(HitRule::kTenPercent).hit());  // 1 of 216
  // Centres at 12.5 and 15.5: 3 voxels of 2 mm along each axis, 10.39 mm.
  EXPECT_FALSE(hit(HitRule::kCentre).hit());
  const auto nearer =
      find_clusters(boxes({{14, 3, -2}}), kRule, everywhere());  // centre 15: 8.7 mm
  EXPECT_TRUE(judge_clusters(nearer, lesion, scores.voxel_to_world, HitRule::kCentre).hit());
  EXPECT_EQ(
      judge_clusters(nearer, torch::zeros_like(lesion), scores.voxel_to_world, HitRule::kVoxel)
          .rank,
      0);
}

TEST(DetectionCurve, CountsPatientsAndClusters) {
  const auto lesion = boxes({{10, 3, 1}}).voxels;
  // First patient: the lesion stands out least of three; second: it is the only cluster.
  const auto first = boxes({{0, 2, -9}, {5, 3, -8}, {10, 3, -2}}), second = boxes({{10, 3, -5}});
  std::vector<std::vector<PatientHit>> patients;
  for (const auto& scores : {first, second})
    patients.push_back(patient_curve(scores, everywhere(), lesion, kRule, 3, HitRule::kVoxel).hits);
  const auto curve = detection_curve(patients);
  ASSERT_EQ(curve.size(), 3U);
  EXPECT_DOUBLE_EQ(curve[0].sensitivity, 0.5);
  EXPECT_DOUBLE_EQ(curve[2].sensitivity, 1);
  EXPECT_DOUBLE_EQ(curve[2].clusters, 2);
  EXPECT_DOUBLE_EQ(curve[2].misses, 1);
  // Wilson, n = 2, p = 0.5: statsmodels proportion_confint(1, 2, method="wilson").
  EXPECT_NEAR(curve[0].lower, 0.0945312, 1e-6);
  EXPECT_NEAR(curve[0].upper, 0.9054688, 1e-6);
  EXPECT_REFUSED(detection_curve({}), "detection curve: no patients");
}

TEST(DetectionCurve, ChanceOfEachNumberIsThatOfItsClusters) {
  const auto lesion = boxes({{10, 5, 1}}).voxels;
  const auto scores = boxes({{0, 2, -9}, {5, 3, -8}});
  const auto curve =
      patient_curve(scores, everywhere(), lesion, kRule, 4, HitRule::kVoxel, {100, 5});
  ASSERT_EQ(curve.hits.size(), 4U);
  ASSERT_EQ(curve.chance.size(), 4U);
  const auto thresholds = thresholds_for_at_most(scores, kRule, 4, everywhere());
  EXPECT_EQ(thresholds[3], thresholds[1]);
  for (size_t n = 0; n < 4; ++n) {
    const auto clusters =
        find_clusters(scores, {Direction::kBelow, thresholds[n], 0}, everywhere());
    EXPECT_EQ(curve.chance[n], chance_of_hit(clusters, everywhere(), lesion, scores.voxel_to_world,
                                             HitRule::kVoxel, 5, 100));
    EXPECT_EQ(curve.hits[n].clusters, static_cast<int64_t>(clusters.found.size()));
  }
  EXPECT_GT(curve.chance[1], curve.chance[0]);
}

/// One voxel placed at random hits a lesion as often as the lesion has voxels of the mask's.
TEST(DetectionCurve, ChanceIsThePartOfTheBrain) {
  const auto lesion = boxes({{4, 8, 1}}).voxels;  // 512 of 8000
  const auto scores = boxes({{0, 1, -3}});
  const auto clusters = find_clusters(scores, kRule, everywhere());
  const double chance = chance_of_hit(clusters, everywhere(), lesion, scores.voxel_to_world,
                                      HitRule::kVoxel, 1, 20000);
  EXPECT_NEAR(chance, 512.0 / 8000, 4 * std::sqrt(0.064 * 0.936 / 20000));
}

TEST(DetectionCurve, DiceOfMasks) {
  const auto a = boxes({{0, 4, 1}}).voxels, b = boxes({{2, 4, 1}}).voxels;
  EXPECT_DOUBLE_EQ(dice(a, b), 8.0 / 64);
  EXPECT_DOUBLE_EQ(dice(a, a), 1);
  EXPECT_DOUBLE_EQ(dice(torch::zeros_like(a), torch::zeros_like(a)), 1);
}

}  // namespace
}  // namespace scintigen
