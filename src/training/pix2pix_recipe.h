// SPDX-License-Identifier: Apache-2.0
// The paired translator as a training recipe: prepared volumes, U-Net and patch discriminator of
// Isola et al. 2017, the SPECT paper's settings as a preset (recipes/pix2pix-spect.toml).
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cohort/paired_augment.h"
#include "cohort/paired_slices.h"
#include "core/device.h"
#include "core/settings.h"
#include "models/unet.h"
#include "training/recipe.h"

namespace scintigen {

struct Pix2pixTraining {
  PairedSettings data;
  PairedAugment augment;               ///< of the training pairs
  int64_t hold_out = 6;                ///< people kept for the evaluation (SPECT paper: 6), by seed
  std::vector<std::string> held_out;   ///< these instead
  std::vector<std::string> leave_out;  ///< for a test at the end: neither trained on nor looked at
  int64_t batch_size = 8;              ///< SPECT paper
  double learning_rate = 2e-4;         ///< Isola 2017
  double beta1 = 0.5, beta2 = 0.999;   ///< Isola 2017
  int64_t constant_epochs = 100;       ///< then the rate falls linearly (public implementation)
  int64_t decay_epochs = 100;          ///< to 0; 0 = never
  double weight_l1 = 100, weight_similarity = 0;
  std::string adversarial = "cross_entropy";  ///< or least_squares
  int64_t discriminator_width = 64;
  double average_decay = 0;  ///< moving average of the generator's weights; 0 = none
  UnetSettings network;
  void visit(SettingsVisitor& visitor);
};

/// Reads the cohort of prepared volumes and splits it by patient. Patients drawn to be held out are
/// written back into `settings`.
/// throws  Error: what read_volume_cohort and PairedSlices throw; sides that are no power of two
///         times 32; unknown participants; fewer slices than a batch
std::unique_ptr<Recipe> make_pix2pix_recipe(const std::string& cohort_folder,
                                            Pix2pixTraining& settings, const DeviceSettings& device,
                                            uint64_t seed);

}  // namespace scintigen
