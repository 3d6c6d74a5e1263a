// SPDX-License-Identifier: Apache-2.0
// What a Cycle-GAN is trained on and scored by, out of one prepared cohort or two.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "cohort/paired_summary.h"
#include "cohort/volume_pieces.h"
#include "training/cycle_recipe.h"

namespace scintigen {

struct CycleData {
  std::string name, space;
  std::unique_ptr<VolumePieces> pieces;
  size_t source_people = 0, target_people = 0;
  std::string key;  ///< of what is trained on: a run does not go on with other data
  std::unique_ptr<PairedSlices> held_out, shown;  ///< scored; drawn on sheets (may be null)
  std::function<PairedSummary()> summarise;       ///< reads the training people's volumes
};

/// Does check_settings' part that looks at several settings, and sets `unpaired` where there is a
/// second cohort. throws  Error: as make_cycle_recipe()
CycleData read_cycle_data(const std::string& cohort_folder, CycleTraining& settings, uint64_t seed);

}  // namespace scintigen
