// SPDX-License-Identifier: Apache-2.0
// How far one image's values are from another's: RMSE, MAE, NRMSE, PSNR. Pure functions.
// Checked tests/metrics/test_image_errors.cpp against scikit-image 0.19.3 (metrics.simple_metrics)
// and NumPy.
#pragma once
#include "metrics/image_pair.h"

namespace scintigen {

/// Over all voxels, or over those in the mask. Sums are double, slice by slice, in the slices'
/// order: the same for any number of threads.
struct ImageErrors {
  double rmse = 0;  ///< root of the mean square difference, the images' unit
  double mae = 0;   ///< mean absolute difference, the images' unit
  /// RMSE divided by a measure of A, the reference. Papers mean any of three; not a number where A
  /// gives 0.
  double nrmse_euclidean = 0;  ///< by the root mean square of A (|A - B| / |A|; scikit-image's
                               ///< default, and ours)
  double nrmse_mean = 0;       ///< by the mean of A
  double nrmse_min_max = 0;    ///< by max A - min A
  double psnr = 0;             ///< 20 log10(R / RMSE), dB; infinite where the images are identical
  /// Mean over the slices of ImagePair::counted (and with mask voxels) of each slice's PSNR; slices
  /// without any difference have none and are left out. Not a number where no slice remains.
  double psnr_by_slice = 0;
  int64_t slices = 0;            ///< in that mean
  int64_t slices_identical = 0;  ///< left out of it, being identical
  int64_t voxels = 0;
};

/// throws  Error: check_range().
ImageErrors image_errors(const ImagePair& pair, const DataRange& range);

/// The same in the mask; throws Error where there is none.
ImageErrors image_errors_in_mask(const ImagePair& pair, const DataRange& range);

}  // namespace scintigen
