// SPDX-License-Identifier: Apache-2.0
// What Werner 2022 measures on slices, and what decides between checkpoints. Pure functions of
// tensors; results are on the CPU. All throw Error for what is not slices [N,H,W] of floating
// point, a value that is not finite, too few slices, unlike matrices. Checked
// tests/metrics/test_slice_statistics.cpp against NumPy and SciPy.
#pragma once
#include <torch/types.h>

namespace scintigen {

/// Mean counts: mean of each slice divided by its maximum, [N,H,W] >= 0 -> [N] float64; not a
/// number where the slice is empty. Werner 2022, figure 5.
torch::Tensor mean_counts(const torch::Tensor& slices);

/// Left/right ratio: mean of the patient's left half over that of the right half inside the mask
/// slice > `threshold` * max, [N,H,W] (columns patient right -> left; the middle of the matrix is
/// the mid-sagittal plane; of an odd width the middle column is on neither side) -> [N] float64;
/// not a number where a half has no pixel in the mask, as an untrained generator's slices may. A
/// set of left and right lesions has a mean near 1: compare |ln ratio| as well.
torch::Tensor left_right_ratio(const torch::Tensor& slices, double threshold = 0.2);

/// Column of the mid-sagittal plane of each slice, [N,H,W] >= 0 -> [N] float64 in [0,W]: the median
/// over rows of the middle of the row's stretch of brain mask, weighted by its width; W / 2 where
/// the mask is empty. For heads that are not in the middle of their matrix; a head that is turned
/// stays turned.
torch::Tensor midsagittal_column(const torch::Tensor& slices, double threshold = 0.2);

/// The left/right ratio about a plane of each slice's own, `column` [N] in [0,W]: pixel j covers
/// [j, j + 1] and a pixel that the plane cuts counts to both sides by area. With W / 2 of an even
/// width the same as above.
torch::Tensor left_right_ratio(const torch::Tensor& slices, double threshold,
                               const torch::Tensor& column);

/// Pixel-wise standard deviation over slices (n - 1), [N,H,W] -> [H,W]; its mean over the mask of
/// the reference says how diverse a set is.
torch::Tensor pixelwise_deviation(const torch::Tensor& slices);

/// Principal components of a set of slices: the feature space of the distribution distances. At
/// most `count` and no more than vary (one fewer than slices, say); each direction's largest
/// element is positive, whatever LAPACK is in use.
struct PrincipalComponents {
  torch::Tensor mean;                                        ///< [H*W] float64
  torch::Tensor directions;                                  ///< [H*W,K] float64, orthonormal
  torch::Tensor explained;                                   ///< [K] fraction of the variance
  torch::Tensor project(const torch::Tensor& slices) const;  ///< [N,H,W] -> [N,K] float64
};
PrincipalComponents principal_components(const torch::Tensor& slices, int64_t count = 40);

/// Energy distance 2 E|a-b| - E|a-a'| - E|b-b'| with Euclidean norm, [N,K] and [M,K] -> >= 0
/// (V-statistic). Szekely and Rizzo 2013. `unbiased` leaves out the zero diagonal (U-statistic, may
/// be negative).
double energy_distance(const torch::Tensor& a, const torch::Tensor& b, bool unbiased = false);

/// For each slice the smallest root-mean-square difference to any of `reference` over left-right
/// flips and shifts up to `shift_px`, [N,H,W], [M,H,W] -> [N] float64, and the index found. Used
/// for the veto on copies.
struct NearestSlices {
  torch::Tensor distance;  ///< [N] float64
  torch::Tensor index;     ///< [N] int64
};
NearestSlices nearest_slices(const torch::Tensor& slices, const torch::Tensor& reference,
                             int64_t shift_px = 2, bool flips = true);

/// nearest_slices(slices, reference) and nearest_slices(reference, slices) for little more than the
/// price of one: <a, b moved> = <a moved back, b>.
struct NearestBothWays {
  NearestSlices of_slices, of_reference;
};
NearestBothWays nearest_both_ways(const torch::Tensor& slices, const torch::Tensor& reference,
                                  int64_t shift_px = 2, bool flips = true);

}  // namespace scintigen
