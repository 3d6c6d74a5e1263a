// SPDX-License-Identifier: Apache-2.0
// The scans of a person as a patch encoder sees them: modalities on one grid, each scaled to [0,1].
#pragma once
#include <torch/types.h>

#include <array>
#include <string>
#include <vector>

#include "core/affine.h"

namespace scintigen {

/// A person's scans on one grid, a modality each, scaled to [0,1] as a whole when read by the
/// plane.
struct ScaledScans {
  std::vector<torch::Tensor> voxels;  ///< float32 [D,H,W] each; may be mapped files
  std::vector<float> low, high;       ///< become 0 and 1; what is beyond is cut
  /// {slope, intercept} to units, one or one a plane, of each modality; empty: voxels are in units
  std::vector<std::vector<std::array<double, 2>>> to_unit;
  std::vector<torch::Tensor> shown;  ///< as stored, for pictures: voxels, unless they are relative
};
/// A modality's voxels in their unit (Bq/mL, counts; relative ones have none), float32 [D,H,W]:
/// what `prepare --scaling` did is undone. Shares the memory where nothing was.
torch::Tensor in_units(const ScaledScans& scans, size_t modality);

/// Ratios to the surroundings that become 0 and 1: smoothed ones vary less, and noise of a PET at 2
/// mm seldom goes beyond 2.5.
constexpr float kRatiosAsTheyAre[] = {0, 2.5F}, kRatiosSmoothed[] = {0.4F, 1.6F};
/// Makes a modality, in units, smoothed_inside() the brain by smooth_mm and
/// relative_to_surroundings() of surround_mm (FWHM, 0: neither): a copy in memory. Ratios are
/// scaled alike for everybody, smoothed images as scale_scans() does. throws  Error: as
/// smoothed_inside(), relative_to_surroundings(), scale_scans()
void make_focal(ScaledScans& scans, size_t modality, const torch::Tensor& brain, double smooth_mm,
                double surround_mm, double clip_percent, const Affine& voxel_to_world);

/// low: the minimum, at most 0. high: the value that `clip_percent` of the voxels above low exceed
/// (Zotova 2025: 1; 2021: 0, the maximum).
/// throws  Error, beginning with `who`: no modality, another shape, values that are not finite, a
///         constant volume
ScaledScans scale_scans(const std::vector<torch::Tensor>& modalities, double clip_percent,
                        const std::string& who);

}  // namespace scintigen
