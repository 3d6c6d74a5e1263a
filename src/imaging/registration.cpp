// SPDX-License-Identifier: Apache-2.0
#include "imaging/registration.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "imaging/registration_search.h"

namespace scintigen {
namespace {

constexpr size_t kLevels = 3;
const std::vector<double> kSpacingMm = {8, 4, 2};             // of the voxels
constexpr std::array<double, kLevels> kPointMm = {12, 7, 5};  // between sample points
constexpr int64_t kParts = 16;
constexpr double kStartShiftMm = 25, kStartTurnRad = 0.35;
constexpr size_t kStartsClimbed = 24, kStartsKept = 4;
constexpr double kSameModeMm = 6;  // poses nearer than this are one

struct Scans {
  std::array<SamplePoints, kLevels> points;
  std::vector<MovingLevel> moving;
};

Affine shifted(const Point& by) { return rigid_affine({}, by); }

/// Poses that put one of the fixed scan's centres on the moving scan's, or the worlds as they are;
/// each turned and shifted.
std::vector<Affine> starts(const ScanContent& fixed, const ScanContent& moving) {
  const Point& centre = fixed.centre_of_mass;  // where sample places are 0
  const auto onto = [](const Point& from, const Point& to) {
    return shifted({to[0] - from[0], to[1] - from[1], to[2] - from[2]});
  };
  const Affine to_world = shifted(centre);
  const std::vector<Affine> bases = {
      onto({}, moving.centre_of_mass),
      compose(onto(fixed.centre, moving.centre), to_world),
      to_world,
  };
  std::vector<Affine> poses;
  for (const Affine& base : bases)
    for (int turn = 0; turn < 27; ++turn)
      for (int shift = 0; shift < 27; ++shift) {
        const auto three = [](int n) { return Point{n % 3 - 1.0, n / 3 % 3 - 1.0, n / 9 - 1.0}; };
        Point angle = three(turn), move = three(shift);
        const double turned = std::hypot(angle[0], angle[1], angle[2]),
                     moved = std::hypot(move[0], move[1], move[2]);
        if (turned > 1.5 && moved > 0) continue;
        for (double& a : angle) a *= kStartTurnRad;
        for (double& m : move) m *= kStartShiftMm;
        poses.push_back(compose(base, rigid_affine(angle, move)));
      }
  return poses;
}

/// Best first; of poses nearer than `apart_mm` the best alone.
std::vector<Found> best_of(std::vector<Found> all, double apart_mm, size_t most) {
  std::stable_sort(all.begin(), all.end(),
                   [](const Found& a, const Found& b) { return a.value > b.value; });
  std::vector<Found> kept;
  for (const Found& one : all) {
    const bool seen = std::any_of(kept.begin(), kept.end(), [&](const Found& other) {
      return pose_distance_mm(one.pose, other.pose) < apart_mm;
    });
    if (!seen && one.value > 0 && kept.size() < most) kept.push_back(one);
  }
  return kept;
}

std::vector<Found> climb_each(const Scans& scans, size_t level, const std::vector<Found>& from,
                              const Climb& settings) {
  std::vector<Found> results(from.size());
  at::parallel_for(0, static_cast<int64_t>(from.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      results[static_cast<size_t>(i)] = climb(scans.points[level], scans.moving[level],
                                              from[static_cast<size_t>(i)].pose, settings);
  });
  return results;
}

/// The best poses at the coarsest level from anywhere.
std::vector<Found> search(const Scans& scans, const std::vector<Affine>& poses) {
  std::vector<Found> scored(poses.size());
  at::parallel_for(0, static_cast<int64_t>(poses.size()), 8, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const Agreement found =
          agreement(scans.points[0], scans.moving[0], pose_of(poses[i]), false, 1);
      scored[i] = {poses[i], found.value, found.overlap};
    }
  });
  return best_of(scored, 10, kStartsClimbed);
}

}  // namespace

Registration register_volumes(const Volume& fixed, const Volume& moving,
                              const RegistrationSettings& settings,
                              const std::optional<Volume>& fixed_mask) {
  const Pyramid fixed_levels = pyramid(fixed, kSpacingMm, "fixed");
  const Pyramid moving_levels = pyramid(moving, kSpacingMm, "moving");
  Scans scans;
  for (size_t level = 0; level < kLevels; ++level) {
    scans.points[level] = sample_points(fixed_levels, level, kPointMm[level], fixed_mask);
    scans.moving.push_back(moving_level(moving_levels, level));
  }
  Climb coarse;
  coarse.first_step_mm = 4, coarse.largest_step_mm = 12, coarse.stop_mm = 0.2;
  coarse.max_iterations = 25;
  auto modes = climb_each(
      scans, 0, search(scans, starts(fixed_levels.content, moving_levels.content)), coarse);
  modes = best_of(modes, kSameModeMm, kStartsKept);
  require(!modes.empty(), "register: the scans overlap at no start");
  coarse.motion = settings.motion;
  if (settings.motion == Motion::kAffine) modes = climb_each(scans, 0, modes, coarse);
  Climb middle;
  middle.motion = settings.motion;
  middle.first_step_mm = 1, middle.largest_step_mm = 6, middle.stop_mm = 0.1;
  modes = best_of(climb_each(scans, 1, modes, middle), kSameModeMm, kStartsKept);
  Climb fine;
  fine.motion = settings.motion;
  fine.first_step_mm = 0.5, fine.largest_step_mm = 3, fine.stop_mm = 0.01, fine.parts = kParts;
  const Found best = climb(scans.points[2], scans.moving[2], modes.front().pose, fine);
  Registration result;
  const Point& c = scans.points[2].centre;
  result.fixed_to_moving = compose(best.pose, shifted({-c[0], -c[1], -c[2]}));
  result.mutual_information = best.value;
  return result;
}

}  // namespace scintigen
