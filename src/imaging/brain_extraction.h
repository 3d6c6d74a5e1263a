// SPDX-License-Identifier: Apache-2.0
// Which voxels are brain.
// Does: T1 by a deforming surface (Smith 2002) and by a template's mask brought over and refined;
//       PET and SPECT by histogram threshold and largest component.
// Does not: segment tissue, read files.
#pragma once
#include <optional>
#include <string>

#include "core/volume.h"

namespace scintigen {

/// A T1 head and its brain mask, in template space.
struct BrainTemplate {
  Volume head;  ///< T1 with skull and scalp
  Volume mask;  ///< 1 brain (with the fluid in its sulci), 0 elsewhere; the grid of `head`
};

struct BrainMask {
  Volume mask;         ///< 1 inside, 0 outside, float32, grid of the scan
  std::string method;  ///< surface, atlas, threshold
  double volume_ml = 0;
  bool doubtful = false;  ///< a brain of senseless size, open at the volume's edge, ...
  std::string why;        ///< of `doubtful`: one clause
};

/// Surface: a sphere of triangles that grows to the brain's edge. No template needed.
BrainMask extract_brain_surface(const Volume& t1);
/// Atlas: affine registration of the template's head, its mask brought over and fitted to the edge
/// that the T1 shows.
BrainMask extract_brain_atlas(const Volume& t1, const BrainTemplate& brain_template);
/// PET and SPECT: threshold from the histogram, largest component, holes filled.
BrainMask extract_brain_emission(const Volume& scan);

/// By method: "surface", "atlas" or "auto", the better one, with the other as its check: where they
/// disagree much, the mask is doubtful.
BrainMask extract_brain(const Volume& t1, const std::string& method,
                        const BrainTemplate& brain_template);

/// throws  Error: a file that cannot be read, other grids, a mask that is empty or everything
BrainTemplate load_brain_template(const std::string& head, const std::string& mask);

}  // namespace scintigen
