// SPDX-License-Identifier: Apache-2.0
// What a voxel's machine says of healthy people it has not seen: controls scored by machines
// without them, and the distribution of these scores over a brain.
// Does: held-out scores, standardisation, p-values of new people's scores.
// Does not: make maps or files (voxel_machines.h, detector.h).
// Source  docs/methods.md, "Machines at every voxel"; ours, no paper has it
// Checked tests/detection/test_held_out_scores.cpp: folds by hand; p-values of new people uniform
#pragma once
#include <torch/types.h>

#include <map>
#include <vector>

#include "detection/one_class_svm.h"

namespace scintigen {

/// Control i belongs to fold i mod folds and is scored by a machine of the other folds' controls.
class HeldOutScorer {
 public:
  /// throws  Error: folds not 3 to `controls`, or so few controls that two folds leave fewer than
  ///         2; all that OneClassSolver throws
  HeldOutScorer(int64_t controls, int64_t features, const OneClassSettings& settings,
                int64_t folds);
  /// Decisions of all controls from rows [controls][features]. A machine of m controls has
  /// coefficients that sum to nu m: its decisions are multiplied by controls / m, so that they
  /// compare with those of the machine of all.
  const std::vector<double>& score(const float* rows);
  /// z of all controls, each as a new person's: all that a detector does, without the control's
  /// fold. Its machine has not seen that fold, and neither have the machines, each without one more
  /// fold, whose scores of the others give the mean and the deviation. NaN where these are alike.
  /// After score() of the same rows; folds (folds - 1) / 2 machines.
  const std::vector<double>& z_as_new(const float* rows);

 private:
  /// A machine of the controls that `left_out` does not name.
  struct Machine {
    OneClassSolver& solver;
    OneClassFit fit;
  };
  template <class LeftOut>
  Machine fit_without(const float* rows, const LeftOut& left_out);
  double decide(const Machine& machine, const float* row) const;
  int64_t fold_size(int64_t fold) const { return (controls_ - fold + folds_ - 1) / folds_; }

  int64_t controls_, features_, folds_;
  std::map<int64_t, OneClassSolver> solvers_;  ///< by number of controls
  std::vector<float> kept_;
  std::vector<double> scores_, z_;
};

/// Where all controls are alike there is no z.
constexpr double kLeastScoreDeviation = 1e-6;

/// How controls' z_as_new() are distributed, counted in bins of 0.005 over voxels of a plane or a
/// brain.
class ZDistribution {
 public:
  ZDistribution();
  /// From counts() of a file. throws Error: not int64 [bins]
  explicit ZDistribution(const torch::Tensor& counts);

  void add(const std::vector<double>& z);  ///< NaN: nothing is added
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
