// SPDX-License-Identifier: Apache-2.0
// One person, from scans to prepared volumes, with a record of every step.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>

#include "imaging/brain_extraction.h"
#include "imaging/prepare.h"

namespace scintigen {

/// What every person is prepared with, read once.
struct PrepareTemplate {
  std::optional<BrainTemplate> brain;  ///< none where nothing needs it
  Volume around_brain;                 ///< its mask and 4 mm more: where registration is measured
  Volume regions;                      ///< labels, template space; undefined unless suvr needs them
  std::vector<int64_t> suvr_labels;    ///< of the reference region; empty: the whole brain
  std::optional<Grid> grid;            ///< of --grid
};
PrepareTemplate read_prepare_template(const PrepareSettings& settings);

/// The record of a person, as OUT/patients/ID.json:
///   participant_id, key, template {score, ...}, brain {method, volume_ml, ...}, warnings [],
///   scans [{session, modality, source, grid, unit, tracer, notes [], registration {...},
///           left_out (why) or volumes [{space, file, mask_file, grid, scaling, slope, intercept,
///           scaling_file, steps []}]}]
using PatientRecord = nlohmann::ordered_json;

/// Does all the work for one person and writes OUT/<space>/ID/*, OUT/transforms/ID/* and
/// OUT/patients/ID_quality.png.
/// throws  Error: nothing usable came of it (its T1 cannot be read, ...). One bad scan of several
/// is
///         recorded as left_out.
/// Uses    about 0.8 GB at 1 mm
PatientRecord prepare_patient(const PatientPlan& patient, const PrepareSettings& settings,
                              const PrepareTemplate& brain_template, int64_t threads);

/// Files of a person below --out.
std::filesystem::path record_file(const std::filesystem::path& out, const std::string& id);
std::filesystem::path quality_picture_file(const std::filesystem::path& out, const std::string& id);

}  // namespace scintigen
