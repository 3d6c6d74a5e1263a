// SPDX-License-Identifier: Apache-2.0
// Ordered-subsets expectation maximisation of emission counts.
#pragma once
#include <vector>

#include "simulate/projector.h"

namespace scintigen {

/// What was measured, as views [views][side][slices] of the projector:
///   counts ~ Poisson(factor * forward(image) + background).
struct OsemData {
  std::vector<float> counts;
  std::vector<float> background;  ///< known expectation of scatter, randoms, ...; empty = none
  std::vector<float> factor;      ///< of each line (attenuation, scale); empty = 1
};

/// The order in which `subsets` are used: golden-section steps (after Koehler 2004, IEEE NSS), so
/// that successive ones look from well separated angles. A permutation of 0 .. subsets-1.
std::vector<int64_t> subset_order(int64_t subsets);

/// Hudson and Larkin 1994 (IEEE TMI 13:601), from a uniform image; a subset is every subsets-th
/// rotation of the projector, opposite views together. 1 subset: MLEM (Shepp and Vardi 1982).
/// Returns an image >= 0, zero outside the projector's support.
/// subsets  1 .. rotations of the projector, throws Error.
/// memory   an image per subset for its sensitivity (none kept for 1 iteration)
std::vector<float> osem(Projector& projector, const OsemData& data, int64_t iterations,
                        int64_t subsets);

}  // namespace scintigen
