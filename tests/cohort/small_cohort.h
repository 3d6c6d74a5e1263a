// SPDX-License-Identifier: Apache-2.0
// A cohort made up for tests: every slice says whose it is.
#pragma once
#include <torch/types.h>

#include <string>
#include <vector>

#include "cohort/prepared_cohort.h"

namespace scintigen {

/// `participants` x `per_participant` slices, each participant's a stack from feet to head. A slice
/// is random in [0, 0.4]; pixel [0,0] is 1 and pixel [0,1] holds 0.5 + participant / 200, so that
/// the owner of any slice can be read off it. Column level: low, mid, high by place in the stack;
/// pattern: normal, unilateral, bilateral by participant in turn; age: a number.
inline PreparedCohort small_cohort(int64_t participants, int64_t per_participant,
                                   int64_t matrix = 16, uint64_t seed = 1) {
  torch::manual_seed(seed);
  const int64_t count = participants * per_participant;
  PreparedCohort cohort;
  cohort.name = "small";
  cohort.unit = "counts";
  cohort.pixel_mm = 4;
  cohort.slices = torch::rand({count, matrix, matrix}) * 0.4;
  cohort.neighbours = torch::zeros({0, matrix, matrix});
  cohort.table = {"slices.tsv",
                  {"participant_id", "slice", "level", "pattern", "age", "scale", "below", "above"},
                  {}};
  const std::vector<std::string> levels = {"low", "mid", "high"};
  const std::vector<std::string> patterns = {"normal", "unilateral", "bilateral"};
  for (int64_t row = 0; row < count; ++row) {
    const int64_t who = row / per_participant, place = row % per_participant;
    cohort.slices.index_put_({row, 0, 0}, 1.f);
    cohort.slices.index_put_({row, 0, 1}, 0.5f + static_cast<float>(who) / 200.f);
    cohort.table.add_row({"sub-" + std::to_string(who), std::to_string(place),
                          levels[static_cast<size_t>(place * 3 / per_participant)],
                          patterns[static_cast<size_t>(who % 3)], std::to_string(40 + who) + ".5",
                          std::to_string(100 + row),
                          place == 0 ? "n/a" : "s" + std::to_string(row - 1),
                          place + 1 == per_participant ? "n/a" : "s" + std::to_string(row + 1)});
  }
  return cohort;
}

/// Whose slice it is.
inline int64_t owner_of(const torch::Tensor& slice) {
  return std::lround((slice[0][1].item<double>() - 0.5) * 200);
}

}  // namespace scintigen
