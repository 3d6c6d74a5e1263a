// SPDX-License-Identifier: Apache-2.0
// Masks grown and shrunk in millimetres, and how much two overlap.
// Does: exact Euclidean distance on any grid of boxes, balls by it.
// Does not: components, holes (core/connected_components.h).
//
// A mask is a tensor [D,H,W] of any type; what is not 0 is inside. `spacing_mm` is {i, j, k}, as
// spacing_mm() of core/volume.h gives it. What lies beyond the volume takes no part: a mask that
// reaches the border is not eroded from there.
#pragma once
#include <torch/types.h>

#include <array>

namespace scintigen {

/// mm from each voxel's centre to the nearest centre outside the mask; 0 outside, infinity where
/// the mask fills the volume. float32 [D,H,W]. Separable, linear in the voxels (Felzenszwalb and
/// Huttenlocher 2012), threaded; the same for any number of threads.
/// throws  Error: not [D,H,W]; a spacing that is not above 0
/// Checked tests/core/test_components.cpp: scipy.ndimage.distance_transform_edt (golden), and by
///         search over all pairs
torch::Tensor distance_to_outside_mm(const torch::Tensor& mask,
                                     const std::array<double, 3>& spacing_mm);

/// mm to the mask's edge, halfway between voxel centres inside and outside: below 0 inside.
/// An empty mask gives +infinity everywhere, a full one -infinity.
torch::Tensor signed_distance_mm(const torch::Tensor& mask,
                                 const std::array<double, 3>& spacing_mm);

/// Voxels whose ball of `radius_mm` (centres, border included to 1e-6) lies in the mask: kBool.
/// Checked against scipy.ndimage.binary_erosion and binary_dilation (golden)
torch::Tensor erode(const torch::Tensor& mask, double radius_mm,
                    const std::array<double, 3>& spacing_mm);
/// Voxels that a ball around a voxel of the mask reaches.
torch::Tensor dilate(const torch::Tensor& mask, double radius_mm,
                     const std::array<double, 3>& spacing_mm);

/// Dice's overlap of two masks, 2 |a and b| / (|a| + |b|); 1 where both are empty.
/// throws  Error: masks of different shapes
double dice(const torch::Tensor& a, const torch::Tensor& b);

}  // namespace scintigen
