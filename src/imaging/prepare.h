// SPDX-License-Identifier: Apache-2.0
// Scans as they come -> cohorts of prepared volumes, in the patient's own space, template space or
// the AC-PC frame.
//
// Does: find a person's scans in a BIDS tree, a DICOM folder or a table; brain mask, registration
//       to the person's T1 and to a template, one interpolation, scaling; record all of it.
// Does not: pass on what it doubts: a registration that failed or looks mirrored is left out, named
//       in skipped.tsv and shown on the quality page (--keep-doubtful takes it in).
//
//   prepare_plan.cpp      which scans there are           <- prepare_sources_*.cpp
//   prepare_patient.cpp   one person, start to end        -> PatientRecord
//   prepare_cohort.cpp    many at once, cache, shards
//   prepare_merge.cpp     the cohort's tables
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cohort/volume_cohort.h"
#include "core/settings.h"
#include "core/shard.h"
#include "core/table.h"
#include "imaging/brain_extraction.h"
#include "imaging/dicom_series.h"
#include "imaging/registration.h"

namespace scintigen {

struct PrepareSettings {
  std::string input, table, out;
  std::vector<std::string> space = {"native"};
  std::vector<std::string> modalities = {"T1w", "pet", "spect"};
  std::vector<std::string> participants, pick;
  std::string template_fit = "affine";
  double spacing_mm = 1;
  std::vector<int64_t> matrix;  ///< empty: 256 x 256 x 192 mm
  std::string grid;             ///< a NIfTI file whose grid takes the place of both
  std::string interpolation = "bspline";
  std::string brain = "auto", mask_from = "t1";
  bool keep_head = false;
  std::vector<std::string> scaling = {"none"};
  std::string suvr_region = "Cerebelum";
  std::string template_head = kTemplateHead, template_brain = kTemplateBrain;
  std::string template_labels = "/usr/share/mricron/templates/aal.nii.gz";
  std::string template_names = "/usr/share/mricron/templates/aal.nii.txt";
  bool keep_doubtful = false;
  bool registered = false;
  int64_t jobs = 0;
  std::string shard;
  bool merge = false, dry_run = false;
  void visit(SettingsVisitor& visitor);
};

/// A scan of a person before anything was done to it.
struct ScanSource {
  std::string session;         ///< empty where the input names none
  std::string modality;        ///< T1w, T2w, FLAIR, pet, spect, mask
  std::filesystem::path file;  ///< NIfTI; empty for DICOM
  DicomSeries series;
  std::string unit, tracer;                    ///< as far as the input says
  std::map<std::string, std::string> columns;  ///< what a table says of this scan alone
  std::string name() const;  ///< for messages: file name, or "DICOM series of 192 files"
};

/// Modalities of a scan; "mask" is a brain mask on the grid of the T1.
inline const std::vector<std::string> kScanModalities = {"T1w", "T2w",   "FLAIR",
                                                         "pet", "spect", "mask"};

struct PatientPlan {
  std::string participant_id;
  std::vector<ScanSource> scans;
  std::string problem;                                       ///< not empty: cannot be prepared, why
  std::vector<std::pair<std::string, std::string>> refused;  ///< modality, why: unreadable series
  bool wanted = true;                                        ///< --participants
};

/// What a preparation will do, known without reading a voxel.
struct PreparePlan {
  PrepareSettings settings;
  std::vector<PatientPlan> patients;
  Table columns;    ///< participant_id and what else participants.tsv or the table says of a person
  Table numbering;  ///< DICOM: hash of a patient's key, number; kept in OUT/patients
  std::vector<std::string> notes;
};

/// throws  Error: an input without a scan of any kind asked for, a table's column missing, settings
///         that contradict each other. A person whose scans are ambiguous gets a `problem`.
PreparePlan plan_prepare(const PrepareSettings& settings);

/// Lines of --dry-run: each person, scan by scan, with what will be done.
std::vector<std::string> describe_plan(const PreparePlan& plan);

struct PrepareOutcome {
  int64_t prepared = 0, cached = 0, failed = 0;  ///< people
  int64_t volumes = 0, left_out = 0;             ///< scans times spaces
  bool stopped = false;                          ///< stop_requested()
};

/// Prepares the people of this shard that are not there already with the same content and settings.
/// `done` is called after each person, from any thread, one call at a time.
PrepareOutcome prepare_people(const PreparePlan& plan,
                              const std::function<void(const std::string&)>& done);

/// What came of everybody, for the quality page.
struct MergedPeople {
  PrepareOutcome outcome;
  std::vector<nlohmann::ordered_json> records;  ///< prepare_patient.h, in the plan's order
};

/// Writes OUT/<space>/volumes.* and skipped.tsv from the people's records. People without a record
/// (of another shard that has not run) are named in skipped.tsv.
MergedPeople merge_cohort(const PreparePlan& plan);

}  // namespace scintigen
