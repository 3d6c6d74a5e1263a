// SPDX-License-Identifier: Apache-2.0
// The template's regions as a reader of SPECT slices names them: one plane of labels a level.
// Does: AAL areas to lobes and nuclei by side, at the resolution of a scan.
// Does not: measure; metrics/region_atlas.h does, with these planes copied into a RegionAtlas.
#pragma once
#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "simulate/template_head.h"

namespace scintigen {

struct RegionPlanes {
  std::vector<std::string> regions;             ///< label k + 1 is regions[k]: frontal_left, ...
  std::map<std::string, torch::Tensor> planes;  ///< level (slice_truth.h) -> uint8 [matrix,matrix]
};

/// Labels on `matrix` x `matrix` pixels over `fov_mm` around the middle of the brain (x 0, y -20
/// mm), rows anterior -> posterior, columns patient right -> left; 0 = no region.
/// Each pixel goes to the region that gives it the most counts in a scan of 10 mm resolution
/// (Gaussian, all three axes), gray matter 1, white matter and fluid 0.3: where these two give
/// more, the pixel has no region. The planes end where that scan falls to 20 % of its maximum, as
/// the brain mask of a slice does, so that the two boxes are alike.
/// Regions, each _left and _right: frontal (precentral gyrus, Rolandic operculum and paracentral
/// lobule included), parietal (postcentral gyrus, precuneus), temporal (fusiform gyrus), occipital,
/// insula, cingulate, hippocampal (hippocampus, parahippocampal gyrus, amygdala), striatum
/// (caudate, putamen, pallidum), thalamus, cerebellum; and vermis, brain_stem. Grouping: by the
/// lobes of Tzourio-Mazoyer et al. 2002, table 2, but for the central region (split between
/// frontal and parietal) and the fusiform gyrus (occipital there).
/// In a plane, a region of fewer than `fewest_pixels` is no region.
/// throws  Error: matrix not 16 to 512, fov_mm not 100 to 1000, fewest_pixels below 1, a label
///         image none of whose names is AAL's
/// Checked tests/simulate/test_region_planes.cpp
RegionPlanes region_planes(const TemplateHead& head, int64_t matrix = 64, double fov_mm = 256,
                           int64_t fewest_pixels = 12);

}  // namespace scintigen
