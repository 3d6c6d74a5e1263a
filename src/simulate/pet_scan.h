// SPDX-License-Identifier: Apache-2.0
// A PET scan of a known activity: line integrals with attenuation, intrinsic blur, scatter and
// randoms background, Poisson counts, OSEM. The noise has the right correlation because it is
// reconstructed, not painted.
// Does: slices independently (2-D mode, the axial blur of the scanner included), one thread.
// Does not: scatter by simulation, decay, dead time; the background's form is known to the
// reconstruction. Simulation and reconstruction share the grid and the line integrals.
//
// Checked in tests/simulate/test_pet_scan.cpp: width of a point source, cylinder in the unit of the
// input, noise (SD and neighbour correlation against counts), seeds, refusals.
#pragma once
#include "core/random.h"
#include "core/settings.h"
#include "core/volume.h"

namespace scintigen {

struct PetProtocol : Settings {
  int64_t views = 128;  ///< over 180 degrees
  int64_t matrix = 128;
  int64_t slices = 84;
  double pixel_mm = 2;
  /// Of the data: what a converged reconstruction shows before the post filter. OSEM that stops
  /// early resolves less: with these defaults a faint point (twice as warm as the cylinder of 160
  /// mm around it) measures 4.8 mm before the filter (Biograph mCT, NEMA: 4 to 5 mm) and 5.2 mm
  /// behind it (test_pet_scan.cpp, FewUpdatesResolveLess).
  double resolution_fwhm_mm = 4.2;
  double counts = 1e8;  ///< expected true coincidences; 0 = no noise
  double background_fraction =
      0.3;  ///< scatter and randoms (smooth) / trues, known to the reconstruction
  int64_t iterations = 4, subsets = 32;
  double post_filter_fwhm_mm = 2;  ///< 3-D Gaussian; 0 = none
  void visit(SettingsVisitor& visitor) override;
};

/// throws  Error: a setting out of range, more subsets than views, too many voxels.
void check_protocol(const PetProtocol& protocol);

struct PetScan {
  Volume image;            ///< float32 [slices,matrix,matrix], in the unit of `activity`, >= 0
  double counts_measured;  ///< sum of all lines of response
};

/// `activity`: float32 [slices,matrix,matrix] of pixel_mm, >= 0, not all zero, unit kept (OSEM is
/// normalised so that the image is quantitative). `attenuation`: 1/mm at 511 keV, same grid, known
/// exactly to the reconstruction (CT). Axis k along the scanner's axis, which goes through the
/// centre of the array; what lies outside the disc within the field of view is not seen. The
/// system's blur is a Gaussian in image space, in-plane and axial (the same everywhere), and is not
/// modelled by the reconstruction.
///
/// 128 x 128 x 84 takes 0.9 s on one core (bench/run simulate) and 130 MB, most of it
/// sensitivities of the subsets.
///
/// throws Error: settings out of range, volumes of other shape, voxel size or place, values not
/// finite or negative, no activity in the field of view.
PetScan simulate_pet(const Volume& activity, const Volume& attenuation, const PetProtocol& protocol,
                     Random random);

}  // namespace scintigen
