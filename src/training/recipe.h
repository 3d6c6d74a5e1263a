// SPDX-License-Identifier: Apache-2.0
// One adversarial method as the training loop sees it. The loop owns time, files and signals; a
// recipe owns networks, losses, optimisers and data.
#pragma once
#include <torch/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/picture.h"

namespace scintigen {

/// Named scalars of one step: 0-d tensors on the recipe's device, not synchronised.
using Losses = std::vector<std::pair<std::string, torch::Tensor>>;

/// Named numbers of an evaluation. "score" decides which checkpoint is best (lower is better).
using Scores = std::vector<std::pair<std::string, double>>;

class Recipe {
 public:
  virtual ~Recipe() = default;
  virtual std::string method() const = 0;  ///< "fastgan"
  virtual int64_t steps_per_epoch() const = 0;
  virtual int64_t batch_size() const = 0;
  /// Says what will be trained on, once everything is accepted.
  virtual void tell() const {}

  /// One update of every network. What it does depends on `step`, the settings and state() only, so
  /// that a resumed run repeats an uninterrupted one bit for bit.
  virtual Losses step(int64_t step) = 0;

  /// Everything the next step depends on, by name.
  virtual std::map<std::string, torch::Tensor> state() = 0;
  /// The reverse; names and shapes were checked against state().
  virtual void load_state(const std::map<std::string, torch::Tensor>& state) = 0;
  /// What a reader of the checkpoint needs: network settings, conditions, cohort
  /// (docs/file_formats.md).
  virtual std::map<std::string, std::string> metadata() = 0;

  /// Called before state() is written: derived tensors (batch statistics of averaged weights) are
  /// made here.
  virtual void prepare_to_save() {}

  /// Neither changes what the next step does.
  virtual Picture sample_sheet(int64_t step) = 0;
  virtual Scores evaluate() = 0;  ///< empty where nothing was held out
};

}  // namespace scintigen
