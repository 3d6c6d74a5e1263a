// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "detection/one_class_kernels.h"
#include "models/eight_lanes.h"

namespace scintigen {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kRounds = 30;  // of projected and conjugate gradients, at most
constexpr float kProgress =
    0.9f;  // a round that leaves more of the gap has stalled: pairwise steps end it
constexpr int kProjectedSteps = 3;  // a round
constexpr int kProjectionSteps = 60;
constexpr float kSnap = 1e-7f;  // nearer to a bound is at it

/// The problem with the names of its vectors, in blocks of eight. Lanes past the controls have cap
/// 0: there is nothing between their bounds, so that no loop needs to know of them.
struct Dual {
  int64_t blocks, controls, stride;
  const float* kernel;
  float total;
  Eight *gradient, *a, *cap, *direction, *product, *residual, *value;
  float* weight;
  int32_t* chosen;
  int64_t count, products;
};

/// y[0..L) = sum over the chosen j of x[j] K[j][0..L), in blocks.
template <int L>
SCINTIGEN_INLINE void multiply_part(const Dual& dual, int64_t count, int64_t from, Eight* y) {
  Eight sum[L] = {};
  const float* kernel = dual.kernel + 8 * from;
  for (int64_t c = 0; c < count; ++c) {
    const float w = dual.weight[c];
    const auto* row = reinterpret_cast<const Eight*>(kernel + dual.chosen[c] * dual.stride);
#pragma GCC unroll 10
    for (int l = 0; l < L; ++l) sum[l] += w * row[l];
  }
#pragma GCC unroll 10
  for (int l = 0; l < L; ++l) y[from + l] = sum[l];
}

/// Notes where x is not 0, for multiply().
SCINTIGEN_INLINE void choose(Dual& dual, const Eight* x) {
  int64_t count = 0;
  for (int64_t j = 0; j < dual.controls; ++j) {
    dual.chosen[count] = static_cast<int32_t>(j);
    count += (reinterpret_cast<const EightWhole*>(x)[j / 8][j % 8] & 0x7fffffff) != 0;
  }
  dual.count = count;
}

/// y = K x, x being 0 but where chosen.
SCINTIGEN_INLINE void multiply(Dual& dual, const Eight* x, Eight* y) {
  const auto* values = reinterpret_cast<const float*>(x);
  const int64_t count = dual.count;
  for (int64_t c = 0; c < count; ++c) dual.weight[c] = values[dual.chosen[c]];
  ++dual.products;
  int64_t from = 0;
  for (; dual.blocks - from >= 10; from += 10) multiply_part<10>(dual, count, from, y);
  for (; dual.blocks - from >= 6; from += 6) multiply_part<6>(dual, count, from, y);
  for (; dual.blocks - from >= 4; from += 4) multiply_part<4>(dual, count, from, y);
  for (; from < dual.blocks; from += 2) multiply_part<2>(dual, count, from, y);
}

SCINTIGEN_INLINE float inner(const Eight* x, const Eight* y, int64_t blocks) {
  Eight sum{};
  for (int64_t i = 0; i < blocks; ++i) sum += x[i] * y[i];
  return sum_of(sum);
}

struct Gap {
  float high, low;  ///< largest gradient that could give, smallest that could take
};
SCINTIGEN_INLINE Gap gap_of(const Dual& dual) {
  const Eight never = Eight{} + kInfinity;
  Eight high = never, low = never;  // of -gradient and gradient
  for (int64_t i = 0; i < dual.blocks; ++i) {
    const Eight give = dual.a[i] > 0.0f ? -dual.gradient[i] : never;
    const Eight take = dual.a[i] < dual.cap[i] ? dual.gradient[i] : never;
    high = give < high ? give : high;
    low = take < low ? take : low;
  }
  return {-least_of(high), least_of(low)};
}

/// a (+)= t direction where the direction is not 0, at its bound where it comes near one.
SCINTIGEN_INLINE void move(Dual& dual, float t) {
  for (int64_t i = 0; i < dual.blocks; ++i) {
    const Eight moved = dual.a[i] + t * dual.direction[i];
    const Eight off_cap = moved > dual.cap[i] - kSnap ? dual.cap[i] : moved;
    dual.a[i] = dual.direction[i] != 0.0f ? (moved < kSnap ? Eight{} : off_cap) : dual.a[i];
    dual.gradient[i] += t * dual.product[i];
  }
}

/// direction = P(value) - a, P the nearest point with 0 <= a <= cap and the right sum: value -
/// level, clipped. The level is found by Newton's method kept in a bracket.
SCINTIGEN_INLINE void project(const Dual& dual, float level) {
  const Eight never = Eight{} + kInfinity;
  Eight least = never, most = never;  // of value and -value
  for (int64_t i = 0; i < dual.blocks; ++i) {
    const Eight value = dual.cap[i] > 0.0f ? dual.value[i] : never;
    const Eight minus = dual.cap[i] > 0.0f ? -dual.value[i] : never;
    least = value < least ? value : least;
    most = minus < most ? minus : most;
  }
  float low = least_of(least) - 1.0f, high = -least_of(most);
  for (int step = 0; step < kProjectionSteps; ++step) {
    Eight sum{}, free{};
    for (int64_t i = 0; i < dual.blocks; ++i) {
      const Eight t = dual.value[i] - level;
      const Eight above = t > 0.0f ? t : Eight{};
      sum += above < dual.cap[i] ? above : dual.cap[i];
      free += above < dual.cap[i] ? (t > 0.0f ? Eight{} + 1.0f : Eight{}) : Eight{};
    }
    const float over = sum_of(sum) - dual.total, count = sum_of(free);
    if (std::abs(over) <= 2e-7f * std::max(1.0f, dual.total)) break;
    (over > 0 ? low : high) = level;
    float next = count > 0 ? level + over / count : 0.5f * (low + high);
    if (!(next > low && next < high)) next = 0.5f * (low + high);
    if (next == level) break;
    level = next;
  }
  for (int64_t i = 0; i < dual.blocks; ++i) {
    const Eight t = dual.value[i] - level;
    const Eight above = t > 0.0f ? t : Eight{};
    dual.direction[i] = (above < dual.cap[i] ? above : dual.cap[i]) - dual.a[i];
  }
}

struct Free {
  float sum, count;  ///< of the gradients of those between their bounds
  float mean() const { return count > 0 ? sum / count : 0.0f; }
};
SCINTIGEN_INLINE Free free_of(const Dual& dual) {
  Eight sum{}, count{};
  for (int64_t i = 0; i < dual.blocks; ++i) {
    const Eight inside =
        dual.a[i] > 0.0f ? (dual.a[i] < dual.cap[i] ? Eight{} + 1.0f : Eight{}) : Eight{};
    sum += inside * dual.gradient[i];
    count += inside;
  }
  return {sum_of(sum), sum_of(count)};
}

/// Projected gradient steps of Barzilai and Borwein's length, each with an exact line search.
SCINTIGEN_INLINE void projected_steps(Dual& dual, float& length) {
  for (int step = 0; step < kProjectedSteps; ++step) {
    const float mean = free_of(dual).mean();
    for (int64_t i = 0; i < dual.blocks; ++i)
      dual.value[i] = dual.a[i] - length * (dual.gradient[i] - mean);
    project(dual, 0.0f);
    choose(dual, dual.direction);
    multiply(dual, dual.direction, dual.product);
    const float slope = -inner(dual.direction, dual.gradient, dual.blocks);
    const float bend = inner(dual.direction, dual.product, dual.blocks);
    const float size = inner(dual.direction, dual.direction, dual.blocks);
    if (!(slope > 0) || size == 0) return;
    move(dual, bend > slope ? slope / bend : 1.0f);
    length = bend > 1e-6f * size ? size / bend : 1e6f;
  }
}

/// residual = (mean of the free gradients - gradient) where free, 0 elsewhere; returns its square.
SCINTIGEN_INLINE float free_residual(const Dual& dual) {
  const float mean = free_of(dual).mean();
  Eight square{};
  for (int64_t i = 0; i < dual.blocks; ++i) {
    const Eight below = dual.a[i] < dual.cap[i] ? mean - dual.gradient[i] : Eight{};
    dual.residual[i] = dual.a[i] > 0.0f ? below : Eight{};
    square += dual.residual[i] * dual.residual[i];
  }
  return sum_of(square);
}

/// Conjugate gradients among the free, who leave at a bound that they meet.
SCINTIGEN_INLINE void conjugate_steps(Dual& dual, float tolerance) {
  const Eight never = Eight{} + kInfinity;
  float square = free_residual(dual);
  std::copy(dual.residual, dual.residual + dual.blocks, dual.direction);
  choose(dual, dual.direction);
  for (int64_t step = 0; step < dual.controls + 20 && square > tolerance * tolerance; ++step) {
    multiply(dual, dual.direction, dual.product);
    const float bend = inner(dual.direction, dual.product, dual.blocks);
    if (!(bend > 0)) return;
    const float wanted = square / bend;
    Eight rooms = never;
    for (int64_t i = 0; i < dual.blocks; ++i) {
      const Eight p = dual.direction[i];
      const Eight to = (p < 0.0f ? -dual.a[i] : dual.cap[i] - dual.a[i]) / p;
      const Eight room = p != 0.0f ? to : never;
      rooms = room < rooms ? room : rooms;
    }
    const float room = least_of(rooms);
    move(dual, room < wanted ? room : wanted);
    const float before = square;
    square = free_residual(dual);
    const float keep = room < wanted ? 0.0f : square / before;
    for (int64_t i = 0; i < dual.blocks; ++i)
      dual.direction[i] = dual.residual[i] + keep * dual.direction[i];
    if (room < wanted) choose(dual, dual.direction);
  }
}

/// Gives what rounding took from the sum back to the free, and computes the gradient anew.
SCINTIGEN_INLINE void refresh(Dual& dual) {
  Eight sums{};
  for (int64_t i = 0; i < dual.blocks; ++i) sums += dual.a[i];
  const float count = free_of(dual).count,
              each = count > 0 ? (dual.total - sum_of(sums)) / count : 0;
  for (int64_t i = 0; i < dual.blocks; ++i) {
    const Eight moved = dual.a[i] + each;
    const Eight free = dual.a[i] < dual.cap[i] ? moved : dual.a[i];
    dual.a[i] = dual.a[i] > 0.0f ? free : dual.a[i];
  }
  choose(dual, dual.a);
  multiply(dual, dual.a, dual.gradient);
}

/// One pairwise step; false where no pair gains.
SCINTIGEN_INLINE bool pairwise_step(Dual& dual, float tolerance) {
  auto* a = reinterpret_cast<float*>(dual.a);
  auto* gradient = reinterpret_cast<float*>(dual.gradient);
  int64_t taker = -1, giver = -1;
  for (int64_t i = 0; i < dual.controls; ++i)
    if (a[i] < 1 && (taker < 0 || gradient[i] < gradient[taker])) taker = i;
  if (taker < 0) return false;
  const float* row = dual.kernel + taker * dual.stride;
  float best = 0, best_bend = 1;
  for (int64_t j = 0; j < dual.controls; ++j) {
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
  const float* other = dual.kernel + giver * dual.stride;
  for (int64_t i = 0; i < dual.controls; ++i) gradient[i] += t * (row[i] - other[i]);
  return true;
}

}  // namespace

SCINTIGEN_CLONES
DualEnd solve_dual(const DualProblem& problem, double tolerance) {
  const int64_t stride = problem.stride, n = problem.controls;
  const auto row = [&](int64_t k) { return reinterpret_cast<Eight*>(problem.work + k * stride); };
  Dual dual{stride / 8,
            n,
            stride,
            problem.kernel,
            static_cast<float>(problem.total),
            row(0),
            reinterpret_cast<Eight*>(problem.a),
            row(1),
            row(2),
            row(3),
            row(4),
            row(5),
            problem.work + 6 * stride,
            reinterpret_cast<int32_t*>(problem.work + 7 * stride),
            0,
            0};
  std::fill(problem.a, problem.a + stride, 0.0f);
  std::fill(problem.a, problem.a + n, static_cast<float>(problem.total / static_cast<double>(n)));
  std::fill(problem.work + stride, problem.work + 2 * stride, 0.0f);
  std::fill(problem.work + stride, problem.work + stride + n, 1.0f);
  choose(dual, dual.a);
  multiply(dual, dual.a, dual.gradient);
  float length = 1, before = kInfinity;
  DualEnd end;
  for (int round = 0; round < kRounds; ++round) {
    projected_steps(dual, length);
    Eight least{};
    for (int64_t i = 0; i < dual.blocks; ++i) {
      const Eight minus = -dual.gradient[i];
      least = minus < least ? minus : least;
    }
    const float enough = static_cast<float>(tolerance) * -least_of(least);
    conjugate_steps(dual, 0.5f * enough);
    refresh(dual);
    auto gap = gap_of(dual);
    const float width = gap.high - gap.low;
    const bool stalled = width > kProgress * before || round == kRounds - 1;
    if (width > enough && stalled) {
      for (int64_t step = 0; step < 1000 * n && pairwise_step(dual, 0.5f * enough); ++step)
        if (step % 100 == 99) refresh(dual);
      refresh(dual);
      gap = gap_of(dual);
    }
    end.gap = static_cast<double>(gap.high) - gap.low;
    if (stalled || gap.high - gap.low <= enough) break;
    before = gap.high - gap.low;
  }
  end.products = dual.products;
  return end;
}

}  // namespace scintigen
