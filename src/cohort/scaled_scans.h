// SPDX-License-Identifier: Apache-2.0
// The scans of a person as a patch encoder sees them: modalities on one grid, each scaled to [0,1].
#pragma once
#include <torch/types.h>

#include <string>
#include <vector>

namespace scintigen {

/// A person's scans on one grid, a modality each, scaled to [0,1] as a whole when read by the
/// plane.
struct ScaledScans {
  std::vector<torch::Tensor> voxels;  ///< float32 [D,H,W] each; may be mapped files
  std::vector<float> low, high;       ///< become 0 and 1; what is beyond is cut
};
/// low: the minimum, at most 0. high: the value that `clip_percent` of the voxels above low exceed
/// (Zotova 2025: 1; 2021: 0, the maximum).
/// throws  Error, beginning with `who`: no modality, another shape, values that are not finite, a
///         constant volume
ScaledScans scale_scans(const std::vector<torch::Tensor>& modalities, double clip_percent,
                        const std::string& who);

}  // namespace scintigen
