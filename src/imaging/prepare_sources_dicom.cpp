// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "core/error.h"
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

}  // namespace

void find_dicom_scans(PreparePlan& plan) {
  int64_t ignored = 0;
  auto all = find_dicom_series(plan.settings.input, &ignored);
  if (ignored > 0)
    plan.notes.push_back(
        fmt::format("{}: {} files are not DICOM and are left alone", plan.settings.input, ignored));
  std::map<std::string, std::vector<DicomSeries>> people;
  std::map<std::string, std::string> order;  // first study's UID -> patient
  for (auto& series : all) {
    auto& studies = people[series.patient_key];
    studies.push_back(std::move(series));
  }
  for (const auto& [patient, series] : people) {
    const auto first = std::min_element(
        series.begin(), series.end(),
        [](const DicomSeries& a, const DicomSeries& b) { return a.study_uid < b.study_uid; });
    order.emplace(first->study_uid, patient);
  }
  for (const auto& [study, key] : order) {
    PatientPlan patient;
    patient.participant_id = fmt::format("sub-{:03}", plan.patients.size() + 1);
    std::vector<std::string> refused;
    std::map<std::string, std::vector<std::string>> studies;  // modality -> studies that have it
    for (auto& series : people[key]) {
      ScanSource scan;
      scan.modality = modality_of(series);
      if (scan.modality.empty()) continue;
      if (!series.refusal.empty()) {
        refused.push_back(scan.modality + ": " + series.refusal);
        continue;
      }
      auto& with = studies[scan.modality];
      if (std::find(with.begin(), with.end(), series.study_uid) == with.end())
        with.push_back(series.study_uid);
      scan.tracer = series.technical.tracer;
      scan.series = std::move(series);
      patient.scans.push_back(std::move(scan));
    }
    // SPECT of several days (rest and stress, ictal and interictal) are sessions.
    for (auto& scan : patient.scans) {
      auto& with = studies[scan.modality];
      std::sort(with.begin(), with.end());
      if (with.size() < 2 || scan.modality == "T1w") continue;
      const auto at = std::find(with.begin(), with.end(), scan.series.study_uid);
      scan.session = fmt::format("ses-{}", at - with.begin() + 1);
    }
    keep_largest(patient, plan.notes);
    for (const auto& reason : refused)
      plan.notes.push_back(patient.participant_id + ": a series is left out: " + reason);
    plan.patients.push_back(std::move(patient));
  }
  plan.columns = {plan.settings.input, {"participant_id"}, {}};
  for (const auto& patient : plan.patients) plan.columns.add_row({patient.participant_id});
}

}  // namespace scintigen
