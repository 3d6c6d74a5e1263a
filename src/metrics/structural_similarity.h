// SPDX-License-Identifier: Apache-2.0
// SSIM in the two conventions that are in use, and multi-scale SSIM. Two programs' SSIM differ by
// window, covariance, border and data range: name all four beside each value.
//   SSIM = (2 ma mb + C1) (2 cov + C2) / ((ma^2 + mb^2 + C1) (va + vb + C2)),
//   C1 = (0.01 R)^2, C2 = (0.03 R)^2                       Wang et al. 2004, equation 13
// averaged over the windows that fit into the image (no padding). In the mask: over the windows
// whose centre is in the mask; their other voxels may be outside it.
// Computed in double from float32 voxels; each plane's sum is one thread's and planes are added in
// order, so that results do not depend on the number of threads.
// Checked tests/metrics/test_structural_similarity.cpp against scikit-image 0.19.3 in float64
// (agreement 1e-12: only the order of sums differs) and SciPy.
#pragma once
#include "metrics/image_pair.h"

namespace scintigen {

enum class SimilarityWindow {
  kGaussian,  ///< 11 taps, sigma 1.5, population covariance: Wang et al. 2004
  kUniform    ///< 7 taps, sample covariance N / (N - 1): scikit-image's default
};

/// Where a window extends: in a slice (the mean over slices of each slice's mean), or in all three
/// dimensions (one mean over the volume; N = 343 of the uniform window).
enum class SimilarityExtent { kSlice, kVolume };

struct Similarity {
  double value = 0;    ///< not a number where no slice or window remains
  double in_mask = 0;  ///< the same where the windows' centres are in the mask
  int64_t slices = 0;  ///< kSlice: averaged over; the rest are not ImagePair::counted
  int64_t slices_in_mask = 0;
  int64_t windows = 0, windows_in_mask = 0;
  std::vector<double>
      contrast;  ///< mean of the second factor, of each slice (not a number where it
                 ///< is not counted) or of the volume: for multi_scale_similarity()
};

/// Shortest side that a window needs: 11 or 7.
int64_t smallest_side(SimilarityWindow window);

/// throws  Error: check_range(); an image smaller than the window (says the smallest size).
Similarity structural_similarity(const ImagePair& pair, const DataRange& range,
                                 SimilarityWindow window, SimilarityExtent extent);

/// Multi-scale SSIM of the Gaussian window: product over five scales of the mean contrast-structure
/// term (at the coarsest: of the mean SSIM) to the power 0.0448, 0.2856, 0.3001, 0.2363, 0.1333.
/// Between scales each 2 x 2 (x 2) block becomes its mean; an odd last row is repeated, as in the
/// authors' code. A negative mean (anticorrelated images) counts as 0, a power of it being no
/// number. Wang, Simoncelli, Bovik 2003, equation 7. in_mask is not a number: a mask has no one
/// meaning on coarse scales.
/// throws  Error: check_range(); a side under kSmallestMultiScaleSide (says so).
Similarity multi_scale_similarity(const ImagePair& pair, const DataRange& range,
                                  SimilarityExtent extent);
/// The same where the finest scale is there: structural_similarity() of the same pair, range and
/// extent with the Gaussian window. throws Error also: as many means as another image has.
Similarity multi_scale_similarity(const ImagePair& pair, const DataRange& range,
                                  SimilarityExtent extent, const Similarity& finest);

constexpr int64_t kSmallestMultiScaleSide = 176;  ///< 11 taps on the fifth scale: 11 x 2^4

}  // namespace scintigen
