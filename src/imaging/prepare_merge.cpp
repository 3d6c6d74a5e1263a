// SPDX-License-Identifier: Apache-2.0
// The tables of a prepared cohort, from its people's records.
#include <algorithm>
#include <set>

#include "core/error.h"
#include "core/run_record.h"
#include "imaging/prepare_records.h"

namespace scintigen {
namespace {

/// Rows of the tables that a cohort leaves behind.
struct Merged {
  std::map<std::string, VolumeCohort> cohorts;
  std::map<std::string, Table> more;
  Table skipped{"skipped.tsv", {"participant_id", "session", "modality", "space", "reason"}, {}};
};

std::string or_na(const std::string& text) { return text.empty() ? "n/a" : text; }

PreparedVolume volume_of(const PatientRecord& record, const PatientRecord& scan,
                         const PatientRecord& made) {
  PreparedVolume volume;
  volume.participant_id = record.value("participant_id", "");
  volume.session = scan.value("session", "");
  volume.modality = scan.value("modality", "");
  volume.unit = scan.value("unit", "");
  volume.tracer = scan.value("tracer", "");
  volume.file = made.value("file", "");
  volume.mask_file = made.value("mask_file", "");
  volume.scaling = made.value("scaling", "none");
  volume.slope = made.value("slope", 1.0);
  volume.intercept = made.value("intercept", 0.0);
  volume.scaling_file = made.value("scaling_file", "");
  return volume;
}

/// Of the maps that lead to a volume (scan to reference, reference to template) the worst: score,
/// what the flip checks said, whether one is doubtful.
std::vector<std::string> registration_cells(const PatientRecord& record, const PatientRecord& scan,
                                            const std::string& space) {
  static const std::vector<std::string> kWorstLast = {"not checked", "as stored", "cannot tell",
                                                      "mirrored fits better"};
  std::string score = "n/a", flip = "n/a";
  double least = 0;
  bool doubtful = false;
  const auto none = PatientRecord::object();
  for (const auto& map :
       {scan.value("registration", none), space == "native" ? none : record.value(space, none)}) {
    if (!map.contains("score")) continue;
    const double found = map["score"].is_number() ? map["score"].get<double>() : 0;
    if (score == "n/a" || found < least) score = number_text(least = found);
    const auto said = map.value("flip", "not checked");
    const auto rank = [](const std::string& what) {
      return std::find(kWorstLast.begin(), kWorstLast.end(), what) - kWorstLast.begin();
    };
    if (flip == "n/a" || rank(said) > rank(flip)) flip = said;
    doubtful |= map.value("doubtful", false) || said == kWorstLast.back();
  }
  return {score, flip, doubtful ? "yes" : "no"};
}

/// Columns after those of the format: how the volume came about, what describes the person, what
/// the table says of the scan.
std::vector<std::string> more_cells(const PatientRecord& record, const PatientRecord& scan,
                                    const std::string& space, const PatientPlan& patient,
                                    const Table& columns) {
  auto cells = registration_cells(record, scan, space);
  const auto is_person = [&](const std::vector<std::string>& row) {
    return row[columns.column("participant_id")] == patient.participant_id;
  };
  const auto is_scan = [&](const ScanSource& source) {
    return source.session == scan.value("session", "") &&
           source.modality == scan.value("modality", "");
  };
  const auto row = std::find_if(columns.rows.begin(), columns.rows.end(), is_person);
  const auto source = std::find_if(patient.scans.begin(), patient.scans.end(), is_scan);
  for (size_t c = 0; c < columns.columns.size(); ++c) {
    if (columns.columns[c] == "participant_id") continue;
    const auto own = source == patient.scans.end()
                         ? std::map<std::string, std::string>::const_iterator()
                         : source->columns.find(columns.columns[c]);
    if (source != patient.scans.end() && own != source->columns.end())
      cells.push_back(own->second);
    else
      cells.push_back(row == columns.rows.end() ? "n/a" : (*row)[c]);
  }
  return cells;
}

void add_person(Merged& merged, const PatientRecord& record, const PatientPlan& patient,
                const Table& columns, PrepareOutcome& outcome) {
  const auto skip = [&](const std::string& session, const std::string& modality,
                        const std::string& space, const std::string& why) {
    ++outcome.left_out;
    merged.skipped.add_row(
        {patient.participant_id, or_na(session), or_na(modality), or_na(space), why});
  };
  for (const auto& [modality, why] : patient.refused) skip("", modality, "", why);
  if (record.contains("failed")) {
    ++outcome.failed;
    return skip("", "", "", record.value("failed", ""));
  }
  ++outcome.prepared;
  for (const auto& scan : record.value("scans", PatientRecord::array())) {
    const auto session = scan.value("session", ""), modality = scan.value("modality", "");
    if (scan.contains("left_out")) skip(session, modality, "", scan.value("left_out", ""));
    for (const auto& out : scan.value("left_out_in", PatientRecord::array()))
      skip(session, modality, out.value("space", ""), out.value("why", ""));
    for (const auto& made : scan.value("volumes", PatientRecord::array())) {
      const auto space = made.value("space", "");
      if (!merged.cohorts.count(space)) continue;
      ++outcome.volumes;
      merged.cohorts[space].volumes.push_back(volume_of(record, scan, made));
      merged.more[space].add_row(more_cells(record, scan, space, patient, columns));
    }
  }
}

/// Names of the input's columns, such as do not meet one of ours.
std::vector<std::string> further_columns(const Table& columns) {
  static const std::set<std::string> ours = {
      "participant_id", "session",           "modality", "file",      "mask_file",    "unit",
      "tracer",         "scaling",           "slope",    "intercept", "scaling_file", "flip",
      "doubtful",       "registration_score"};
  std::vector<std::string> names = {"registration_score", "flip", "doubtful"};
  for (const auto& column : columns.columns)
    if (column != "participant_id")
      names.push_back(ours.count(column) ? "input_" + column : column);
  return names;
}

/// The record of a person for the tables, or a failure that says why there is none.
PatientRecord usable_record(const PreparePlan& plan, const PatientPlan& patient,
                            const std::string& of_settings) {
  auto record = read_record(plan.settings, patient.participant_id);
  const auto failed = [&](const char* why) {
    return PatientRecord{{"participant_id", patient.participant_id}, {"failed", why}};
  };
  if (record.empty()) return failed("not prepared yet; run its shard, then --merge again");
  if (record.value("settings_key", "") != of_settings)
    return failed("was prepared with other settings; run prepare for this person again");
  return record;
}

}  // namespace

MergedPeople merge_cohort(const PreparePlan& plan) {
  const auto& settings = plan.settings;
  const std::filesystem::path out(settings.out);
  const auto of_settings = settings_key(settings);
  MergedPeople people;
  Merged merged;
  const auto columns = further_columns(plan.columns);
  for (const auto& space : settings.space) {
    auto& cohort = merged.cohorts[space];
    cohort.folder = out / space;
    cohort.name = out.lexically_normal().filename().string();
    cohort.space = space;
    cohort.template_fit = settings.template_fit;
    merged.more[space] = {"volumes.tsv", columns, {}};
  }
  for (const auto& patient : plan.patients) {
    // Those that --participants leaves alone stay in the cohort if they are there.
    if (!patient.wanted && read_record(settings, patient.participant_id).empty()) continue;
    auto record = usable_record(plan, patient, of_settings);
    try {
      add_person(merged, record, patient, plan.columns, people.outcome);
    } catch (const nlohmann::json::exception&) {
      throw Error("{}: not what prepare wrote; remove it and prepare this person again",
                  record_file(out, patient.participant_id).string());
    }
    people.records.push_back(std::move(record));
  }
  const PatientRecord provenance = {{"command", "prepare"},
                                    {"scintigen", kVersion},
                                    {"settings", settings_that_matter(settings)}};
  for (const auto& [space, cohort] : merged.cohorts)
    write_volume_cohort(cohort, merged.more[space], provenance.dump());
  std::error_code unused;
  std::filesystem::remove(out / "skipped.tsv", unused);
  if (!merged.skipped.rows.empty()) write_table(out / "skipped.tsv", merged.skipped);
  return people;
}

}  // namespace scintigen
