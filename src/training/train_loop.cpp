// SPDX-License-Identifier: Apache-2.0
#include "training/train_loop.h"

#include <fcntl.h>
#include <sys/file.h>
#include <torch/torch.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/event_file.h"
#include "core/progress.h"
#include "core/table.h"
#include "training/checkpoint.h"

namespace scintigen {

void LoopSettings::visit(SettingsVisitor& v) {
  v.visit(required(text("out", "run folder to make (or to go on with, --resume)")), out);
  v.visit(number("epochs", "passes over the training slices (Werner 2022: 1000)", 1, 1e7), epochs);
  v.visit(number("steps", "steps instead of epochs, where > 0", 0, 1e9), steps);
  v.visit(number("hours", "stop with a checkpoint after this many hours of this session; 0 = never",
                 0, 1e4),
          hours);
  v.visit(number("seed", "seed of initial weights, noise, batches and augmentation", 0, 9e15),
          seed);
  v.visit(number("checkpoint_minutes", "minutes between checkpoints", 0, 1e4), checkpoint_minutes);
  v.visit(number("keep_last", "step checkpoints kept (best is kept beside them)", 1, 1e6),
          keep_last);
  v.visit(number("sample_every", "steps between sample sheets, each with an evaluation", 1, 1e9),
          sample_every);
  v.visit(number("log_every", "steps averaged into a row of metrics.csv", 1, 1e6), log_every);
  v.visit(flag("resume", "go on from the newest checkpoint of --out"), resume);
}

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Held while a process trains in a folder; the system lets go of it when the process ends, however
/// it ends.
class RunLock {
 public:
  explicit RunLock(const std::filesystem::path& run) {
    std::filesystem::create_directories(run);
    const auto path = run / "train.lock";
    descriptor_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    require(descriptor_ >= 0, "{}: cannot be opened for writing", path.string());
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor_);
      throw Error(
          "{}: another process is training in this folder; wait for it or name another --out",
          run.string());
    }
  }
  ~RunLock() { ::close(descriptor_); }
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_;
};

/// A CSV that grows row by row: the header comes from the first row, and a resumed run drops the
/// rows after its step.
class GrowingTable {
 public:
  GrowingTable(std::filesystem::path path, int64_t resumed_step) : path_(std::move(path)) {
    if (!std::filesystem::exists(path_)) return;
    auto text = read_file(path_);
    text.erase(text.find_last_of('\n') +
               1);  // a line that a full disk or a power cut left unfinished
    if (text.empty()) {
      std::filesystem::remove(path_);
      return;
    }
    write_file(path_, text);
    auto table = read_table(path_);
    auto kept = table;
    kept.rows.clear();
    for (size_t row = 0; row < table.rows.size(); ++row)
      if (table.integer_at(row, "step") <= resumed_step) kept.rows.push_back(table.rows[row]);
    write_table(path_, kept);
    has_header_ = true;
  }
  void add(const std::vector<std::pair<std::string, std::string>>& cells) {
    std::string header, row;
    for (const auto& [name, value] : cells) {
      header += (header.empty() ? "" : ",") + name;
      row += (row.empty() ? "" : ",") + value;
    }
    std::ofstream file(path_, std::ios::app);
    if (!has_header_) file << header << "\n";
    has_header_ = true;
    file << row << "\n" << std::flush;
    require(file.good(), "{}: cannot be written (disk full?)", path_.string());
  }

 private:
  std::filesystem::path path_;
  bool has_header_ = false;
};

/// Sums losses between log rows and refuses the first that is not finite. On a GPU it looks only
/// every few steps, since each look waits for the device.
class LossLedger {
 public:
  void add(int64_t step, const Losses& losses) {
    if (names_.empty())
      for (const auto& entry : losses) names_.push_back(entry.first);
    std::vector<torch::Tensor> values;
    for (const auto& entry : losses) values.push_back(entry.second.detach().to(torch::kDouble));
    pending_.push_back(torch::stack(values));
    if (pending_.size() == 1) first_pending_ = step;
    if (pending_.size() >= (pending_.back().is_cpu() ? 1u : 16u)) settle();
  }
  void settle() {
    if (pending_.empty()) return;
    const auto values = torch::stack(pending_).cpu();  // [steps, losses]
    pending_.clear();
    const auto at = values.accessor<double, 2>();
    sums_.resize(names_.size(), 0);
    for (int64_t row = 0; row < values.size(0); ++row) {
      for (size_t loss = 0; loss < names_.size(); ++loss) {
        require(std::isfinite(at[row][loss]),
                "training: loss \"{}\" is {} at step {}; checkpoints are left as they were; lower "
                "--learning-rate or look at that batch",
                names_[loss], at[row][loss], first_pending_ + row);
        sums_[loss] += at[row][loss];
      }
      ++count_;
    }
  }
  std::vector<std::pair<std::string, double>> take_means() {
    settle();
    std::vector<std::pair<std::string, double>> means;
    for (size_t loss = 0; loss < names_.size(); ++loss)
      means.emplace_back(names_[loss], sums_[loss] / std::max<int64_t>(count_, 1));
    std::fill(sums_.begin(), sums_.end(), 0.0);
    count_ = 0;
    return means;
  }
  int64_t count() const { return count_; }

 private:
  std::vector<std::string> names_;
  std::vector<torch::Tensor> pending_;
  std::vector<double> sums_;
  int64_t first_pending_ = 0, count_ = 0;
};

/// One session of a run.
class Session {
 public:
  Session(Recipe& recipe, const LoopSettings& settings)
      : recipe_(recipe),
        settings_(settings),
        run_(settings.out),
        lock_(run_),
        checkpoints_(run_, settings.keep_last) {
    const bool has_run = !step_checkpoints(run_).empty();
    require(settings.resume || !has_run,
            "{}: holds a run already; give --resume to go on with it, or another --out",
            run_.string());
    if (settings.resume) {
      const auto found = checkpoints_.load_newest(recipe_);
      require(found.has_value(), "{}: holds no checkpoint to go on from; leave out --resume",
              run_.string());
      progression_ = *found;
    }
    elapsed_before_s_ = progression_.elapsed_s;
    std::filesystem::create_directories(run_ / "samples");
    log_to(run_ / "train.log");
    recipe_.tell();
    if (settings.resume) say(fmt::format("going on from step {}", progression_.step));
  }

  TrainEnd work() {
    const int64_t last =
        settings_.steps > 0 ? settings_.steps : settings_.epochs * recipe_.steps_per_epoch();
    GrowingTable metrics(run_ / "metrics.csv", progression_.step);
    GrowingTable scores(run_ / "scores.csv", progression_.step);
    EventFile events(run_);
    metrics_ = &metrics;
    scores_ = &scores;
    events_ = &events;
    Progress progress("train", last, "step", progression_.step);
    const int64_t first_step = progression_.step;
    TrainEnd end = TrainEnd::kFinished;
    while (progression_.step < last) {
      const int64_t step = progression_.step + 1;
      ledger_.add(step, recipe_.step(step));
      progression_.step = step;
      progress.advance(1, note_);
      if (step % settings_.log_every == 0) log(step);
      if (step % settings_.sample_every == 0) evaluate(step);
      if (seconds_since(saved_) > 60 * settings_.checkpoint_minutes) save();
      if (stop_requested()) end = TrainEnd::kInterrupted;
      if (settings_.hours > 0 && seconds_since(begun_) > 3600 * settings_.hours)
        end = TrainEnd::kOutOfTime;
      if (end != TrainEnd::kFinished) break;
    }
    if (end != TrainEnd::kInterrupted && progression_.step > first_step &&
        progression_.step % settings_.sample_every != 0)
      evaluate(progression_.step);
    save();
    return end;
  }

 private:
  void log(int64_t step) {
    const int64_t steps = std::max<int64_t>(ledger_.count(), 1);
    const auto means = ledger_.take_means();
    const double seconds = seconds_since(logged_);
    logged_ = Clock::now();
    std::vector<std::pair<std::string, std::string>> row = {
        {"step", std::to_string(step)},
        {"epoch", number_text(double(step) / double(recipe_.steps_per_epoch()))},
        {"elapsed_s", fmt::format("{:.1f}", elapsed_before_s_ + seconds_since(begun_))},
        {"images_per_s", fmt::format("{:.1f}", double(steps * recipe_.batch_size()) / seconds)}};
    note_.clear();
    for (const auto& [name, value] : means) {
      row.emplace_back(name, fmt::format("{:.6g}", value));
      note_ += fmt::format("{}{} {:.2f}", note_.empty() ? "" : "  ", name, value);
      events_->scalar("loss/" + name, step, value);
    }
    metrics_->add(row);
  }

  void evaluate(int64_t step) {
    const auto sheet = recipe_.sample_sheet(step);
    write_png(run_ / "samples" / fmt::format("step-{:09d}.png", step), sheet);
    events_->image("samples", step, sheet);
    const auto scores = recipe_.evaluate();
    if (scores.empty()) return;
    std::vector<std::pair<std::string, std::string>> row = {{"step", std::to_string(step)}};
    std::string line;
    for (const auto& [name, value] : scores) {
      row.emplace_back(name, fmt::format("{:.6g}", value));
      line += fmt::format("  {} {:.3g}", name, value);
      events_->scalar("score/" + name, step, value);
    }
    scores_->add(row);
    say(fmt::format("step {}:{}", step, line));
    const double score = scores.front().second;
    if (!std::isfinite(score) || (progression_.has_best && score >= progression_.best_score))
      return;
    ledger_.settle();  // a state that a non-finite loss made must not become best
    progression_.has_best = true;
    progression_.best_score = score;
    progression_.elapsed_s = elapsed_before_s_ + seconds_since(begun_);
    checkpoints_.save_best(recipe_, progression_);
  }

  void save() {
    ledger_.settle();
    progression_.elapsed_s = elapsed_before_s_ + seconds_since(begun_);
    checkpoints_.save(recipe_, progression_);
    saved_ = Clock::now();
  }

  Recipe& recipe_;
  const LoopSettings& settings_;
  std::filesystem::path run_;
  RunLock lock_;
  CheckpointFolder checkpoints_;
  Progression progression_;
  LossLedger ledger_;
  GrowingTable* metrics_ = nullptr;
  GrowingTable* scores_ = nullptr;
  EventFile* events_ = nullptr;
  std::string note_;
  double elapsed_before_s_ = 0;
  Clock::time_point begun_ = Clock::now(), saved_ = begun_, logged_ = begun_;
};

}  // namespace

TrainEnd train(Recipe& recipe, const LoopSettings& settings,
               const std::function<void()>& accepted) {
  Session session(recipe, settings);
  if (accepted) accepted();
  return session.work();
}

}  // namespace scintigen
