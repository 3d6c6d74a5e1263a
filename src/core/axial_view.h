// SPDX-License-Identifier: Apache-2.0
// Axial slices out of volumes, the way they are stored everywhere else.
// Does: orientation by axis permutation and flips (nothing interpolated).
// Does not: reorient a volume whose slices are not axial, or straighten a tilted head.
#pragma once
#include <cstdint>
#include <string>

#include "core/volume.h"

namespace scintigen {

/// How the planes k = constant of a volume become axial display slices: rows anterior -> posterior,
/// columns patient right -> left (radiological convention).
struct AxialView {
  bool transpose = false;  ///< voxel axis i runs anterior-posterior, not left-right
  bool flip_rows = false;  ///< after transposition
  bool flip_columns = false;
  int64_t towards_feet = -1;         ///< index step to the slice below: +1 where k runs to the feet
  double row_mm = 0, column_mm = 0;  ///< distance between rows, between columns
  double tilt_deg = 0;  ///< largest angle between a voxel axis and the patient axis it stands for
};

/// Patient axes are those nearest to the voxel axes.
/// throws  Error: the third voxel axis is not the one nearest to inferior-superior (coronal or
///         sagittal storage)
/// Checked tests/core/test_axial_view.cpp: the same head in all 48 orientations
AxialView axial_view(const Affine& voxel_to_world, const std::string& where);

/// A plane [j,i] as stored -> [rows,columns], contiguous, of the same number type.
torch::Tensor oriented(const torch::Tensor& plane, const AxialView& view);

/// Slice `index` along the third voxel axis, [rows,columns], contiguous.
torch::Tensor axial_slice(const Volume& volume, const AxialView& view, int64_t index);

}  // namespace scintigen
