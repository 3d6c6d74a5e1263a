// SPDX-License-Identifier: Apache-2.0
#include "cli/prepare_page.h"

#include <algorithm>

#include "core/table.h"
#include "imaging/prepare_patient.h"
#include "report/html.h"
#include "report/quality_page.h"

namespace scintigen {
namespace {

QualityCell number_cell(double value, int digits, const std::string& grade = "") {
  return {figure_text(value, digits), value, true, grade};
}

/// Of all registrations of a person the worst: score, and what the flip check said.
struct Registrations {
  double worst = 1;
  bool any = false, doubtful = false, mirrored = false, unsure = false;

  void add(const PatientRecord& registration) {
    if (!registration.is_object() || !registration.contains("score")) return;
    any = true;
    worst = std::min(worst, registration["score"].get<double>());
    doubtful |= registration.value("doubtful", false);
    const auto flip = registration.value("flip", "");
    mirrored |= flip == "mirrored fits better";
    unsure |= flip == "cannot tell";
  }
};

Registrations registrations_of(const PatientRecord& record, const char* modality) {
  Registrations found;
  for (const auto& scan : record.value("scans", PatientRecord::array()))
    if (scan.value("modality", "") == modality)
      found.add(scan.value("registration", PatientRecord::object()));
  return found;
}

QualityCell score_cell(const Registrations& found) {
  if (!found.any) return {"–", -1, true, ""};
  return number_cell(found.worst, 3, found.doubtful ? "bad" : "good");
}

/// The worst that the flip checks of all scans said.
QualityCell flip_cell(const Registrations& all) {
  if (!all.any) return {"–", 0, false, ""};
  if (all.mirrored) return {"mirrored?", 0, false, "bad"};
  if (all.unsure) return {"cannot tell", 0, false, "caution"};
  return {"as stored", 0, false, "good"};
}

QualityPerson person_of(const PatientRecord& record, const PreparePlan& plan) {
  QualityPerson person;
  person.participant_id = record.value("participant_id", "");
  for (const auto& warning : record.value("warnings", PatientRecord::array()))
    person.warnings.push_back(warning.get<std::string>());
  if (record.contains("failed")) {
    person.warnings.push_back("not prepared: " + record["failed"].get<std::string>());
    person.cells = {{"failed", 0, false, "bad"}, {"–", 0, false, ""},     {"–", -1, true, ""},
                    {"–", -1, true, ""},         {"–", -1, true, ""},     {"–", -1, true, ""},
                    {"–", 0, false, ""},         number_cell(1, 1, "bad")};
    return person;
  }
  int64_t volumes = 0, left_out = 0;
  for (const auto& scan : record.value("scans", PatientRecord::array())) {
    volumes += static_cast<int64_t>(scan.value("volumes", PatientRecord::array()).size());
    const bool out = scan.contains("left_out") || scan.contains("left_out_in");
    left_out += out ? 1 : 0;
    if (scan.contains("left_out"))
      person.warnings.push_back("left out: " + scan.value("source", "") + ": " +
                                scan.value("left_out", ""));
    for (const auto& where : scan.value("left_out_in", PatientRecord::array()))
      person.warnings.push_back("left out of " + where.value("space", "") + ": " +
                                scan.value("source", "") + ": " + where.value("why", ""));
  }
  std::sort(person.warnings.begin(), person.warnings.end());
  person.warnings.erase(std::unique(person.warnings.begin(), person.warnings.end()),
                        person.warnings.end());
  const auto brain = record.value("brain", PatientRecord::object());
  Registrations to_template;
  for (const char* kind : {"template", "acpc"})
    to_template.add(record.value(kind, PatientRecord::object()));
  Registrations all = to_template;
  for (const auto& scan : record.value("scans", PatientRecord::array()))
    all.add(scan.value("registration", PatientRecord::object()));
  person.cells = {
      {fmt::format("{} volumes{}", volumes,
                   left_out > 0 ? fmt::format(", {} scans left out", left_out) : ""),
       0, false, left_out > 0 ? "bad" : "good"},
      {brain.value("method", "none"), 0, false, ""},
      number_cell(brain.value("volume_ml", 0.0), 4, brain.value("doubtful", false) ? "bad" : ""),
      score_cell(registrations_of(record, "pet")),
      score_cell(registrations_of(record, "spect")),
      score_cell(to_template),
      flip_cell(all),
      number_cell(static_cast<double>(person.warnings.size()), 2,
                  person.warnings.empty() ? "" : "caution")};
  const auto picture = quality_picture_file(plan.settings.out, person.participant_id);
  std::error_code error;
  if (std::filesystem::is_regular_file(picture, error))
    person.picture = "patients/" + picture.filename().string();
  return person;
}

}  // namespace

void write_prepare_page(const std::filesystem::path& file, const PreparePlan& plan,
                        const MergedPeople& people, Settings& settings) {
  QualityPage page;
  page.title = "Quality of a prepared cohort";
  const auto& outcome = people.outcome;
  page.summary = fmt::format("{} people prepared, {} not; {} volumes in {}; {} left out",
                             outcome.prepared, outcome.failed, outcome.volumes,
                             fmt::join(plan.settings.space, " and "), outcome.left_out);
  page.note = fmt::format(
      "A heading sorts by its column. Scores are of registrations, the worst of a person's: 0.15 "
      "to "
      "0.4 is usual, below {} is doubtful. Scans in red were left out of the cohort{}.",
      number_text(kRegistrationDoubtful),
      plan.settings.keep_doubtful ? " but for doubtful ones (--keep-doubtful)" : "");
  page.columns = {"result",      "brain by", "brain, mL",      "PET to T1",
                  "SPECT to T1", "template", "left and right", "warnings"};
  for (const auto& record : people.records) {
    auto person = person_of(record, plan);
    for (const auto& patient : plan.patients)
      if (patient.participant_id == person.participant_id)
        for (const auto& [modality, why] : patient.refused)
          person.warnings.push_back("left out: " + modality + ": " + why);
    page.people.push_back(std::move(person));
  }
  const auto resolved = settings_to_json(settings);
  for (const auto& [name, value] : resolved.items())
    page.settings.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  write_quality_page(file, page);
}

}  // namespace scintigen
