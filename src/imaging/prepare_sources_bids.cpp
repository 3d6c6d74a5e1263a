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

std::set<std::string> parts_of(const std::string& stem) {
  std::set<std::string> parts;
  for (size_t at = 0; at <= stem.size();) {
    const auto end = std::min(stem.find('_', at), stem.size());
    parts.insert(stem.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

/// The sidecars of a scan, the nearest first: BIDS lets one further up (pet.json beside the
/// participants, say) speak for all scans whose names hold its parts.
std::vector<std::filesystem::path> sidecars_of(const std::filesystem::path& scan,
                                               const std::filesystem::path& root) {
  const auto name = scan.filename().string();
  const auto parts = parts_of(name.substr(0, name.rfind(ends(name, ".gz") ? ".nii.gz" : ".nii")));
  const auto suffix = suffix_of(name) + ".json";
  std::vector<std::filesystem::path> found;
  for (auto folder = scan.parent_path();; folder = folder.parent_path()) {
    auto here = entries(folder, "", false);
    here.erase(std::remove_if(here.begin(), here.end(),
                              [&](const auto& file) {
                                const auto its_parts = parts_of(file.stem().string());
                                return !ends(file.filename().string(), suffix) ||
                                       !std::includes(parts.begin(), parts.end(), its_parts.begin(),
                                                      its_parts.end());
                              }),
               here.end());
    // In one folder, the one that says more of the name is nearer.
    std::stable_sort(here.begin(), here.end(), [](const auto& a, const auto& b) {
      return a.string().size() > b.string().size();
    });
    found.insert(found.end(), here.begin(), here.end());
    if (folder == root || folder == folder.parent_path()) return found;
  }
}

/// Units and tracer; anything else of a sidecar stays where it is.
void read_sidecars(ScanSource& scan, const std::filesystem::path& root,
                   std::vector<std::string>& notes) {
  for (const auto& file : sidecars_of(scan.file, root)) {
    const auto json = nlohmann::json::parse(read_file(file, kLargestSidecar), nullptr, false);
    if (!json.is_object()) {
      notes.push_back(file.string() + ": not JSON; what it says of units is not known");
      continue;
    }
    const auto take = [&](const char* key, std::string& to) {
      const auto at = json.find(key);
      if (to.empty() && at != json.end() && at->is_string()) to = at->get<std::string>();
    };
    take("Units", scan.unit);
    take("TracerName", scan.tracer);
  }
}

/// Of a mask beside the anatomy: sub-01_desc-brain_mask.nii.gz
std::string modality_of(const std::string& name) {
  const auto suffix = suffix_of(name);
  static const std::set<std::string> known = {"T1w", "T2w", "FLAIR", "pet", "spect"};
  if (known.count(suffix)) return suffix;
  return suffix == "mask" && name.find("desc-brain") != std::string::npos ? "mask" : "";
}

void add_scans(PatientPlan& patient, const std::filesystem::path& root,
               const std::filesystem::path& folder, const std::string& session,
               std::vector<std::string>& notes) {
  for (const char* kind : {"anat", "pet", "spect"})
    for (const auto& file : entries(folder / kind, "", false)) {
      ScanSource scan;
      scan.modality = modality_of(file.filename().string());
      if (scan.modality.empty()) continue;
      scan.session = session;
      scan.file = file;
      read_sidecars(scan, root, notes);
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
  // Without a slash at its end: sidecars are looked for from a scan up to here.
  const auto folder =
      (std::filesystem::path(plan.settings.input) / "").lexically_normal().parent_path();
  for (const auto& person : entries(folder, "sub-", true)) {
    PatientPlan patient;
    patient.participant_id = person.filename().string();
    add_scans(patient, folder, person, "", plan.notes);
    for (const auto& session : entries(person, "ses-", true))
      add_scans(patient, folder, session, session.filename().string(), plan.notes);
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
