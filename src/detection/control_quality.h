// SPDX-License-Identifier: Apache-2.0
// Are the controls what they should be, and is a patient like them?
// Does: reconstruction error and spread of patch features of people, ages and scanners; warnings in
//       words: synthetic controls tighter than real ones, a patient unlike the controls.
// Does not: leave anybody out.
// Source  Zotova and Pinon 2025 show synthetic controls tighter than real ones by reconstruction
//         error and distance of latents; the limits here are ours (docs/methods.md)
// Checked tests/detection/test_control_quality.cpp
#pragma once
#include <torch/types.h>

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cohort/patch_pairs.h"
#include "models/patch_autoencoder.h"

namespace scintigen {

/// Patches of people around the same voxels, encoded and decoded.
struct PatchQuality {
  std::vector<double> reconstruction;  ///< of each person: mean squared error
  torch::Tensor latents;               ///< float32 [people,voxels,64]
};
/// The voxels are drawn from the mask: a function of mask and count alone.
PatchQuality patch_quality(PatchAutoencoder network, const std::vector<ScaledScans>& people,
                           const torch::Tensor& mask, int64_t voxels);

/// Variance of the latents between people (n - 1), summed over the 64, mean over voxels.
double latent_spread(const torch::Tensor& latents, const std::vector<int64_t>& people);

/// What a detector remembers of its controls.
struct ControlQuality {
  double reconstruction = 0, reconstruction_sd = 0;  ///< mean and SD over controls
  std::optional<std::array<double, 2>> ages;         ///< where the cohort's table has `age`
  std::vector<std::string> scanners;                 ///< where it has `scanner`
  nlohmann::ordered_json json() const;
};
/// throws nlohmann::json::exception: not what json() makes
ControlQuality control_quality_of(const nlohmann::json& json);

ControlQuality control_quality(PatchAutoencoder network, const PatchPeople& controls,
                               const VolumeCohort& cohort);

/// Synthetic controls over real ones, of patches around the same voxels.
struct SyntheticControls {
  std::optional<double> spread;  ///< variance of their latents; fewer than 3 of either: nothing
  double reconstruction = 1;     ///< mean squared error of reconstruction
  /// A ratio under 0.8 or above 1.25, in words.
  std::vector<std::string> warnings() const;
  nlohmann::ordered_json json() const;
};
/// throws  Error: a name that is no control; nobody real, nobody synthetic
SyntheticControls compare_synthetic(PatchAutoencoder network, const PatchPeople& controls,
                                    const std::vector<std::string>& synthetic);

/// A patient whose patches are reconstructed worse than controls' mean + 3 SD, or whose age or
/// scanner (volumes.tsv) is none of theirs.
std::vector<std::string> patient_warnings(PatchAutoencoder network, const ControlQuality& controls,
                                          const ScaledScans& patient, const torch::Tensor& mask,
                                          const VolumeCohort& cohort, const std::string& id);

}  // namespace scintigen
