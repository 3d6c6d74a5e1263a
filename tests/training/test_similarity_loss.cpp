// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/temporary_folder.h"
#include "metrics/structural_similarity.h"
#include "training/similarity_loss.h"

namespace scintigen {
namespace {

torch::Tensor images(uint64_t seed) {
  torch::manual_seed(seed);
  return torch::tanh(torch::randn({2, 1, 24, 28}, torch::kDouble));
}

TEST(SimilarityLoss, IsTheMetric) {
  const auto a = images(1), b = 0.7 * a + 0.3 * images(2);
  for (int64_t n = 0; n < 2; ++n) {
    const auto pair = image_pair(a[n], b[n]);
    const auto metric =
        structural_similarity(pair, {2, -1}, SimilarityWindow::kGaussian, SimilarityExtent::kSlice);
    const auto loss = gaussian_similarity(a.narrow(0, n, 1), b.narrow(0, n, 1), 2);
    EXPECT_NEAR(loss.item<double>(), metric.value, 1e-6);
  }
  EXPECT_NEAR(gaussian_similarity(a, a, 2).item<double>(), 1, 1e-12);
}

TEST(SimilarityLoss, HasTheGradientOfFiniteDifferences) {
  auto a = images(3).requires_grad_();
  const auto b = images(4);
  const auto gradient = torch::autograd::grad({gaussian_similarity(a, b, 2)}, {a})[0];
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  for (const int64_t at : {0, 100, 333, 671, 900, 1343}) {
    auto up = a.detach().clone(), down = up.clone();
    up.view(-1)[at] += kStep;
    down.view(-1)[at] -= kStep;
    const double difference =
        (gaussian_similarity(up, b, 2) - gaussian_similarity(down, b, 2)).item<double>();
    EXPECT_NEAR(gradient.view(-1)[at].item<double>(), difference / (2 * kStep), 1e-9) << at;
  }
}

TEST(SimilarityLoss, NeedsAWindow) {
  EXPECT_REFUSED(gaussian_similarity(torch::zeros({1, 1, 10, 20}), torch::zeros({1, 1, 10, 20}), 2),
                 "expected two [N,1,H,W] of 11 x 11 pixels and more");
}

}  // namespace
}  // namespace scintigen
