// SPDX-License-Identifier: Apache-2.0
// Fluid, gray and white matter by the brightness of a T1.
#pragma once
#include <array>
#include <cstdint>
#include <string>

namespace scintigen {

/// Mean intensities of the three classes, csf < gray < white.
struct TissueClasses {
  double csf = 0, gray = 0, white = 0;
  /// {csf, gray, white} of a voxel, sum 1: linear between neighbouring means (partial volume).
  std::array<float, 3> fractions(double intensity) const;
};

/// Mixture of three Gaussians fitted by expectation-maximisation to the histogram (256 bins) of the
/// voxels above 0. `where` begins each message.
/// throws  Error: fewer than 10000 voxels above 0, or classes that do not stand apart
/// Checked tests/simulate/test_template_head.cpp: three planted classes
TissueClasses fit_tissue_classes(const float* brain, int64_t count, const std::string& where);

}  // namespace scintigen
