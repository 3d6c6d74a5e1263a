// SPDX-License-Identifier: Apache-2.0
#include "imaging/registration.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "core/grid.h"
#include "imaging/registration_search.h"

namespace scintigen {
namespace {

constexpr size_t kLevels = 3;
// Between voxels. The fixed scan's finest are its own: points read it where they fall, and means
// over blocks would mix tissues.
const std::vector<double> kFixedMm = {8, 4, 0}, kMovingMm = {8, 4, 2};
constexpr std::array<double, kLevels> kPointMm = {12, 7, 5};  // between sample points
constexpr int64_t kParts = 16;
constexpr int64_t kFewestPoints = 64;
constexpr double kStartShiftMm = 25, kStartTurnRad = 0.35;
constexpr size_t kStartsClimbed = 24, kStartsKept = 4;
constexpr double kDisplacedShiftMm = 15, kDisplacedTurnRad = 0.2, kMirrorTurnRad = 0.12;
constexpr double kClearMargin = 0.02, kLeastLead = 0.02, kLeastInformation = 1.01;
constexpr double kLeastStretch = 0.7, kMostStretch = 1.4, kLeastGoodOverlap = 0.5;
constexpr double kSameModeMm = 6;  // poses nearer than this are one

struct Scans {
  std::vector<Affine> starts;
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

Scans prepare(const Volume& fixed, const Volume& moving, const std::optional<Volume>& mask) {
  const Pyramid fixed_levels = pyramid(fixed, kFixedMm, "fixed");
  const Pyramid moving_levels = pyramid(moving, kMovingMm, "moving");
  if (mask)
    require(mask->voxels.defined() && mask->voxels.dim() == 3 &&
                mask->voxels.scalar_type() == torch::kFloat && mask->voxels.is_contiguous() &&
                grid_of(*mask) == grid_of(fixed),
            "register: the mask is not float32 on the fixed scan's grid");
  Scans scans;
  scans.starts = starts(fixed_levels.content, moving_levels.content);
  for (size_t level = 0; level < kLevels; ++level) {
    scans.points[level] = sample_points(fixed_levels, level, kPointMm[level], mask);
    require(scans.points[level].count() >= kFewestPoints,
            "register: the mask leaves {} points of the fixed scan; expected {} or more",
            scans.points[level].count(), kFewestPoints);
    scans.moving.push_back(moving_level(moving_levels, level));
  }
  return scans;
}

/// How far the agreement above chance falls where the head is displaced, as part of itself: the
/// geometric mean of the mean and the least fall. A pose found by accident stands on a low hill
/// among others: some displacement of it scores as well. Stretching finds some agreement at any
/// pose, so that of an affine map counts half.
double sharpness(const Scans& scans, const Found& best, Motion motion) {
  double sum = 0, least = 1;
  for (size_t axis = 0; axis < 6; ++axis)
    for (double sign : {-1.0, 1.0}) {
      Point turn{}, shift{};
      (axis < 3 ? turn[axis] : shift[axis - 3]) =
          sign * (axis < 3 ? kDisplacedTurnRad : kDisplacedShiftMm);
      const Pose pose = pose_of(compose(best.pose, rigid_affine(turn, shift)));
      const double value = agreement(scans.points[1], scans.moving[1], pose, false, kParts).value;
      const double fall = (best.value - std::max(1.0, value)) / (best.value - 1);
      sum += fall / 12;
      least = std::min(least, fall);
    }
  const double mean = std::sqrt(std::max(0.0, least) * std::max(0.0, sum));
  return std::clamp(motion == Motion::kAffine ? mean / 2 : mean, 0.0, 1.0);
}

/// Part of it by which the best pose is ahead of the best other one; 1 where there is no other.
double lead(const std::vector<Found>& modes) {
  return modes.size() < 2 ? 1 : (modes[0].value - modes[1].value) / (modes[0].value - 1);
}

/// The best pose of the mirrored moving scan. In place of the moving scan the points are mirrored,
/// about the plane x = 0 through their centre, which the climb then tilts and shifts.
Found best_mirrored(const Scans& scans, const Affine& best, const Climb& coarse,
                    const Climb& middle) {
  Affine mirror = identity_affine();
  mirror[0][0] = -1;
  std::vector<Found> from;
  for (double lean : {-1.0, 0.0, 1.0})
    for (double yaw : {-1.0, 0.0, 1.0})
      for (double nod : {-1.0, 0.0, 1.0})
        from.push_back({compose(best, compose(mirror, rigid_affine({kMirrorTurnRad * nod,
                                                                    kMirrorTurnRad * lean,
                                                                    kMirrorTurnRad * yaw},
                                                                   {}))),
                        1, 1});
  auto modes = best_of(climb_each(scans, 0, from, coarse), kSameModeMm, 3);
  modes = best_of(climb_each(scans, 1, modes, middle), kSameModeMm, 1);
  return modes.empty() ? Found{best, 1, 0} : modes[0];
}

/// Largest and smallest stretch of an affine map's axes: the lengths of its columns.
bool plausible_size(const Affine& map) {
  const auto stretch = spacing_mm(map);
  return std::all_of(stretch.begin(), stretch.end(),
                     [](double s) { return s > kLeastStretch && s < kMostStretch; }) &&
         determinant(map) > 0;
}

/// `score`, `doubtful`, `why`.
void judge(const Scans& scans, const std::vector<Found>& modes, Motion motion,
           Registration& result) {
  const double ahead = lead(modes);
  result.score = sharpness(scans, modes[0], motion);
  if (modes[0].value < kLeastInformation) {
    result.why = "the scans have next to nothing in common";
    result.score = 0;
  } else if (!plausible_size(result.fixed_to_moving)) {
    result.why = "one head would have to be stretched beyond 0.7 to 1.4 times its size";
    result.score = 0;
  } else if (ahead < kLeastLead) {
    result.why = "another pose fits almost as well";
    result.score = std::min(result.score, kRegistrationDoubtful * ahead / kLeastLead);
  } else if (modes[0].overlap < kLeastGoodOverlap) {
    result.why = "less than half of the fixed head lies inside the moving scan";
    result.score = std::min(result.score, kRegistrationDoubtful * modes[0].overlap);
  } else if (result.score < kRegistrationDoubtful) {
    result.why = "the scans agree little better where they were put than beside it";
  }
  result.doubtful = !result.why.empty();
}

/// `flip`, `flip_margin`. A doubtful pose says nothing, but where the mirrored one is good.
void judge_mirror(const Scans& scans, const Found& stored, const Found& mirrored, Motion motion,
                  Registration& result) {
  result.flip_margin =
      (stored.value - mirrored.value) / (std::max(stored.value, mirrored.value) - 1);
  result.flip = FlipCheck::kCannotTell;
  if (result.flip_margin > kClearMargin && !result.doubtful) {
    result.flip = FlipCheck::kAsStored;
  } else if (result.flip_margin < -kClearMargin &&
             sharpness(scans, mirrored, motion) >= kRegistrationDoubtful) {
    result.flip = FlipCheck::kMirroredFitsBetter;
  }
}

}  // namespace

Registration register_volumes(const Volume& fixed, const Volume& moving,
                              const RegistrationSettings& settings,
                              const std::optional<Volume>& fixed_mask) {
  const Scans scans = prepare(fixed, moving, fixed_mask);
  Climb coarse;
  coarse.first_step_mm = 4, coarse.largest_step_mm = 12, coarse.stop_mm = 0.2;
  coarse.max_iterations = 25;
  auto modes =
      best_of(climb_each(scans, 0, search(scans, scans.starts), coarse), kSameModeMm, kStartsKept);
  require(!modes.empty(), "register: the scans overlap at no start; expected scans of one head");
  Climb middle;
  coarse.motion = middle.motion = settings.motion;
  middle.first_step_mm = 1, middle.largest_step_mm = 6, middle.stop_mm = 0.1;
  if (settings.motion == Motion::kAffine) modes = climb_each(scans, 0, modes, coarse);
  modes = best_of(climb_each(scans, 1, modes, middle), kSameModeMm, kStartsKept);
  require(!modes.empty(), "register: the scans overlap at no start; expected scans of one head");
  Climb fine;
  fine.motion = settings.motion;
  fine.first_step_mm = 0.5, fine.largest_step_mm = 3, fine.stop_mm = 0.01, fine.parts = kParts;
  const Found best = climb(scans.points[2], scans.moving[2], modes[0].pose, fine);

  Registration result;
  const Point& c = scans.points[2].centre;
  result.fixed_to_moving = compose(best.pose, shifted({-c[0], -c[1], -c[2]}));
  result.mutual_information = best.value;
  judge(scans, modes, settings.motion, result);
  if (settings.check_mirror) {
    coarse.motion = Motion::kRigid;
    const Found mirrored = best_mirrored(scans, modes[0].pose, coarse, middle);
    judge_mirror(scans, modes[0], mirrored, settings.motion, result);
  }
  return result;
}

}  // namespace scintigen
