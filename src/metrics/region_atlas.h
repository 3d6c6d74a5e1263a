// SPDX-License-Identifier: Apache-2.0
// Mean uptake of brain regions in single slices, by an atlas of one label plane a level.
// Does: fit a plane to each slice by the box of its brain mask and average the labels.
// Does not: register gyri; a slice is moved and stretched along its two axes, no more.
#pragma once
#include <torch/types.h>

#include <filesystem>
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
/// brain mask; not a number where the plane lacks the region, the atlas lacks the plane, or the
/// slice is empty. Columns of slices and planes run patient right -> left, rows front -> back.
/// Brain mask: slice > threshold * maximum, less each part (8 neighbours) with under a tenth of the
/// largest part's pixels: a hot pixel in the air moves no box, but cerebellum and temporal lobes,
/// which may be apart, both count. The box of the plane's labels is laid on the box of that mask;
/// each pixel in it takes the nearest label, so matrix and pixel size of the plane are free.
/// throws  Error: not slices, planes of another count, a plane that is not uint8 [H,W], a label
///         above the regions, threshold not in [0,1)
/// Time    2000 slices of 64 x 64: 0.1 s on one core
/// Checked tests/metrics/test_region_atlas.cpp: known means of a drawn head, also moved, stretched,
///         mirrored
torch::Tensor regional_means(const torch::Tensor& slices, const RegionAtlas& atlas,
                             const std::vector<std::string>& plane_of_slice,
                             double threshold = 0.2);

/// Reads planes from a NIfTI stack [x,y,planes] of whole numbers, 0 = no region, and the table of
/// the same stem beside it (atlas.nii.gz, atlas.tsv) with the columns kind, label, name:
///   level   0  cerebellum     plane 0 is for slices with `level` cerebellum; "level" may be any
///   region  7  frontal_left   column of the slice table, the same in all rows but "region"
/// Left and front are the affine's, whichever way the planes are stored. Labels may have gaps
/// (AAL's 2001, 9170); `regions` is in the order of the table. docs/file_formats.md, "Region
/// atlas".
/// throws  Error: what read_volume() and read_table() refuse; no table; planes that are not axial;
///         a plane without a row, without a label, or with two rows; a label that is not a whole
///         number, is below 0 or has no name; a label or name twice; over 255 regions
/// Checked tests/metrics/test_region_atlas_file.cpp
RegionAtlas read_region_atlas(const std::filesystem::path& stack);

}  // namespace scintigen
