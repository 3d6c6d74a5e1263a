// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a run: RUN/checkpoints/step-00012000.safetensors, the last K of them, and
// best.safetensors.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "training/recipe.h"

namespace scintigen {

struct Progression {
  int64_t step = 0;       ///< steps done
  double elapsed_s = 0;   ///< over all sessions of the run
  double best_score = 0;  ///< of best.safetensors
  bool has_best = false;
};

class CheckpointFolder {
 public:
  /// Makes the folder and removes what a killed run left half-written.
  CheckpointFolder(std::filesystem::path run, int64_t keep_last);

  /// Atomic; then removes all but the newest `keep_last`. The newest good file is never removed
  /// before its successor is complete on disk.
  void save(Recipe& recipe, const Progression& progression);
  void save_best(Recipe& recipe, const Progression& progression);

  /// Overwrites the recipe's state from the newest checkpoint that can be read (an unreadable one
  /// is warned about and passed over). nullopt if there is none. throws  Error: another method,
  /// tensors missing, left over or of another shape (settings changed since).
  std::optional<Progression> load_newest(Recipe& recipe);

 private:
  std::map<std::string, std::string> metadata(Recipe& recipe, const Progression& progression);
  std::filesystem::path run_, folder_;
  int64_t keep_last_;
};

/// RUN/checkpoints/step-*.safetensors, oldest first; empty where there are none.
std::vector<std::filesystem::path> step_checkpoints(const std::filesystem::path& run);

/// The checkpoint of a run that `generate` uses: the one `select` chose, else best, else the
/// newest. throws  Error where the run has none.
std::filesystem::path chosen_checkpoint(const std::filesystem::path& run);

}  // namespace scintigen
