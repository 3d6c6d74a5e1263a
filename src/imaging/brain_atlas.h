// SPDX-License-Identifier: Apache-2.0
// Where a template's brain lies in another head.
#pragma once
#include "imaging/brain_extraction.h"
#include "imaging/head_image.h"

namespace scintigen {

constexpr double kFarMm = 100;  ///< guide where the template does not reach

/// Signed mm to the template's brain (below 0 inside) on `grid`, cubes in the scan's world.
CubeField guide_of(const BrainTemplate& brain_template, const Affine& scan_to_template,
                   const Grid& grid);

}  // namespace scintigen
