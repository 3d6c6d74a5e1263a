// SPDX-License-Identifier: Apache-2.0
#include "cohort/people_split.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"

namespace scintigen {

PeopleSplit split_people(const VolumeCohort& cohort, int64_t hold_out,
                         std::vector<std::string>& held_out,
                         const std::vector<std::string>& leave_out, uint64_t seed) {
  auto people = cohort.participants();
  const auto take = [&](const std::string& id, const char* flag) {
    const auto at = std::find(people.begin(), people.end(), id);
    const auto near = at == people.end() ? nearest_word(id, people) : std::nullopt;
    require(at != people.end(), "{} {}: not in {}{}", flag, id, cohort.table.name,
            near ? "; did you mean " + *near + "?" : "");
    people.erase(at);
  };
  for (const auto& id : leave_out) take(id, "--leave-out");
  if (held_out.empty()) {
    const auto count = static_cast<int64_t>(people.size());
    require(hold_out < count, "{}: {} people to hold out of {}; somebody must be left",
            cohort.table.name, hold_out, count);
    const auto order = Random(seed, "hold out").permutation(count);
    for (int64_t k = 0; k < hold_out; ++k)
      held_out.push_back(people[static_cast<size_t>(order[static_cast<size_t>(k)])]);
    std::sort(held_out.begin(), held_out.end());
  }
  for (const auto& id : held_out) take(id, "--held-out");
  require(!people.empty(), "{}: nobody is left to train on", cohort.table.name);
  return {people, held_out};
}

}  // namespace scintigen
