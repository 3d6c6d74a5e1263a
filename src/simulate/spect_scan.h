// SPDX-License-Identifier: Apache-2.0
// A perfusion SPECT scan of a known activity: projections with depth-dependent collimator blur,
// attenuation, scatter and Poisson counts, and their OSEM reconstruction.
// Does: one scan, on the calling thread alone (a cohort runs one scan a thread, so the same seed
// gives the same scan for any number of threads).
// Does not: Monte Carlo photon transport; scatter is a broad kernel with a stated fraction.
//
// Checked in tests/simulate/test_spect_scan.cpp: width of a point source and its growth with
// distance, cylinder with and without attenuation correction, totals, seeds, refusals.
#pragma once
#include <vector>

#include "core/random.h"
#include "core/settings.h"
#include "core/volume.h"

namespace scintigen {

/// What camera and reconstruction do. Defaults: Werner 2022 (90 views, 64 x 64), a LEHR collimator
/// (RTK's Zeng projector: 7.46 mm FWHM at 100 mm).
struct SpectProtocol : Settings {
  int64_t views = 90;  ///< over 360 degrees
  int64_t matrix = 64;
  int64_t slices = 48;
  double pixel_mm = 4;           ///< of projections and image; cubic voxels
  double orbit_radius_mm = 140;  ///< rotation axis to collimator face
  double collimator_sigma_mm = 1.54;
  double collimator_slope = 0.0162;  ///< sigma(d) = collimator_sigma_mm + collimator_slope d
  double counts = 1e6;               ///< expected primary counts over all views; 0 = no noise
  double scatter_fraction = 0.3;     ///< scattered / primary counts
  /// The spread of scatter falls off exponentially on both sides of a line source, as convolution
  /// subtraction has it (Floyd 1985); its
  /// full width at half maximum is 2 ln 2 / rate: 90 mm is a rate of 0.15 / cm.
  double scatter_fwhm_mm = 90;
  double penetration_fraction = 0.07;  ///< flat septal penetration / primary counts
  /// Part of the true expectation of scatter and penetration that the reconstruction adds to its
  /// model. 1 = as a triple-energy-window estimate (Ogawa 1991) without its noise and bias; 0 =
  /// none.
  double scatter_correction = 1;
  int64_t iterations = 5, subsets = 9;  ///< opposite views are in the same subset
  bool resolution_model = true;         ///< collimator blur in the reconstruction too
  double post_filter_fwhm_mm = 7;       ///< 3-D Gaussian; 0 = none
  void visit(SettingsVisitor& visitor) override;
};

/// throws  Error: a setting out of range, more subsets than pairs of views, too many voxels.
void check_protocol(const SpectProtocol& protocol);

struct SpectScan {
  Volume image;            ///< float32 [slices,matrix,matrix], expected counts scale, >= 0
  double counts_measured;  ///< sum of all projections
};

/// `activity`: float32 [2*slices, 2*matrix, 2*matrix], voxels of pixel_mm / 2 (finer than the
/// image, so that the reconstruction does not meet its own grid), >= 0, any scale, not all zero.
/// Axes: i and j in the transaxial plane, k along the rotation axis; rotation axis through the
/// centre of the array. What lies outside the disc within the field of view is not seen.
/// `attenuation`: linear attenuation in 1/mm on the same grid (true). `attenuation_assumed`: what
/// the reconstruction believes, on the same grid; all zero = no correction. The image has the same
/// centre and axes as `activity`; its unit is "counts": per voxel and view, as they would be
/// without attenuation. Without noise (counts = 0) it is scaled as with the default number of
/// counts.
///
/// 64 x 64 x 48 takes 0.2 s on one core (bench/run simulate) and 30 MB.
///
/// throws Error: settings out of range, volumes of other shape, voxel size or place, values not
/// finite or negative, no activity in the field of view.
SpectScan simulate_spect(const Volume& activity, const Volume& attenuation,
                         const Volume& attenuation_assumed, const SpectProtocol& protocol,
                         Random random);

/// The expectation that the counts of a scan are drawn from: [views][matrix][slices], bins across
/// the detector, then along the axis.
struct SpectExpectation {
  std::vector<float> primary;
  std::vector<float> background;  ///< scatter and septal penetration
};

/// The first half of simulate_spect; same arguments and errors.
SpectExpectation expect_spect(const Volume& activity, const Volume& attenuation,
                              const SpectProtocol& protocol);

}  // namespace scintigen
