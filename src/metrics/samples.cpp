// SPDX-License-Identifier: Apache-2.0
#include "metrics/samples.h"

#include <algorithm>
#include <numeric>

namespace scintigen {

SampleMoments moments_of(const std::vector<double>& values) {
  SampleMoments moments;
  moments.n = static_cast<int64_t>(values.size());
  if (values.empty()) return moments;
  const auto [smallest, largest] = std::minmax_element(values.begin(), values.end());
  moments.smallest = *smallest;
  moments.largest = *largest;
  if (moments.constant()) {
    moments.mean = *smallest;
    return moments;
  }
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value - *smallest;  // keeps digits under a large offset
  const double shifted = sum / n;
  double squares = 0, rest = 0;
  for (const double value : values) {
    const double deviation = value - *smallest - shifted;
    squares += deviation * deviation;
    rest += deviation;
  }
  moments.mean = *smallest + (shifted + rest / n);
  moments.variance = (squares - rest * rest / n) / (n - 1);
  return moments;
}

std::vector<SampleMoments> moments_of(const std::vector<ValueGroup>& groups) {
  std::vector<SampleMoments> moments;
  for (const auto& group : groups) moments.push_back(moments_of(group.values));
  return moments;
}

Ranks mid_ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  Ranks result;
  result.ranks.resize(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t last = first;
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    const double middle = (static_cast<double>(first + last) + 1) / 2;
    for (size_t i = first; i < last; ++i) result.ranks[order[i]] = middle;
    const auto ties = static_cast<double>(last - first);
    result.tie_sum += ties * ties * ties - ties;
    first = last;
  }
  return result;
}

}  // namespace scintigen
