// SPDX-License-Identifier: Apache-2.0
// scintigen train siamese: prepared volumes of controls -> a run folder with a patch auto-encoder.
#include <filesystem>

#include "cli/command.h"
#include "cli/train_run.h"
#include "core/progress.h"
#include "training/siamese_recipe.h"

namespace scintigen {
namespace {

class TrainSiamese : public Command {
 public:
  TrainSiamese() { loop_.epochs = 30; }  // Pinon 2021

  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(
                text("cohort", "prepared volumes of controls in one space: prepared/template"))),
            cohort_);
    loop_.visit(v);
    training_.visit(v);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    watch_signals();
    const auto recipe =
        make_siamese_recipe(cohort_, training_, device_, static_cast<uint64_t>(loop_.seed));
    const std::filesystem::path folder(cohort_);
    return run_training(*recipe, loop_, device_, *this, "train siamese", command_line,
                        {folder / "volumes.json", folder / "volumes.tsv"});
  }

 private:
  std::string cohort_;
  LoopSettings loop_;
  SiameseTraining training_;
  DeviceSettings device_;
};

}  // namespace

CommandEntry train_siamese_command() {
  return {
      "train siamese",
      "Train the siamese patch auto-encoder on controls, the features of lesion detection",
      "Learns 64 values that describe a patch of 15 x 15 pixels of an axial plane, alike for "
      "the same place of two healthy people (Zotova et al. 2021, after Alaverdyan et al. 2020). "
      "Trains on controls alone: name patients of the cohort with `--leave-out`. Defaults are "
      "the papers'. Writes a run folder that `detect fit` reads; Ctrl-C saves and leaves, "
      "`--resume` goes on.",
      "scintigen train siamese prepared/template --modalities pet --leave-out sub-P01,sub-P02 "
      "--hold-out 4 --out features",
      [] { return std::unique_ptr<Command>(new TrainSiamese); },
      true};
}

}  // namespace scintigen
