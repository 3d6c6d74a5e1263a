// SPDX-License-Identifier: Apache-2.0
// Dual problem of a one-class machine, for a file that has said what Floats are and how many lanes
// they have (kLanes) and in which versions to compile (SCINTIGEN_VERSIONS): one_class_eight.cpp,
// one_class_sixteen.cpp.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "detection/one_class_kernels.h"
#include "models/vector_lanes.h"

namespace scintigen {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kRounds = 30;  // of projected and conjugate gradients, at most
constexpr float kProgress =
    0.9f;  // a round that leaves more of the gap has stalled: pairwise steps end it
constexpr int kProjectedSteps = 3;  // a round
constexpr int kProjectionSteps = 60;
constexpr float kSnap = 1e-7f;  // nearer to a bound is at it

/// Lanes past the controls have cap 0: there is nothing between their bounds, so that no loop needs
/// to know of them.
class DualSolver {
 public:
  SCINTIGEN_INLINE explicit DualSolver(const DualProblem& problem)
      : blocks_(problem.stride / kLanes),
        controls_(problem.controls),
        stride_(problem.stride),
        kernel_(problem.kernel),
        total_(static_cast<float>(problem.total)),
        a_(reinterpret_cast<Floats*>(problem.a)),
        gradient_(reinterpret_cast<Floats*>(problem.work)),
        cap_(gradient_ + blocks_),
        direction_(cap_ + blocks_),
        product_(direction_ + blocks_),
        residual_(product_ + blocks_),
        value_(residual_ + blocks_),
        chosen_(reinterpret_cast<int32_t*>(value_ + blocks_)) {}

  SCINTIGEN_INLINE DualEnd solve(double tolerance) {
    auto *a = floats(a_), *cap = floats(cap_);
    std::fill(a, a + stride_, 0.0f);
    std::fill(a, a + controls_, total_ / static_cast<float>(controls_));
    std::fill(cap, cap + stride_, 0.0f);
    std::fill(cap, cap + controls_, 1.0f);
    choose(a_);
    multiply(a_, gradient_);
    float length = 1, before = kInfinity;
    for (int round = 0;; ++round) {  // the last counts as stalled
      projected_steps(length);
      Floats least{};
      for (int64_t i = 0; i < blocks_; ++i) {
        const Floats minus = -gradient_[i];
        least = minus < least ? minus : least;
      }
      const float enough = static_cast<float>(tolerance) * -least_of(least);
      conjugate_steps(0.5f * enough);
      refresh();
      auto now = gap();
      const bool stalled = now.width() > kProgress * before || round == kRounds - 1;
      if (now.width() > enough && stalled) {
        for (int64_t step = 0; step < 1000 * controls_ && pairwise_step(0.5f * enough); ++step)
          if (step % 100 == 99) refresh();
        refresh();
        now = gap();
      }
      before = now.width();
      if (stalled || before <= enough) return {offset(now), before, products_};
    }
  }

 private:
  static SCINTIGEN_INLINE float* floats(Floats* x) { return reinterpret_cast<float*>(x); }

  /// y[from..from+L) = sum over the chosen j of x[j] K[j], in two sums: each addition to a single
  /// one would wait for the addition before.
  template <int L>
  SCINTIGEN_INLINE void multiply_part(const Floats* x, int64_t from, Floats* y) {
    Floats even[L] = {}, odd[L] = {};
    const float* kernel = kernel_ + kLanes * from;
    const auto* weight = reinterpret_cast<const float*>(x);
    int64_t c = 0;
    for (; c + 2 <= count_; c += 2) {
      const int64_t i = chosen_[c], j = chosen_[c + 1];
      const float v = weight[i], w = weight[j];
      const auto* first = reinterpret_cast<const Floats*>(kernel + i * stride_);
      const auto* second = reinterpret_cast<const Floats*>(kernel + j * stride_);
#pragma GCC unroll 8
      for (int l = 0; l < L; ++l) even[l] += v * first[l];
#pragma GCC unroll 8
      for (int l = 0; l < L; ++l) odd[l] += w * second[l];
    }
    if (c < count_) {
      const int64_t i = chosen_[c];
      const auto* first = reinterpret_cast<const Floats*>(kernel + i * stride_);
#pragma GCC unroll 8
      for (int l = 0; l < L; ++l) even[l] += weight[i] * first[l];
    }
#pragma GCC unroll 8
    for (int l = 0; l < L; ++l) y[from + l] = even[l] + odd[l];
  }

  /// Notes where x is not 0, for multiply().
  SCINTIGEN_INLINE void choose(const Floats* x) {
    count_ = 0;
    for (int64_t i = 0; i < blocks_; ++i)
      count_ += not_zero(x[i], static_cast<int32_t>(kLanes * i), chosen_ + count_);
  }

  /// y = K x, x being 0 but where chosen.
  SCINTIGEN_INLINE void multiply(const Floats* x, Floats* y) {
    ++products_;
    int64_t from = 0;
    for (; blocks_ - from >= 5; from += 5) multiply_part<5>(x, from, y);
    for (; blocks_ - from >= 3; from += 3) multiply_part<3>(x, from, y);
    for (; from < blocks_; ++from) multiply_part<1>(x, from, y);
  }

  SCINTIGEN_INLINE float inner(const Floats* x, const Floats* y) const {
    Floats sum{};
    for (int64_t i = 0; i < blocks_; ++i) sum += x[i] * y[i];
    return sum_of(sum);
  }

  struct Gap {
    float high, low;  ///< largest gradient that could give, smallest that could take
    float width() const { return high - low; }
  };
  SCINTIGEN_INLINE Gap gap() const {
    const Floats never = Floats{} + kInfinity;
    Floats high = never, low = never;  // of -gradient and gradient
    for (int64_t i = 0; i < blocks_; ++i) {
      const Floats give = a_[i] > 0.0f ? -gradient_[i] : never;
      const Floats take = a_[i] < cap_[i] ? gradient_[i] : never;
      high = give < high ? give : high;
      low = take < low ? take : low;
    }
    return {-least_of(high), least_of(low)};
  }

  /// As LIBSVM: the mean of K a over the support vectors between the bounds; where there are none,
  /// the middle of what the optimality conditions allow.
  SCINTIGEN_INLINE float offset(const Gap& now) const {
    const auto between = free();
    if (between.count > 0) return between.mean();
    if (std::isinf(now.high)) return now.low;
    return std::isinf(now.low) ? now.high : 0.5f * (now.high + now.low);
  }

  /// Block i of a += t direction, at its bound where it comes near one; and the gradient's.
  SCINTIGEN_INLINE void move(int64_t i, float t) {
    const Floats moved = a_[i] + t * direction_[i];
    const Floats off_cap = moved > cap_[i] - kSnap ? cap_[i] : moved;
    a_[i] = direction_[i] != 0.0f ? (moved < kSnap ? Floats{} : off_cap) : a_[i];
    gradient_[i] += t * product_[i];
  }

  struct Range {
    float low, high;
  };
  /// Where the level of project() lies: at `low` the sum is too large, at `high` it is 0.
  SCINTIGEN_INLINE Range levels() const {
    const Floats never = Floats{} + kInfinity;
    Floats least = never, most = never;  // of value and -value
    for (int64_t i = 0; i < blocks_; ++i) {
      const Floats value = cap_[i] > 0.0f ? value_[i] : never;
      const Floats minus = cap_[i] > 0.0f ? -value_[i] : never;
      least = value < least ? value : least;
      most = minus < most ? minus : most;
    }
    return {least_of(least) - 1.0f, -least_of(most)};
  }

  /// direction = P(value) - a, P the nearest point with 0 <= a <= cap and the right sum: value -
  /// level, clipped. The level is found by Newton's method kept in a bracket.
  SCINTIGEN_INLINE void project(float level) {
    float low = -kInfinity, high = kInfinity;
    for (int step = 0; step < kProjectionSteps; ++step) {
      Floats sum{}, free{};
      for (int64_t i = 0; i < blocks_; ++i) {
        const Floats t = value_[i] - level;
        const Floats above = t > 0.0f ? t : Floats{};
        sum += above < cap_[i] ? above : cap_[i];
        free += above < cap_[i] ? (t > 0.0f ? Floats{} + 1.0f : Floats{}) : Floats{};
      }
      const float over = sum_of(sum) - total_, count = sum_of(free);
      if (std::abs(over) <= 2e-7f * std::max(1.0f, total_)) break;
      (over > 0 ? low : high) = level;
      float next = level + over / count;
      if (!(next > low && next < high)) {  // or nobody is free
        const auto range = levels();
        next = 0.5f * (std::max(low, range.low) + std::min(high, range.high));
      }
      if (next == level) break;
      level = next;
    }
    for (int64_t i = 0; i < blocks_; ++i) {
      const Floats t = value_[i] - level;
      const Floats above = t > 0.0f ? t : Floats{};
      direction_[i] = (above < cap_[i] ? above : cap_[i]) - a_[i];
    }
  }

  /// free = 1 where block i is between its bounds, 0 elsewhere.
  SCINTIGEN_INLINE void inside(int64_t i, Floats& free) const {
    free = a_[i] > 0.0f ? (a_[i] < cap_[i] ? Floats{} + 1.0f : Floats{}) : Floats{};
  }

  struct Free {
    float sum, count;  ///< of the gradients of those between their bounds
    float mean() const { return count > 0 ? sum / count : 0.0f; }
  };
  SCINTIGEN_INLINE Free free() const {
    Floats sum{}, count{};
    for (int64_t i = 0; i < blocks_; ++i) {
      Floats free;
      inside(i, free);
      sum += free * gradient_[i];
      count += free;
    }
    return {sum_of(sum), sum_of(count)};
  }

  /// Projected gradient steps of Barzilai and Borwein's length, each with an exact line search.
  SCINTIGEN_INLINE void projected_steps(float& length) {
    for (int step = 0; step < kProjectedSteps; ++step) {
      const float mean = free().mean();
      for (int64_t i = 0; i < blocks_; ++i) value_[i] = a_[i] - length * (gradient_[i] - mean);
      project(0.0f);
      choose(direction_);
      multiply(direction_, product_);
      const float slope = -inner(direction_, gradient_);
      const float bend = inner(direction_, product_);
      const float size = inner(direction_, direction_);
      if (!(slope > 0) || size == 0) return;
      const float t = bend > slope ? slope / bend : 1.0f;
      for (int64_t i = 0; i < blocks_; ++i) move(i, t);
      length = bend > 1e-6f * size ? size / bend : 1e6f;
    }
  }

  /// Residual and first direction are mean of the free gradients - gradient where free, 0
  /// elsewhere. Chooses the free. `count`: how many they are. Returns the residual's square.
  SCINTIGEN_INLINE float start_conjugate(float& count) {
    const auto between = free();
    count = between.count;
    const float mean = between.mean();
    Floats square{};
    for (int64_t i = 0; i < blocks_; ++i) {
      inside(i, value_[i]);
      const Floats residual = value_[i] * (mean - gradient_[i]);
      residual_[i] = direction_[i] = residual;
      square += residual * residual;
    }
    choose(value_);
    return sum_of(square);
  }

  /// Conjugate gradients among the free, who leave at a bound that they meet.
  SCINTIGEN_INLINE void conjugate_steps(float tolerance) {
    const Floats never = Floats{} + kInfinity;
    float count;
    float square = start_conjugate(count);
    for (int64_t step = 0; step < controls_ + 20 && square > tolerance * tolerance; ++step) {
      Floats rooms = never;
      for (int64_t i = 0; i < blocks_; ++i) {
        const Floats p = direction_[i];
        const Floats to = (p < 0.0f ? -a_[i] : cap_[i] - a_[i]) / p;
        const Floats room = p != 0.0f ? to : never;
        rooms = room < rooms ? room : rooms;
      }
      const float room = least_of(rooms);
      multiply(direction_, product_);
      Floats bends{}, products{};
      for (int64_t i = 0; i < blocks_; ++i) {
        bends += direction_[i] * product_[i];
        Floats free;
        inside(i, free);
        products += free * product_[i];
      }
      const float bend = sum_of(bends), mean = sum_of(products) / count;
      if (!(bend > 0)) return;
      const float wanted = square / bend;
      if (room < wanted) {
        for (int64_t i = 0; i < blocks_; ++i) move(i, room);
        square = start_conjugate(count);
        continue;
      }
      Floats squares{}, still_free{};
      for (int64_t i = 0; i < blocks_; ++i) {
        const Floats left = residual_[i] - wanted * (product_[i] - mean);
        move(i, wanted);
        Floats free;
        inside(i, free);
        residual_[i] = free * left;
        squares += residual_[i] * residual_[i];
        still_free += free;
      }
      if (sum_of(still_free) != count) {  // one came near enough to a bound to be put at it
        square = start_conjugate(count);
        continue;
      }
      const float before = square;
      square = sum_of(squares);
      const float keep = square / before;
      for (int64_t i = 0; i < blocks_; ++i) direction_[i] = residual_[i] + keep * direction_[i];
    }
  }

  /// Gives what rounding took from the sum back to the free, and computes the gradient anew.
  SCINTIGEN_INLINE void refresh() {
    Floats sums{};
    for (int64_t i = 0; i < blocks_; ++i) sums += a_[i];
    const float count = free().count, each = count > 0 ? (total_ - sum_of(sums)) / count : 0;
    for (int64_t i = 0; i < blocks_; ++i) {
      const Floats moved = a_[i] + each;
      const Floats below = a_[i] < cap_[i] ? moved : a_[i];
      a_[i] = a_[i] > 0.0f ? below : a_[i];
    }
    choose(a_);
    multiply(a_, gradient_);
  }

  /// One pairwise step; false where no pair gains.
  SCINTIGEN_INLINE bool pairwise_step(float tolerance) {
    auto *a = floats(a_), *gradient = floats(gradient_);
    int64_t taker = -1, giver = -1;
    for (int64_t i = 0; i < controls_; ++i)
      if (a[i] < 1 && (taker < 0 || gradient[i] < gradient[taker])) taker = i;
    if (taker < 0) return false;
    const float* row = kernel_ + taker * stride_;
    float best = 0, best_bend = 1;
    for (int64_t j = 0; j < controls_; ++j) {
      const float gain = gradient[j] - gradient[taker];
      if (a[j] <= 0 || gain <= tolerance) continue;
      const float bend = std::max(2.0f - 2.0f * row[j], 1e-12f);
      if (gain * gain / bend > best) best = gain * gain / bend, giver = j, best_bend = bend;
    }
    if (giver < 0) return false;
    const float wanted = (gradient[giver] - gradient[taker]) / best_bend;
    const float t = std::min({wanted, a[giver], 1.0f - a[taker]});
    if (t <= 0) return false;
    a[giver] = t == a[giver] ? 0.0f : a[giver] - t;
    a[taker] = t == 1.0f - a[taker] ? 1.0f : a[taker] + t;
    const float* other = kernel_ + giver * stride_;
    for (int64_t i = 0; i < controls_; ++i) gradient[i] += t * (row[i] - other[i]);
    return true;
  }

  int64_t blocks_, controls_, stride_;
  const float* kernel_;
  float total_;
  Floats *a_, *gradient_, *cap_, *direction_, *product_, *residual_, *value_;
  int32_t* chosen_;
  int64_t count_ = 0, products_ = 0;
};

SCINTIGEN_VERSIONS
DualEnd solve_dual(const DualProblem& problem, double tolerance) {
  return DualSolver(problem).solve(tolerance);
}

}  // namespace
}  // namespace scintigen
