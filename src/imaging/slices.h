// SPDX-License-Identifier: Apache-2.0
// Axial slices out of volumes, and onto the model's matrix.
// Does: orientation by axis permutation and flips (nothing interpolated), area-correct resampling.
// Does not: reorient a volume whose slices are not axial, or straighten a tilted head.
#pragma once
#include <torch/types.h>

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
/// Checked tests/imaging/test_slices.cpp: the same head in all 48 orientations
AxialView axial_view(const Affine& voxel_to_world, const std::string& where);

/// Slice `index` along the third voxel axis, [rows,columns], contiguous.
torch::Tensor axial_slice(const Volume& volume, const AxialView& view, int64_t index);

/// What stands in the way of using slice `index`; an empty text if nothing does:
/// "is empty (no value above 0)", "is constant (every value is 7)", "holds 5 non-finite values, the
/// first at voxel [12,40,7]".
std::string slice_problem(const Volume& volume, int64_t index);

/// Edge of the square field of view around a slice, mm.
double field_of_view_mm(const torch::Tensor& slice, double row_mm, double column_mm);

/// [h,w] of row_mm x column_mm pixels -> float32 [matrix,matrix] over a square field of view of
/// `fov_mm` with the same centre; zero outside the slice, cut where the slice is larger. Along each
/// axis: where pixels grow, the mean over the new pixel (exact overlaps, so that sum x pixel area
/// is kept); where they shrink, linear interpolation.
/// Checked tests/imaging/test_slices.cpp against brute-force integration
torch::Tensor resample_to_matrix(const torch::Tensor& slice, double row_mm, double column_mm,
                                 int64_t matrix, double fov_mm);

}  // namespace scintigen
