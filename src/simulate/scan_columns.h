// SPDX-License-Identifier: Apache-2.0
// What SPECT and PET scans share: volumes to columns and back, checks, broad background, draws.
#pragma once
#include <string>
#include <vector>

#include "core/random.h"
#include "core/volume.h"

namespace scintigen {

/// Mu in 1/mm that a scan takes: above bone (0.03 at 159 keV), below water in 1/cm (0.15), so that
/// a map in the wrong unit is refused.
constexpr double kMostAttenuation = 0.1;

/// A volume as columns [side][side][slices] = [y][x][z] from voxels [k,j,i] = [z,y,x].
/// throws  Error, beginning with `name`: not float32 [slices,side,side] of CPU memory, voxels not
///         cubes of pixel_mm, a value that is not finite or not within 0 .. most.
std::vector<float> columns_of(const Volume& volume, const std::string& name, int64_t side,
                              int64_t slices, double pixel_mm, double most);

/// throws  Error where `other` has not the place of `volume` (1e-3 mm).
void check_same_place(const Volume& volume, const std::string& name, const Volume& other,
                      const std::string& other_name);

/// Columns -> float32 [slices,side,side].
torch::Tensor voxels_of(const std::vector<float>& columns, int64_t side, int64_t slices);

/// Replaces each view [rows][length] by itself convolved with exp(-rate |u|) exp(-rate |v|), rate =
/// 2 ln 2 / fwhm, sum 1; what leaves the view is lost. Scatter falls off exponentially on both
/// sides of a line source; the separable form has that line spread in both directions.
void spread_broadly(std::vector<float>& views, int64_t rows, int64_t length, double pixel_mm,
                    double fwhm_mm);

double total_of(const std::vector<float>& values);

/// Multiplies so that the sum becomes `total`; all zero stays.
void scale_to(std::vector<float>& values, double total);

/// One Poisson draw of primary + background for each bin, in their order.
std::vector<float> draw_counts(const std::vector<float>& primary,
                               const std::vector<float>& background, Random& random);

}  // namespace scintigen
