// SPDX-License-Identifier: Apache-2.0
// What an emission scan can look like, given the person's anatomy: maps whose weighted sum it is.
// Does: maps of a brain by its own intensities, blurred, read anywhere with their slopes.
// Does not: name tissues, fit or register (imaging/registration_emission.h).
#pragma once
#include <array>
#include <vector>

#include "core/affine.h"
#include "core/grid.h"

namespace scintigen {

/// Hat functions of the anatomy's intensity inside the brain, then what is neither brain nor air.
constexpr size_t kIntensityMaps = 7, kHeadMap = 7, kMaps = 8;
using MapValues = std::array<float, kMaps>;

/// The maps at one width. Places are in the anatomy's world, mm.
struct AnatomyModel {
  Affine world_to_block{};
  Grid grid;
  std::vector<float> values;  ///< [nk,nj,ni,kMaps]: coefficients of cubic B-splines
  double fwhm_mm = 0;

  /// False beyond the blocks.
  bool read(const Point& place, MapValues& found) const;
  /// The same, with the slope of sum_k amounts[k] map_k, per mm.
  bool read(const Point& place, const MapValues& amounts, MapValues& found, Point& slope) const;
};

/// Maps of one anatomy on blocks of about 3 mm along its own axes, cut to the brain and a margin.
/// Inside the brain the hats add up to 1, with knots at percentiles of its intensities: a tracer
/// whose uptake is a piecewise linear function of the anatomy's intensity is a sum of them,
/// whatever the contrast (T1, T2, FLAIR) is, and however voxels share tissues.
class AnatomyMaps {
 public:
  /// `brain` on the anatomy's grid, > 0 inside.
  /// throws  Error: an empty mask, or an anatomy that is the same everywhere inside
  AnatomyMaps(const Volume& anatomy, const Volume& brain);

  /// Widened to a Gaussian of this FWHM, which must not be smaller than that of the call before.
  /// What blocks and splines smooth (4.3 mm at blocks of 3 mm) is part of it.
  AnatomyModel blurred_to(double fwhm_mm);

  /// How much brain there is within about 10 mm of a place: 0 .. 1, 0 beyond the blocks.
  float nearness(const Point& place) const;

  const Point& centre() const { return centre_; }  ///< of the brain, world mm

 private:
  using Box = std::array<std::array<int64_t, 2>, 3>;  // first, last voxel along i, j, k
  Box find_brain(const Volume& brain);
  void lay_blocks(const Volume& anatomy, const Box& box);
  void fill(const Volume& anatomy, const Volume& brain);

  Grid grid_;
  Affine world_to_block_{};
  std::array<int64_t, 3> block_{}, first_{};  // voxels a block; of the first block
  Point centre_{};
  double variance_mm2_ = 0;               // that maps have by now, along each axis
  std::vector<std::vector<float>> maps_;  // kMaps of [nk,nj,ni]
  std::vector<float> near_;               // [nk,nj,ni]
};

}  // namespace scintigen
