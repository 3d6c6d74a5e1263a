// SPDX-License-Identifier: Apache-2.0
// scintigen simulate: nothing -> a cohort of scans with known truth.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "cli/command.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "simulate/data_set.h"

namespace scintigen {
namespace {

constexpr int kSomethingShort = 1;
constexpr int kInterrupted = 130;

class SimulateCommand : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(required(text("out", "folder of the cohort; one that was begun is continued")), out_);
    cohort_.visit(v);
    v.visit(number("threads",
                   "people simulated at a time, about 0.4 GB each; 0 = all processors, at most 8",
                   0, 1024),
            threads_);
  }

  int run(const std::vector<std::string>& command_line) override {
    const std::filesystem::path folder(out_);
    check_protocol(cohort_.spect);
    check_protocol(cohort_.pet);
    const auto groups = cohort_groups(cohort_);
    const auto head = load_template(cohort_.head);
    begin_data_set(folder, cohort_);
    RunRecord record(folder, "simulate", command_line, *this);
    log_to(folder / "simulate.log");
    for (const auto& file : {cohort_.head.template_head, cohort_.head.template_brain,
                             cohort_.head.template_labels, cohort_.head.template_names})
      record.add_input(file);
    watch_signals();
    const auto begun = std::chrono::steady_clock::now();
    const auto people = static_cast<int64_t>(groups.size());
    std::vector<std::string> there;
    for (int64_t index = 0; index < people; ++index)
      if (has_person(folder, index)) there.push_back(groups[static_cast<size_t>(index)]);
    const auto scans = scans_of(cohort_, groups), done = scans_of(cohort_, there);
    if (done > 0) say(fmt::format("going on: {} of {} people are there", there.size(), people));
    int64_t threads = threads_;
    if (threads == 0) threads = std::clamp<int64_t>(std::thread::hardware_concurrency(), 1, 8);
    bool whole = true;
    {
      Progress progress("simulate", scans, "scan", done);
      whole = write_people(folder, head, cohort_, groups, threads,
                           [&](const std::string& id) { progress.advance(1, id); });
    }
    if (!whole) {
      record.finish("interrupted");
      say(fmt::format("interrupted; the same command goes on in {}", out_));
      return kInterrupted;
    }
    const auto notes = finish_data_set(folder, cohort_, people);
    for (const auto& note : notes) warn(note);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    record.set("scans", scans);
    if (scans > done) record.set("scans_per_s", static_cast<double>(scans - done) / took.count());
    record.finish();
    say(fmt::format("{} people, {} scans in {}: {}", people, scans, duration_text(took.count()),
                    out_));
    return notes.empty() ? 0 : kSomethingShort;
  }

 private:
  std::string out_;
  SimulateSettings cohort_;
  int64_t threads_ = 0;
};

}  // namespace

CommandEntry simulate_command() {
  return {
      "simulate", "A cohort of brain scans with known truth, from nothing",
      "Makes people who never lived (Colin 27's head under random smooth deformations, aged), "
      "gives them tracer uptake and disease, scans them (SPECT with collimator blur, "
      "attenuation, scatter, counting noise and OSEM; PET; T1), each modality in its own "
      "position and grid, and writes a BIDS-like data set with `participants.tsv`, "
      "`slices.tsv` and the truth in `derivatives/truth`. The same settings and seed make the "
      "same files for any number of threads; a run that was stopped goes on when started again.",
      "scintigen simulate --like ischaemia --participants 24 --out simulated",
      [] { return std::unique_ptr<Command>(new SimulateCommand); }};
}

}  // namespace scintigen
