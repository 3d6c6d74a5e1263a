// SPDX-License-Identifier: Apache-2.0
#include "synthesis/post_process.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "cohort/target_profile.h"
#include "core/error.h"
#include "core/grid.h"

namespace scintigen {
namespace {

constexpr double kSigmaOfFwhm = 0.42466090014400953;

/// Mean of a distribution whose quantiles these are, linear in between.
double mean_of(const std::vector<double>& quantiles) {
  double sum = 0;
  for (size_t q = 1; q < quantiles.size(); ++q) sum += 0.5 * (quantiles[q - 1] + quantiles[q]);
  return sum / static_cast<double>(quantiles.size() - 1);
}

/// `value` of quantiles `from` -> the value of the same rank of `to`.
double moved(double value, const std::vector<double>& from, const std::vector<double>& to) {
  const auto above = std::upper_bound(from.begin(), from.end(), value);
  if (above == from.begin()) return to.front();
  if (above == from.end()) return to.back();
  const auto q = static_cast<size_t>(above - from.begin());
  const double part = (value - from[q - 1]) / (from[q] - from[q - 1]);
  return to[q - 1] + part * (to[q] - to[q - 1]);
}

}  // namespace

void smooth_pixels(torch::Tensor& pixels, const std::vector<int64_t>& planes,
                   const std::array<double, 3>& spacing_mm, double fwhm_mm) {
  if (fwhm_mm <= 0) return;
  std::array<double, 3> sigma{};
  for (size_t axis = 0; axis < 3; ++axis) sigma[axis] = fwhm_mm * kSigmaOfFwhm / spacing_mm[axis];
  const auto made = torch::tensor(planes);
  auto above = torch::zeros_like(pixels);
  above.index_copy_(0, made, pixels.index_select(0, made) + 1);
  auto part = torch::zeros({pixels.size(0)}).index_fill_(0, made, 1);  // of the kernel, in planes
  gaussian_blur(above.data_ptr<float>(), pixels.size(2), pixels.size(1), pixels.size(0), sigma);
  gaussian_blur(part.data_ptr<float>(), 1, 1, pixels.size(0), {0, 0, sigma[2]});
  above.div_(part.clamp_min(1e-6).view({-1, 1, 1})).sub_(1);
  pixels = pixels.index_copy(0, made, above.index_select(0, made));
}

void require_match(const std::vector<double>& quantiles, const std::string& how) {
  require(how == "none" || !quantiles.empty(),
          "--match {}: this run does not say how bright its training targets were (they were "
          "scaled by slice, or it is of an earlier scintigen); give --match none",
          how);
}

void match_pixels(torch::Tensor& pixels, const torch::Tensor& inside,
                  const std::vector<double>& quantiles, const std::string& how) {
  require_match(quantiles, how);
  if (how == "none") return;
  const auto brain = inside > 0;
  auto values = pixels.masked_select(brain);
  if (values.numel() == 0) return;
  if (how == "mean") {
    const double mean = (values + 1).mean(torch::kDouble).item<double>();
    if (mean > 0) values = (values + 1) * ((mean_of(quantiles) + 1) / mean) - 1;
  } else {
    require(how == "histogram", "--match {}: expected histogram, mean or none", how);
    const auto own = quantiles_of(values);
    values = values.contiguous();
    float* const value = values.data_ptr<float>();
    for (int64_t n = 0; n < values.numel(); ++n)
      value[n] = static_cast<float>(moved(value[n], own, quantiles));
  }
  pixels = pixels.masked_scatter(brain, values);
}

}  // namespace scintigen
