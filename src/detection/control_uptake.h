// SPDX-License-Identifier: Apache-2.0
// Controls' uptake of the tracer at every voxel: does a person's lie below it or above?
// Why: a one-class machine, and a distance of latents, stand out either way; who looks for
//      hypometabolism need not be shown the other half.
// Does: t of a person's smoothed relative uptake against controls; their mean and SD, as a file.
// Does not: find anything by it (detect baseline --method z does).
// Source  docs/methods.md, "Lower and higher uptake"; ours
// Checked tests/detection/test_control_uptake.cpp: by hand, planted changes, a file gone round
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "cohort/patch_pairs.h"
#include "detection/siscom.h"

namespace scintigen {

/// FWHM of the smoothing inside the brain.
constexpr double kUptakeSmoothing_mm = 8;

/// relative_uptake() of an image in units (in_units()), smoothed by mm: float32 [D,H,W], 0 outside
/// the mask. throws Error: as relative_uptake()
torch::Tensor smoothed_uptake(const torch::Tensor& image, const torch::Tensor& mask,
                              const Grid& grid, double smooth_mm = kUptakeSmoothing_mm);

/// The first PET or SPECT among a detector's modalities.
std::optional<size_t> tracer_modality(const std::vector<std::string>& modalities);

struct ControlUptake {
  std::optional<size_t> modality;  ///< tracer_modality(); none: no uptake
  NormalDifferences normal;        ///< of controls' smoothed_uptake(); float32 [D,H,W]

  /// t of a person's smoothed_uptake() inside the controls' mask and the person's own brain (where
  /// it is defined): below 0 where there is less than in the mean control. float32 [D,H,W], 0
  /// outside; undefined without a modality.
  torch::Tensor of(const ScaledScans& person, const torch::Tensor& mask, const torch::Tensor& brain,
                   const Grid& grid) const;
};

/// One image at a time is in memory. throws Error: fewer than 3 people; as relative_uptake(), with
/// the person's name
ControlUptake control_uptake(const PatchPeople& controls,
                             const std::vector<std::string>& modalities);

/// Safetensors: `mean`, `sd` float32 [D,H,W], with the detector's key. Without a modality: no file.
void write_control_uptake(const std::filesystem::path& path, const ControlUptake& uptake,
                          const std::string& key);
/// Of so many controls. throws Error: missing or damaged; of another detector; another grid's shape
ControlUptake read_control_uptake(const std::filesystem::path& path,
                                  const std::vector<std::string>& modalities,
                                  const std::string& key, const Grid& grid, int64_t controls);

}  // namespace scintigen
