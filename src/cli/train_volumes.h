// SPDX-License-Identifier: Apache-2.0
// A `train` command on prepared volumes: what all of them do around their recipe.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/train_run.h"
#include "core/progress.h"

namespace scintigen {

template <class Training>
class TrainOnVolumes : public Command {
 public:
  using MakeRecipe = std::unique_ptr<Recipe> (*)(const std::string& cohort, Training& settings,
                                                 const DeviceSettings& device, uint64_t seed);
  /// `name`: "train pix2pix"; `cohort_help`: of the folder; `epochs`: default.
  TrainOnVolumes(std::string name, std::string cohort_help, MakeRecipe make_recipe, int64_t epochs)
      : name_(std::move(name)), cohort_help_(std::move(cohort_help)), make_recipe_(make_recipe) {
    loop_.epochs = epochs;
  }

  void visit(SettingsVisitor& v) override {
    v.visit(positional(required(text("cohort", cohort_help_))), cohort_);
    loop_.visit(v);
    training_.visit(v);
    device_.visit(v);
  }

  int run(const std::vector<std::string>& command_line) override {
    watch_signals();
    const auto recipe =
        make_recipe_(cohort_, training_, device_, static_cast<uint64_t>(loop_.seed));
    std::vector<std::filesystem::path> read;
    for (const std::filesystem::path folder : folders())
      for (const char* file : {"volumes.json", "volumes.tsv"}) read.push_back(folder / file);
    return run_training(*recipe, loop_, device_, *this, name_, command_line, read);
  }

 protected:
  /// Cohorts that are read; the one that is trained on and scored first.
  virtual std::vector<std::string> folders() const { return {cohort_}; }
  const Training& training() const { return training_; }

 private:
  std::string name_, cohort_help_, cohort_;
  MakeRecipe make_recipe_;
  LoopSettings loop_;
  Training training_;
  DeviceSettings device_;
};

}  // namespace scintigen
