// SPDX-License-Identifier: Apache-2.0
// One-class support vector machines with an RBF kernel, made for very many small ones: one at every
// voxel, its examples the features of the controls there.
// Does: kernel matrix, dual problem and offset of one machine in a few microseconds; one thread's
//       work, to be called from a parallel loop.
// Does not: allocate between machines, draw random numbers, know images.
// Source  Schoelkopf et al. 2001 (the machine), Chang & Lin 2011 (its scaling: 0 <= a <= 1,
//         sum a = nu n; LIBSVM and scikit-learn report the same numbers). Formulas:
//         docs/methods.md, "One-class machines".
// Checked tests/detection/test_one_class_svm.cpp: scikit-learn at tolerance 1e-12 on random and on
//         degenerate machines; bench/run ocsvm against LIBSVM
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "core/settings.h"
#include "models/aligned_room.h"

namespace scintigen {

struct OneClassSettings {
  double nu = 0.03;  ///< at most this part of the controls lies outside (methods of Zotova 2025)
  double gamma = 0;  ///< of exp(-gamma d^2); 0: 1 / (features x variance), scikit-learn's "scale"
  void visit(SettingsVisitor& visitor);
};

/// What a fit says beside its coefficients. decision(z) = sum a_i exp(-gamma |z_i - z|^2) - rho;
/// negative is outside.
struct OneClassFit {
  double gamma = 1, rho = 0;
  double gap = 0;  ///< largest violation of the optimality conditions, in units of the decision
  int64_t products = 0;  ///< products of the kernel matrix with a vector that it took
};

class OneClassSolver {
 public:
  /// throws  Error: fewer than 2 controls, over 4096; no features; nu not in (0,1); gamma < 0
  OneClassSolver(int64_t controls, int64_t features, const OneClassSettings& settings);

  int64_t controls() const { return controls_; }
  int64_t features() const { return features_; }
  /// Where the caller puts the examples: [features][stride], element (k, i) feature k of control i.
  /// Lanes past the controls are ignored. Kept as it is by solve().
  float* examples() { return examples_; }
  int64_t stride() const { return stride_; }
  /// The same from rows [controls][features].
  void take_examples(const float* rows);

  OneClassFit solve();
  /// [controls] in [0,1], of the last solve(); 0 where a control is no support vector.
  const float* coefficients() const { return coefficients_; }

 private:
  int64_t controls_, features_, stride_;
  OneClassSettings settings_;
  AlignedRoom<float> room_;
  float *examples_, *centred_, *kernel_, *coefficients_, *work_;
};

/// A batch of machines on all threads. examples float32 [V,n,d].
struct OneClassFits {
  torch::Tensor coefficients;  ///< float32 [V,n]
  torch::Tensor rho, gamma;    ///< float64 [V]
  torch::Tensor gap;           ///< float64 [V]
};
/// throws  Error: not float32 [V,n,d] with finite values; all that OneClassSolver throws
OneClassFits fit_one_class(const torch::Tensor& examples, const OneClassSettings& settings);

/// Decision values float32 [V,q] of queries [V,q,d] under fits of examples [V,n,d].
torch::Tensor decide_one_class(const OneClassFits& fits, const torch::Tensor& examples,
                               const torch::Tensor& queries);

/// sum over i < count of coefficients[i] exp(-gamma |examples[i][0..features) - query|^2) - rho.
double decide_one_class(const float* examples, const float* coefficients, int64_t count,
                        int64_t features, const float* query, double gamma, double rho);

}  // namespace scintigen
