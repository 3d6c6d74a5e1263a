// SPDX-License-Identifier: Apache-2.0
#include "cli/run_split.h"

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/error.h"

namespace scintigen {

RunSplit split_of_run(const std::filesystem::path& run, const std::string& cohort_folder) {
  const auto record = nlohmann::json::parse(read_file(run / "run.json"), nullptr, false);
  require(!record.is_discarded() && record.contains("settings") &&
              record["settings"].contains("held_out"),
          "{}: is not the record of a training run", (run / "run.json").string());
  const auto& settings = record["settings"];
  const std::filesystem::path folder =
      cohort_folder.empty() ? settings.value("cohort", "") : cohort_folder;
  auto cohort = read_cohort(folder);
  for (const auto& input : record.value("inputs", nlohmann::json::array())) {
    const auto file = folder / std::filesystem::path(input.value("path", "")).filename();
    require(file.filename() == "cohort.json" || !std::filesystem::exists(file) ||
                sha256_of_file(file) == input.value("sha256", ""),
            "{}: is not the file the run was trained on; name the run's own cohort", file.string());
  }
  const auto where = settings.value("where", "");
  if (!where.empty()) cohort = cohort.where(where);
  const auto held_out = settings["held_out"].get<std::vector<std::string>>();
  auto split = split_by_patient(cohort, held_out);
  return {std::move(cohort), std::move(split)};
}

}  // namespace scintigen
