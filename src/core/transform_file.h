// SPDX-License-Identifier: Apache-2.0
// Maps between scans, affine and deforming, as files that other programs open.
#pragma once
#include <filesystem>
#include <string>

#include "core/spatial_map.h"

namespace scintigen {

/// ITK's text format (Insight Transform File V1.0, AffineTransform_double_3_3, LPS+): what
/// antsApplyTransforms, Slicer and SimpleITK take to resample the moving scan onto the fixed one.
void write_itk_transform(const std::filesystem::path& path, const Affine& fixed_to_moving);
/// 4 x 4 numbers, RAS+ mm, after comment lines (#) that state the convention and name both scans.
void write_matrix(const std::filesystem::path& path, const Affine& fixed_to_moving,
                  const std::string& fixed, const std::string& moving);
/// Either of the two; ITK's with a centre of rotation too (ANTs, Slicer). Lengths in mm.
/// throws  Error: missing, over 64 KiB, another kind of transform, several of them, words that are
///         not numbers, not finite, a last row other than 0 0 0 1, singular (the writers as well)
/// Checked tests/core/test_transform_file.cpp: against transformix at the corners of a scan
Affine read_transform(const std::filesystem::path& path);

/// Displacements as antsApplyTransforms and SimpleITK take them: NIfTI vectors (intent 1007), mm,
/// LPS+, on the grid of the fixed scan.
void write_displacements(const std::filesystem::path& path, const Displacements& field);

/// The map of a file: displacements where its name ends in .nii or .nii.gz, else as
/// read_transform().
/// throws  Error: as read_transform(), as read_nifti_vectors(); displacements that are not finite,
///         of another intent than 1007 (1006 points along RAS+), or those of `simulate`, which
///         point along RAS+
SpatialMap read_spatial_map(const std::filesystem::path& path);

}  // namespace scintigen
