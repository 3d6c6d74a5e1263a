// SPDX-License-Identifier: Apache-2.0
// scintigen prepare: scans as they come -> cohorts of prepared volumes.
#include "imaging/prepare.h"

#include <filesystem>
#include <set>

#include "cli/command.h"
#include "cli/prepare_page.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"

namespace scintigen {
namespace {

constexpr int kSomeLeftOut = 1, kInterrupted = 130;

/// An empty or new folder, or one that prepare began.
void check_folder(const std::filesystem::path& folder) {
  static const std::set<std::string> own = {
      "native",   "template",    "acpc",         "transforms",  "patients",
      "run.json", "skipped.tsv", "quality.html", "prepare.log", "shards"};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error && std::filesystem::is_directory(folder), "--out {}: cannot be made: {}",
          folder.string(), error ? error.message() : "it is a file");
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const auto name = entry.path().filename().string();
    require(own.count(name) > 0 || name.find(".tmp-") != std::string::npos,
            "--out {}: holds {}, which prepare did not write; give an empty or new folder",
            folder.string(), name);
  }
}

/// People that a shard prepares.
int64_t shard_size(const PreparePlan& plan, const Shard& shard) {
  int64_t mine = 0;
  for (size_t p = 0; p < plan.patients.size(); ++p)
    mine += plan.patients[p].wanted && shard.has(static_cast<int64_t>(p));
  return mine;
}

class PrepareCommand : public Command {
 public:
  void visit(SettingsVisitor& v) override { settings_.visit(v); }

  int run(const std::vector<std::string>& command_line) override {
    const auto plan = plan_prepare(settings_);
    if (settings_.dry_run) {
      for (const auto& note : plan.notes) warn(note);
      for (const auto& line : describe_plan(plan)) say(line);
      return 0;
    }
    const std::filesystem::path out(settings_.out);
    check_folder(out);
    // Shards run side by side: each has a record and a log of its own.
    const auto shard = parse_shard(settings_.shard);
    const auto own = shard.count == 1 ? out : out / shard.folder();
    std::filesystem::create_directories(own);
    sweep_temporary_files(own);
    RunRecord record(own, "prepare", command_line, *this);
    log_to(own / "prepare.log");
    for (const auto& note : plan.notes) warn(note);
    add_inputs(record);
    watch_signals();
    PrepareOutcome made;
    if (!settings_.merge) {
      const int64_t mine = shard_size(plan, shard);
      Progress progress("prepare", mine, "person");
      made = prepare_people(plan, [&](const std::string& id) { progress.advance(1, id); });
    }
    if (made.stopped) {
      say("interrupted; the same command goes on where it stopped");
      record.finish("interrupted");
      return kInterrupted;
    }
    say(fmt::format("{} people prepared, {} as they were, {} failed", made.prepared, made.cached,
                    made.failed));
    if (shard.count > 1) {
      record.finish();
      say(fmt::format("shard {} done; when all are: the same command with --merge",
                      settings_.shard));
      return made.failed > 0 ? kSomeLeftOut : 0;
    }
    return merge(plan, record);
  }

 private:
  /// Scans are in the people's records, by hash: their paths may name patients.
  void add_inputs(RunRecord& record) const {
    std::error_code error;
    const auto people = (std::filesystem::path(settings_.input) / "participants.tsv").string();
    for (const auto& file : {settings_.table, settings_.input.empty() ? std::string() : people,
                             settings_.template_head, settings_.template_brain,
                             settings_.template_labels, settings_.template_names})
      if (!file.empty() && std::filesystem::is_regular_file(file, error)) record.add_input(file);
  }

  int merge(const PreparePlan& plan, RunRecord& record) {
    const std::filesystem::path out(settings_.out);
    const auto merged = merge_cohort(plan);
    write_prepare_page(out / "quality.html", plan, merged, *this);
    for (const auto& people : merged.records)
      for (const auto& warning : people.value("warnings", nlohmann::ordered_json::array()))
        warn(warning.get<std::string>());
    const auto& outcome = merged.outcome;
    record.set("people", outcome.prepared);
    record.set("failed", outcome.failed);
    record.set("volumes", outcome.volumes);
    record.set("left_out", outcome.left_out);
    record.finish();
    say(fmt::format("{} volumes of {} people in {}; look at {}", outcome.volumes, outcome.prepared,
                    settings_.out, (out / "quality.html").string()));
    require(outcome.volumes > 0, "{}: nothing could be prepared; the reasons are in {}",
            settings_.out, (out / "skipped.tsv").string());
    if (outcome.left_out == 0) return 0;
    say(fmt::format("{} scans or people left out, see {}", outcome.left_out,
                    (out / "skipped.tsv").string()));
    return kSomeLeftOut;
  }

  PrepareSettings settings_;
};

}  // namespace

CommandEntry prepare_command() {
  return {
      "prepare", "DICOM, NIfTI or BIDS scans to cohorts of prepared volumes",
      "Finds each person's T1, PET and SPECT in a BIDS tree, a folder of DICOM files or a table; "
      "finds the brain, brings PET and SPECT to the T1 (rigid) and the T1 to a template (affine), "
      "and writes every volume with one interpolation: on the person's own grid (`native`: 256 x "
      "256 x 192 at 1 mm), in template space (157 x 189 x 156), or level with the commissures "
      "(`acpc`). `quality.html` shows outlines, scores and warnings of each person. A "
      "registration that failed, or a scan that looks mirrored, is left out and named in "
      "`skipped.tsv`; the exit status is then 1. People whose files and settings have not "
      "changed are not made again. No name, birth date or free text of a DICOM file goes "
      "anywhere.",
      "scintigen prepare bids --space native,template --scaling T1w=volume,spect=slice "
      "--out prepared",
      [] { return std::unique_ptr<Command>(new PrepareCommand); }};
}

}  // namespace scintigen
