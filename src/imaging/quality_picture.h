// SPDX-License-Identifier: Apache-2.0
// One picture a person that shows at a glance whether masks and registrations are right.
#pragma once
#include <string>
#include <vector>

#include "core/picture.h"
#include "core/volume.h"

namespace scintigen {

/// A scan on the display grid (RAS, isotropic), and the brain that is outlined on it.
struct QualityRow {
  std::string label;
  Volume volume;
  Volume outline;            ///< > 0 inside, same grid; may be undefined
  std::string map = "gray";  ///< core/picture.h
};

/// A row a scan: axial, coronal and sagittal plane through the middle of its outline, in
/// radiological convention (patient's right on the left, front to the left), edges of the outline
/// as lines.
Picture quality_picture(const std::vector<QualityRow>& rows);

}  // namespace scintigen
