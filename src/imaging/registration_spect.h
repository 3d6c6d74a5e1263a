// SPDX-License-Identifier: Apache-2.0
// SPECT to the anatomy of the same person: mutual information finds the pose, a model of the scan
// the last millimetre.
// Does: refine a pose by regression of the scan on blurred maps of the anatomy.
// Does not: find the brain (imaging/brain_extraction.h), search (imaging/registration.h). Not for
//       PET: it is sharp enough for mutual information, and gained nothing (docs/results.md).
#pragma once
#include "imaging/registration.h"

namespace scintigen {

/// A pose refined, and what the fit says of the scan.
struct SpectFit {
  Affine fixed_to_moving{};
  bool found = false;    ///< false: too little of the scan lies about the brain; this is the start
  double explained = 0;  ///< part of the scan's variance in and around the brain
  double fwhm_mm = 0;    ///< width of the scan's blur that fits best
  double moved_mm = 0;   ///< from the start: root mean square 100 mm from the brain's centre
};

/// From `start`, which must be right within a few mm: the pose at which the anatomy explains the
/// scan best. Uptake is a piecewise linear function of the anatomy's intensity inside the brain,
/// times a gain that changes linearly over the head (cerebellum and cortex, left and right differ),
/// one number in the rest of the head and one beyond; all of it blurred by a Gaussian whose width
/// is chosen. What fits badly, such as lesions, weighs less (Tukey's biweight).
/// `brain` (> 0 inside) is on the anatomy's grid.
/// throws  Error: as register_volumes(); a mask that is not on the anatomy's grid, or empty; an
///         anatomy that is the same all over the brain
/// Same numbers whatever the number of threads.
/// Checked tests/imaging/test_registration_spect.cpp; experiments/registration
SpectFit fit_spect(const Volume& anatomy, const Volume& brain, const Volume& scan,
                   const Affine& start);

/// register_volumes() of a SPECT scan to an anatomy, then fit_spect() unless that was doubtful.
/// Doubtful too where the fit leads more than 8 mm away from what mutual information found.
Registration register_spect(const Volume& anatomy, const Volume& brain, const Volume& scan,
                            const RegistrationSettings& settings);

}  // namespace scintigen
