// SPDX-License-Identifier: Apache-2.0
// Who of a cohort of volumes is trained on and who is held out, by person.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cohort/volume_cohort.h"

namespace scintigen {

struct PeopleSplit {
  std::vector<std::string> training, held_out;
};

/// `leave_out` goes out of both parts. Without names in `held_out`, `hold_out` people are drawn by
/// seed and written into it, sorted.
/// throws  Error: an unknown participant (names the nearest); nobody left to train on
PeopleSplit split_people(const VolumeCohort& cohort, int64_t hold_out,
                         std::vector<std::string>& held_out,
                         const std::vector<std::string>& leave_out, uint64_t seed);

}  // namespace scintigen
