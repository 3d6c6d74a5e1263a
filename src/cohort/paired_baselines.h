// SPDX-License-Identifier: Apache-2.0
// What a paired translator must beat before its scores mean anything: three predictions of the
// target's slice that need no network, fitted on the training people.
//   level_mean         the mean of the training people's slices at the same place in the brain
//   smoothed_input     a + sum over channels b_c (input_c blurred)
//   tissue_regression  a + sum over channels and classes b_ck (membership of class k, blurred):
//   each
//                      intensity class (hat functions on [-1,1]: grey, white, fluid, and between)
//                      gets its own uptake, seen at the target's resolution
// All in the network's units: slices in [-1,1]. The blur (Gaussian, FWHM of 0 to 16 mm) is the one
// with the least squared error on the training slices it was fitted on.
// Checked tests/cohort/test_paired_baselines.cpp: known answers; NumPy and SciPy in
//         tools/make_golden_paired_baselines.py
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cohort/paired_slices.h"

namespace scintigen {

/// One weighted sum of blurred maps.
struct BlurredSum {
  double fwhm_px = 0;
  std::vector<double> weights;  ///< intercept, then one a map
};

struct PairedBaselines {
  torch::Tensor level_mean;  ///< float16 [places,side,side] in [-1,1]
  BlurredSum smoothed_input, tissue_regression;
  int64_t fitted_slices = 0;  ///< that the two sums were fitted on
};

inline const std::vector<std::string> kBaselineNames = {"level_mean", "smoothed_input",
                                                        "tissue_regression"};

/// Reads every training slice once. `pixel_mm`: of the slices.
PairedBaselines fit_baselines(const PairedSlices& training, double pixel_mm);

/// Of targets without inputs (`targets` lists the target as its own input): the level mean, and for
/// both sums the targets' mean of `channels` inputs that cannot be weighted.
PairedBaselines baselines_without_pairs(const PairedSlices& targets, size_t channels);

/// inputs [B,C,S,S] in [-1,1] at `places` (PairedPerson::place_of) of the brain -> [B,1,S,S] in
/// [-1,1]. `name`: one of kBaselineNames.
torch::Tensor predict(const PairedBaselines& baselines, const std::string& name,
                      const torch::Tensor& inputs, const std::vector<int64_t>& places);

/// The maps of tissue_regression before they are blurred: [B,C,S,S] -> [B,C*7,S,S]; class 0, the
/// background, is what the intercept stands for.
torch::Tensor class_memberships(const torch::Tensor& inputs);

/// Gaussian along rows and columns, cut at 3.5 sigma, edges repeated; 0 leaves it alone.
torch::Tensor blurred(const torch::Tensor& images, double fwhm_px);

nlohmann::ordered_json to_json(const PairedBaselines& baselines);  ///< without level_mean
/// throws  Error beginning with `where`
PairedBaselines baselines_from_json(const nlohmann::ordered_json& json, torch::Tensor level_mean,
                                    size_t channels, const std::string& where);

}  // namespace scintigen
