// SPDX-License-Identifier: Apache-2.0
// The values of named groups, and their moments.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace scintigen {

struct ValueGroup {
  std::string name;
  std::vector<double> values;  ///< finite, |value| <= 1e100
};

/// Moments of one sample. `variance` divides by n - 1; it is exactly 0 where all values are equal
/// (rounding of the mean would otherwise leave something) and where n < 2.
struct SampleMoments {
  int64_t n = 0;
  double mean = 0, variance = 0, smallest = 0, largest = 0;
  bool constant() const { return smallest == largest; }
};

SampleMoments moments_of(const std::vector<double>& values);
std::vector<SampleMoments> moments_of(const std::vector<ValueGroup>& groups);

/// Mid-ranks 1..n of values, and sum (t^3 - t) over ties of t values.
struct Ranks {
  std::vector<double> ranks;
  double tie_sum = 0;
};
Ranks mid_ranks(const std::vector<double>& values);

}  // namespace scintigen
