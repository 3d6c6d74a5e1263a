// SPDX-License-Identifier: Apache-2.0
// Uptake relative to what lies around: a focal lesion stays, what a region, a hemisphere or a whole
// brain has more or less than another person's leaves.
// Does: smooth inside a brain, divide an image by that.
// Does not: compare with controls (detection/control_uptake.h).
// Source  normalised convolution, Knutsson and Westin 1993; the ratio is ours (docs/methods.md,
//         "Uptake relative to the surroundings")
// Checked tests/cohort/test_surroundings.cpp: constant images at the edge, gains, a planted ball,
//         voxel by voxel sums
#pragma once
#include <torch/types.h>

#include <array>

#include "core/affine.h"

namespace scintigen {

/// Gaussian of `fwhm_voxels` along i, j, k inside the mask: voxels outside have no weight, so what
/// is constant in the mask stays so up to its edge. `image` float32 [D,H,W]; float32, 0 outside.
/// throws  Error: another shape
torch::Tensor smoothed_inside(const torch::Tensor& image, const torch::Tensor& mask,
                              const std::array<double, 3>& fwhm_voxels);

/// FWHM in voxels along i, j, k of one in mm.
std::array<double, 3> fwhm_in_voxels(double fwhm_mm, const Affine& voxel_to_world);

/// `image`, smoothed_inside() the brain by `smooth_mm` (0: as it is), over itself, smoothed by
/// `surround_mm`: 1 where a voxel has what its surroundings have. A factor in the image changes
/// nothing. float32 [D,H,W]; 0 outside the brain and where the surroundings have nothing.
/// throws  Error: another shape; no voxel of the brain above 0
torch::Tensor relative_to_surroundings(const torch::Tensor& image, const torch::Tensor& brain,
                                       double smooth_mm, double surround_mm,
                                       const Affine& voxel_to_world);

}  // namespace scintigen
