// SPDX-License-Identifier: Apache-2.0
// Who a run was trained on, and who was kept out.
#pragma once
#include <filesystem>
#include <string>

#include "cohort/prepared_cohort.h"

namespace scintigen {

struct RunSplit {
  PreparedCohort cohort;  ///< the rows that the run used (its `where`)
  Split split;            ///< of them; held_out has no rows where nobody was held out
};

/// The split of a run, read back from its run.json; `cohort_folder` empty: where the run found it.
/// throws  Error: not a run, another cohort than the run's (by SHA-256)
RunSplit split_of_run(const std::filesystem::path& run, const std::string& cohort_folder);

}  // namespace scintigen
