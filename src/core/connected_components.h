// SPDX-License-Identifier: Apache-2.0
// Which voxels of a mask hang together.
// Does: components with 6, 18 or 26 neighbours and their sizes, the largest one, holes filled.
// Does not: grow, shrink, measure distance (core/mask_morphology.h).
//
// A mask is a tensor [D,H,W] of any type; what is not 0 is inside. Results are kBool, contiguous.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace scintigen {

/// Voxels that touch by a face; by a face or an edge; by a face, an edge or a corner.
enum class Neighbours { kFaces6, kEdges18, kCorners26 };

struct Components {
  torch::Tensor labels;        ///< int32 [D,H,W]; 0 outside, 1, 2, ... in order of first voxel
  std::vector<int64_t> sizes;  ///< voxels of each label; sizes[0] = voxels outside
};

/// Union-find over runs along W: time linear in the voxels, memory 4 bytes a voxel and 24 a run.
/// throws  Error: not [D,H,W]; over 2^31 voxels
/// Checked tests/core/test_components.cpp: scipy.ndimage.label (golden), label for label
Components connected_components(const torch::Tensor& mask, Neighbours neighbours);

/// The component with most voxels (the first of equals); an empty mask stays empty.
torch::Tensor largest_component(const torch::Tensor& mask, Neighbours neighbours);

/// The mask and every part outside it that does not reach the volume's border through faces.
torch::Tensor fill_holes(const torch::Tensor& mask);

}  // namespace scintigen
