// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>

#include "cohort/prefetch.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

using namespace std::chrono_literals;

TEST(Prefetch, GivesWhatWasAskedForWhateverTheThreads) {
  for (const int64_t threads : {1, 3}) {
    Prefetch<int64_t> prefetch([](int64_t step) { return 7 * step; }, threads, 4);
    for (int64_t step = 5; step < 200; ++step) EXPECT_EQ(prefetch.take(step), 7 * step);
    for (const int64_t step : {3, 900, 901, 3, 4}) EXPECT_EQ(prefetch.take(step), 7 * step);
  }
}

TEST(Prefetch, MakesNoMoreThanItMayKeep) {
  std::atomic<int64_t> made{0};
  Prefetch<int64_t> prefetch([&](int64_t step) { return ++made, step; }, 2, 3);
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(made, 0) << "nothing before the first step is known";
  prefetch.take(1);
  for (int n = 0; n < 1000 && made < 5; ++n) std::this_thread::sleep_for(10ms);
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(made, 5) << "the step taken, the next, and three ahead of it";
}

TEST(Prefetch, DoesNotLetTheTrainerWait) {
  Prefetch<int64_t> prefetch(
      [](int64_t step) {
        std::this_thread::sleep_for(2ms);
        return step;
      },
      1, 4);
  prefetch.take(0);
  EXPECT_GT(prefetch.waited_s(), 0.001) << "the first is waited for";
  double waited = 0;
  for (int64_t step = 1; step < 11; ++step) {
    std::this_thread::sleep_for(30ms);
    prefetch.take(step);
    waited += prefetch.waited_s();
  }
  EXPECT_LT(waited, 0.02 * 10 * 0.030) << "under 2 % of the steps' time";
}

TEST(Prefetch, AWorkerStartsNoTeam) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  Prefetch<int64_t> prefetch(
      [](int64_t) {
        at::full({192, 192}, 1.0F);  // large enough for LibTorch to share among threads
        return int64_t{omp_get_max_threads()};
      },
      1, 2);
  EXPECT_EQ(prefetch.take(0), 1);
  EXPECT_EQ(at::get_num_threads(), 3);
  at::set_num_threads(before);
}

TEST(Prefetch, HandsOnWhatWentWrong) {
  Prefetch<int64_t> prefetch(
      [](int64_t step) {
        if (step == 2) throw Error("step {} is broken", step);
        return step;
      },
      2, 4);
  EXPECT_EQ(prefetch.take(1), 1);
  EXPECT_REFUSED(prefetch.take(2), "step 2 is broken");
  EXPECT_EQ(prefetch.take(3), 3);
}

}  // namespace
}  // namespace scintigen
