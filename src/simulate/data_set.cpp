// SPDX-License-Identifier: Apache-2.0
#include "simulate/data_set.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <thread>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "core/table.h"
#include "simulate/person_files.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint64_t kLargestTruth = 16 << 20;

/// Werner 2022, Table 1: slices by level and pattern.
const std::map<std::pair<std::string, std::string>, size_t> kTable1 = {
    {{"cerebellum", "normal"}, 248},
    {{"cerebellum", "unilateral"}, 66},
    {{"cerebellum", "bilateral"}, 0},
    {{"basal_ganglia", "normal"}, 174},
    {{"basal_ganglia", "unilateral"}, 116},
    {{"basal_ganglia", "bilateral"}, 44},
    {{"cortex", "normal"}, 129},
    {{"cortex", "unilateral"}, 109},
    {{"cortex", "bilateral"}, 52}};

std::filesystem::path design_file(const std::filesystem::path& folder) {
  return folder / "derivatives" / "truth" / "design.json";
}

/// Text of a JSON value as a table's cell.
std::string cell(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return number_text(value.get<double>());
}

Json read_truth(const std::filesystem::path& folder, const std::string& id) {
  const auto file = truth_file(folder, id);
  const auto json = Json::parse(read_file(file, kLargestTruth), nullptr, false);
  require(!json.is_discarded() && json.contains("scans"),
          "{}: not what simulate wrote; remove it and run simulate again", file.string());
  return json;
}

/// One person's rows of participants.tsv and slices.tsv.
void add_rows(const Json& truth, Table& participants, Table& slices) {
  const auto of_person = [&](const char* key) { return cell(truth.at(key)); };
  participants.add_row(
      {of_person("participant_id"), of_person("age"), of_person("sex"), of_person("group")});
  for (const auto& scan : truth.at("scans"))
    for (const auto& row : scan.at("slices"))
      slices.add_row({of_person("participant_id"), cell(scan.at("session")),
                      cell(scan.at("modality")), cell(row.at("slice")), cell(row.at("level")),
                      cell(row.at("pattern")), cell(row.at("side")), cell(row.at("severity")),
                      cell(scan.at("tracer")), of_person("age"), of_person("sex"),
                      cell(scan.at("file"))});
}

/// Whether a folder holds nothing but the empty folder of the truth: killed before the design was
/// there.
bool only_begun(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error))
    if (!entry.is_directory() || (entry.path() != folder / "derivatives" &&
                                  entry.path() != folder / "derivatives" / "truth"))
      return false;
  return true;
}

/// Removes what a killed run left half written in the folders of one person.
void sweep_person(const std::filesystem::path& folder, const std::string& id) {
  std::error_code error;
  for (const auto& root : {folder / id, truth_file(folder, id).parent_path()}) {
    sweep_temporary_files(root);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root, error))
      if (entry.is_directory()) sweep_temporary_files(entry.path());
  }
}

/// Keeps of each cell as many rows as the paper's Table 1 has, drawn by seed, in table order.
std::vector<std::string> keep_table1(Table& slices, uint64_t seed) {
  std::map<std::pair<std::string, std::string>, size_t> kept;
  const auto order = Random(seed, "table1").permutation(static_cast<int64_t>(slices.rows.size()));
  std::set<size_t> chosen;
  for (const auto place : order) {
    const auto row = static_cast<size_t>(place);
    const std::pair key(slices.at(row, "level"), slices.at(row, "pattern"));
    const auto wanted = kTable1.find(key);
    require(wanted != kTable1.end(),
            "slices.tsv: level {} with pattern {}; expected those of Table 1", key.first,
            key.second);
    if (kept[key] < wanted->second) ++kept[key], chosen.insert(row);
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto row : chosen) rows.push_back(std::move(slices.rows[row]));
  slices.rows = std::move(rows);
  std::vector<std::string> short_of;
  for (const auto& [key, wanted] : kTable1)
    if (kept[key] < wanted)
      short_of.push_back(fmt::format("table1: {} {} slices at level {}; the paper has {}",
                                     kept[key], key.second, key.first, wanted));
  return short_of;
}

/// What every thread of write_people() shares.
struct Work {
  std::atomic<int64_t> next{0};
  std::atomic<bool> stopped{false};
  std::mutex mutex;
  std::exception_ptr failure;
};
struct Stop {};

constexpr char kReadme[] =
    "A cohort simulated by scintigen. Nobody in it ever lived.\n\n"
    "sub-*/ holds the scans as a hospital would give them: each modality in its own position and "
    "grid.\n"
    "derivatives/truth/ holds what was planted: truth.json of each person (lesions, and where the "
    "head lay in each\nscanner: person_to_world maps the person's frame to the scan's world, so "
    "the "
    "map from scan A to scan B is\nB times the inverse of A), activity, lesion masks, the brain "
    "mask of the T1, the deformation to the template.\n"
    "slices.tsv lists axial slices with their true labels; `scintigen import` reads it.\n";

}  // namespace

void begin_data_set(const std::filesystem::path& folder, SimulateSettings& settings) {
  std::error_code error;
  const auto design = design_file(folder);
  auto wanted = settings_to_json(settings);
  if (settings.group_sizes.empty()) wanted.erase("group_sizes");  // cohorts from before it go on
  // What else decides what a person looks like.
  wanted["scintigen"] = kVersion;
  for (const auto& [name, file] : {std::pair{"template_head", settings.head.template_head},
                                   {"template_brain", settings.head.template_brain},
                                   {"template_labels", settings.head.template_labels},
                                   {"template_names", settings.head.template_names}})
    wanted[std::string(name) + "_sha256"] = sha256_of_file(file);
  sweep_temporary_files(design.parent_path());
  if (std::filesystem::exists(design, error)) {
    const auto found = Json::parse(read_file(design, kLargestTruth), nullptr, false);
    require(!found.is_discarded(), "{}: not JSON; remove the folder and run simulate again",
            design.string());
    for (const auto& [name, value] : wanted.items())
      require(found.contains(name) && found[name] == value,
              "{}: begun with {} = {}, now {}; give the same settings to go on, or another --out",
              folder.string(), name, found.contains(name) ? found[name].dump() : "nothing",
              value.dump());
    return;
  }
  if (std::filesystem::exists(folder, error)) {
    require(std::filesystem::is_directory(folder, error), "{}: not a folder", folder.string());
    require(std::filesystem::is_empty(folder, error) || only_begun(folder),
            "{}: holds files that simulate did not write; give an empty or new folder as --out",
            folder.string());
  }
  write_file(design, wanted.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

bool has_person(const std::filesystem::path& folder, int64_t index) {
  std::error_code error;
  return std::filesystem::exists(truth_file(folder, person_id(index)), error);
}

bool write_people(const std::filesystem::path& folder, const TemplateHead& head,
                  const SimulateSettings& settings, const std::vector<std::string>& groups,
                  int64_t threads, const std::function<void(const std::string&)>& scan_done) {
  Work work;
  const auto people = static_cast<int64_t>(groups.size());
  const auto one_thread = [&] {
    at::set_num_threads(1);  // of this thread's own LibTorch calls
    for (int64_t index = work.next++; index < people && !work.stopped; index = work.next++) {
      if (has_person(folder, index)) continue;
      try {
        sweep_person(folder, person_id(index));
        const auto plan = plan_person(head, settings, groups, index);
        write_person(folder, head, settings, plan, [&] {
          const std::lock_guard lock(work.mutex);
          scan_done(plan.id);
          if (stop_requested()) work.stopped = true;
          if (work.stopped) throw Stop{};
        });
      } catch (const Stop&) {
      } catch (...) {
        const std::lock_guard lock(work.mutex);
        if (!work.failure) work.failure = std::current_exception();
        work.stopped = true;
      }
    }
  };
  std::vector<std::thread> pool;
  try {
    for (int64_t t = 0; t < std::min(threads, people); ++t) pool.emplace_back(one_thread);
  } catch (const std::system_error&) {  // those that started do the work
    if (pool.empty()) one_thread();
  }
  for (auto& thread : pool) thread.join();
  if (work.failure) std::rethrow_exception(work.failure);
  return !work.stopped;
}

std::vector<std::string> finish_data_set(const std::filesystem::path& folder,
                                         const SimulateSettings& settings, int64_t people) {
  Table participants{"participants.tsv", {"participant_id", "age", "sex", "group"}, {}};
  Table slices{"slices.tsv",
               {"participant_id", "session", "modality", "slice", "level", "pattern", "side",
                "severity", "tracer", "age", "sex", "file"},
               {}};
  for (int64_t index = 0; index < people; ++index) {
    try {
      add_rows(read_truth(folder, person_id(index)), participants, slices);
    } catch (const nlohmann::json::exception&) {
      throw Error("{}: not what simulate wrote; remove it and run simulate again",
                  truth_file(folder, person_id(index)).string());
    }
  }
  std::vector<std::string> notes;
  if (settings.like == "table1") notes = keep_table1(slices, static_cast<uint64_t>(settings.seed));
  write_table(folder / "participants.tsv", participants);
  if (!slices.rows.empty()) write_table(folder / "slices.tsv", slices);
  write_file(folder / "README", kReadme);
  // SPECT has no place in BIDS yet, and run.json and slices.tsv are ours.
  write_file(folder / ".bidsignore", "run.json\nsimulate.log\nslices.tsv\n**/spect/**\n");
  const Json generated = {{{"Name", "scintigen"}, {"Version", kVersion}}};
  write_file(folder / "dataset_description.json",
             Json{{"Name", "Simulated brain scans, " + settings.like},
                  {"BIDSVersion", "1.8.0"},
                  {"DatasetType", "raw"},
                  {"GeneratedBy", generated}}
                     .dump(2) +
                 "\n");
  write_file(folder / "derivatives" / "truth" / "dataset_description.json",
             Json{{"Name", "What was planted"},
                  {"BIDSVersion", "1.8.0"},
                  {"DatasetType", "derivative"},
                  {"GeneratedBy", generated}}
                     .dump(2) +
                 "\n");
  return notes;
}

}  // namespace scintigen
