// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "core/temporary_folder.h"
#include "simulate/activity.h"
#include "simulate/colin.h"
#include "simulate/slice_truth.h"

namespace scintigen {
namespace {

const Grid& grid() {
  static const Grid one = centred_grid(44, 52, 44, 4);
  return one;
}
const Affine kMiddle = {{{1, 0, 0, 0}, {0, 1, 0, -18}, {0, 0, 1, 8}, {0, 0, 0, 1}}};

/// Mean uptake left over right of a structure (cerebellum or the rest of the brain).
double left_right(const HeadMaps& maps, const Volume& activity, bool cerebellum) {
  double sum[2] = {}, count[2] = {};
  for (size_t v = 0; v < maps.voxels(); ++v) {
    const Region& region = colin().regions[maps.region[v]];
    if (region.pair == 0 || region.side == Side::kMiddle) continue;
    if ((region.structure == Structure::kCerebellum) != cerebellum) continue;
    const size_t right = region.side == Side::kRight;
    sum[right] += activity.voxels.data_ptr<float>()[v];
    count[right] += 1;
  }
  return sum[0] / count[0] / (sum[1] / count[1]);
}

TEST(Activity, NormalPeopleDifferBetweenSidesAsRealOnes) {
  double sum = 0, squares = 0, worst_cerebellum = 0;
  constexpr int64_t kPeople = 24;
  for (int64_t index = 0; index < kPeople; ++index) {
    const auto person = make_person(colin(), 8, index, 60, false);
    const auto maps = sample_head(colin(), person, grid(), kMiddle);
    const auto metabolism = make_metabolism(colin(), person, Tracer::kImp, 8, index);
    const auto activity = make_activity(colin(), maps, metabolism, {});
    const double ratio = left_right(maps, activity, false);
    sum += ratio, squares += ratio * ratio;
    const double cerebellum = left_right(maps, activity, true);
    worst_cerebellum = std::max(worst_cerebellum, 2 * std::abs(cerebellum - 1) / (cerebellum + 1));
  }
  const double mean = sum / kPeople,
               sd = std::sqrt((squares - kPeople * mean * mean) / (kPeople - 1));
  EXPECT_NEAR(mean, 1, 0.03);
  EXPECT_GT(sd, 0.03);
  EXPECT_LT(sd, 0.07);
  EXPECT_LT(worst_cerebellum, 0.1);  // 10 % and more means diaschisis
}

TEST(Activity, LesionsAndReserveChangeUptakeAsPlanned) {
  const auto person = make_person(colin(), 8, 0, 60, false);
  const auto maps = sample_head(colin(), person, grid(), kMiddle);
  const auto metabolism = make_metabolism(colin(), person, Tracer::kImp, 8, 0);
  Random random(4, "lesion");
  const Lesion lesion = make_ischaemia(colin(), Side::kRight, random);
  const Lesion remote = make_diaschisis(lesion, random);
  EXPECT_EQ(remote.side, Side::kLeft);
  const auto normal = make_activity(colin(), maps, metabolism, {});
  const auto rest = make_activity(colin(), maps, metabolism, {lesion, remote});
  const auto stress = make_activity(colin(), maps, metabolism, {lesion, remote}, 0.5);
  const auto change = change_map(colin(), maps, {lesion, remote}, 0);
  double deepest = 0;
  for (size_t v = 0; v < maps.voxels(); ++v) {
    const auto& region = colin().regions[maps.region[v]];
    const float before = normal.voxels.data_ptr<float>()[v],
                after = rest.voxels.data_ptr<float>()[v];
    if (region.pair == 0) {
      EXPECT_EQ(before, after);
      continue;
    }
    deepest = std::min(deepest, double(change[v]));
    const bool cerebellar = region.structure == Structure::kCerebellum;
    if (change[v] < -1e-3F && region.side != Side::kMiddle) {
      EXPECT_EQ(region.side, cerebellar ? Side::kLeft : Side::kRight) << region.name;
    }
    if (maps.gray[v] + maps.white[v] < 0.999F) continue;  // fluid does not take part
    EXPECT_NEAR(after, before * (1 + change[v]), 1e-3 * before + 0.01);
    if (std::abs(change[v]) < 1e-6F) {
      EXPECT_NEAR(stress.voxels.data_ptr<float>()[v], 1.5F * before, 1e-3 * before + 0.01);
    }
  }
  EXPECT_NEAR(deepest, lesion.change, 0.03);
  EXPECT_GT(left_right(maps, rest, false), left_right(maps, normal, false));
  // Crossed cerebellar diaschisis: at least 10 % between the hemispheres.
  EXPECT_LT(left_right(maps, rest, true) / left_right(maps, normal, true), 0.9);
  // Diseased tissue answers less to acetazolamide.
  EXPECT_NEAR(perfusion(1, 0.5), 1.5, 1e-12);
  EXPECT_LT(perfusion(0.6, 0.5) / perfusion(0.6, 0), 1.5);
}

TEST(Activity, UptakeIsTheTablesAndAgeLowersItInTheFrontalLobe) {
  auto person = make_person(colin(), 8, 0, 30, false);
  const auto young = make_metabolism(colin(), person, Tracer::kEcd, 8, 0);
  person.age_years = 80;
  const auto old = make_metabolism(colin(), person, Tracer::kEcd, 8, 0);
  for (size_t r = 1; r < colin().regions.size(); ++r) {
    const auto& region = colin().regions[r];
    if (region.pair == 0) continue;
    const double ratio = old.region[r] / young.region[r];
    if (region.name == "Frontal_Sup") {
      EXPECT_NEAR(ratio, (1 - 0.0045 * 20) / (1 + 0.0045 * 30), 1e-9);
    }
    if (region.structure == Structure::kCerebellum) {
      EXPECT_EQ(ratio, 1);
    }
  }
  // Rest is the table's; under vasodilation a saturating tracer gains less, and less where it is
  // high.
  EXPECT_NEAR(dilated(1.22, 0, 2.5), 1.22, 1e-12);
  EXPECT_NEAR(dilated(0.3, 0.5, 0), 0.45, 1e-12);
  EXPECT_NEAR(dilated(1, 0.5, 1.5), 1.25, 1e-12);  // f 1 -> 1.5: 1.5 * 2.5 / 3
  EXPECT_GT(dilated(0.3, 0.5, 1.5) / 0.3, dilated(1, 0.5, 1.5));
}

TEST(Activity, AFocusHasItsDiameterAndContrast) {
  Random random(9, "focus");
  for (int n = 0; n < 8; ++n) {
    const Lesion focus = make_focus(colin(), 30, 0.5, random);
    const size_t region = colin().region_at(focus.centre);
    ASSERT_NE(region, 0U);
    EXPECT_NEAR(focus.change_at(colin(), focus.centre, region), 0.5, 1e-3);
    Point edge = focus.centre;
    edge[1] += 15;
    EXPECT_NEAR(focus.change_at(colin(), edge, region), 0.25, 1e-3);
    EXPECT_EQ(focus.change_at(colin(), focus.centre, 0), 0);
  }
}

TEST(Activity, EveryTerritoryAndTheBordersBetweenThemCanBeIll) {
  Random random(2, "territories");
  std::map<std::string, int> seen;
  for (int n = 0; n < 60; ++n) {
    const Side side = n % 2 ? Side::kLeft : Side::kRight;
    const Lesion lesion = make_ischaemia(colin(), side, random);
    ++seen[lesion.name];
    EXPECT_LE(lesion.change, -0.15);
    EXPECT_GE(lesion.change, -0.6);
    const size_t region = colin().region_at(lesion.centre);
    EXPECT_LT(lesion.change_at(colin(), lesion.centre, region), 0.9 * lesion.change) << lesion.name;
    Point mirrored = lesion.centre;
    mirrored[0] = -mirrored[0];
    const size_t opposite = colin().region_at(mirrored);
    if (colin().regions[opposite].side != side) {  // beside the midline it may be the same
      EXPECT_EQ(lesion.change_at(colin(), mirrored, opposite), 0) << lesion.name;
    }
  }
  EXPECT_EQ(seen.size(), 4U);
}

TEST(Activity, SlicesAreJudgedBySide) {
  const auto person = make_person(colin(), 8, 1, 60, false);
  const auto maps = sample_head(colin(), person, grid(), kMiddle);
  std::vector<float> change(maps.voxels(), 0.0F);
  const int64_t k = 22;
  EXPECT_EQ(judge_slice(colin(), maps, change, k, k).pattern, "normal");
  for (size_t v = 0; v < change.size(); ++v)
    if (colin().regions[maps.region[v]].side == Side::kLeft) change[v] = -0.25F;
  auto truth = judge_slice(colin(), maps, change, k, k);
  EXPECT_EQ(truth.pattern, "unilateral");
  EXPECT_EQ(truth.side, "left");
  EXPECT_NEAR(truth.severity, 25, 0.1);
  for (float& value : change) value = 0.3F;
  truth = judge_slice(colin(), maps, change, k, k);
  EXPECT_EQ(truth.pattern, "bilateral");
  EXPECT_EQ(truth.side, "both");
  EXPECT_NEAR(truth.severity, -30, 0.1);
  for (float& value : change) value = -0.05F;  // below 8 %
  EXPECT_EQ(judge_slice(colin(), maps, change, k, k).pattern, "normal");
}

TEST(Activity, TracersAreKnownByTheirNames) {
  for (const auto tracer : {Tracer::kImp, Tracer::kHmpao, Tracer::kEcd, Tracer::kFdg})
    EXPECT_EQ(tracer_from_name(tracer_short_name(tracer)), tracer);
  EXPECT_REFUSED(tracer_from_name("O15"), "tracer 'O15'; expected IMP, HMPAO, ECD or FDG");
}

}  // namespace
}  // namespace scintigen
