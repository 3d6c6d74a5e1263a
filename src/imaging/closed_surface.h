// SPDX-License-Identifier: Apache-2.0
// A closed surface of triangles, in millimetres.
// Does: the sphere it starts from, normals, the voxels it encloses.
// Does not: move (brain_surface.cpp does).
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "core/affine.h"
#include "core/grid.h"

namespace scintigen {

struct ClosedSurface {
  std::vector<Point> vertices;                    ///< mm, RAS+
  std::vector<std::array<int32_t, 3>> triangles;  ///< counter-clockwise seen from outside
  std::vector<std::vector<int32_t>> neighbours;   ///< of each vertex, joined to it by an edge

  /// Of length 1, outwards: the sum of the triangles' area vectors around each vertex.
  std::vector<Point> normals() const;
  double mean_edge_mm() const;
  double volume_mm3() const;  ///< by the divergence theorem
};

/// An icosahedron whose triangles are split into four, `splits` times, on a sphere of radius 1 mm:
/// 10 * 4^splits + 2 vertices.
ClosedSurface icosphere(int splits);

/// How often the surface winds around each voxel's centre (int8 [nk,nj,ni]): 1 inside, 0 outside;
/// anything else only where it cuts itself. Exact: a voxel belongs to one side whatever edge or
/// vertex it lies on.
/// Checked tests/imaging/test_closed_surface.cpp: a sphere's volume, moved grids, a folded sphere
torch::Tensor winding_numbers(const ClosedSurface& surface, const Grid& grid);

}  // namespace scintigen
