// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "imaging/prepare_records.h"
#include "imaging/prepare_sources.h"

namespace scintigen {
namespace {

/// Of an MR series by its timing (ms): a T2-weighted one waits long for its echo, FLAIR inverts
/// before. Usual protocols at 1.5 and 3 T (methods.md, "Which MR series is the T1").
std::string mr_modality(const DicomTechnical& technical) {
  constexpr double kLongEcho_ms = 60, kFluidInversion_ms = 1500;
  if (technical.echo_time_ms < kLongEcho_ms) return "T1w";
  return technical.inversion_time_ms > kFluidInversion_ms ? "FLAIR" : "T2w";
}

std::string modality_of(const DicomSeries& series) {
  const auto& modality = series.technical.modality;
  if (modality == "MR") return mr_modality(series.technical);
  if (modality == "PT") return "pet";
  return modality == "NM" ? "spect" : "";
}

/// Of several series of one kind the one with most slices (a planning or survey series has few), if
/// one has clearly more; else all stay and the person is refused as ambiguous.
void keep_largest(PatientPlan& patient, std::vector<std::string>& notes) {
  for (const char* modality : {"T1w", "T2w", "FLAIR"}) {
    std::vector<int64_t> slices;
    for (const auto& scan : patient.scans)
      if (scan.modality == modality) slices.push_back(scan.series.slices);
    if (slices.size() < 2) continue;
    std::sort(slices.rbegin(), slices.rend());
    if (slices[0] < 2 * slices[1]) continue;
    const auto is_small = [&](const ScanSource& scan) {
      return scan.modality == modality && scan.series.slices < slices[0];
    };
    auto& scans = patient.scans;
    scans.erase(std::remove_if(scans.begin(), scans.end(), is_small), scans.end());
    notes.push_back(fmt::format("{}: {} {} series; the one of {} slices is taken",
                                patient.participant_id, slices.size(), modality, slices[0]));
  }
}

/// The scans of a person's series; SPECT or PET of several studies (rest and stress, ictal and
/// interictal) are sessions.
PatientPlan patient_of(std::vector<DicomSeries>& all) {
  PatientPlan patient;
  std::map<std::string, std::vector<std::string>> studies;  // modality -> studies that have it
  for (auto& series : all) {
    ScanSource scan;
    scan.modality = modality_of(series);
    if (!series.refusal.empty()) {
      patient.refused.emplace_back(scan.modality, without_paths(series.refusal, series));
      continue;
    }
    if (scan.modality.empty()) continue;
    auto& with = studies[scan.modality];
    if (std::find(with.begin(), with.end(), series.study_uid) == with.end())
      with.push_back(series.study_uid);
    scan.tracer = series.technical.tracer;
    scan.series = std::move(series);
    patient.scans.push_back(std::move(scan));
  }
  for (auto& scan : patient.scans) {
    auto& with = studies[scan.modality];
    std::sort(with.begin(), with.end());
    if (with.size() < 2 || scan.modality == "T1w") continue;
    const auto at = std::find(with.begin(), with.end(), scan.series.study_uid);
    scan.session = fmt::format("ses-{}", at - with.begin() + 1);
  }
  return patient;
}

/// A refused series is missed where the person has no other of its kind; a localiser beside the T1
/// is worth a note.
void sort_refused(PatientPlan& patient, std::vector<std::string>& notes) {
  const auto refused = std::move(patient.refused);
  patient.refused.clear();
  for (const auto& [modality, reason] : refused) {
    notes.push_back(fmt::format("{}: a series is left out: {}", patient.participant_id, reason));
    const bool another =
        std::any_of(patient.scans.begin(), patient.scans.end(),
                    [&, &kind = modality](const auto& scan) { return scan.modality == kind; });
    if (!modality.empty() && !another) patient.refused.emplace_back(modality, reason);
  }
}

/// What tells a person from others. A series that names nobody is an entry of its own: put
/// together, two people's scans would be prepared as one person's.
std::string key_of(const DicomSeries& series) {
  if (!series.patient_key.empty()) return series.patient_key;
  return series.series_uid.empty() ? "" : sha256_of_bytes("series\n" + series.series_uid);
}

constexpr const char* kNobody =
    "neither Patient ID (0010,0020) nor Study Instance UID (0020,000d) says whose this series is; "
    "list it in a --table, with its folder as the file";

/// Numbers of people, kept in OUT so that somebody new renumbers nobody. A row is a hash of patient
/// and study: study UIDs cannot be guessed, patients' IDs can.
class Numbering {
 public:
  explicit Numbering(PreparePlan& plan) : plan_(plan) {
    std::error_code error;
    const auto file = numbering_file(plan.settings.out);
    plan.numbering = {file.string(), {"key", "participant_id"}, {}};
    if (!std::filesystem::is_regular_file(file, error)) return;
    plan.numbering = read_table(file);
    for (size_t row = 0; row < plan.numbering.rows.size(); ++row) {
      const auto& id = plan.numbering.at(row, "participant_id");
      known_[plan.numbering.at(row, "key")] = id;
      people_.insert(id);
    }
  }
  std::string of(const std::string& patient_key, const std::set<std::string>& study_uids) {
    std::vector<std::string> unknown;
    std::string id;
    for (const auto& uid : study_uids) {
      const auto key = sha256_of_bytes(patient_key + "/" + uid);
      const auto at = known_.find(key);
      if (at == known_.end())
        unknown.push_back(key);
      else if (id.empty())
        id = at->second;
    }
    if (id.empty()) id = fmt::format("sub-{:03}", people_.size() + 1);
    people_.insert(id);
    for (const auto& key : unknown) {
      known_[key] = id;
      plan_.numbering.add_row({key, id});
    }
    return id;
  }

 private:
  PreparePlan& plan_;
  std::map<std::string, std::string> known_;
  std::set<std::string> people_;
};

}  // namespace

void find_dicom_scans(PreparePlan& plan) {
  int64_t ignored = 0;
  auto all = find_dicom_series(plan.settings.input, &ignored);
  if (ignored > 0)
    plan.notes.push_back(
        fmt::format("{}: {} files are not DICOM and are left alone", plan.settings.input, ignored));
  std::map<std::string, std::vector<DicomSeries>> people;
  std::vector<std::pair<std::string, std::string>> order;  // first study's UID, patient
  for (auto& series : all) {
    auto& studies = people[key_of(series)];
    studies.push_back(std::move(series));
  }
  for (const auto& [patient, series] : people) {
    const auto first = std::min_element(
        series.begin(), series.end(),
        [](const DicomSeries& a, const DicomSeries& b) { return a.study_uid < b.study_uid; });
    order.emplace_back(first->study_uid, patient);
  }
  std::sort(order.begin(), order.end());
  Numbering numbering(plan);
  for (const auto& [study, key] : order) {
    std::set<std::string> studies;
    for (const auto& series : people[key]) studies.insert(series.study_uid);
    auto patient = patient_of(people[key]);
    const bool somebody = !patient.scans.empty() ||
                          std::any_of(patient.refused.begin(), patient.refused.end(),
                                      [](const auto& refused) { return !refused.first.empty(); });
    // A damaged file that names nobody must not become a person.
    patient.participant_id = somebody ? numbering.of(key, studies) : "of nobody known";
    const auto names_nobody = [](const ScanSource& scan) {
      return scan.series.patient_key.empty();
    };
    if (std::any_of(patient.scans.begin(), patient.scans.end(), names_nobody))
      patient.problem = kNobody;
    keep_largest(patient, plan.notes);
    sort_refused(patient, plan.notes);
    if (somebody) plan.patients.push_back(std::move(patient));
  }
  std::sort(plan.patients.begin(), plan.patients.end(),
            [](const auto& a, const auto& b) { return a.participant_id < b.participant_id; });
  plan.columns = {plan.settings.input, {"participant_id"}, {}};
  for (const auto& patient : plan.patients) plan.columns.add_row({patient.participant_id});
}

}  // namespace scintigen
