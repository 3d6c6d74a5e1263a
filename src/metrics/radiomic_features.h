// SPDX-License-Identifier: Apache-2.0
// What a slice looks like in 24 numbers: a feature space with names, beside the principal
// components of slice_statistics.h, for the distances between sets of slices.
// Definitions are those of the Image Biomarker Standardisation Initiative (Zwanenburg et al. 2020;
// reference manual, arXiv 1612.07003) where it has one; docs/methods.md, "Radiomic features", lists
// them with its identifiers.
#pragma once
#include <torch/types.h>

#include <string>
#include <vector>

namespace scintigen {

/// The columns of radiomic_features(), in order.
///   mean, standard_deviation, skewness, excess_kurtosis, percentile_10, median, percentile_90,
///   intensity_entropy                 of the mask's pixels; entropy in bits, of 32 grey levels
///   glcm_contrast, glcm_inverse_difference_moment, glcm_angular_second_moment, glcm_correlation,
///   glcm_joint_entropy                grey-level co-occurrence at distance 1, symmetric, both
///                                     pixels in the mask, the mean of four directions
///   log_power_1 .. log_power_6        ln of the mean power of the slice in six rings of frequency,
///                                     each 1/12 cycles per pixel wide, 1 the coarsest
///   ln_left_right, abs_ln_left_right  of left_right_ratio()
///   mask_area_fraction                of the matrix
///   perimeter_to_area                 edges of pixels between mask and rest / pixels of the mask
///   gradient_magnitude                mean in the mask of central differences, per pixel
const std::vector<std::string>& radiomic_feature_names();

/// slices [N,H,W] in [0,1] -> [N,24] float64, every one finite. Mask: slice > threshold * maximum.
/// The 32 grey levels divide the range of the mask's values evenly (fixed bin number).
/// What is put where a definition has no value: skewness, kurtosis and entropies of equal values 0;
/// of a direction in which no two pixels of the mask meet, and of an empty slice, the texture of a
/// single grey level (contrast 0, moments 1, correlation 0, entropy 0); correlation of equal levels
/// 0; power below 1e-12 counts as 1e-12; ln_left_right where one half has no pixel in the mask is
/// +-ln(1 / threshold), the most it can be, and 0 where neither has; all else of an empty slice 0.
/// throws  Error: not slices, values outside of [0,1] or not finite, a side under 16 pixels,
///         threshold not in (0,1)
/// Time    2000 simulated slices of 64 x 64: 0.4 s on one core; 0.8 s of noise
/// Checked tests/metrics/test_radiomic_features.cpp against scikit-image, SciPy and NumPy
torch::Tensor radiomic_features(const torch::Tensor& slices, double threshold = 0.2);

/// Features in units of a reference set: (x - mean) / SD, without those that are constant in it.
struct FeatureScaling {
  std::vector<int64_t> kept;      ///< columns of the features that vary, ascending
  torch::Tensor mean, deviation;  ///< [K] float64; deviation with n - 1
  /// [N,F] -> [N,K] float64. throws  Error: another number of features, values not finite
  torch::Tensor apply(const torch::Tensor& features) const;
  int64_t features = 0;  ///< F
};

/// A feature is constant where its SD is no more than 1e-9 of its largest magnitude: rounding.
/// throws  Error: not features [N,F], fewer than 2 rows, values not finite, nothing varies
FeatureScaling feature_scaling(const torch::Tensor& reference);

}  // namespace scintigen
