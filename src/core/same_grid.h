// SPDX-License-Identifier: Apache-2.0
// Whether two volumes can be compared voxel by voxel.
#pragma once
#include <string>

#include "core/volume.h"

namespace scintigen {

/// Farthest apart that a corner voxel of one grid may lie from the same voxel of the other.
constexpr double kSameGrid_mm = 1e-3;

/// Farthest apart, in mm, that the same corner voxel [i,j,k] of a grid of `shape` (D,H,W) lies
/// under two maps.
double corner_distance_mm(const Affine& a, const Affine& b, torch::IntArrayRef shape);

/// throws  Error naming both: other shapes, or a corner voxel more than kSameGrid_mm apart.
/// Checked tests/core/test_same_grid.cpp
void require_same_grid(const Volume& a, const std::string& name_a, const Volume& b,
                       const std::string& name_b);

}  // namespace scintigen
