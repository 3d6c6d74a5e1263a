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
  double score = 0;            ///< lower is better; see SliceScorer
  double energy = 0;           ///< unbiased energy distance to the held-out patients
  double energy_training = 0;  ///< the same of the training patients' real slices: attainable
  double distance = 0;         ///< sqrt(energy / mean distance between held-out slices), at least 0
  double mean_count_error = 0;  ///< |difference of means of mean counts| / SD, mean over classes
  double left_right_error = 0;  ///< the same of |ln LR|
  double deviation_error = 0;   ///< |ln(ratio of mean pixel-wise SD)|, mean over classes
  double deviation_ratio = 0;   ///< that ratio, synthetic / held out, geometric mean over classes
  double nearest_ratio = 0;     ///< median distance to the nearest training slice, / held out's
  /// Synthetic slices less than half as far from a training slice as the median held-out slice:
  /// stricter than the audit's threshold, which the blur of an early checkpoint crosses too.
  double copies = 0;
  bool vetoed = false;  ///< copies > 5 %
};

/// Compares synthetic slices with held-out patients by the measures of evaluate_slices(). Features:
/// `components` principal components of the training slices. Classes are conditions; those with
/// fewer than 4 slices on a side do not count, and where none is left all slices are one class.
///   score = distance + mean_count_error + left_right_error + deviation_error (+ 1000 if vetoed)
/// Give synthetic slices in the held-out slices' mix of conditions.
class SliceScorer {
 public:
  /// training [N,H,W], held_out [M,H,W] in [0,1], classes [M] int64; without classes one for all.
  /// throws Error where either has fewer than 4 slices.
  SliceScorer(torch::Tensor training, torch::Tensor held_out, torch::Tensor classes = {},
              int64_t components = 40);
  /// synthetic [S,H,W], classes [S] as the held-out slices' are numbered
  SliceScores operator()(const torch::Tensor& synthetic, const torch::Tensor& classes = {}) const;

 private:
  torch::Tensor training_, held_out_, classes_, held_out_features_;
  PrincipalComponents components_;
  double energy_training_ = 0, held_out_spread_ = 0, held_out_nearest_ = 0;
};

/// Rows of conditions [M,C] numbered by what they hold, [M] int64: the classes of a SliceScorer.
torch::Tensor classes_of(const torch::Tensor& conditions);

std::vector<std::pair<std::string, double>> named(const SliceScores& scores);

}  // namespace scintigen
