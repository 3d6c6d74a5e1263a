// SPDX-License-Identifier: Apache-2.0
// SPECT or PET to the anatomy of the same person: mutual information finds the pose, a model of the
// scan the last millimetre.
// Does: refine a pose by regression of the scan on blurred maps of the anatomy.
// Does not: find the brain (imaging/brain_extraction.h), search (imaging/registration.h).
#pragma once
#include "imaging/registration.h"

namespace scintigen {

enum class Emission { kSpect, kPet };

/// A pose refined, and what the fit says of the scan.
struct EmissionFit {
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
/// Checked tests/imaging/test_registration_emission.cpp; experiments/registration
EmissionFit fit_emission(const Volume& anatomy, const Volume& brain, const Volume& scan,
                         const Affine& start, Emission kind);

/// register_volumes() of an emission scan to an anatomy, then fit_emission() unless that was
/// doubtful. SPECT takes the fit's pose; PET, which is sharp enough for either, the pose half way
/// between the two, whose errors are as large and have other reasons (docs/results.md). Doubtful
/// too where the fit leads more than 8 mm away from what mutual information found.
Registration register_emission(const Volume& anatomy, const Volume& brain, const Volume& scan,
                               Emission kind, const RegistrationSettings& settings);

/// The rigid motion of which two in a row lead from `a` to `b`, after `a`: as far from one pose as
/// from the other. Their rotations must differ by less than half a turn.
Affine half_way(const Affine& a, const Affine& b);

}  // namespace scintigen
