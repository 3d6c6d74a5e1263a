// SPDX-License-Identifier: Apache-2.0
// Which way a volume's voxel axes run, and how to make them run alike.
// Does: exchange and reverse axes.  Does not: interpolate, straighten a tilted head.
#pragma once
#include <array>
#include <string>

#include "core/grid.h"

namespace scintigen {

/// Patient axis (0 left-right, 1 posterior-anterior, 2 inferior-superior) that each voxel axis
/// i, j, k stands for: the permutation that agrees best as a whole.
std::array<size_t, 3> nearest_patient_axes(const Affine& voxel_to_world);

/// "LAS": where each of i, j, k runs to.
std::string orientation_letters(const Affine& voxel_to_world);

/// The same voxels, stored so that i runs to the right, j to the front, k to the head (RAS, axial
/// slices). No value changes and none moves in the world; an oblique volume stays oblique.
/// Checked tests/core/test_orientation.cpp: all 48 orientations
Volume canonical_orientation(const Volume& volume);
/// The same of a grid alone.
Grid canonical_orientation(const Grid& grid);

}  // namespace scintigen
