// SPDX-License-Identifier: Apache-2.0
#include "cohort/scaled_scans.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "cohort/surroundings.h"
#include "core/error.h"

namespace scintigen {

ScaledScans scale_scans(const std::vector<torch::Tensor>& modalities, double clip_percent,
                        const std::string& who) {
  require(!modalities.empty(), "{}: no scan", who);
  ScaledScans scans;
  for (const auto& volume : modalities) {
    require(volume.dim() == 3 && volume.scalar_type() == torch::kFloat && volume.is_contiguous() &&
                volume.sizes() == modalities[0].sizes(),
            "{}: scans are not on one grid; prepare them to one space", who);
    const float *from = volume.data_ptr<float>(), *to = from + volume.numel();
    require(std::all_of(from, to, [](float x) { return std::isfinite(x); }),
            "{}: a voxel is not finite; prepare the scan again", who);
    const auto [least, most] = std::minmax_element(from, to);
    const float low = std::min(0.0f, *least);
    float high = *most;
    if (clip_percent > 0) {
      std::vector<float> above;
      std::copy_if(from, to, std::back_inserter(above), [low](float x) { return x > low; });
      if (!above.empty()) {
        const auto rank =
            static_cast<int64_t>((1 - clip_percent / 100) * static_cast<double>(above.size() - 1));
        std::nth_element(above.begin(), above.begin() + rank, above.end());
        high = above[static_cast<size_t>(rank)];
      }
    }
    require(high > low, "{}: the scan has the same value everywhere", who);
    scans.voxels.push_back(volume);
    scans.low.push_back(low);
    scans.high.push_back(high);
  }
  scans.shown = scans.voxels;
  return scans;
}

torch::Tensor in_units(const ScaledScans& scans, size_t modality) {
  const auto& voxels = scans.voxels.at(modality);
  const std::array<double, 2> as_stored{1, 0};
  if (scans.to_unit.empty()) return voxels;
  const auto& pairs = scans.to_unit.at(modality);
  if (std::all_of(pairs.begin(), pairs.end(), [&](const auto& pair) { return pair == as_stored; }))
    return voxels;
  auto units = voxels.clone();
  for (int64_t plane = 0; plane < units.size(0); ++plane) {
    const auto& [slope, intercept] =
        pairs.size() == 1 ? pairs[0] : pairs[static_cast<size_t>(plane)];
    units[plane].mul_(slope).add_(intercept);
  }
  return units;
}

void make_focal(ScaledScans& scans, size_t modality, const torch::Tensor& brain, double smooth_mm,
                double surround_mm, double clip_percent, const Affine& voxel_to_world) {
  if (smooth_mm == 0 && surround_mm == 0) return;
  const auto image = in_units(scans, modality);
  auto& voxels = scans.voxels.at(modality);
  if (surround_mm > 0) {
    voxels = relative_to_surroundings(image, brain, smooth_mm, surround_mm, voxel_to_world);
    const auto* range = smooth_mm > 0 ? kRatiosSmoothed : kRatiosAsTheyAre;
    scans.low.at(modality) = range[0];
    scans.high.at(modality) = range[1];
  } else {
    voxels = smoothed_inside(image, brain, fwhm_in_voxels(smooth_mm, voxel_to_world));
    const auto scaled = scale_scans({voxels}, clip_percent, "smoothed scan");
    scans.low.at(modality) = scaled.low[0];
    scans.high.at(modality) = scaled.high[0];
  }
  if (!scans.to_unit.empty()) scans.to_unit.at(modality).assign(1, {1, 0});
}

}  // namespace scintigen
