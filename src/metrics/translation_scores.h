// SPDX-License-Identifier: Apache-2.0
// How well translated slices match the real ones: by slice, by patient, and against baselines.
// Slices are in the network's units, [-1,1], range 2 (stated in every table: PSNR and SSIM of
// another range are other numbers). By patient, a method's value is the mean over the patient's
// slices; tests and intervals are of these means, paired by patient. Checked
// tests/metrics/test_translation_scores.cpp
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/table.h"

namespace scintigen {

constexpr double kTranslationRange = 2;  ///< of slices in [-1,1]

/// The measures of a slice, in the order of slice_measures(). Not a number: not defined.
inline const std::vector<std::string> kSliceMeasures = {
    "rmse", "mae", "psnr", "ssim", "rmse_brain", "psnr_brain", "ssim_brain"};

/// made, real [S,S] in [-1,1]; brain [S,S] (> 0 inside; undefined or empty: its measures are not
/// defined). SSIM has Wang's Gaussian window.
std::vector<double> slice_measures(const torch::Tensor& made, const torch::Tensor& real,
                                   const torch::Tensor& brain);

/// In counts, over the voxels inside: [D,H,W] each. Parts of the real mean.
struct CountErrors {
  double error = 0;             ///< mean |made - real| / mean real
  double bias = 0;              ///< (mean made - mean real) / mean real
  double error_known_mean = 0;  ///< error after made was scaled to real's mean
};
CountErrors count_errors(const torch::Tensor& made, const torch::Tensor& real,
                         const torch::Tensor& inside);

/// Mean over the rows of `slices` (scores.csv: method, participant_id, role, slice, measures ..) of
/// each method and participant: a row each, with column `slices`. Cells "n/a" are left out of a
/// mean.
Table scores_by_patient(const Table& slices);

/// For each measure and method: mean, SD and CV over slices and over patients; and, for each method
/// but `method`, the paired differences of patients from `method`: mean, 95 % interval, t, p. As
/// JSON and as a text table.
nlohmann::ordered_json summarise_scores(const Table& slices, const Table& patients,
                                        const std::string& method);
std::string scores_text(const nlohmann::ordered_json& summary);

}  // namespace scintigen
