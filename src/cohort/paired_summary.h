// SPDX-License-Identifier: Apache-2.0
// What a paired translator must know of its training people besides its weights: how to come back
// to counts, what its inputs looked like, and what it must beat. Kept in its checkpoints: metadata
// "summary" (JSON) and tensors "summary.*". No person can be told from it but as part of a mean.
#pragma once
#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "cohort/input_likeness.h"
#include "cohort/paired_baselines.h"
#include "cohort/paired_slices.h"
#include "cohort/target_profile.h"

namespace scintigen {

struct PairedSummary {
  TargetProfile profile;
  std::vector<InputLikeness> inputs;  ///< one a channel
  PairedBaselines baselines;

  std::map<std::string, torch::Tensor> tensors() const;  ///< "summary.level_mean", ...
  std::string json() const;
};

/// Reads the training people's volumes twice.
PairedSummary summarise(const PairedSlices& training);

/// Of people who have no pairs: inputs from `sources`, all about the target from `targets`, whose
/// settings name the target as the one input.
PairedSummary summarise_unpaired(const std::vector<PairedPerson>& sources,
                                 const std::vector<std::string>& modalities,
                                 const PairedSlices& targets);

/// throws  Error beginning with `where`: something missing or of another size
PairedSummary read_summary(const std::map<std::string, torch::Tensor>& tensors,
                           const std::string& json, const PairedSettings& settings,
                           const std::string& where);

}  // namespace scintigen
