// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "cohort/sampling.h"
#include "cohort/small_cohort.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

AugmentSettings plain() {
  AugmentSettings settings;
  settings.mix_neighbours = false;
  settings.shift_ap_px = 0;
  return settings;
}

BatchSampler sampler_of(const PreparedCohort& cohort, int64_t batch, const std::string& balance,
                        const AugmentSettings& settings = plain(), uint64_t seed = 7) {
  return {cohort, ConditionEncoder(cohort.table, {"level", "pattern"}), batch, balance, settings,
          seed};
}

TEST(Sampling, AnEpochHoldsEverySliceOnce) {
  for (const int64_t per_participant : {1, 3, 7, 23}) {
    const auto cohort = small_cohort(3, per_participant, 8);
    const auto sampler = sampler_of(cohort, 1, "none");
    std::set<std::vector<int64_t>> orders;
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      std::vector<int64_t> order;
      for (int64_t i = 0; i < sampler.steps_per_epoch(); ++i) {
        order.push_back(sampler.batch(epoch * sampler.steps_per_epoch() + i).rows[0]);
      }
      orders.insert(order);
      std::sort(order.begin(), order.end());
      for (int64_t row = 0; row < cohort.size(); ++row) {
        EXPECT_EQ(order[static_cast<size_t>(row)], row);
      }
    }
    EXPECT_GT(orders.size(), per_participant == 1 ? 1u : 4u);  // three slices have six orders
  }
}

TEST(Sampling, TheLastIncompleteBatchIsDropped) {
  const auto cohort = small_cohort(3, 5, 8);
  const auto sampler = sampler_of(cohort, 4, "none");
  EXPECT_EQ(sampler.steps_per_epoch(), 3);
  for (int64_t epoch = 0; epoch < 20; ++epoch) {
    std::set<int64_t> seen;
    for (int64_t i = 0; i < 3; ++i) {
      for (const auto row : sampler.batch(epoch * 3 + i).rows) seen.insert(row);
    }
    EXPECT_EQ(seen.size(), 12u);
  }
}

/// The first slice of an epoch is any slice equally often: chi-square over 4000 epochs.
TEST(Sampling, OrdersAreUniform) {
  const auto cohort = small_cohort(3, 5, 4);
  for (const int64_t place : {0, 7, 14}) {
    std::vector<double> counts(15, 0);
    const auto sampler = sampler_of(cohort, 1, "none");
    for (int64_t epoch = 0; epoch < 4000; ++epoch) {
      counts[static_cast<size_t>(sampler.batch(epoch * 15 + place).rows[0])] += 1;
    }
    double chi_square = 0;
    for (const double count : counts)
      chi_square += (count - 4000. / 15) * (count - 4000. / 15) / (4000. / 15);
    EXPECT_LT(chi_square, 36.1);  // p = 0.001 at 14 degrees of freedom
  }
}

TEST(Sampling, ABatchIsTheSameWheneverAndWhereverItIsAskedFor) {
  const auto cohort = small_cohort(6, 5, 16);
  AugmentSettings everything;
  everything.shift_lr_px = 2;
  everything.flip_where = "pattern=normal,bilateral";
  everything.rotate_deg = 10;
  everything.scale_fraction = 0.1;
  everything.warp_px = 1;
  everything.gain_fraction = 0.1;
  for (const char* balance : {"none", "class", "patient"}) {
    const auto sampler = sampler_of(cohort, 4, balance, everything);
    std::vector<Batch> forward(40);
    for (int64_t step = 0; step < 40; ++step)
      forward[static_cast<size_t>(step)] = sampler.batch(step);
    const auto again = sampler_of(cohort, 4, balance, everything);
    std::vector<Batch> threaded(40);
    std::vector<std::thread> threads;
    for (int64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int64_t step = 39 - t; step >= 0; step -= 4) {
          threaded[static_cast<size_t>(step)] = again.batch(step);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    for (size_t step = 0; step < 40; ++step) {
      EXPECT_EQ(forward[step].rows, threaded[step].rows);
      EXPECT_TRUE(torch::equal(forward[step].images, threaded[step].images));
      EXPECT_TRUE(torch::equal(forward[step].conditions, threaded[step].conditions));
    }
    const auto other = sampler_of(cohort, 4, balance, everything, 8).batch(0);
    EXPECT_FALSE(torch::equal(other.images, forward[0].images));
  }
}

TEST(Sampling, ImagesAreTheSlicesInMinusOneToOne) {
  const auto cohort = small_cohort(3, 4, 16);
  const auto sampler = sampler_of(cohort, 4, "none");
  const auto batch = sampler.batch(2);
  EXPECT_EQ(batch.images.sizes(), (std::vector<int64_t>{4, 1, 16, 16}));
  const auto y = ConditionEncoder(cohort.table, {"level", "pattern"}).encode(cohort.table);
  for (int64_t i = 0; i < 4; ++i) {
    const auto row = batch.rows[static_cast<size_t>(i)];
    EXPECT_TRUE(torch::allclose(batch.images[i][0], cohort.slices[row] * 2 - 1, 0, 1e-7));
    EXPECT_TRUE(torch::equal(batch.conditions[i], y[row]));
  }
}

/// A cohort with classes of 1 to 30 slices: participant p has 1 + 5 p slices of the last level.
PreparedCohort lopsided() {
  const auto whole = small_cohort(6, 30, 4);
  std::vector<int64_t> rows;
  for (int64_t p = 0; p < 6; ++p) {
    for (int64_t i = 0; i < 1 + 5 * p; ++i) rows.push_back(p * 30 + 29 - i);
  }
  return whole.rows(rows);
}

TEST(Sampling, ClassesAreEquallyFrequent) {
  const auto cohort = lopsided();
  const ConditionEncoder encoder(cohort.table, {"level", "pattern"});
  std::map<std::string, int> classes;
  for (size_t row = 0; row < cohort.table.rows.size(); ++row)
    classes[encoder.text_values(cohort.table, row)];
  ASSERT_EQ(classes.size(), 8u);
  const auto sampler = sampler_of(cohort, 4, "class");
  std::map<int64_t, int> rows;
  for (int64_t step = 0; step < 1000; ++step) {
    for (const auto row : sampler.batch(step).rows) {
      ++classes[encoder.text_values(cohort.table, static_cast<size_t>(row))];
      ++rows[row];
    }
  }
  for (const auto& [name, count] : classes) EXPECT_EQ(count, 500) << name;
  EXPECT_EQ(rows.size(), cohort.table.rows.size());  // every slice has its turn
  // and slices of one class differ by one at most
  std::map<std::string, std::pair<int, int>> range;
  for (const auto& [row, count] : rows) {
    auto& [least, most] = range
                              .emplace(encoder.text_values(cohort.table, static_cast<size_t>(row)),
                                       std::make_pair(count, count))
                              .first->second;
    least = std::min(least, count);
    most = std::max(most, count);
  }
  for (const auto& [name, ends] : range) EXPECT_LE(ends.second - ends.first, 1) << name;
}

TEST(Sampling, PatientsAreEquallyFrequentInAClass) {
  const auto cohort = lopsided();
  const ConditionEncoder encoder(cohort.table, {"level", "pattern"});
  std::map<std::string, std::map<std::string, int>> counts;
  for (const char* balance : {"patient"}) {
    const auto sampler = sampler_of(cohort, 8, balance);
    for (int64_t step = 0; step < 600; ++step) {
      for (const auto row : sampler.batch(step).rows) {
        const auto index = static_cast<size_t>(row);
        ++counts[encoder.text_values(cohort.table, index)]
                [cohort.table.at(index, "participant_id")];
      }
    }
  }
  for (const auto& [name, patients] : counts) {
    for (const auto& [id, count] : patients) {
      EXPECT_EQ(count, 600 / static_cast<int>(patients.size())) << name << " " << id;
    }
  }
}

TEST(Sampling, ConditionsAreAnIndependentDrawOfTheSameKind) {
  const auto cohort = lopsided();
  const auto sampler = sampler_of(cohort, 4, "class");
  auto total = torch::zeros({6});
  int same = 0;
  for (int64_t step = 0; step < 1000; ++step) {
    const auto y = sampler.conditions(step);
    EXPECT_EQ(y.sizes(), (std::vector<int64_t>{4, 6}));
    total += y.sum(0);
    same += torch::equal(y, sampler.batch(step).conditions) ? 1 : 0;
    EXPECT_TRUE(torch::equal(y, sampler.conditions(step)));
  }
  EXPECT_LT(same, 50);
  // 8 classes: level high with three patterns, mid with three, low with two (the batch test counts
  // them)
  EXPECT_EQ(total.sum().item<float>(), 8000.f);
  EXPECT_EQ(total.max().item<float>(), 1500.f);
}

TEST(Sampling, AFlipNeverTouchesARowThatIsNotAllowed) {
  const auto cohort = small_cohort(6, 4, 8);
  auto settings = plain();
  settings.flip_where = "pattern=normal,bilateral";
  const auto sampler = sampler_of(cohort, 4, "none", settings);
  int flipped = 0, allowed = 0;
  for (int64_t step = 0; step < 600; ++step) {
    const auto batch = sampler.batch(step);
    for (int64_t i = 0; i < 4; ++i) {
      const auto row = batch.rows[static_cast<size_t>(i)];
      const auto slice = cohort.slices[row] * 2 - 1;
      const bool as_is = torch::allclose(batch.images[i][0], slice, 0, 1e-7);
      if (cohort.table.at(static_cast<size_t>(row), "pattern") == "unilateral") {
        EXPECT_TRUE(as_is);
        continue;
      }
      ++allowed;
      flipped += as_is ? 0 : 1;
      EXPECT_TRUE(as_is || torch::allclose(batch.images[i][0], slice.flip(1), 0, 1e-7));
    }
  }
  EXPECT_NEAR(static_cast<double>(flipped) / allowed, 0.5, 0.05);  // 4 standard deviations
}

TEST(Sampling, FlipWhereAllAndNone) {
  const auto cohort = small_cohort(3, 4, 8);
  for (const char* where : {"", "all"}) {
    auto settings = plain();
    settings.flip_where = where;
    const auto sampler = sampler_of(cohort, 4, "none", settings);
    int flipped = 0;
    for (int64_t step = 0; step < 100; ++step) {
      const auto batch = sampler.batch(step);
      for (int64_t i = 0; i < 4; ++i) {
        const auto slice = cohort.slices[batch.rows[static_cast<size_t>(i)]] * 2 - 1;
        flipped += torch::allclose(batch.images[i][0], slice, 0, 1e-7) ? 0 : 1;
      }
    }
    if (*where) {
      EXPECT_NEAR(flipped, 200, 50);
    } else {
      EXPECT_EQ(flipped, 0);
    }
  }
}

TEST(Sampling, RefusesByText) {
  const auto cohort = small_cohort(3, 4, 8);
  auto settings = plain();
  EXPECT_REFUSED(sampler_of(cohort, 13, "none"), "batches of 13 from 12 slices; expected 1 to 12");
  EXPECT_REFUSED(sampler_of(cohort, 0, "none"), "expected 1 to 12");
  EXPECT_REFUSED(sampler_of(cohort, 4, "classes"),
                 "expected none, class or patient; found \"classes\"");
  settings.flip_where = "patern=normal";
  EXPECT_REFUSED(sampler_of(cohort, 4, "none", settings), "flip_where: ");
  settings.flip_where = "pattern";
  EXPECT_REFUSED(sampler_of(cohort, 4, "none", settings), "flip_where: ");
  EXPECT_REFUSED(sampler_of(cohort, 4, "none").batch(-1), "batch -1: expected 0 or more");
}

TEST(Sampling, LargeCohortsCostNoMorePerBatch) {
  auto cohort = small_cohort(2, 3, 4);
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 20000; ++i) rows.push_back(i % 6);
  const auto sampler = sampler_of(cohort.rows(rows), 4, "none");
  std::vector<bool> seen(20000, false);
  for (int64_t step = 0; step < sampler.steps_per_epoch(); ++step) {
    for (const auto row : sampler.batch(step).rows) seen[static_cast<size_t>(row)] = true;
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 20000);
}

}  // namespace
}  // namespace scintigen
