// SPDX-License-Identifier: Apache-2.0
// Every image metric of a pair, each with the parameters that it cannot be read without.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "metrics/image_pair.h"
#include "metrics/perceptual_distance.h"

namespace scintigen {

/// One metric as it is reported.
struct MetricRow {
  std::string key;                    ///< "ssim_gaussian"
  double whole = 0;                   ///< may be infinite (PSNR of identical images); not a number:
                                      ///< not defined, and `note` says why
  double in_mask = 0;                 ///< the same; not a number without a mask
  nlohmann::ordered_json parameters;  ///< name -> number or text
  std::string note, note_in_mask;
};

/// RMSE, MAE, three NRMSE, PSNR, SSIM twice by slice and twice in 3-D, multi-scale SSIM by slice
/// and in 3-D: keys rmse, mae, nrmse (= nrmse_euclidean), nrmse_mean, nrmse_min_max, psnr,
/// psnr_by_slice, ssim_gaussian, ssim_gaussian_3d, ssim_uniform, ssim_uniform_3d, ms_ssim,
/// ms_ssim_3d. A metric that the image is too small for has no value and a note that says the
/// smallest size.
/// throws  Error: check_range().
/// Checked tests/metrics/test_image_metrics.cpp
std::vector<MetricRow> image_metrics(const ImagePair& pair, const DataRange& range);

/// LPIPS, mean over the slices of ImagePair::counted; values are mapped from the range to [-1,1]
/// and not clipped. `slice_done` is called after each slice. Whole image only.
/// throws  Error: a slice too small for the network.
MetricRow perceptual_metric(const ImagePair& pair, const DataRange& range,
                            const PerceptualDistance& distance,
                            const std::function<void()>& slice_done = {});

/// {"rmse": 0.1, .., "parameters": {..}, "notes": {..}}; what is not a finite number becomes null
/// with a note. With a mask also "mask": {"voxels": N, "rmse": .., "notes": {..}}.
nlohmann::ordered_json json_of(const std::vector<MetricRow>& rows, const ImagePair& pair);

/// The same as a table for people: metric, whole image, in the mask, parameters.
std::string text_of(const std::vector<MetricRow>& rows, const ImagePair& pair);

}  // namespace scintigen
