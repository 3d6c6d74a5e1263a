// SPDX-License-Identifier: Apache-2.0
// Climbing from a pose to the best one near it.
// Does: rigid and affine parameters about a base pose, BFGS.  Does not: choose starts, levels.
#pragma once
#include "imaging/mutual_information.h"
#include "imaging/registration.h"

namespace scintigen {

/// A pose with what it scored. `pose` takes sample places (mm from their centre) to the moving
/// world.
struct Found {
  Affine pose{};
  double value = 0, overlap = 0;
};

struct Climb {
  Motion motion = Motion::kRigid;
  double first_step_mm = 2, largest_step_mm = 8;  ///< as parameters: at kRadiusMm from the centre
  double stop_mm = 0.02;                          ///< shorter steps end it
  int max_iterations = 40;
  int64_t parts = 1;  ///< of agreement()
};

/// Parameters are in mm: shifts, and angles (rigid) or entries of the matrix less 1 (affine) times
/// this, about the head's radius.
constexpr double kRadiusMm = 80;

/// BFGS (Nocedal and Wright 2006, algorithm 6.1) with a backtracking line search, from `start`.
Found climb(const SamplePoints& points, const MovingLevel& moving, const Affine& start,
            const Climb& settings);

/// The change of pose that `parameters` (6 or 12) describe, and its derivative with each.
Affine local_motion(Motion motion, const std::vector<double>& parameters);
std::vector<Affine> local_slopes(Motion motion, const std::vector<double>& parameters);

/// First three rows.
Pose pose_of(const Affine& affine);

/// How far apart two poses put the head: root mean square over the corners of a cube with sides of
/// 120 mm about the centre.
double pose_distance_mm(const Affine& a, const Affine& b);

}  // namespace scintigen
