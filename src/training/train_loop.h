// SPDX-License-Identifier: Apache-2.0
// The training loop every method uses: time, files, signals; never networks or data.
// A run is a folder: run.json, train.log, metrics.csv (losses), scores.csv (evaluations),
// samples/*.png, checkpoints/, events.out.tfevents.* (TensorBoard). Described in
// docs/file_formats.md.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "core/settings.h"
#include "training/recipe.h"

namespace scintigen {

struct LoopSettings {
  std::string out;        ///< run folder
  int64_t epochs = 1000;  ///< Werner 2022
  int64_t steps = 0;      ///< instead of epochs, where > 0
  double hours = 0;       ///< stop (and checkpoint) after this long, 0 = never
  int64_t seed = 1;
  double checkpoint_minutes = 5;  ///< wall clock between checkpoints
  int64_t keep_last = 5;          ///< checkpoints kept beside best
  int64_t sample_every = 2000;    ///< steps between sample sheets with evaluation
  int64_t log_every = 50;         ///< steps averaged into a line of metrics.csv
  bool resume = false;
  void visit(SettingsVisitor& visitor);
};

enum class TrainEnd { kFinished, kInterrupted, kOutOfTime };

/// Runs `recipe` to its last step, from the newest checkpoint where `resume`.
/// throws  Error: the run folder holds a run and resume is not set, or resume is set and there is
/// none; another process
///         trains in it; a loss that is not finite (names step and loss; checkpoints stay as they
///         were); disk full.
/// `accepted` is called once nothing can be refused any more, before the first step: what a refused
/// run must leave as it was (run.json) is written there.
TrainEnd train(Recipe& recipe, const LoopSettings& settings,
               const std::function<void()>& accepted = {});

}  // namespace scintigen
