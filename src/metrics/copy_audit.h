// SPDX-License-Identifier: Apache-2.0
// Did the generator copy its training images?
// Does: compare each synthetic slice's distance to its nearest training slice (over flips and
// shifts) with the same distance for held-out real slices; list suspects; membership inference.
// Does not: find copies of parts, or prove that there are none.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace scintigen {

struct CopySuspect {
  int64_t synthetic = 0, training = 0;  ///< indices
  double distance = 0;  ///< relative: root mean square difference / that of the training slice
};

struct CopyAudit {
  torch::Tensor synthetic;  ///< [N] float64, relative distance to the nearest training slice
  torch::Tensor held_out;   ///< [M] likewise
  torch::Tensor nearest;    ///< [N] int64, which training slice
  double threshold = 0;     ///< 1st percentile of `held_out`: nearer than real strangers are
  bool threshold_is_minimum =
      false;  ///< fewer than 100 held-out slices: the percentile is their least
  std::vector<CopySuspect> suspects;  ///< below the threshold, nearest first
  /// Relative distance of real slices to their nearest synthetic one, [T] and [M] float64.
  torch::Tensor training_to_synthetic, held_out_to_synthetic;
  /// Area under the curve of telling training slices from held-out ones by their distance to the
  /// nearest synthetic slice: 0.5 = membership does not show, 1 = it always does.
  double membership_auc = 0.5;
};

/// slices [N,H,W], [T,H,W], [M,H,W] in [0,1].
/// Source  methods.md F: nearest-neighbour distance and membership AUC (S54 to S57).
/// throws  Error as nearest_slices(); no held-out slices
/// Checked tests/metrics/test_copy_audit.cpp: a planted copy among 500 is found, also shifted and
///         flipped; a generator that knows nothing has AUC 0.5
CopyAudit audit_copies(const torch::Tensor& synthetic, const torch::Tensor& training,
                       const torch::Tensor& held_out, int64_t shift_px = 2);

/// Probability that a draw of `positive` is larger than one of `negative`, ties half: the area
/// under the receiver operating characteristic (Mann-Whitney U / n m).
double area_under_curve(const torch::Tensor& positive, const torch::Tensor& negative);

}  // namespace scintigen
