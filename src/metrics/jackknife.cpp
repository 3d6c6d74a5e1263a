// SPDX-License-Identifier: Apache-2.0
#include "metrics/jackknife.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/error.h"
#include "metrics/distributions.h"

namespace scintigen {

JackknifeGroups jackknife_groups(const std::vector<std::string>& patients, int64_t most) {
  require(most >= 2, "jackknife: {} groups; expected at least 2", most);
  JackknifeGroups groups;
  std::map<std::string, int64_t> number;
  for (const auto& patient : patients)
    groups.of_row.push_back(
        number.emplace(patient, static_cast<int64_t>(number.size())).first->second);
  groups.count = std::min(most, static_cast<int64_t>(number.size()));
  for (auto& group : groups.of_row) group %= std::max<int64_t>(groups.count, 1);
  return groups;
}

double jackknife_variance(const std::vector<double>& without_group) {
  const auto groups = static_cast<double>(without_group.size());
  if (without_group.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  double mean = 0, sum = 0;
  for (const double value : without_group) mean += value / groups;
  for (const double value : without_group) sum += (value - mean) * (value - mean);
  return (groups - 1) / groups * sum;
}

double jackknife_half_width(double variance, int64_t groups) {
  require(groups >= 2, "jackknife: {} groups; expected at least 2", groups);
  return t_quantile(0.025, static_cast<double>(groups - 1)) * std::sqrt(variance);
}

}  // namespace scintigen
