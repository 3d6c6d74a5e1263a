// SPDX-License-Identifier: Apache-2.0
// One number for "how good is this checkpoint", in place of the paper's physician (Werner 2022,
// "The epochs ... were determined by a board-certified nuclear medicine physician").
#pragma once
#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "metrics/slice_statistics.h"

namespace scintigen {

struct SliceScores {
  double score = 0;   ///< lower is better; see SliceScorer
  double energy = 0;  ///< energy distance of the synthetic slices to the held-out patients
  double energy_training =
      0;  ///< the same of the training patients' real slices: what is attainable
  double mean_count_error =
      0;  ///< |difference of the mean of mean counts| / SD of the held-out slices
  double left_right_error = 0;  ///< |difference of the mean of |ln LR|| / SD of the held-out slices
  double deviation_ratio = 0;   ///< mean pixel-wise SD, synthetic / held out
  double nearest_ratio =
      0;                ///< median distance to the nearest training slice, synthetic / held out
  double copies = 0;    ///< fraction of synthetic slices less than half as far from a training
                        ///< slice as the median held-out slice
  bool vetoed = false;  ///< copies > 5 %
};

/// Compares synthetic slices with held-out patients. Features: `components` principal components of
/// the training slices.
///   score = energy / energy_training + mean_count_error + left_right_error + |ln deviation_ratio|
///   (+ 1000 if vetoed)
/// so that 1 is as near to the held-out patients as the training patients are, with the same
/// counts, balance and variety. Give synthetic slices in the held-out slices' mix of conditions.
class SliceScorer {
 public:
  /// training [N,H,W], held_out [M,H,W] in [0,1]. throws Error where either has fewer than 4
  /// slices.
  SliceScorer(torch::Tensor training, torch::Tensor held_out, int64_t components = 40);
  SliceScores operator()(const torch::Tensor& synthetic) const;

 private:
  torch::Tensor training_, held_out_, held_out_features_;
  PrincipalComponents components_;
  double energy_training_ = 0, held_out_nearest_ = 0;
};

std::vector<std::pair<std::string, double>> named(const SliceScores& scores);

}  // namespace scintigen
