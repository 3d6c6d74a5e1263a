// SPDX-License-Identifier: Apache-2.0
// The conditional light-weight GAN as a training recipe: data, networks, losses and optimisers of
// Werner et al. 2022, and the settings that help a cohort of few patients. Defaults are the
// paper's; recipes/spect-improved.toml has the others.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cohort/sampling.h"
#include "core/device.h"
#include "core/settings.h"
#include "models/fastgan.h"
#include "training/recipe.h"

namespace scintigen {

struct FastganTraining {
  std::vector<std::string> condition;  ///< columns of the slice table
  std::string where;                   ///< rows to use
  int64_t hold_out =
      2;  ///< patients kept for the evaluation, drawn by seed and balance of conditions
  std::vector<std::string> held_out;       ///< these instead
  int64_t batch_size = 4;                  ///< Werner 2022
  std::string balance = "none";            ///< none, class, patient
  double learning_rate = 2e-4;             ///< Werner 2022
  double discriminator_learning_rate = 0;  ///< 0 = the same
  double beta1 = 0.9, beta2 = 0.999;       ///< Werner 2022
  double adam_epsilon = 1e-7;              ///< Keras' default
  double average_decay = 0;                ///< moving average of the generator's weights; 0 = none
  double reconstruction_weight = 1;        ///< of equation 4 in equation 5
  double margin_minimum = 1;      ///< hinge margin drawn from [m,1] each step; 1 = equations 2, 3
  bool joint_batch_norm = false;  ///< D's batch statistics over real and generated together
  int64_t translate_px =
      0;  ///< differentiable translation of real and generated before D (Zhao 2020)
  int64_t evaluation_images = 256;
  FastganSettings network;
  AugmentSettings augment;
  void visit(SettingsVisitor& visitor);
};

/// Reads the cohort, splits it by patient, builds the networks. `seed` fixes weights, batches and
/// noise. Patients drawn to be held out are written back into `settings`, so that run.json names
/// them. throws  Error: what read_cohort, split_by_patient and ConditionEncoder throw; matrix other
/// than 64 x 64; fewer training
///         slices than a batch.
std::unique_ptr<Recipe> make_fastgan_recipe(const std::string& cohort_folder,
                                            FastganTraining& settings, const DeviceSettings& device,
                                            uint64_t seed);

}  // namespace scintigen
