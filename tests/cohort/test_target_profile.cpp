// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cohort/paired_people.h"
#include "cohort/target_profile.h"

namespace scintigen {
namespace {

constexpr int64_t kPlanes = 10, kSlices = 6;

/// Planes 2 to 7 hold something: target of maximum level * shape_k * extra_k, input likewise.
struct People : testing::Test {
  People() {
    settings.slices = kSlices;
    settings.side = 32;
  }
  static double shape(int64_t k) { return 1 + 0.3 * std::sin(static_cast<double>(k)); }
  /// extra: of input and, to the power `gain`, of target.
  void add(const std::string& id, double level, double gain, const std::vector<double>& extra) {
    auto target = torch::zeros({kPlanes, 20, 20}, torch::kFloat), input = target.clone();
    for (int64_t n = 0; n < kSlices; ++n) {
      const double more = extra.empty() ? 1 : extra[static_cast<size_t>(n)];
      for (const auto& [volume, value] :
           {std::pair{&target, level * shape(n) * std::pow(more, gain)},
            std::pair{&input, 7 * more}}) {
        (*volume)[n + 2].slice(0, 4, 16).slice(1, 4, 16).fill_(0.5 * value);
        (*volume)[n + 2][8][8] = value;
      }
    }
    cohort.add(id, "T1w", input);
    cohort.add(id, "spect", target);
    people.push_back(map_person(cohort.cohort(), id, settings));
  }
  MadeUpCohort cohort;
  PairedSettings settings;
  std::vector<PairedPerson> people;
};

TEST_F(People, KnowTheShapeAndTheLevel) {
  for (const auto& [id, level] :
       {std::pair{"a", 50.0}, std::pair{"b", 100.0}, std::pair{"c", 400.0}})
    add(id, level, 0, {});
  const auto profile = fit_target_profile(people, settings);
  double mean = 0;
  for (int64_t n = 0; n < kSlices; ++n) mean += std::log(shape(n)) / kSlices;
  for (size_t n = 0; n < kSlices; ++n)
    EXPECT_NEAR(profile.shape[n], shape(static_cast<int64_t>(n)) / std::exp(mean), 1e-6);
  EXPECT_NEAR(profile.level, 100 * std::exp(mean), 1e-4);  // the median person
  EXPECT_NEAR(profile.floor[3], 0, 1e-9);
  const auto ranges = plane_ranges(profile, people[0], "profile");
  ASSERT_EQ(ranges.size(), static_cast<size_t>(kPlanes));
  EXPECT_NEAR(ranges[2].high, 100 * shape(0), 1e-3);
  EXPECT_EQ(ranges[0].high, ranges[2].high) << "beyond the brain: the nearest place";
  EXPECT_NEAR(plane_ranges(profile, people[0], "profile", 2 * profile.level)[4].high,
              200 * shape(2), 1e-3);
  const auto exact = true_plane_ranges(people[2]);
  EXPECT_NEAR(exact[5].high, 400 * shape(3), 1e-3);
}

TEST_F(People, FollowTheirInputByTheGainTheyHave) {
  const std::vector<std::vector<double>> extra = {
      {1, 1.2, 1, 0.9, 1, 1}, {1.3, 1, 0.8, 1, 1, 1.1}, {0.9, 1, 1, 1.25, 0.7, 1}};
  for (size_t p = 0; p < 3; ++p) add(std::string(1, static_cast<char>('a' + p)), 80, 0.5, extra[p]);
  const auto profile = fit_target_profile(people, settings);
  ASSERT_EQ(profile.gain.size(), 1U);
  EXPECT_NEAR(profile.gain[0], 0.5, 1e-5);
  // Somebody new: relative brightness follows, up to the person's own level.
  add("d", 80, 0.5, {1, 1, 1.5, 1, 1, 1});
  const auto with = plane_ranges(profile, people[3], "input");
  const auto without = plane_ranges(profile, people[3], "profile");
  const auto truth = true_plane_ranges(people[3]);
  const double level = with[2].high / truth[2].high;
  for (size_t k = 2; k < 8; ++k) EXPECT_NEAR(with[k].high / truth[k].high, level, 1e-5);
  EXPECT_GT(std::abs(without[4].high / truth[4].high / (without[2].high / truth[2].high) - 1), 0.1);
}

TEST_F(People, ScaledByVolumeHaveOneRange) {
  settings.scale = "volume";
  add("a", 60, 0, {});
  const auto profile = fit_target_profile(people, settings);
  for (const auto& range : plane_ranges(profile, people[0], "input"))
    EXPECT_NEAR(range.high, people[0].target.high, 1e-4);
}

TEST_F(People, UndoWhatPrepareDid) {
  add("a", 60, 0, {});
  cohort.cohort().volumes[1].slope = 3;
  cohort.cohort().volumes[1].intercept = 5;
  const auto person = map_person(cohort.cohort(), "a", settings);
  EXPECT_NEAR(true_plane_ranges(person)[4].high, 3 * 60 * shape(2) + 5, 1e-3);
  EXPECT_NEAR(true_plane_ranges(person)[4].low, 5, 1e-6);
  const auto profile = fit_target_profile({person}, settings);
  EXPECT_NEAR(plane_ranges(profile, person, "profile")[4].low, 5, 1e-3);
}

TEST_F(People, WithoutCountsHaveNoRule) {
  cohort.add("a", "T1w", torch::ones({kPlanes, 20, 20}, torch::kFloat));
  cohort.add("a", "spect", -torch::ones({kPlanes, 20, 20}, torch::kFloat));
  const auto person = map_person(cohort.cohort(), "a", settings);
  const auto profile = fit_target_profile({person}, settings);
  EXPECT_FALSE(profile.known());
  EXPECT_REFUSED(plane_ranges(profile, person, "profile"), "give --counts none");
}

TEST_F(People, ComeBackFromACheckpoint) {
  add("a", 60, 0.5, {1, 1.2, 1, 0.9, 1, 1});
  add("b", 70, 0.5, {1, 1, 1, 1.3, 1, 1});
  const auto before = fit_target_profile(people, settings);
  const auto after = target_profile_from_json(to_json(before), kSlices, 1, "file");
  const auto a = plane_ranges(before, people[0], "input"),
             b = plane_ranges(after, people[0], "input");
  for (size_t k = 0; k < a.size(); ++k) EXPECT_EQ(a[k].high, b[k].high);
  EXPECT_REFUSED(target_profile_from_json(to_json(before), kSlices + 1, 1, "file"),
                 "file: the profile of the targets is not of 7 slices");
  EXPECT_REFUSED(target_profile_from_json({}, kSlices, 1, "file"), "is incomplete");
}

}  // namespace
}  // namespace scintigen
