// SPDX-License-Identifier: Apache-2.0
// A head on a grid of small cubes along the world's axes, with its range of intensities: what brain
// extraction looks at, whatever the scan's voxels, orientation and offset are.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/affine.h"
#include "core/grid.h"

namespace scintigen {

/// Numbers on cubes along the world's axes.
struct CubeField {
  Grid grid;
  std::vector<float> voxels;  ///< [nk,nj,ni]
  float outside = 0;

  double spacing() const { return grid.voxel_to_world[0][0]; }
  Point point(int64_t i, int64_t j, int64_t k) const {
    return transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
  }
  /// Linear; `outside` beyond the centres of the outermost cubes.
  float at(const Point& mm) const;
};

/// `voxels` [nk,nj,ni] at a place in voxels, linear; `outside` beyond the outermost centres.
/// At least two voxels along each axis.
float read_linear(const float* voxels, const Grid& grid, const Point& place, float outside);

/// Smoothed to about a cube; `low` outside.
struct HeadImage : CubeField {
  float low = 0, high = 0;  ///< 2nd and 98th percentile of the scan (Smith 2002)
  float background = 0;     ///< low + 10 % of the range: below it is air
};

/// throws  Error: not float32 [D,H,W], fewer than 16 voxels or 80 mm along an axis, over 512 mm,
///         voxels that are not finite, or all the same; `name` begins the message
HeadImage head_image(const Volume& scan, const std::string& name);

}  // namespace scintigen
