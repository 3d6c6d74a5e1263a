// SPDX-License-Identifier: Apache-2.0
// Mean uptake of brain regions in single slices, by an atlas of one label plane a level.
// Does: fit a plane to each slice by the box of its brain mask and average the labels.
// Does not: register gyri; a slice is moved and stretched along its two axes, no more.
#pragma once
#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

namespace scintigen {

struct RegionAtlas {
  std::string name;                  ///< "Colin 27, AAL lobes"
  std::string column;                ///< column of the slice table that chooses a plane: level
  std::vector<std::string> regions;  ///< label k + 1 is regions[k]: frontal_left, ...
  std::map<std::string, torch::Tensor> planes;  ///< value of `column` -> uint8 [H,W]; 0 = no region
};

/// slices [N,H,W] >= 0, the plane of each -> [N,R] float64: mean of the region over mean of the
/// brain mask (slice > threshold * maximum); not a number where the plane lacks the region or the
/// mask is empty.
/// throws  Error: not slices, planes of another count, a label above the regions
/// Checked tests/metrics/test_region_atlas.cpp: known means of a drawn head, also moved, stretched
torch::Tensor regional_means(const torch::Tensor& slices, const RegionAtlas& atlas,
                             const std::vector<std::string>& plane_of_slice,
                             double threshold = 0.2);

}  // namespace scintigen
