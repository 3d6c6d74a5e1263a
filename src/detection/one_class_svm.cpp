// SPDX-License-Identifier: Apache-2.0
#include "detection/one_class_svm.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "detection/one_class_kernels.h"

namespace scintigen {
namespace {

constexpr int64_t kMostControls = 4096;  // a kernel matrix of 64 MiB a thread
constexpr double kTolerance = 3e-6;  // of the gap, relative to the largest |Ka|: float32's reach

const OneClassArithmetic& arithmetic() {
  static const auto* sixteen = one_class_sixteen();
  return sixteen != nullptr ? *sixteen : one_class_eight();
}

}  // namespace

void OneClassSettings::visit(SettingsVisitor& v) {
  v.visit(number("nu", "at most this part of the controls lies outside (Zotova 2025: 0.03)", 1e-6,
                 0.999),
          nu);
  v.visit(
      number("gamma", "of the kernel exp(-gamma d^2); 0: 1 / (features x variance), at every voxel",
             0, 1e12),
      gamma);
}

OneClassSolver::OneClassSolver(int64_t controls, int64_t features, const OneClassSettings& settings)
    : controls_(controls), features_(features), settings_(settings) {
  require(controls >= 2 && controls <= kMostControls,
          "one-class machine: {} controls; expected 2 to {}", controls, kMostControls);
  require(features >= 1, "one-class machine: {} features; expected at least 1", features);
  require(settings.nu > 0 && settings.nu < 1, "one-class machine: nu is {}; expected 0 < nu < 1",
          settings.nu);
  require(settings.gamma >= 0, "one-class machine: gamma is {}; expected 0 (by variance) or more",
          settings.gamma);
  stride_ = (controls + kMachineLanes - 1) / kMachineLanes * kMachineLanes;
  const int64_t matrix = features * stride_;
  examples_ = room_.of(2 * matrix + stride_ * stride_ + 8 * stride_);
  centred_ = examples_ + matrix;
  kernel_ = centred_ + matrix;
  coefficients_ = kernel_ + stride_ * stride_;
  work_ = coefficients_ + stride_;
  std::fill(examples_, examples_ + matrix, 0.0f);
}

void OneClassSolver::take_examples(const float* rows) {
  pack_examples(rows, controls_, features_, stride_, examples_);
}

OneClassFit OneClassSolver::solve() {
  const auto& a = arithmetic();
  const double variance =
      a.centre_examples(examples_, controls_, features_, stride_, centred_, work_);
  OneClassFit fit;
  fit.gamma = settings_.gamma > 0 ? settings_.gamma
              : variance > 0      ? 1 / (variance * static_cast<double>(features_))
                                  : 1;
  a.rbf_kernel(centred_, work_, controls_, features_, stride_, static_cast<float>(fit.gamma),
               kernel_);
  const DualProblem problem{controls_,     stride_,
                            kernel_,       settings_.nu * static_cast<double>(controls_),
                            coefficients_, work_};
  const auto end = a.solve_dual(problem, kTolerance);
  fit.gap = end.gap;
  fit.products = end.products;
  fit.rho = end.rho;
  return fit;
}

OneClassFits fit_one_class(const torch::Tensor& examples, const OneClassSettings& settings) {
  require(examples.dim() == 3 && examples.scalar_type() == torch::kFloat,
          "one-class machines: expected examples float32 [machines, controls, features]");
  require(examples.isfinite().all().item<bool>(),
          "one-class machines: an example is not finite; leave its scan out");
  const auto x = examples.contiguous();
  const int64_t machines = x.size(0), n = x.size(1), d = x.size(2);
  OneClassSolver(n, d, settings);  // refuses here, not in a thread
  OneClassFits fits{torch::empty({machines, n}), torch::empty({machines}, torch::kDouble),
                    torch::empty({machines}, torch::kDouble),
                    torch::empty({machines}, torch::kDouble)};
  const float* from = x.data_ptr<float>();
  at::parallel_for(0, machines, 16, [&](int64_t begin, int64_t end) {
    OneClassSolver solver(n, d, settings);
    for (int64_t v = begin; v < end; ++v) {
      solver.take_examples(from + v * n * d);
      const auto fit = solver.solve();
      std::copy(solver.coefficients(), solver.coefficients() + n,
                fits.coefficients.data_ptr<float>() + v * n);
      fits.rho.data_ptr<double>()[v] = fit.rho;
      fits.gamma.data_ptr<double>()[v] = fit.gamma;
      fits.gap.data_ptr<double>()[v] = fit.gap;
    }
  });
  return fits;
}

double decide_one_class(const float* examples, const float* coefficients, int64_t count,
                        int64_t features, const float* query, double gamma, double rho) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (coefficients[i] == 0) continue;
    const float* x = examples + i * features;
    float square = 0;
#pragma omp simd reduction(+ : square)
    for (int64_t k = 0; k < features; ++k) square += (x[k] - query[k]) * (x[k] - query[k]);
    sum += coefficients[i] * std::exp(-gamma * square);
  }
  return sum - rho;
}

torch::Tensor decide_one_class(const OneClassFits& fits, const torch::Tensor& examples,
                               const torch::Tensor& queries) {
  const auto x = examples.contiguous(), q = queries.contiguous();
  require(x.dim() == 3 && q.dim() == 3 && x.size(0) == q.size(0) && x.size(2) == q.size(2) &&
              fits.coefficients.size(0) == x.size(0) && fits.coefficients.size(1) == x.size(1),
          "one-class machines: queries do not belong to these examples");
  const int64_t n = x.size(1), d = x.size(2), each = q.size(1);
  auto decisions = torch::empty({x.size(0), each});
  at::parallel_for(0, x.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v)
      for (int64_t k = 0; k < each; ++k)
        decisions.data_ptr<float>()[v * each + k] = static_cast<float>(decide_one_class(
            x.data_ptr<float>() + v * n * d, fits.coefficients.data_ptr<float>() + v * n, n, d,
            q.data_ptr<float>() + (v * each + k) * d, fits.gamma.data_ptr<double>()[v],
            fits.rho.data_ptr<double>()[v]));
  });
  return decisions;
}

}  // namespace scintigen
