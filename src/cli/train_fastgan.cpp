// SPDX-License-Identifier: Apache-2.0
// scintigen train fastgan: a prepared cohort -> a run folder with a trained generator.
#include <filesystem>

#include "cli/command.h"
#include "cli/train_run.h"
#include "core/progress.h"
#include "training/fastgan_recipe.h"

namespace scintigen {
namespace {

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
    const std::filesystem::path folder(cohort_);
    return run_training(
        *recipe, loop_, device_, *this, "train fastgan", command_line,
        {folder / "cohort.json", folder / "slices.tsv", folder / "slices.safetensors"});
  }

 private:
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
