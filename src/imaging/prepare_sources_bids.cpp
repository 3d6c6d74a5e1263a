// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "imaging/prepare_sources.h"

namespace scintigen {
namespace {

constexpr uint64_t kLargestSidecar = 16u << 20;

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }
bool ends(const std::string& text, const std::string& with) {
  return text.size() >= with.size() &&
         text.compare(text.size() - with.size(), with.size(), with) == 0;
}

/// Entries of a folder whose names begin with `with`, sorted.
std::vector<std::filesystem::path> entries(const std::filesystem::path& folder,
                                           const std::string& with, bool folders) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (begins(entry.path().filename().string(), with) && entry.is_directory(error) == folders)
      found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

/// The suffix of a BIDS name: "T1w" of sub-01_run-1_T1w.nii.gz; empty if it is no NIfTI file.
std::string suffix_of(const std::string& name) {
  for (const char* extension : {".nii.gz", ".nii"})
    if (ends(name, extension)) {
      const auto stem = name.substr(0, name.size() - std::string(extension).size());
      const auto last = stem.rfind('_');
      return last == std::string::npos ? "" : stem.substr(last + 1);
    }
  return "";
}

/// Units and tracer; anything else of a sidecar stays where it is.
void read_sidecar(ScanSource& scan, std::vector<std::string>& notes) {
  auto name = scan.file.string();
  name.erase(name.rfind(ends(name, ".gz") ? ".nii.gz" : ".nii"));
  const std::filesystem::path file(name + ".json");
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return;
  const auto json = nlohmann::json::parse(read_file(file, kLargestSidecar), nullptr, false);
  if (!json.is_object()) {
    notes.push_back(file.string() + ": not JSON; its units are not known");
    return;
  }
  const auto text = [&](const char* key) {
    const auto at = json.find(key);
    return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  scan.unit = text("Units");
  scan.tracer = text("TracerName");
}

/// Of a mask beside the anatomy: sub-01_desc-brain_mask.nii.gz
std::string modality_of(const std::string& name) {
  const auto suffix = suffix_of(name);
  static const std::set<std::string> known = {"T1w", "T2w", "FLAIR", "pet", "spect"};
  if (known.count(suffix)) return suffix;
  return suffix == "mask" && name.find("desc-brain") != std::string::npos ? "mask" : "";
}

void add_scans(PatientPlan& patient, const std::filesystem::path& folder,
               const std::string& session, std::vector<std::string>& notes) {
  for (const char* kind : {"anat", "pet", "spect"})
    for (const auto& file : entries(folder / kind, "", false)) {
      ScanSource scan;
      scan.modality = modality_of(file.filename().string());
      if (scan.modality.empty()) continue;
      scan.session = session;
      scan.file = file;
      read_sidecar(scan, notes);
      patient.scans.push_back(std::move(scan));
    }
}

}  // namespace

bool looks_like_bids(const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::is_regular_file(folder / "dataset_description.json", error)) return true;
  for (const auto& person : entries(folder, "sub-", true))
    for (const char* kind : {"anat", "pet", "spect"}) {
      if (std::filesystem::is_directory(person / kind, error)) return true;
      for (const auto& session : entries(person, "ses-", true))
        if (std::filesystem::is_directory(session / kind, error)) return true;
    }
  return false;
}

void find_bids_scans(PreparePlan& plan) {
  const std::filesystem::path folder(plan.settings.input);
  for (const auto& person : entries(folder, "sub-", true)) {
    PatientPlan patient;
    patient.participant_id = person.filename().string();
    add_scans(patient, person, "", plan.notes);
    for (const auto& session : entries(person, "ses-", true))
      add_scans(patient, session, session.filename().string(), plan.notes);
    if (!patient.scans.empty()) plan.patients.push_back(std::move(patient));
  }
  std::error_code error;
  const auto people = folder / "participants.tsv";
  if (std::filesystem::is_regular_file(people, error)) {
    plan.columns = read_table(people);
    plan.columns.column("participant_id");
  }
}

}  // namespace scintigen
