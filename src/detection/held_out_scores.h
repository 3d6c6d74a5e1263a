// SPDX-License-Identifier: Apache-2.0
// What a voxel's machine says of healthy people it has not seen: controls scored by machines
// without them, and the distribution of these scores over a brain.
// Does: held-out scores, standardisation, p-values of new people's scores.
// Does not: make maps or files (voxel_machines.h, detector.h).
// Source  docs/methods.md, "Machines at every voxel"; ours, no paper has it
// Checked tests/detection/test_held_out_scores.cpp: folds by hand; p-values of new people uniform
#pragma once
#include <torch/types.h>

#include <memory>
#include <vector>

#include "detection/one_class_svm.h"

namespace scintigen {

/// Control i belongs to fold i mod folds and is scored by a machine of the other folds' controls.
class HeldOutScorer {
 public:
  /// throws  Error: folds not 2 to `controls`, or that leave fewer than 2 controls; fewer than 4
  ///         controls; all that OneClassSolver throws
  HeldOutScorer(int64_t controls, int64_t features, const OneClassSettings& settings,
                int64_t folds);
  /// Decisions of all controls from rows [controls][features]. A machine of m controls has
  /// coefficients that sum to nu m: its decisions are multiplied by controls / m, so that they
  /// compare with those of the machine of all.
  const std::vector<double>& score(const float* rows);

 private:
  int64_t controls_, features_, folds_;
  std::vector<std::unique_ptr<OneClassSolver>> without_;
  std::vector<float> kept_;
  std::vector<double> scores_;
};

/// Where all controls are alike there is no z.
constexpr double kLeastScoreDeviation = 1e-6;

/// How controls' held-out z are distributed, counted in bins of 0.005 over the voxels of a plane or
/// a brain. A control's z is by mean and deviation of the *other* controls' scores, as a new
/// person's is.
class ZDistribution {
 public:
  ZDistribution();
  /// From counts() of a file. throws Error: not int64 [bins]
  explicit ZDistribution(const torch::Tensor& counts);

  void add_voxel(const std::vector<double>& held_out_scores);
  void add(const ZDistribution& other);
  int64_t total() const { return total_; }
  torch::Tensor counts() const;  ///< int64 [bins]

  /// (1 + controls' z at most as high) / (1 + all controls' z), float32 of z's shape: small where a
  /// score is lower than healthy people's. Assumes one distribution of z for all voxels.
  torch::Tensor p_values(const torch::Tensor& z) const;
  /// The highest z whose p-value is at most `p`; -infinity where there is none.
  double z_at(double p) const;

 private:
  static int64_t bin_of(double z);
  std::vector<int64_t> counts_;
  int64_t total_ = 0;
};

}  // namespace scintigen
