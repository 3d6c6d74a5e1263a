// SPDX-License-Identifier: Apache-2.0
// Rigid (6) and affine (12) registration of brain scans by mutual information.
// Does: start from anywhere within 30 mm / 20 degrees and more, say when it failed and when a
//       mirrored image fits better.
// Does not: deform, resample (core/resample.h), read or write files (core/transform_file.h).
#pragma once
#include <optional>
#include <string>

#include "core/volume.h"

namespace scintigen {

/// Scores below are reported as doubtful (calibrated: docs/methods.md, "Registration").
constexpr double kRegistrationDoubtful = 0.1;

enum class Motion { kRigid, kAffine };

struct RegistrationSettings {
  Motion motion = Motion::kRigid;
  bool check_mirror = true;  ///< rigid and affine alike: costs one coarse registration more
  int64_t threads = 0;       ///< 0 = all
};

/// What the mirrored moving image (left and right exchanged) says.
enum class FlipCheck { kAsStored, kMirroredFitsBetter, kCannotTell, kNotChecked };

struct Registration {
  Affine fixed_to_moving{};     ///< world to world, mm, RAS+: where in the moving scan a point of
                                ///< the fixed scan is
  double mutual_information{};  ///< normalised, at the finest level (higher is better)
  double score{};               ///< 0 bad .. 1 good (docs/results.md: 0.13 to 0.31); below
                                ///< kRegistrationDoubtful is `doubtful`
  bool doubtful = false;        ///< reported, never passed on silently
  std::string why;              ///< of `doubtful`: one clause
  FlipCheck flip = FlipCheck::kNotChecked;
  double flip_margin = 0;  ///< score as stored minus score mirrored, relative
  // Of register_emission(), where it refined the pose; 0 elsewhere.
  double fit_explained = 0;  ///< part of the scan's variance that the anatomy explains
  double fit_moved_mm = 0;   ///< of the fit, from where mutual information had put it
  double fit_fwhm_mm = 0;    ///< width of the scan's blur
};

/// Finds fixed_to_moving. `fixed_mask` (on the fixed grid, > 0 inside) restricts where it is
/// measured; not needed.
/// Leave it out for a T1 as `fixed` with PET or SPECT (the head's outline helps); give the brain
/// and 4 mm around it where a template is `fixed` (docs/results.md).
/// throws  Error: voxels not float32 [D,H,W] or not finite, a singular map, a scan without
/// contrast,
///         a mask on another grid or with under 64 sample points in it, no overlap at any start
/// Same numbers whatever the number of threads.
/// Checked tests/imaging/test_registration.cpp; bench/run registration against elastix
Registration register_volumes(const Volume& fixed, const Volume& moving,
                              const RegistrationSettings& settings,
                              const std::optional<Volume>& fixed_mask = {});

}  // namespace scintigen
