// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <map>
#include <set>

#include "cohort/prepared_cohort.h"
#include "cohort/small_cohort.h"
#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

std::set<std::string> ids_of(const PreparedCohort& cohort) {
  const auto ids = cohort.participants();
  return {ids.begin(), ids.end()};
}

/// Every tensor that training code can reach from a cohort belongs to its own patients.
void expect_closed(const PreparedCohort& cohort) {
  const auto ids = ids_of(cohort);
  const auto check = [&](const torch::Tensor& slice, const std::string& id) {
    EXPECT_EQ("sub-" + std::to_string(owner_of(slice)), id);
  };
  for (int64_t row = 0; row < cohort.size(); ++row) {
    const auto& id = cohort.table.at(static_cast<size_t>(row), "participant_id");
    check(cohort.slices[row], id);
    for (const auto& next : {cohort.below(row), cohort.above(row)}) {
      if (next.defined()) check(next, id);
    }
  }
  for (int64_t i = 0; i < cohort.neighbours.size(0); ++i) {
    EXPECT_EQ(ids.count("sub-" + std::to_string(owner_of(cohort.neighbours[i]))), 1u);
  }
}

TEST(Split, NoPatientIsOnBothSides) {
  for (uint64_t seed = 0; seed < 25; ++seed) {
    Random random(seed, "split test");
    const int64_t participants = random.integer(2, 9), slices = random.integer(3, 8);
    auto cohort = small_cohort(participants, slices, 8, seed);
    if (seed % 2) cohort = cohort.where("level=mid,high");  // so that there are neighbours
    const auto count = random.integer(1, participants - 1);
    const auto split = split_by_patient(cohort, draw_held_out(cohort, count, seed));
    const auto inside = ids_of(split.training), outside = ids_of(split.held_out);
    EXPECT_EQ(static_cast<int64_t>(outside.size()), count);
    EXPECT_EQ(inside.size() + outside.size(), static_cast<size_t>(participants));
    for (const auto& id : outside) EXPECT_EQ(inside.count(id), 0u);
    EXPECT_EQ(split.training.size() + split.held_out.size(), cohort.size());
    EXPECT_EQ(split.training.neighbours.size(0) + split.held_out.neighbours.size(0),
              cohort.neighbours.size(0));
    expect_closed(split.training);
    expect_closed(split.held_out);
  }
}

TEST(Split, NobodyHeldOut) {
  const auto cohort = small_cohort(3, 3);
  const auto split = split_by_patient(cohort, {});
  EXPECT_EQ(split.training.size(), 9);
  EXPECT_EQ(split.held_out.size(), 0);
  EXPECT_EQ(split.training.slices.data_ptr<float>(), cohort.slices.data_ptr<float>());
}

TEST(Split, RefusesByText) {
  const auto cohort = small_cohort(3, 3);
  const auto refused = [&](const std::vector<std::string>& ids) -> std::string {
    try {
      split_by_patient(cohort, ids);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_EQ(refused({"sub-9"}), "small: no participant sub-9 to hold out; did you mean sub-0?");
  EXPECT_EQ(refused({"somebody"}),
            "small: no participant somebody to hold out; the first of 3 is sub-0");
  EXPECT_EQ(refused({"sub-0", "sub-1", "sub-2"}),
            "small: all 3 participants held out; nobody is left to train on");
  EXPECT_THROW(draw_held_out(cohort, 3, 1), Error);
  EXPECT_THROW(draw_held_out(cohort, -1, 1), Error);
  EXPECT_THROW(draw_held_out(cohort, 1, 1, {"colour"}), Error);
  EXPECT_TRUE(draw_held_out(cohort, 0, 1).empty());
}

TEST(Split, HeldOutPatientsAreBalanced) {
  const auto cohort = small_cohort(12, 3, 8);  // 4 of each pattern
  std::set<std::vector<std::string>> drawn;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto ids = draw_held_out(cohort, 3, seed);
    EXPECT_EQ(ids, draw_held_out(cohort, 3, seed));
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end(), [](const auto& a, const auto& b) {
      return std::stoi(a.substr(4)) < std::stoi(b.substr(4));
    }));
    const auto split = split_by_patient(cohort, ids);
    std::map<std::string, int> patterns;
    for (size_t row = 0; row < split.held_out.table.rows.size(); ++row) {
      ++patterns[split.held_out.table.at(row, "pattern")];
    }
    EXPECT_EQ(patterns,
              (std::map<std::string, int>{{"normal", 3}, {"unilateral", 3}, {"bilateral", 3}}));
    drawn.insert(ids);
  }
  EXPECT_GT(drawn.size(), 10u);  // another seed, other patients
}

TEST(Split, KeepsTheOnlyPatientWithAValueForTraining) {
  auto cohort = small_cohort(6, 3, 8);
  const auto pattern = cohort.table.column("pattern");
  for (size_t row = 0; row < cohort.table.rows.size(); ++row) {
    cohort.table.rows[row][pattern] =
        cohort.table.at(row, "participant_id") == "sub-2" ? "rare" : "common";
  }
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto ids = draw_held_out(cohort, 2, seed, {"pattern"});
    EXPECT_EQ(std::count(ids.begin(), ids.end(), "sub-2"), 0);
  }
}

}  // namespace
}  // namespace scintigen
