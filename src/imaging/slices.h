// SPDX-License-Identifier: Apache-2.0
// Axial slices (core/axial_view.h) onto the model's matrix.
// Does: judge a slice, area-correct resampling.  Does not: straighten a tilted head.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>

#include "core/axial_view.h"

namespace scintigen {

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
