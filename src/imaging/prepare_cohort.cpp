// SPDX-License-Identifier: Apache-2.0
// Many people at once: cache by content, shards. What comes of them together: prepare_merge.cpp.
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "imaging/prepare_records.h"

namespace scintigen {
namespace {

constexpr int64_t kMostJobs = 8;

/// What the workers share.
struct Work {
  std::vector<const PatientPlan*> people;
  std::atomic<size_t> next{0};
  std::mutex mutex;
  PrepareOutcome outcome;
  std::exception_ptr failure;  // of the folder, not of one person
};

/// What else was thrown (no memory, a library's own): its first line, for the record.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

bool all_there(const PatientRecord& record, const PrepareSettings& settings) {
  const auto files = files_of(record, settings);
  return std::all_of(files.begin(), files.end(), [](const auto& file) {
    std::error_code error;
    return std::filesystem::is_regular_file(file, error);
  });
}

/// What an earlier record named and this one does not would look like a part of the cohort.
void remove_left_over(const PatientRecord& before, const PatientRecord& now,
                      const PrepareSettings& settings) {
  const auto kept = files_of(now, settings);
  std::error_code unused;
  for (const auto& file : files_of(before, settings))
    if (!kept.count(file)) std::filesystem::remove(file, unused);
}

/// One person: as it was, prepared, or recorded as failed.
void prepare_one(const PatientPlan& patient, const PrepareSettings& settings,
                 const PrepareTemplate& brain_template, const std::string& of_settings,
                 int64_t threads, Work& work) {
  const auto before = read_record(settings, patient.participant_id);
  PatientRecord record;
  bool cached = false;
  try {
    require(patient.problem.empty(), "{}", patient.problem);
    const auto key = person_key(patient, of_settings);
    cached =
        before.value("key", "") == key && !before.contains("failed") && all_there(before, settings);
    if (cached) {
      record = before;
    } else {
      std::error_code unused;  // until all is written there is no record
      std::filesystem::remove(record_file(settings.out, patient.participant_id), unused);
      record = prepare_patient(patient, settings, brain_template, threads);
      record["key"] = key;
    }
  } catch (const std::exception& error) {
    auto why = first_line(error);
    for (const auto& scan : patient.scans) why = without_paths(why, scan.series);
    record = {{"participant_id", patient.participant_id}, {"failed", why}};
  }
  if (!cached) {
    record["settings_key"] = of_settings;
    write_record(settings, record);
    remove_left_over(before, record, settings);
  }
  const std::lock_guard lock(work.mutex);
  auto& count = record.contains("failed") ? work.outcome.failed
                : cached                  ? work.outcome.cached
                                          : work.outcome.prepared;
  ++count;
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
    if (shard.has(static_cast<int64_t>(p)) && plan.patients[p].wanted)
      work.people.push_back(&plan.patients[p]);
  const auto brain_template = read_prepare_template(settings);
  if (!plan.numbering.rows.empty()) write_table(numbering_file(settings.out), plan.numbering);
  const auto of_settings = settings_key(settings);
  const auto processors = available_processors();
  const auto people = std::max<int64_t>(static_cast<int64_t>(work.people.size()), 1);
  const int64_t jobs =
      std::min(settings.jobs > 0 ? settings.jobs : std::min(processors, kMostJobs), people);
  const int64_t threads = std::max<int64_t>(processors / jobs, 1);
  const auto worker = [&] {
    at::set_num_threads(static_cast<int>(threads));  // of this thread's own calls
    for (size_t p = work.next++; p < work.people.size() && !stop_requested(); p = work.next++) {
      try {
        prepare_one(*work.people[p], settings, brain_template, of_settings, threads, work);
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

}  // namespace scintigen
