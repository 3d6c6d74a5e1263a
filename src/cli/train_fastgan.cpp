// SPDX-License-Identifier: Apache-2.0
// scintigen train fastgan: a prepared cohort -> a run folder with a trained generator.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "core/atomic_file.h"
#include "core/device.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/run_record.h"
#include "training/fastgan_recipe.h"
#include "training/train_loop.h"

namespace scintigen {
namespace {

constexpr int kInterrupted = 130;

class TrainFastgan : public Command {
 public:
  void visit(SettingsVisitor& v) override {
    v.visit(
        positional(required(text("cohort", "prepared cohort: folder made by `scintigen import`"))),
        cohort_);
    loop_.visit(v);
    training_.visit(v);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    watch_signals();
    // The recipe comes first: a setting that cannot work is refused before a run folder exists.
    const auto recipe =
        make_fastgan_recipe(cohort_, training_, device_, static_cast<uint64_t>(loop_.seed));
    std::unique_ptr<RunRecord> record;
    const auto end = train(*recipe, loop_, [&] { record = begin_record(command_line); });
    if (end == TrainEnd::kFinished) {
      record->finish();
      say("finished: " + loop_.out);
      return 0;
    }
    record->finish("interrupted");
    say("stopped with a checkpoint; the same command with --resume goes on: " + loop_.out);
    return end == TrainEnd::kInterrupted ? kInterrupted : 0;
  }

 private:
  /// A resumed run keeps the records of its earlier sessions.
  std::unique_ptr<RunRecord> begin_record(const std::vector<std::string>& command_line) {
    const auto path = std::filesystem::path(loop_.out) / "run.json";
    nlohmann::ordered_json earlier = nlohmann::ordered_json::array();
    if (loop_.resume && std::filesystem::exists(path)) {
      auto before = nlohmann::ordered_json::parse(read_file(path), nullptr, false);
      if (before.is_object()) {
        if (before.contains("earlier")) earlier = before["earlier"];
        before.erase("earlier");
        earlier.push_back(before);
      }
    }
    auto record = std::make_unique<RunRecord>(loop_.out, "train fastgan", command_line, *this);
    for (const char* name : {"cohort.json", "slices.tsv", "slices.safetensors"})
      record->add_input(std::filesystem::path(cohort_) / name);
    record->set("device", describe_device(use_device(device_)));
    if (!earlier.empty()) record->set("earlier", earlier);
    return record;
  }

  std::string cohort_;
  LoopSettings loop_;
  FastganTraining training_;
  DeviceSettings device_;
};

}  // namespace

CommandEntry train_fastgan_command() {
  return {"train fastgan",
          "Train the conditional light-weight GAN on a prepared cohort",
          "Learns to make 64 x 64 perfusion slices of the conditions in the slice table (Werner et "
          "al. 2022). Defaults are the "
          "paper's; `recipes/spect-improved.toml` holds what measured better on few patients. "
          "Writes a run folder: "
          "`run.json`, `train.log`, `metrics.csv`, `scores.csv`, `samples/*.png`, `checkpoints/`, "
          "TensorBoard events. Ctrl-C saves "
          "and leaves; `--resume` goes on and, on the CPU with the same number of threads, ends "
          "with the same weights bit for bit.",
          "scintigen train fastgan cohort --out run --recipe recipes/spect-improved.toml "
          "--condition level --hours 1",
          [] { return std::unique_ptr<Command>(new TrainFastgan); },
          true};
}

}  // namespace scintigen
