// SPDX-License-Identifier: Apache-2.0
// Delete-a-group jackknife: intervals of measures that a bootstrap would bias, for a slice drawn
// twice is its own nearest neighbour. Whole patients go together (Kott 2001; Shao and Wu 1989).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace scintigen {

struct JackknifeGroups {
  std::vector<int64_t> of_row;  ///< 0..count - 1; rows of one patient have one group
  int64_t count = 0;
};

/// At most `most` groups of as many patients as may be, dealt in order of first appearance, so that
/// the result does not depend on a seed.
JackknifeGroups jackknife_groups(const std::vector<std::string>& patients, int64_t most = 10);

/// (G - 1) / G times the sum of squared deviations of the G values without a group from their mean.
/// 0 groups or one: not a number.
double jackknife_variance(const std::vector<double>& without_group);

/// Half of the 95 % interval: t of G - 1 degrees of freedom times the root of `variance`.
double jackknife_half_width(double variance, int64_t groups);

}  // namespace scintigen
