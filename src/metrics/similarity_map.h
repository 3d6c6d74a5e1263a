// SPDX-License-Identifier: Apache-2.0
// The loops under structural_similarity.h: the map of SSIM summed plane by plane, never stored.
// One pass in blocks of a row: the window's weighted sums of a, b, a^2 + b^2 and ab across planes,
// then rows, then columns. Four sums suffice, since SSIM needs the two variances only together.
// In double: E[a^2] - E[a]^2 in float32 is off by 2e-4 of SSIM where the image is bright and flat.
// Weights rather than running sums for the uniform window too: nothing cancels or drifts.
#pragma once
#include <cstdint>
#include <vector>

namespace scintigen {

constexpr int64_t kGaussianTaps = 11, kUniformTaps = 7;

/// The weights along one axis; the window is their outer product.
struct SimilarityKernel {
  std::vector<double> weights;   ///< 11 or 7, sum 1
  double covariance_factor = 1;  ///< on the variances and the covariance: 1, or N / (N - 1)
  double c1 = 0, c2 = 0;         ///< (0.01 R)^2, (0.03 R)^2
};

/// float32 [depth][height][width]; mask of 0 and 1 or null.
struct SimilarityInput {
  const float *a, *b;
  const uint8_t* mask;
  int64_t depth, height, width;
};

/// Sums over the window positions of one plane: where the window fits into the image, and where
/// its centre is in the mask.
struct SimilaritySums {
  double ssim = 0, contrast = 0;  ///< contrast: the second factor, (2 cov + C2) / (variances + C2)
  int64_t windows = 0;
  double ssim_in_mask = 0;
  int64_t windows_in_mask = 0;
};

/// Windows within a slice: one entry a slice; of those that `counted` denies, zeros. The image is
/// at least a window large along rows and columns.
std::vector<SimilaritySums> sum_by_slice(const SimilarityInput& input,
                                         const SimilarityKernel& kernel,
                                         const std::vector<bool>& counted);

/// Windows in three dimensions: one entry for each of depth - taps + 1 planes of centres. The image
/// is at least a window large along each axis.
std::vector<SimilaritySums> sum_by_plane(const SimilarityInput& input,
                                         const SimilarityKernel& kernel);

}  // namespace scintigen
