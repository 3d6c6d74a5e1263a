// SPDX-License-Identifier: Apache-2.0
// Batches made by worker threads before they are asked for.
#pragma once
#include <ATen/Parallel.h>
#include <omp.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace scintigen {

/// make(step) is a function of `step` alone, so it does not matter which thread calls it, or when:
/// what comes is the same as without this. Checked tests/cohort/test_prefetch.cpp
template <class Batch>
class Prefetch {
 public:
  /// At most `ahead` batches beyond the one that was taken last are made or kept.
  Prefetch(std::function<Batch(int64_t)> make, int64_t threads, int64_t ahead)
      : make_(std::move(make)), ahead_(ahead) {
    for (int64_t n = 0; n < threads; ++n) workers_.emplace_back([this] { work(); });
  }
  ~Prefetch() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  /// Batch `step`: at once where it is made, as it should be for the step after the one before;
  /// any other step starts anew from there. What make() threw is thrown here.
  Batch take(int64_t step) {
    const auto asked = Clock::now();
    std::unique_lock lock(mutex_);
    if (step != taken_) {
      made_.clear();
      ++round_;
      next_ = step;
      taken_ = step;
    }
    wake_.notify_all();
    ready_.wait(lock, [&] { return made_.count(step) == 1; });
    auto found = made_.extract(step);
    taken_ = step + 1;
    lock.unlock();
    wake_.notify_all();
    const auto now = Clock::now();
    waited_s_ = std::chrono::duration<double>(now - asked).count();
    if (found.mapped().second) std::rethrow_exception(found.mapped().second);
    return std::move(found.mapped().first);
  }

  /// How long the last take() waited.
  double waited_s() const { return waited_s_; }

 private:
  using Clock = std::chrono::steady_clock;

  void work() {
    // Of this thread: a large fill would start a team beside the trainer's. LibTorch sets the
    // number at a thread's first use of it, so that use comes first.
    at::get_num_threads();
    omp_set_num_threads(1);
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return stopping_ || (taken_ >= 0 && next_ <= taken_ + ahead_); });
      if (stopping_) return;
      const int64_t step = next_++, round = round_;
      lock.unlock();
      std::pair<Batch, std::exception_ptr> made;
      try {
        made.first = make_(step);
      } catch (...) {
        made.second = std::current_exception();
      }
      lock.lock();
      if (round == round_) made_.emplace(step, std::move(made));
      ready_.notify_all();
    }
  }

  std::function<Batch(int64_t)> make_;
  int64_t ahead_, next_ = 0, taken_ = -1, round_ = 0;
  std::map<int64_t, std::pair<Batch, std::exception_ptr>> made_;
  bool stopping_ = false;
  double waited_s_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_, ready_;
  std::vector<std::thread> workers_;
};

}  // namespace scintigen
