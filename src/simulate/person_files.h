// SPDX-License-Identifier: Apache-2.0
// The files of one simulated person.
//
//   sub-001/ses-rest/spect/sub-001_ses-rest_spect.nii.gz, .json (or stress, interictal, ictal)
//
//   sub-001/pet/sub-001_trc-FDG_pet.nii.gz, .json
//
//   sub-001/anat/sub-001_T1w.nii.gz, .json
//
//   derivatives/truth/sub-001/: activity, lesion masks, brain mask, deformation; truth.json last
//
// Described for other programs in docs/file_formats.md.
#pragma once
#include <filesystem>
#include <functional>

#include "simulate/cohort_plan.h"

namespace scintigen {

/// Where truth.json of a person is.
std::filesystem::path truth_file(const std::filesystem::path& folder, const std::string& id);

/// Simulates and writes all scans of one person. `between` is called after each scan and may throw
/// to stop (what is written so far is whole, and is written again the next time).
void write_person(const std::filesystem::path& folder, const TemplateHead& head,
                  const SimulateSettings& settings, const PersonPlan& plan,
                  const std::function<void()>& between);

}  // namespace scintigen
