// SPDX-License-Identifier: Apache-2.0
// Simple-GAN and Cycle-GAN from one modality to another (T1 to PET) as a training recipe, on
// triplets of slices or cubes of prepared volumes. The paper's settings: recipes/zotova-*.toml.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cohort/paired_slices.h"
#include "cohort/volume_pieces.h"
#include "core/device.h"
#include "core/settings.h"
#include "models/resnet_generator.h"
#include "training/recipe.h"

namespace scintigen {

struct CycleTraining {
  CycleTraining();
  PairedSettings data;  ///< T1w to pet, every slice, 192 pixels, scaled by volume
  PieceSettings pieces;
  std::string method = "cycle";        ///< or simple
  bool unpaired = false;               ///< inputs and targets drawn each by itself
  std::string target_cohort;           ///< targets of other people; then unpaired
  int64_t hold_out = 3;                ///< people kept for the evaluation, by seed
  std::vector<std::string> held_out;   ///< these instead
  std::vector<std::string> leave_out;  ///< for a test at the end: neither trained on nor looked at
  int64_t batch_size = 5;              ///< Zotova 2021: 5 triplets, 10 patches
  double learning_rate = 2e-4;         ///< Zotova 2021
  double beta1 = 0.5, beta2 = 0.999;   ///< public code
  int64_t constant_epochs = 100;       ///< Zotova 2021, triplets: 100 and 100
  int64_t decay_epochs = 100;
  double weight_cycle = 10;    ///< public code
  double weight_identity = 0;  ///< the paper's equations have none
  double weight_mse = 0;       ///< of paired images
  int64_t pool = 50;           ///< images shown again (public code)
  int64_t discriminator_width = 64;
  int64_t loader_threads = 2;
  ResnetSettings network;
  void visit(SettingsVisitor& visitor);
};

/// Reads the cohort of prepared volumes (two, where settings.target_cohort names one) and splits it
/// by patient. Patients drawn to be held out are written back into `settings`.
/// throws  Error: what read_volume_cohort() and PairedSlices throw; settings that exclude each
///         other (MSE without pairs, slices of patches, more than one input, ..); fewer pieces than
///         a batch
std::unique_ptr<Recipe> make_cycle_recipe(const std::string& cohort_folder, CycleTraining& settings,
                                          const DeviceSettings& device, uint64_t seed);

}  // namespace scintigen
