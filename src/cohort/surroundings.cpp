// SPDX-License-Identifier: Apache-2.0
#include "cohort/surroundings.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "core/error.h"
#include "core/grid.h"
#include "core/volume.h"

namespace scintigen {
namespace {

const double kFwhmPerSigma = 2 * std::sqrt(2 * std::log(2.0));

}  // namespace

torch::Tensor smoothed_inside(const torch::Tensor& image, const torch::Tensor& mask,
                              const std::array<double, 3>& fwhm_voxels) {
  require(image.dim() == 3 && image.sizes() == mask.sizes(),
          "smoothing inside a mask: image and mask lie on other grids");
  const auto inside = mask.ne(0);
  auto sum = image.masked_fill(inside.logical_not(), 0).contiguous();
  std::array<double, 3> sigma{};
  for (size_t axis = 0; axis < 3; ++axis) sigma[axis] = fwhm_voxels[axis] / kFwhmPerSigma;
  if (sigma == std::array<double, 3>{}) return sum;
  auto weight = inside.to(torch::kFloat).contiguous();
  float* const blurred[] = {sum.data_ptr<float>(), weight.data_ptr<float>()};
  at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v)
      gaussian_blur(blurred[v], image.size(2), image.size(1), image.size(0), sigma);
  });
  return torch::where(inside, sum / weight, torch::zeros_like(sum)).contiguous();
}

std::array<double, 3> fwhm_in_voxels(double fwhm_mm, const Affine& voxel_to_world) {
  auto fwhm = spacing_mm(voxel_to_world);
  for (auto& axis : fwhm) axis = fwhm_mm / axis;
  return fwhm;
}

torch::Tensor relative_to_surroundings(const torch::Tensor& image, const torch::Tensor& brain,
                                       double smooth_mm, double surround_mm,
                                       const Affine& voxel_to_world) {
  const auto around = smoothed_inside(image, brain, fwhm_in_voxels(surround_mm, voxel_to_world));
  const auto known = around > 0;
  require(known.any().item<bool>(),
          "uptake relative to the surroundings: no voxel of the brain is above 0");
  const auto here = smoothed_inside(image, brain, fwhm_in_voxels(smooth_mm, voxel_to_world));
  return torch::where(known, here / around, torch::zeros_like(around)).contiguous();
}

}  // namespace scintigen
