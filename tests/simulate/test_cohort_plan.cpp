// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "core/temporary_folder.h"
#include "simulate/cohort_plan.h"
#include "simulate/colin.h"

namespace scintigen {
namespace {

std::map<std::string, int> counted(const std::vector<std::string>& groups) {
  std::map<std::string, int> counts;
  for (const auto& group : groups) ++counts[group];
  return counts;
}

TEST(CohortPlan, GroupsAreThoseOfThePapers) {
  SimulateSettings settings;
  settings.like = "table1";
  EXPECT_EQ(counted(cohort_groups(settings)),
            (std::map<std::string, int>{{"normal", 86}, {"unilateral", 100}, {"bilateral", 64}}));
  EXPECT_EQ(scans_of(settings, cohort_groups(settings)), 500);
  settings.like = "fdg";
  EXPECT_EQ(
      counted(cohort_groups(settings)),
      (std::map<std::string, int>{{"control", 35}, {"control T1 only", 40}, {"epilepsy", 17}}));
  EXPECT_EQ(scans_of(settings, cohort_groups(settings)), 35 * 2 + 40 + 17 * 2);
  settings.like = "epilepsy-spect";
  EXPECT_EQ(counted(cohort_groups(settings)), (std::map<std::string, int>{{"epilepsy", 48}}));
  settings.like = "table1";
  settings.participants = 20;
  EXPECT_REFUSED(cohort_groups(settings), "table1 is Werner 2022's 250 people, found 20");
}

TEST(CohortPlan, GroupSizesReplaceParticipants) {
  SimulateSettings settings;
  settings.like = "fdg";
  settings.group_sizes = {0, 3, 5};
  EXPECT_EQ(counted(cohort_groups(settings)),
            (std::map<std::string, int>{{"control T1 only", 3}, {"epilepsy", 5}}));
  settings.group_sizes = {3, 5};
  EXPECT_REFUSED(cohort_groups(settings),
                 "group_sizes: 2 numbers; expected 3 for fdg: control, control T1 only, epilepsy");
  settings.group_sizes = {0, 0, 0};
  EXPECT_REFUSED(cohort_groups(settings), "group_sizes: nobody");
  settings.group_sizes = {1, 1, 1};
  settings.participants = 3;
  EXPECT_REFUSED(cohort_groups(settings), "group_sizes: another way than participants");
  settings.participants = 0;
  settings.like = "table1";
  EXPECT_REFUSED(cohort_groups(settings), "not for table1; leave one out");
}

TEST(CohortPlan, PeopleAreAsTheirGroupSays) {
  SimulateSettings settings;
  settings.like = "table1";
  const auto groups = cohort_groups(settings);
  int diaschisis = 0, left = 0, unilateral = 0;
  double age = 0;
  for (int64_t index = 0; index < 250; ++index) {
    const auto person = plan_person(colin(), settings, groups, index);
    age += person.age_years / 250;
    ASSERT_EQ(person.scans.size(), 2U);
    EXPECT_EQ(person.scans[0].session, "rest");
    EXPECT_EQ(person.scans[0].reserve, 0);
    EXPECT_GT(person.scans[1].reserve, 0.1);
    const auto& lesions = person.scans[0].lesions;
    EXPECT_EQ(lesions.empty(), person.group == "normal");
    if (person.group == "bilateral") {
      ASSERT_EQ(lesions.size(), 2U);
      EXPECT_NE(lesions[0].side, lesions[1].side);
      EXPECT_NE(lesions[0].change, lesions[1].change);  // independent severities
    }
    if (person.group == "unilateral") {
      ++unilateral;
      left += lesions[0].side == Side::kLeft;
      diaschisis += lesions.size() == 2;
      for (size_t n = 1; n < lesions.size(); ++n) {
        EXPECT_EQ(lesions[n].kind, Lesion::Kind::kDiaschisis);
        EXPECT_NE(lesions[n].side, lesions[0].side);
        EXPECT_LE(lesions[n].change, -0.1);
      }
    }
  }
  EXPECT_EQ(diaschisis, 40);
  EXPECT_GT(left, unilateral / 4);
  EXPECT_LT(left, 3 * unilateral / 4);
  EXPECT_NEAR(age, 61, 4);
}

TEST(CohortPlan, EpilepsyHasOneFocusInEveryModalityAndANormalT1) {
  SimulateSettings settings;
  settings.like = "epilepsy-spect";
  const auto groups = cohort_groups(settings);
  for (int64_t index = 0; index < 12; ++index) {
    const auto person = plan_person(colin(), settings, groups, index);
    ASSERT_EQ(person.scans.size(), 4U);
    EXPECT_EQ(person.scans[0].kind, ScanPlan::Kind::kT1);
    EXPECT_TRUE(person.scans[0].lesions.empty());
    EXPECT_EQ(person.scans[1].tracer, Tracer::kFdg);
    const auto &interictal = person.scans[2], &ictal = person.scans[3];
    EXPECT_EQ(ictal.session, "ictal");
    EXPECT_EQ(ictal.lesions[0].centre, interictal.lesions[0].centre);
    EXPECT_EQ(ictal.lesions[0].centre, person.scans[1].lesions[0].centre);
    EXPECT_GE(ictal.lesions[0].change, 0.25);
    EXPECT_LE(ictal.lesions[0].change, 0.7);
    EXPECT_LE(interictal.lesions[0].change, 0);
    EXPECT_LE(person.scans[1].lesions[0].change, -0.08);
    EXPECT_NE(ictal.world_from_person, interictal.world_from_person);
  }
}

TEST(CohortPlan, FdgPatientsHaveASubtleFocus) {
  SimulateSettings settings;
  settings.like = "fdg";
  const auto groups = cohort_groups(settings);
  for (int64_t index = 0; index < 92; ++index) {
    const auto person = plan_person(colin(), settings, groups, index);
    if (person.group != "epilepsy") continue;
    ASSERT_EQ(person.scans.size(), 2U);
    const auto& focus = person.scans[1].lesions.front();
    EXPECT_GE(2 * focus.radius_mm, 8);
    EXPECT_LE(2 * focus.radius_mm, 20);
    EXPECT_LE(focus.change, -0.08);
    EXPECT_GE(focus.change, -0.25);
  }
}

TEST(CohortPlan, FdgFocusMayBeSet) {
  SimulateSettings drawn, set;
  drawn.like = set.like = "fdg";
  set.focus_percent = 25;
  set.focus_mm = 20;
  const auto groups = cohort_groups(drawn);
  const auto patient = std::find(groups.begin(), groups.end(), "epilepsy") - groups.begin();
  const auto a = plan_person(colin(), drawn, groups, patient),
             b = plan_person(colin(), set, groups, patient);
  EXPECT_DOUBLE_EQ(b.scans[1].lesions[0].change, -0.25);
  EXPECT_DOUBLE_EQ(b.scans[1].lesions[0].radius_mm, 10);
  EXPECT_EQ(a.scans[1].lesions[0].centre, b.scans[1].lesions[0].centre);
  EXPECT_EQ(a.scans[1].world_from_person, b.scans[1].world_from_person);
}

TEST(CohortPlan, AnyKindFollowsFromItsSeed) {
  for (const char* like : {"ischaemia", "epilepsy-spect", "fdg"}) {
    SimulateSettings settings;
    settings.like = like;
    const auto groups = cohort_groups(settings);
    const auto a = plan_person(colin(), settings, groups, 3),
               b = plan_person(colin(), settings, groups, 3);
    EXPECT_EQ(a.scans.back().world_from_person, b.scans.back().world_from_person);
    settings.seed = 2;
    const auto c = plan_person(colin(), settings, cohort_groups(settings), 3);
    EXPECT_NE(a.scans.back().world_from_person, c.scans.back().world_from_person);
  }
}

}  // namespace
}  // namespace scintigen
