// SPDX-License-Identifier: Apache-2.0
// A score map in colour over gray anatomy, on three planes through a place.
// Does: axial, coronal and sagittal plane in radiological convention, a colour bar, cross-hairs.
// Does not: resample; bring both to one grid first.
#pragma once
#include <array>
#include <string>

#include "core/affine.h"
#include "core/picture.h"
#include "core/volume.h"

namespace scintigen {

/// [D,H,W] in RAS, cut at voxel {k, j, i} -> axial, coronal (both with the patient's right on the
/// left), sagittal (front on the left); head or front upwards. Contiguous.
std::array<torch::Tensor, 3> three_planes(const torch::Tensor& voxels,
                                          const std::array<int64_t, 3>& at);

struct Overlay {
  std::string title;     ///< printable ASCII
  Volume anatomy;        ///< float32 [D,H,W], axes to right, front, head (canonical_orientation)
  Volume scores;         ///< the same grid
  double threshold = 2;  ///< scores nearer to 0 are not drawn
  double highest = 5;    ///< score of the last colour; > threshold
  Point at{};            ///< where the planes meet: mm, the grid's world
  std::string score_name = "z";  ///< at the colour bar
};

/// Scores of threshold..highest run from dark red through orange to white-yellow, those of
/// -threshold..-highest from dark blue to cyan-white; anatomy in gray, its 99.5th percentile white.
/// `zoom`: screen pixels a voxel.
/// throws  Error: volumes not float32 [D,H,W] or of other grids, a highest score that is not above
///         the threshold
/// Checked tests/core/test_overlay_picture.cpp: colours and places of known voxels
Picture overlay_picture(const Overlay& overlay, int64_t zoom = 2);

}  // namespace scintigen
