// SPDX-License-Identifier: Apache-2.0
// Detectors that a one-class machine at every voxel must beat: z against controls, z of real minus
// pseudo-normal images, Mahalanobis distance of the same latents.
// Does: maps in which lower stands out, as of voxel_machines.h.
// Does not: read files, make clusters; make pseudo-normal images (synthesis/translate.h does).
// Source  z and residual: Yaakub et al. 2019, the usual comparison; Mahalanobis with the shrunk
//         covariance of Ledoit and Wolf 2004 (J Multivar Anal 88:365): ours. docs/methods.md,
//         "Simpler detectors"
// Checked tests/detection/test_simple_detectors.cpp: by hand, and scikit-learn's LedoitWolf
// (golden)
#pragma once
#include <torch/types.h>

#include <array>
#include <vector>

#include "cohort/patch_pairs.h"
#include "detection/siscom.h"
#include "models/dense_patches.h"

namespace scintigen {

/// `image` float32 [D,H,W] over its mean in the mask, smoothed with a Gaussian of `fwhm_voxels`
/// along i, j, k inside the mask (weights outside count for nothing); 0 outside.
/// throws  Error: another shape; a mean in the mask that is not above 0
torch::Tensor relative_uptake(const torch::Tensor& image, const torch::Tensor& mask,
                              const std::array<double, 3>& fwhm_voxels);

/// Mean and standard deviation (n - 1) of controls' images at each voxel, one image after the
/// other, for against_normal(): t of a new image, lower where it lies below the controls.
class NormalImages {
 public:
  void add(const torch::Tensor& image);  ///< throws Error: another shape than the first
  /// throws Error: fewer than 3 images
  NormalDifferences normal() const;

 private:
  torch::Tensor mean_, squares_;  ///< float64; squares about the mean (Welford 1962)
  int64_t people_ = 0;
};

/// Ledoit and Wolf's estimate from rows [n,d] float64: (1 - s) S + s mean(diagonal of S) I with S
/// the covariance (over n). Batched: [V,n,d] -> [V,d,d], shrinkage [V].
struct ShrunkCovariance {
  torch::Tensor covariance, mean, shrinkage;
};
ShrunkCovariance shrunk_covariance(const torch::Tensor& rows);
/// Mahalanobis distances float64 [V,q] of queries [V,q,d]; 0 where nothing varies. A millionth of
/// the mean variance is added to the diagonal, for features that no control shows.
torch::Tensor mahalanobis(const ShrunkCovariance& normal, const torch::Tensor& queries);

/// Minus the Mahalanobis distance of each person's 64 latents to the controls' at every voxel of
/// the mask of a plane, float32 [people][V]; 0 where controls do not vary.
torch::Tensor plane_distances(const DensePatchEncoder& encoder,
                              const std::vector<ScaledScans>& controls,
                              const std::vector<ScaledScans>& people, const torch::Tensor& mask,
                              int64_t plane);

}  // namespace scintigen
