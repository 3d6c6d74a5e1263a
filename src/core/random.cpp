// SPDX-License-Identifier: Apache-2.0
#include "core/random.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr uint64_t kStep = 0x9E3779B97F4A7C15ull;  // 2^64 / golden ratio

/// SplitMix64's output function (Steele, Lea, Flood 2014; Stafford's mix 13): a bijection of 64
/// bits.
uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

// The mathematical library's log, sin and cos differ in the last bit between machines, so they are
// written out here with + and * only; rounding to float32 hides what fused multiply-add may still
// change.

/// Natural logarithm for normal x > 0; error below 1e-15 relative to max(1, |log x|).
double natural_log(double x) {
  int64_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  constexpr int64_t root_half = 0x3FE6A09E667F3BCDll;  // bits of sqrt(1/2)
  const int64_t exponent = (bits - root_half) >> 52;   // x = m 2^exponent, m in [sqrt(1/2), sqrt 2)
  bits -= exponent * (int64_t{1} << 52);               // a negative number must not be shifted left
  double m = 0;
  std::memcpy(&m, &bits, sizeof m);
  const double s = (m - 1) / (m + 1), t = s * s;  // log m = 2 artanh s, |s| < 0.172
  double sum = 0;
  for (int k = 10; k >= 0; --k) sum = sum * t + 1.0 / (2 * k + 1);
  return 2 * s * sum + static_cast<double>(exponent) * 0.693147180559945309417;
}

/// cos and sin of 2 pi u for u in [0,1): Taylor series within an eighth of a turn of the nearest
/// quarter.
std::pair<double, double> cosine_sine(double turn) {
  const int quarter = static_cast<int>(turn * 4 + 0.5);
  const double a = (turn * 4 - quarter) * 1.57079632679489661923, t = a * a;  // |a| <= pi/4
  const double c =
      1 + t * (-1.0 / 2 +
               t * (1.0 / 24 + t * (-1.0 / 720 + t * (1.0 / 40320 + t * (-1.0 / 3628800 +
                                                                         t * (1.0 / 479001600))))));
  const double s =
      a * (1 + t * (-1.0 / 6 +
                    t * (1.0 / 120 +
                         t * (-1.0 / 5040 + t * (1.0 / 362880 + t * (-1.0 / 39916800 +
                                                                     t * (1.0 / 6227020800)))))));
  const bool swap = (quarter & 1) != 0;
  const double x = swap ? s : c, y = swap ? c : s;
  return {((quarter + 1) & 2) != 0 ? -x : x, (quarter & 2) != 0 ? -y : y};
}

constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53

/// Two independent N(0,1) from two draws (Box and Muller 1958).
std::pair<float, float> normal_pair(uint64_t first, uint64_t second) {
  const double radius =
      std::sqrt(-2 * natural_log(static_cast<double>((first >> 11) + 1) * kUnit));  // of (0,1]
  const auto [x, y] = cosine_sine(static_cast<double>(second >> 11) * kUnit);
  return {static_cast<float>(radius * x), static_cast<float>(radius * y)};
}

}  // namespace

uint64_t stream_seed(uint64_t seed, std::string_view stream, uint64_t index) {
  uint64_t name = 0xCBF29CE484222325ull;  // FNV-1a
  for (char c : stream) name = (name ^ static_cast<uint8_t>(c)) * 0x100000001B3ull;
  return mixed(mixed(mixed(seed + kStep) + name) + index * kStep + 1);
}

uint64_t Random::next() { return mixed(state_ += kStep); }

double Random::uniform() { return static_cast<double>(next() >> 11) * kUnit; }

int64_t Random::integer(int64_t low, int64_t high) {
  require(low <= high, "random integer from {} to {}: the range is empty", low, high);
  const uint64_t count = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
  if (count == 0) return static_cast<int64_t>(next());  // all 64 bits
  const uint64_t excess = (std::numeric_limits<uint64_t>::max() % count + 1) % count;
  uint64_t draw = next();
  while (draw > std::numeric_limits<uint64_t>::max() - excess) draw = next();
  return static_cast<int64_t>(static_cast<uint64_t>(low) + draw % count);
}

double Random::normal() {
  const uint64_t first = next();
  return normal_pair(first, next()).first;
}

std::vector<int64_t> Random::permutation(int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(std::max<int64_t>(count, 0)));
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = count - 1; i > 0; --i) std::swap(order[i], order[integer(0, i)]);
  return order;
}

torch::Tensor Random::normal_tensor(torch::IntArrayRef shape) {
  torch::Tensor tensor = torch::empty(shape, torch::kFloat);
  float* to = tensor.data_ptr<float>();
  const int64_t count = tensor.numel(), pairs = (count + 1) / 2;
  for (int64_t i = 0; i < pairs; ++i) {
    const uint64_t place = state_ + 2 * static_cast<uint64_t>(i) * kStep;
    const auto [x, y] = normal_pair(mixed(place + kStep), mixed(place + 2 * kStep));
    to[2 * i] = x;
    if (2 * i + 1 < count) to[2 * i + 1] = y;
  }
  state_ += 2 * static_cast<uint64_t>(pairs) * kStep;
  return tensor;
}

torch::Tensor Random::uniform_tensor(torch::IntArrayRef shape) {
  torch::Tensor tensor = torch::empty(shape, torch::kFloat);
  float* to = tensor.data_ptr<float>();
  const int64_t count = tensor.numel();
  for (int64_t i = 0; i < count; ++i)  // 24 bits, so that no value rounds to 1
    to[i] = static_cast<float>(next() >> 40) * (1.0f / 16777216.0f);
  return tensor;
}

}  // namespace scintigen
