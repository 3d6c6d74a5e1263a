// SPDX-License-Identifier: Apache-2.0
// The arithmetic of one-class machines: kernel matrix and dual problem of one machine, written once
// (one_class_matrix.h, one_class_dual.h) and compiled for registers of eight and of sixteen floats.
// Matrices are [rows][stride], stride a multiple of 16 floats and memory on a cache line; what lies
// past the controls is 0.
#pragma once
#include <cstdint>

namespace scintigen {

constexpr int64_t kMachineLanes = 16;  ///< controls are rounded up to whole blocks of these

/// rows [controls][features] -> examples [features][stride].
void pack_examples(const float* rows, int64_t controls, int64_t features, int64_t stride,
                   float* examples);

/// min a'Ka / 2 over 0 <= a <= 1, sum a = `total`.
struct DualProblem {
  int64_t controls, stride;
  const float* kernel;
  double total;
  float* a;     ///< [stride] the solution
  float* work;  ///< [7 stride]; afterwards its first [stride] hold K a
};
struct DualEnd {
  double rho = 0;        ///< mean of K a where 0 < a < 1; if nowhere, the middle of what is optimal
  double gap = 0;        ///< max of (K a)_i where a > 0 less min where a < 1; <= 0: optimal
  int64_t products = 0;  ///< products with the matrix
};

struct OneClassArithmetic {
  /// Copies examples [features][stride] less each feature's mean over the controls, which no
  /// distance sees and which would cost float32 its digits; squares [stride] become |x_i|^2 of the
  /// copy. Returns the variance of all n x features values about their common mean.
  double (*centre_examples)(const float* examples, int64_t controls, int64_t features,
                            int64_t stride, float* centred, float* squares);

  /// kernel [stride][stride]: exp(-gamma |x_i - x_j|^2), diagonal 1, 0 past the controls.
  void (*rbf_kernel)(const float* centred, const float* squares, int64_t controls, int64_t features,
                     int64_t stride, float gamma, float* kernel);

  /// Spectral projected gradient finds who is at a bound, conjugate gradients solve for the others
  /// until `tolerance` (of the gap, relative to the largest |Ka|); should both stall, pairwise
  /// steps (LIBSVM's second-order choice) end it.
  DualEnd (*solve_dual)(const DualProblem& problem, double tolerance);
};
/// With eight lanes, for every processor.
const OneClassArithmetic& one_class_eight();
/// With sixteen; nullptr where this processor has no AVX-512.
const OneClassArithmetic* one_class_sixteen();

}  // namespace scintigen
