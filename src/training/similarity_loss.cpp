// SPDX-License-Identifier: Apache-2.0
#include "training/similarity_loss.h"

#include <torch/torch.h>

#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr int64_t kTaps = 11;
constexpr double kSigma = 1.5;

torch::Tensor gaussian_taps(const torch::TensorOptions& options) {
  auto taps = torch::empty({kTaps}, torch::kDouble);
  for (int64_t k = 0; k < kTaps; ++k) {
    const auto x = static_cast<double>(k - kTaps / 2);
    taps[k] = std::exp(-x * x / (2 * kSigma * kSigma));
  }
  return (taps / taps.sum()).to(options);
}

}  // namespace

torch::Tensor gaussian_similarity(const torch::Tensor& a, const torch::Tensor& b, double range) {
  require(a.dim() == 4 && a.size(1) == 1 && a.sizes() == b.sizes() && a.size(2) >= kTaps &&
              a.size(3) >= kTaps,
          "SSIM: [{}] and [{}]; expected two [N,1,H,W] of 11 x 11 pixels and more",
          fmt::join(a.sizes(), ","), fmt::join(b.sizes(), ","));
  const auto taps = gaussian_taps(a.options());
  const auto column = taps.view({1, 1, kTaps, 1}), row = taps.view({1, 1, 1, kTaps});
  // The five windowed means in one pass: a, b, a^2, b^2, ab.
  const auto n = a.size(0);
  const auto means =
      torch::conv2d(torch::conv2d(torch::cat({a, b, a * a, b * b, a * b}), column), row);
  const auto of = [&](int64_t part) { return means.narrow(0, part * n, n); };
  const auto mean_a = of(0), mean_b = of(1);
  const auto variance_a = of(2) - mean_a * mean_a, variance_b = of(3) - mean_b * mean_b;
  const auto covariance = of(4) - mean_a * mean_b;
  const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
  return ((2 * mean_a * mean_b + c1) * (2 * covariance + c2) /
          ((mean_a * mean_a + mean_b * mean_b + c1) * (variance_a + variance_b + c2)))
      .mean();
}

}  // namespace scintigen
