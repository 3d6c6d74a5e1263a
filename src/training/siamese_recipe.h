// SPDX-License-Identifier: Apache-2.0
// The siamese patch auto-encoder as a training recipe: prepared volumes of controls in one space.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cohort/patch_pairs.h"
#include "core/device.h"
#include "core/settings.h"
#include "models/patch_autoencoder.h"
#include "training/recipe.h"

namespace scintigen {

struct SiameseTraining {
  PatchSettings data;
  int64_t hold_out = 0;                ///< people kept for the evaluation, by seed
  std::vector<std::string> held_out;   ///< these instead
  std::vector<std::string> leave_out;  ///< patients, say: neither trained on nor looked at
  int64_t patches = 25000;             ///< of a control, an epoch (Zotova 2025)
  int64_t batch_size = 225;            ///< patches (Pinon 2021)
  double alpha = 0.005;                ///< of the cosine (Pinon 2021)
  double learning_rate = 1e-3;         ///< Pinon 2021
  void visit(SettingsVisitor& visitor);
};

/// throws  Error: what read_volume_cohort(), split_people() and read_patch_people() throw; fewer
/// than 2
///         people to train on
std::unique_ptr<Recipe> make_siamese_recipe(const std::string& cohort_folder,
                                            SiameseTraining& settings, const DeviceSettings& device,
                                            uint64_t seed);

/// The trained network of a checkpoint and what its patches were cut with.
struct TrainedPatches {
  PatchAutoencoder network{nullptr};
  PatchSettings data;
};
/// throws  Error: not a checkpoint of train siamese; tensors missing or of other shapes
TrainedPatches read_patch_network(const std::string& checkpoint);

}  // namespace scintigen
