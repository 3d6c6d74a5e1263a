// SPDX-License-Identifier: Apache-2.0
// The folder of a simulated cohort: BIDS-like, with the truth in derivatives/truth.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "simulate/cohort_plan.h"

namespace scintigen {

/// Begins a folder, or takes up one that the same settings began.
/// throws  Error: the folder holds something else, or a cohort of other settings (names the first
///         that differs)
void begin_data_set(const std::filesystem::path& folder, SimulateSettings& settings);

/// Whether a person's files are all there.
bool has_person(const std::filesystem::path& folder, int64_t index);

/// Simulates the people that are missing, `threads` at a time, each on one thread alone.
/// `scan_done` is called after each scan, from any thread, one call at a time. Returns false when
/// stop_requested() ended it early. throws  the first Error of any person, after the others have
/// ended their scan.
bool write_people(const std::filesystem::path& folder, const TemplateHead& head,
                  const SimulateSettings& settings, const std::vector<std::string>& groups,
                  int64_t threads, const std::function<void(const std::string& id)>& scan_done);

/// Writes participants.tsv, slices.tsv and what BIDS wants beside them, from every truth.json.
/// Returns what fell short (table1: a cell of the table with fewer slices than the paper's).
std::vector<std::string> finish_data_set(const std::filesystem::path& folder,
                                         const SimulateSettings& settings, int64_t people);

}  // namespace scintigen
