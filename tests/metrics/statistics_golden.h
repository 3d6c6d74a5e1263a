// SPDX-License-Identifier: Apache-2.0
// tests/golden/metrics/statistics.json, made by tools/make_golden_statistics.py.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "metrics/samples.h"
#include "metrics/test_result.h"

namespace scintigen {

inline const nlohmann::json& statistics_golden() {
  static const auto golden = [] {
    std::ifstream file(SCINTIGEN_TEST_GOLDEN "/metrics/statistics.json");
    return nlohmann::json::parse(file);
  }();
  return golden;
}

inline std::vector<double> numbers(const nlohmann::json& list) {
  return list.get<std::vector<double>>();
}

inline std::vector<ValueGroup> value_groups(const std::vector<std::vector<double>>& values) {
  std::vector<ValueGroup> groups;
  for (const auto& group : values)
    groups.push_back({std::string(1, static_cast<char>('A' + groups.size())), group});
  return groups;
}

/// Every number of `expected` under its name; "low" and "high" are the interval's ends.
inline void expect_test(const TestResult& test, const nlohmann::json& expected,
                        const std::string& where, double tolerance = 1e-9) {
  ASSERT_EQ(test.not_computed, "") << where;
  for (const auto& [name, value] : expected.items()) {
    const auto number = value.get<double>();
    double found = NAN;
    if (name == "p")
      found = test.p.value();
    else if (name == "low")
      found = test.interval.value().low;
    else if (name == "high")
      found = test.interval.value().high;
    else
      found = test.figure(name);
    EXPECT_NEAR(found, number, tolerance * std::max(1.0, std::abs(number))) << where << " " << name;
  }
}

template <class Call>
std::string refusal_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace scintigen
