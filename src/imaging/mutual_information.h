// SPDX-License-Identifier: Apache-2.0
// How much of one scan's intensities another's tell, and how that changes with the pose.
// Does: normalised mutual information with its analytic gradient.  Does not: search.
#pragma once
#include <array>

#include "imaging/registration_levels.h"

namespace scintigen {

/// Rows 0 to 2 of a pose: from sample places (mm from their centre, 1) to the moving world.
using Pose = std::array<std::array<double, 4>, 3>;

struct Agreement {
  double value = 0;    ///< (H(fixed) + H(moving)) / H(both): 1 nothing in common .. 2
  double overlap = 0;  ///< part of the points that fall inside the moving scan
  Pose gradient{};     ///< of `value`, per number of the pose
};

/// Normalised mutual information (Studholme 1999, Pattern Recognition 32(1)): it does not grow by
/// mere overlap. Joint histogram of kBins x kBins: each point adds to one row (its fixed intensity)
/// a cubic B-spline about its moving intensity (Mattes 2003, IEEE TMI 22(1)), so `value` has a
/// gradient. Over the outermost voxel of the moving scan a point's weight falls smoothly to 0.
/// `value` is 0 where less than kLeastOverlap of the points fall inside.
/// Points are summed in `parts` that do not depend on the number of threads; 1 = by this thread
/// alone.
/// Checked tests/imaging/test_registration.cpp: gradient against differences
Agreement agreement(const SamplePoints& points, const MovingLevel& moving, const Pose& pose,
                    bool with_gradient, int64_t parts);

constexpr double kLeastOverlap = 0.2;

}  // namespace scintigen
