// SPDX-License-Identifier: Apache-2.0
#include "metrics/adjust.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace scintigen {

Adjustment adjustment_named(const std::string& name) {
  if (name == "none") return Adjustment::kNone;
  if (name == "holm") return Adjustment::kHolm;
  require(name == "bh", "adjustment: expected holm, bh or none, found '{}'", name);
  return Adjustment::kBenjaminiHochberg;
}

std::vector<double> adjusted(const std::vector<double>& p, Adjustment adjustment) {
  for (const double value : p)
    require(value >= 0 && value <= 1, "adjustment: expected p from 0 to 1, found {}", value);
  if (adjustment == Adjustment::kNone) return p;
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> result(p.size());
  const auto count = static_cast<double>(p.size());
  double bound = adjustment == Adjustment::kHolm ? 0 : 1;
  for (size_t i = 0; i < order.size(); ++i) {
    if (adjustment == Adjustment::kHolm) {
      bound = std::max(bound, p[order[i]] * (count - static_cast<double>(i)));
      result[order[i]] = std::min(1.0, bound);
    } else {
      const size_t place = order.size() - 1 - i;
      bound = std::min(bound, p[order[place]] * count / (static_cast<double>(place) + 1));
      result[order[place]] = std::max(bound, p[order[place]]);  // rounding of p n / n
    }
  }
  return result;
}

}  // namespace scintigen
