// SPDX-License-Identifier: Apache-2.0
#include "metrics/test_result.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {

double TestResult::figure(const std::string& name) const {
  std::string known;
  for (const auto& [key, value] : figures) {
    if (key == name) return value;
    known += (known.empty() ? "" : ", ") + key;
  }
  throw Error("no figure '{}'; there are: {}{}", name, known.empty() ? "none" : known,
              not_computed.empty() ? "" : " (" + not_computed + ")");
}

TestResult not_computed(int64_t n, std::string reason) {
  TestResult result;
  result.n = n;
  result.not_computed = std::move(reason);
  return result;
}

TestResult checked(TestResult result) {
  if (!result.not_computed.empty()) return result;
  std::string bad;
  for (const auto& [name, value] : result.figures)
    if (!std::isfinite(value) && bad.empty()) bad = name;
  if (result.p && !std::isfinite(*result.p)) bad = "p";
  if (result.interval &&
      !(std::isfinite(result.interval->low) && std::isfinite(result.interval->high)))
    bad = "interval";
  if (!bad.empty()) {
    auto refusal = not_computed(
        result.n, bad + " is beyond double precision: values are too large or too close together");
    refusal.dropped = result.dropped;
    return refusal;
  }
  if (result.p) result.p = std::clamp(*result.p, 0.0, 1.0);
  return result;
}

}  // namespace scintigen
