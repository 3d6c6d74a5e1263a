// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>

#include "core/grid.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"
#include "detection/clusters.h"

namespace scintigen {
namespace {

const TensorFile& golden() {
  static const TensorFile file =
      read_tensors(SCINTIGEN_TEST_GOLDEN "/detection/clusters.safetensors");
  return file;
}

Volume golden_scores() {
  Volume scores;
  scores.voxels = golden().at("scores").clone();
  const auto affine = golden().at("affine").accessor<double, 2>();
  for (int64_t row = 0; row < 4; ++row)
    for (int64_t column = 0; column < 4; ++column)
      scores.voxel_to_world[size_t(row)][size_t(column)] = affine[row][column];
  return scores;
}

/// A ball of `inside` in a volume of 0, 2 mm voxels; voxels whose centre is within the radius.
Volume ball(const Point& centre, double radius_mm, float inside) {
  Volume volume = empty_volume(centred_grid(60, 70, 50, 2, {-1, 2, 3}), "1");
  auto values = volume.voxels.accessor<float, 3>();
  for (int64_t k = 0; k < 50; ++k)
    for (int64_t j = 0; j < 70; ++j)
      for (int64_t i = 0; i < 60; ++i) {
        const Point at = transform_point(volume.voxel_to_world, {double(i), double(j), double(k)});
        if (std::hypot(at[0] - centre[0], at[1] - centre[1], at[2] - centre[2]) <= radius_mm)
          values[k][j][i] = inside;
      }
  return volume;
}

TEST(Clusters, AreThoseOfScipy) {
  const auto scores = golden_scores();
  for (const auto& [direction, sign, name] :
       {std::tuple{Direction::kAbove, 1.0, "above"}, {Direction::kBelow, -1.0, "below"}})
    for (const auto& [least_ml, least] : {std::pair{0.0, "0"}, {0.05, "0.05"}}) {
      const auto found =
          find_clusters(scores, {direction, sign * 1.5, least_ml}, golden().at("mask"));
      const auto stem = std::string(name) + "." + least;
      EXPECT_TRUE(torch::equal(found.labels, golden().at(stem + ".labels"))) << stem;
      const auto& expected = golden().at(stem + ".rows");
      ASSERT_EQ(static_cast<int64_t>(found.found.size()), expected.size(0)) << stem;
      ASSERT_GT(expected.size(0), 5);
      const auto rows = expected.accessor<double, 2>();
      for (int64_t r = 0; r < rows.size(0); ++r) {
        const auto& one = found.found[size_t(r)];
        const double numbers[] = {double(one.voxels), one.volume_ml,    one.peak,
                                  one.peak_mm[0],     one.peak_mm[1],   one.peak_mm[2],
                                  one.centre_mm[0],   one.centre_mm[1], one.centre_mm[2],
                                  one.mean,           one.rank_score};
        EXPECT_EQ(one.label, r + 1);
        for (int64_t c = 0; c < rows.size(1); ++c)
          EXPECT_NEAR(numbers[c], rows[r][c], 1e-9 * (1 + std::abs(rows[r][c])))
              << stem << " row " << r << " column " << c;
      }
    }
}

TEST(Clusters, ABallIsFoundAtItsPlaceInMlAndMm) {
  const Point centre = {-21, 33, 9};
  const double radius = 16.5;  // SISCOM's focus: 3.3 cm
  const auto found = find_clusters(ball(centre, radius, 3), {Direction::kAbove, 2, 1});
  ASSERT_EQ(found.found.size(), 1U);
  const auto& one = found.found.front();
  EXPECT_NEAR(one.volume_ml, 4.0 / 3 * M_PI * std::pow(radius / 10, 3), 0.02 * one.volume_ml);
  for (size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(one.centre_mm[axis], centre[axis], 0.2);
  EXPECT_EQ(one.peak, 3);
  EXPECT_EQ(one.mean, 3);
  EXPECT_EQ(one.rank_score, 1);
}

TEST(Clusters, SignedMapsMirrorEachOther) {
  auto scores = golden_scores();
  const auto above = find_clusters(scores, {Direction::kAbove, 1.2, 0});
  scores.voxels = -scores.voxels;
  const auto below = find_clusters(scores, {Direction::kBelow, -1.2, 0});
  EXPECT_TRUE(torch::equal(above.labels, below.labels));
  ASSERT_EQ(above.found.size(), below.found.size());
  for (size_t r = 0; r < above.found.size(); ++r) {
    EXPECT_EQ(above.found[r].peak, -below.found[r].peak);
    EXPECT_EQ(above.found[r].peak_mm, below.found[r].peak_mm);
  }
}

TEST(Clusters, SizeAndScoreRankAlikeAndThePeakDecides) {
  Volume scores = empty_volume(centred_grid(20, 20, 20, 1), "1");
  using torch::indexing::Slice;
  scores.voxels.index_put_({2, 2, Slice(2, 6)}, 2);  // four voxels, mean 2: r = 1/2 + 1/4
  scores.voxels.index_put_({9, 9, Slice(2, 4)}, 4);  // two voxels, mean 4:  r = 1/4 + 1/2
  auto found = find_clusters(scores, {Direction::kAbove, 1, 0}).found;
  ASSERT_EQ(found.size(), 2U);
  EXPECT_DOUBLE_EQ(found[0].rank_score, 0.75);
  EXPECT_DOUBLE_EQ(found[1].rank_score, 0.75);
  EXPECT_EQ(found[0].peak, 4);
  scores.voxels.index_put_({2, 2, 6}, 2);
  found = find_clusters(scores, {Direction::kAbove, 1, 0}).found;
  EXPECT_EQ(found[0].voxels, 5);
}

TEST(Clusters, LeastSizeIsInclusive) {
  Volume scores = empty_volume(centred_grid(9, 9, 9, 2), "1");
  scores.voxels.index_put_({4, 4, torch::indexing::Slice(2, 7)}, 5);  // 5 voxels of 0.008 ml
  EXPECT_EQ(find_clusters(scores, {Direction::kAbove, 2, 0.04}).found.size(), 1U);
  EXPECT_EQ(find_clusters(scores, {Direction::kAbove, 2, 0.0401}).found.size(), 0U);
  EXPECT_EQ(find_clusters(scores, {Direction::kAbove, 5, 0}).found.size(), 1U);
  EXPECT_EQ(find_clusters(scores, {Direction::kAbove, 5.0001, 0}).found.size(), 0U);
}

/// The mildest score at which, and at all stricter ones, at most `most` clusters remain.
double tried_one_by_one(const Volume& scores, ClusterRule rule, int64_t most,
                        const torch::Tensor& mask) {
  const bool above = rule.direction == Direction::kAbove;
  const auto values = std::get<0>(torch::_unique(scores.voxels.masked_select(mask.ne(0))));
  const auto sorted = std::get<0>(values.sort(0, /*descending=*/above));
  double last = rule.threshold;
  const double weakest = rule.threshold;
  for (int64_t v = 0; v < sorted.numel(); ++v) {
    const double value = sorted[v].item<float>();
    if (above ? value < weakest : value > weakest) return weakest;
    rule.threshold = value;
    if (static_cast<int64_t>(find_clusters(scores, rule, mask).found.size()) > most) return last;
    last = value;
  }
  return weakest;
}

TEST(Clusters, ThresholdLeavesAtMostN) {
  auto scores = golden_scores();
  scores.voxels = scores.voxels.narrow(0, 4, 7).contiguous();
  const auto mask = golden().at("mask").narrow(0, 4, 7);
  for (const auto& [direction, weakest] :
       {std::pair{Direction::kAbove, 0.9}, {Direction::kBelow, -0.9}})
    for (const double least_ml : {0.0, 0.06}) {
      const ClusterRule rule{direction, weakest, least_ml};
      const auto all = thresholds_for_at_most(scores, rule, 1000, mask);
      ASSERT_EQ(all.size(), 1000U);
      for (const int64_t most : {1, 2, 3, 10, 1000}) {
        const double found = threshold_for_at_most(scores, rule, most, mask);
        EXPECT_EQ(found, all[static_cast<size_t>(most - 1)]);
        EXPECT_EQ(found, tried_one_by_one(scores, rule, most, mask)) << most << " " << least_ml;
        const auto left = find_clusters(scores, {direction, found, least_ml}, mask).found.size();
        EXPECT_LE(left, static_cast<size_t>(most));
        EXPECT_GE(left, static_cast<size_t>(most == 1000 ? 5 : 1));
      }
    }
}

TEST(Clusters, NoThresholdSplitsEqualScores) {
  Volume scores = empty_volume(centred_grid(9, 9, 9, 1), "1");
  for (const int64_t k : {1, 4, 7}) scores.voxels[k][4][4] = 3;
  const double beyond = threshold_for_at_most(scores, {Direction::kAbove, 1, 0}, 2);
  EXPECT_GT(beyond, 3);
  EXPECT_EQ(find_clusters(scores, {Direction::kAbove, beyond, 0}).found.size(), 0U);
  EXPECT_EQ(threshold_for_at_most(scores, {Direction::kAbove, 1, 0}, 3), 1);
  EXPECT_EQ(thresholds_for_at_most(scores, {Direction::kAbove, 1, 0}, 4),
            (std::vector<double>{beyond, beyond, 1, 1}));
  // One cluster, and at the next level four at once.
  scores.voxels.fill_(0);
  scores.voxels[4][4][4] = 5;
  for (const int64_t k : {1, 7}) scores.voxels[k][4][4] = 3;
  scores.voxels[4][1][1] = 3;
  EXPECT_EQ(thresholds_for_at_most(scores, {Direction::kAbove, 1, 0}, 4),
            (std::vector<double>{5, 5, 5, 1}));
  EXPECT_EQ(threshold_for_at_most(scores, {Direction::kAbove, 4, 0}, 1), 4);
}

TEST(Clusters, RegionsAndTable) {
  LabelImage atlas;
  atlas.labels = ball({-20, 32, 10}, 12, 7);
  atlas.names[7] = "Insula_L";
  auto scores = ball({-20, 32, 10}, 6, 3);
  auto above = find_clusters(scores, {Direction::kAbove, 2, 0});
  Affine shifted = identity_affine();
  name_regions(above, atlas, shifted);
  EXPECT_EQ(above.found[0].region, "Insula_L");
  shifted[0][3] = 100;
  name_regions(above, atlas, shifted);
  EXPECT_EQ(above.found[0].region, "");
  const auto below = find_clusters(scores, {Direction::kBelow, -2, 0});
  EXPECT_TRUE(below.found.empty());
  const auto table = cluster_table({&above, &below});
  ASSERT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.at(0, "direction"), "above");
  EXPECT_EQ(table.at(0, "region"), "n/a");
  EXPECT_EQ(table.number_at(0, "peak"), 3);
}

TEST(Clusters, Refusals) {
  auto scores = ball({0, 0, 0}, 5, 3);
  scores.voxels[0][0][0] = NAN;
  EXPECT_REFUSED(find_clusters(scores, {}), "values that are not finite; mask them");
  EXPECT_EQ(find_clusters(scores, {}, scores.voxels.gt(0)).found.size(), 1U);
  scores.voxels[0][0][0] = 0;
  EXPECT_REFUSED(find_clusters(scores, {}, torch::ones({2, 2, 2})), "other shapes");
  EXPECT_REFUSED(find_clusters(scores, {Direction::kAbove, NAN, 0}), "threshold of nan");
  EXPECT_REFUSED(find_clusters(scores, {Direction::kAbove, 2, -1}), "least size of -1");
  EXPECT_REFUSED(threshold_for_at_most(scores, {}, 0), "at most 0 clusters");
  scores.voxel_to_world = Affine{};
  EXPECT_REFUSED(find_clusters(scores, {}), "singular affine");
  EXPECT_REFUSED(find_clusters(Volume{}, {}), "not float32 [D,H,W]");
}

TEST(Clusters, LieAtTheSamePlaceOnAnotherGrid) {
  // A ball of 10 mm radius, on 2 mm voxels; the other space is turned by 90 degrees about z,
  // shifted, and twice as large along each axis.
  const auto grid = centred_grid(40, 40, 40, 2);
  auto scores = empty_volume(grid, "1");
  const auto axis = (torch::arange(40) - 19.5) * 2;
  const auto from = (axis.view({-1, 1, 1}) - 6).square() + (axis.view({1, -1, 1}) + 10).square() +
                    (axis.view({1, 1, -1}) - 14).square();
  scores.voxels = from.le(100).to(torch::kFloat) * 5;
  const auto clusters = find_clusters(scores, {Direction::kAbove, 2, 0});
  ASSERT_EQ(clusters.found.size(), 1);
  const Affine target_to_scores = {{{0, 0.5, 0, 1}, {-0.5, 0, 0, 2}, {0, 0, 0.5, 3}, {0, 0, 0, 1}}};
  const auto target = centred_grid(90, 90, 90, 2);
  const auto moved = clusters_on(clusters, grid, target, target_to_scores);
  ASSERT_EQ(moved.found.size(), 1);
  const auto& one = moved.found[0];
  EXPECT_NEAR(one.volume_ml, 8 * clusters.found[0].volume_ml, 1e-9);
  EXPECT_NEAR(static_cast<double>(one.voxels) * 0.008, one.volume_ml, 0.02 * one.volume_ml);
  EXPECT_EQ(one.peak, clusters.found[0].peak);
  // The centre (14, -10, 6) is where 0.5 y + 1 = 14, 2 - 0.5 x = -10, 0.5 z + 3 = 6.
  EXPECT_NEAR(one.centre_mm[0], 24, 1e-6);
  EXPECT_NEAR(one.centre_mm[1], 26, 1e-6);
  EXPECT_NEAR(one.centre_mm[2], 6, 1e-6);
  Volume labels{moved.labels.to(torch::kFloat), target.voxel_to_world, "1"};
  const auto again = find_clusters(labels, {Direction::kAbove, 1, 0});
  ASSERT_EQ(again.found.size(), 1);
  for (size_t a = 0; a < 3; ++a) EXPECT_NEAR(again.found[0].centre_mm[a], one.centre_mm[a], 0.3);
  EXPECT_REFUSED(clusters_on(clusters, grid, target, Affine{}),
                 "clusters: the map to their space is singular");
}

TEST(Clusters, GoThroughADeformation) {
  const auto grid = centred_grid(40, 40, 40, 2);
  auto scores = empty_volume(grid, "1");
  scores.voxels.slice(0, 18, 22).slice(1, 10, 14).slice(2, 25, 29).fill_(5);
  const auto clusters = find_clusters(scores, {Direction::kAbove, 2, 0});
  ASSERT_EQ(clusters.found.size(), 1);
  // Towards the scores every place near the cluster moves by (4, -2, 0); outside the field none
  // does.
  Displacements field{torch::zeros({3, 20, 20, 20}), centred_grid(20, 20, 20, 4).voxel_to_world};
  auto inner = field.mm.slice(1, 2, -2).slice(2, 2, -2).slice(3, 2, -2);
  inner[0].fill_(4);
  inner[1].fill_(-2);
  for (int64_t c = 0; c < 3; ++c)  // no step to fold at
    gaussian_blur(field.mm[c].data_ptr<float>(), 20, 20, 20, {1.5, 1.5, 1.5});
  const auto moved = clusters_on(clusters, grid, grid, SpatialMap(field));
  ASSERT_EQ(moved.found.size(), 1);
  const auto &was = clusters.found[0], &is = moved.found[0];
  EXPECT_NEAR(is.centre_mm[0], was.centre_mm[0] - 4, 0.1);
  EXPECT_NEAR(is.centre_mm[1], was.centre_mm[1] + 2, 0.1);
  EXPECT_NEAR(is.centre_mm[2], was.centre_mm[2], 0.1);
  EXPECT_EQ(is.voxels, was.voxels);  // two and one voxels aside
  EXPECT_DOUBLE_EQ(is.volume_ml, was.volume_ml);
}

TEST(Clusters, HaveTheMeanOfAnotherMapAndAColumnForItEvenWhereThereAreNone) {
  auto map = torch::zeros({4, 5, 6});
  map[1][1].slice(0, 1, 3).fill_(-4);
  map[3][4][5] = -3;
  ClusterRule rule;
  rule.direction = Direction::kBelow;
  rule.threshold = -2;
  auto found = find_clusters({map, identity_affine(), "1"}, rule);
  EXPECT_EQ(cluster_table({&found}).columns.back(), "region");
  auto uptake = torch::full({4, 5, 6}, 9.0f);
  uptake[1][1][1] = -1;
  uptake[1][1][2] = -2;
  set_uptake_t(found, uptake);
  EXPECT_EQ(found.found[0].uptake_t, -1.5);
  EXPECT_EQ(found.found[1].uptake_t, 9);
  EXPECT_EQ(cluster_table({&found}).at(0, "uptake_t"), "-1.5");
  auto none = find_clusters({torch::zeros({4, 5, 6}), identity_affine(), "1"}, rule);
  set_uptake_t(none, uptake);
  EXPECT_EQ(cluster_table({&none}).columns.back(), "uptake_t");
  EXPECT_REFUSED(set_uptake_t(none, map[0]), "the map of uptake has another shape than the scores");
}

}  // namespace
}  // namespace scintigen
