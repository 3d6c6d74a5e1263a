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

struct HeadImage {
  Grid grid;                  ///< cubes, axes along x, y, z
  std::vector<float> voxels;  ///< [nk,nj,ni], smoothed to about a cube
  float low = 0, high = 0;    ///< 2nd and 98th percentile of the scan (Smith 2002)
  float background = 0;       ///< low + 10 % of the range: below it is air

  double spacing() const { return grid.voxel_to_world[0][0]; }
  /// Linear; `low` beyond the grid.
  float at(const Point& mm) const;
};

/// throws  Error: not float32 [D,H,W], fewer than 16 voxels or 80 mm along an axis, over 512 mm,
///         voxels that are not finite, or all the same; `name` begins the message
HeadImage head_image(const Volume& scan, const std::string& name);

}  // namespace scintigen
