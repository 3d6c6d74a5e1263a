// SPDX-License-Identifier: Apache-2.0
// Subtraction of an interictal from an ictal SPECT (SISCOM, O'Brien 1998): what a seizure lit up.
// Does: bring both to the same counts, subtract, z by the SD of the difference; compare with normal
//       differences (ISAS); say how alike two maps are.
// Does not: register, mask or interpolate (cli/siscom_work.cpp has the steps).
//
// Scans and masks are tensors [D,H,W] on one grid; scans float32, masks of any type, not 0 inside.
#pragma once
#include <optional>
#include <string>

#include "detection/clusters.h"

namespace scintigen {

/// What makes the counts of the two scans equal:
///   kMean       their means in the brain
///   kReference  their means in a reference region (changes too large for the global mean)
///   kRobust     a line through the origin, fitted to all brain voxels such that a focus in either
///               scan weighs nothing
enum class CountScaling { kMean, kReference, kRobust };

/// Figures of a subtraction, with which the same difference can be made on another grid.
struct CountFactors {
  double ictal_mean = 0;         ///< counts of the ictal scan in the brain: what 100 % is
  double interictal_factor = 1;  ///< the interictal scan times this has the ictal scan's counts
};

struct Subtraction {
  CountFactors factors;
  torch::Tensor difference;  ///< % of the ictal scan's mean in the brain; 0 outside the mask
  torch::Tensor z;           ///< difference / sd; 0 outside the mask
  double mean = 0, sd = 0;   ///< of the difference in the brain, %
  bool same = false;         ///< the scans do not differ (sd under 1e-4 %): z is 0 everywhere
};

/// 100 (ictal - factor interictal) / ictal mean, over the mask. z divides by the SD about the mean
/// but does not take the mean off: 0 stays where the counts are equal. A gain of either scan
/// changes nothing; exchanging the scans turns the sign of z.
/// kRobust: iteratively re-weighted total least squares (bisquare, 4.685 x 1.4826 x the median
/// distance), both scans first divided by their medians: unlike a regression of one on the other
/// it does not depend on which scan is which.
/// throws  Error: shapes that differ, not float32, values in the mask that are not finite, under
///         100 voxels in the mask, means or medians that are not above 0, a reference that is empty
///         or missing
/// Source  O'Brien 1998; threshold 2: De Coster 2018
/// Checked tests/detection/test_siscom.cpp: known spheres, gains, exchange, equal scans
Subtraction subtract(const torch::Tensor& ictal, const torch::Tensor& interictal,
                     const torch::Tensor& mask, CountScaling scaling,
                     const torch::Tensor& reference = {});

/// The difference of `factors` elsewhere, such as on the ictal scan's own grid.
torch::Tensor difference_in_percent(const torch::Tensor& ictal, const torch::Tensor& interictal,
                                    const CountFactors& factors);

struct NormalDifferences {
  torch::Tensor sd;    ///< of differences between two scans of healthy people, %; > 0 where known
  torch::Tensor mean;  ///< of the same; undefined = 0
  int64_t people = 0;  ///< that sd and mean come from; 0 = taken as known exactly
};

/// ISAS' question: is this difference larger than in people without seizures? By voxel
/// t = (difference - mean) / (sd sqrt(1 + 1 / people)) with people - 1 degrees of freedom; without
/// `people` a z. 0 where sd is 0 or not finite.
/// throws  Error: shapes that differ; people of 1
torch::Tensor against_normal(const torch::Tensor& difference, const NormalDifferences& normal);

/// How alike two z maps of one ictal scan are (real against synthetic interictal).
struct MapAgreement {
  double correlation = 0;            ///< Pearson, in the mask
  std::optional<double> dice_above;  ///< of voxels z >= threshold; none where neither map has any
  std::optional<double> dice_below;  ///< of voxels z <= -threshold
  /// Of the clusters ranked first above the threshold; none where a map has no cluster.
  std::optional<double> peaks_apart_mm, centres_apart_mm, top_overlap;  ///< overlap: Dice
};

/// `a` and `b`: clusters above the threshold of each map.
/// throws  Error: shapes that differ, a mask without voxels
/// Checked tests/detection/test_siscom.cpp: against NumPy's numbers by hand
MapAgreement agreement_of(const torch::Tensor& z_a, const Clusters& a, const torch::Tensor& z_b,
                          const Clusters& b, const torch::Tensor& mask);

}  // namespace scintigen
