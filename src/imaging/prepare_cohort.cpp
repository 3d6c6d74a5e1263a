// SPDX-License-Identifier: Apache-2.0
// Many people: at once, cached by content, in shards; and the tables of what came of them.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "imaging/prepare.h"
#include "imaging/prepare_patient.h"

namespace scintigen {
namespace {

constexpr uint64_t kLargestRecord = 64u << 20;
constexpr int64_t kMostJobs = 8;

/// Settings that change what a person's files hold.
PatientRecord settings_that_matter(PrepareSettings settings) {
  struct Adapter : Settings {
    PrepareSettings* of = nullptr;
    void visit(SettingsVisitor& visitor) override { of->visit(visitor); }
  } adapter;
  adapter.of = &settings;
  auto json = settings_to_json(adapter);
  for (const char* name :
       {"input", "table", "out", "participants", "pick", "jobs", "shard", "merge", "dry_run"})
    json.erase(name);
  return json;
}

/// SHA-256 over the version, the settings, the template and every byte of the person's scans.
std::string key_of(const PatientPlan& patient, const std::string& common) {
  std::string text = common;
  for (const auto& scan : patient.scans) {
    text += "\n" + scan.session + "\t" + scan.modality + "\t" + scan.unit + "\t" + scan.tracer;
    if (!scan.file.empty()) text += "\t" + sha256_of_file(scan.file);
    for (const auto& file : scan.series.files) text += "\t" + sha256_of_file(file);
  }
  return sha256_of_bytes(text);
}

std::string common_key(const PrepareSettings& settings) {
  auto text = std::string(kVersion) + settings_that_matter(settings).dump();
  for (const auto& file : {settings.template_head, settings.template_brain}) {
    std::error_code error;
    if (std::filesystem::is_regular_file(file, error)) text += sha256_of_file(file);
  }
  return text;
}

PatientRecord read_record(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return PatientRecord::object();
  auto record = PatientRecord::parse(read_file(file, kLargestRecord), nullptr, false);
  return record.is_object() ? record : PatientRecord::object();
}

/// Whether every file that a record names is there.
bool is_whole(const PatientRecord& record, const PrepareSettings& settings) {
  std::error_code error;
  for (const auto& scan : record.value("scans", PatientRecord::array()))
    for (const auto& made : scan.value("volumes", PatientRecord::array()))
      for (const char* what : {"file", "mask_file", "scaling_file"}) {
        const auto name = made.value(what, std::string());
        const auto space = made.value("space", std::string());
        if (!name.empty() && !std::filesystem::is_regular_file(
                                 std::filesystem::path(settings.out) / space / name, error))
          return false;
      }
  return true;
}

void write_record(const std::filesystem::path& file, const PatientRecord& record) {
  write_file(file, record.dump(1, ' ', false, PatientRecord::error_handler_t::replace) + "\n");
}

/// What the workers share.
struct Work {
  std::vector<const PatientPlan*> people;
  std::atomic<size_t> next{0};
  std::mutex mutex;
  PrepareOutcome outcome;
  std::exception_ptr failure;  // other than of one person
};

/// One person: from the cache, prepared, or recorded as failed.
void prepare_one(const PatientPlan& patient, const PrepareSettings& settings,
                 const PrepareTemplate& brain_template, const std::string& common, int64_t threads,
                 Work& work) {
  const auto file = record_file(settings.out, patient.participant_id);
  PatientRecord record;
  bool cached = false;
  try {
    require(patient.problem.empty(), "{}", patient.problem);
    const auto key = key_of(patient, common);
    record = read_record(file);
    cached = record.value("key", std::string()) == key && !record.contains("failed") &&
             is_whole(record, settings);
    if (!cached) {
      std::error_code unused;
      std::filesystem::remove(file, unused);  // until all is written there is no record
      record = prepare_patient(patient, settings, brain_template, threads);
      record["key"] = key;
    }
  } catch (const Error& error) {
    record = {{"participant_id", patient.participant_id}, {"failed", error.what()}};
  }
  if (!cached) write_record(file, record);
  const std::lock_guard lock(work.mutex);
  auto& count = record.contains("failed") ? work.outcome.failed
                : cached                  ? work.outcome.cached
                                          : work.outcome.prepared;
  ++count;
}

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

/// Columns after those of the format: how the volume came about, then what describes the person.
std::vector<std::string> more_cells(const PatientRecord& record, const PatientRecord& scan,
                                    const Table& columns) {
  const auto registration = scan.value("registration", PatientRecord::object());
  std::vector<std::string> cells = {
      registration.contains("score") ? number_text(registration["score"].get<double>()) : "n/a",
      or_na(registration.value("flip", "")), registration.value("doubtful", false) ? "yes" : "no"};
  const auto id = record.value("participant_id", "");
  const auto is_person = [&](const std::vector<std::string>& row) {
    return row[columns.column("participant_id")] == id;
  };
  const auto row = std::find_if(columns.rows.begin(), columns.rows.end(), is_person);
  for (size_t c = 0; c < columns.columns.size(); ++c)
    if (columns.columns[c] != "participant_id")
      cells.push_back(row == columns.rows.end() ? "n/a" : (*row)[c]);
  return cells;
}

void add_person(Merged& merged, const PatientRecord& record, const PreparePlan& plan,
                PrepareOutcome& outcome) {
  const auto id = record.value("participant_id", "");
  const auto skip = [&](const PatientRecord& scan, const std::string& space,
                        const std::string& why) {
    ++outcome.left_out;
    merged.skipped.add_row({id, or_na(scan.value("session", "")), or_na(scan.value("modality", "")),
                            or_na(space), why});
  };
  if (record.contains("failed")) {
    ++outcome.failed;
    return skip(PatientRecord::object(), "", record.value("failed", ""));
  }
  ++outcome.prepared;
  for (const auto& scan : record.value("scans", PatientRecord::array())) {
    if (scan.contains("left_out")) skip(scan, "", scan.value("left_out", ""));
    for (const auto& out : scan.value("left_out_in", PatientRecord::array()))
      skip(scan, out.value("space", ""), out.value("why", ""));
    for (const auto& made : scan.value("volumes", PatientRecord::array())) {
      const auto space = made.value("space", "");
      if (!merged.cohorts.count(space)) continue;
      ++outcome.volumes;
      merged.cohorts[space].volumes.push_back(volume_of(record, scan, made));
      merged.more[space].add_row(more_cells(record, scan, plan.columns));
    }
  }
}

}  // namespace

std::filesystem::path record_file(const std::filesystem::path& out, const std::string& id) {
  return out / "patients" / (id + ".json");
}

std::filesystem::path quality_picture_file(const std::filesystem::path& out,
                                           const std::string& id) {
  return out / "patients" / (id + "_quality.png");
}

PrepareOutcome prepare_people(const PreparePlan& plan,
                              const std::function<void(const std::string&)>& done) {
  const auto& settings = plan.settings;
  const auto shard = parse_shard(settings.shard);
  Work work;
  for (size_t p = 0; p < plan.patients.size(); ++p)
    if (static_cast<int64_t>(p) % shard.count == shard.index)
      work.people.push_back(&plan.patients[p]);
  const auto brain_template = read_prepare_template(settings);
  const auto common = common_key(settings);
  const auto processors = std::max<int64_t>(std::thread::hardware_concurrency(), 1);
  const auto people = std::max<int64_t>(static_cast<int64_t>(work.people.size()), 1);
  const int64_t jobs =
      std::min(settings.jobs > 0 ? settings.jobs : std::min(processors, kMostJobs), people);
  const int64_t threads = std::max<int64_t>(processors / jobs, 1);
  const auto worker = [&] {
    at::set_num_threads(static_cast<int>(threads));  // of this thread's own calls
    for (size_t p = work.next++; p < work.people.size() && !stop_requested(); p = work.next++) {
      try {
        prepare_one(*work.people[p], settings, brain_template, common, threads, work);
        const std::lock_guard lock(work.mutex);
        done(work.people[p]->participant_id);
      } catch (...) {
        const std::lock_guard lock(work.mutex);
        if (!work.failure) work.failure = std::current_exception();
        work.next = work.people.size();
      }
    }
  };
  std::vector<std::thread> pool;
  for (int64_t job = 0; job < jobs; ++job) pool.emplace_back(worker);
  for (auto& thread : pool) thread.join();
  if (work.failure) std::rethrow_exception(work.failure);
  work.outcome.stopped = stop_requested();
  return work.outcome;
}

MergedPeople merge_cohort(const PreparePlan& plan) {
  const auto& settings = plan.settings;
  const std::filesystem::path out(settings.out);
  MergedPeople people;
  Merged merged;
  std::vector<std::string> columns = {"registration_score", "flip", "doubtful"};
  for (const auto& column : plan.columns.columns)
    if (column != "participant_id") columns.push_back(column);
  for (const auto& space : settings.space) {
    auto& cohort = merged.cohorts[space];
    cohort.folder = out / space;
    cohort.name = out.lexically_normal().filename().string();
    cohort.space = space;
    merged.more[space] = {"volumes.tsv", columns, {}};
  }
  for (const auto& patient : plan.patients) {
    auto record = read_record(record_file(out, patient.participant_id));
    if (record.empty())
      record = {{"participant_id", patient.participant_id},
                {"failed", "not prepared yet; run its shard, then --merge again"}};
    try {
      add_person(merged, record, plan, people.outcome);
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
