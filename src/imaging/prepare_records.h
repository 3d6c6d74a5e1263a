// SPDX-License-Identifier: Apache-2.0
// The records of prepared people on disk, and the keys that say whether they still hold.
#pragma once
#include <set>

#include "imaging/prepare_patient.h"

namespace scintigen {

/// SHA-256 over what changes every person's files: version of the work, settings, template files.
std::string settings_key(const PrepareSettings& settings);
/// SHA-256 over settings_key() and every byte of the person's scans.
std::string person_key(const PatientPlan& patient, const std::string& of_settings);

/// Settings that change voxels, as JSON: for volumes.json and the key.
PatientRecord settings_that_matter(PrepareSettings settings);

/// The record of a person; an empty object where there is none or it is not one of prepare's.
PatientRecord read_record(const PrepareSettings& settings, const std::string& participant_id);
void write_record(const PrepareSettings& settings, const PatientRecord& record);

/// Table of DICOM people's numbers.
std::filesystem::path numbering_file(const std::filesystem::path& out);

/// The volumes, masks and scaling tables that a record names.
std::set<std::filesystem::path> files_of(const PatientRecord& record,
                                         const PrepareSettings& settings);

/// `text` with the paths and names of a series' files replaced by "DICOM file 3 of 47": hospitals
/// name files and folders after patients, and messages end up in records and pages.
std::string without_paths(std::string text, const DicomSeries& series);

}  // namespace scintigen
