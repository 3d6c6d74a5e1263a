// SPDX-License-Identifier: Apache-2.0
#include "detection/simple_detectors.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "cohort/surroundings.h"
#include "core/error.h"
#include "detection/plane_features.h"

namespace scintigen {
namespace {

constexpr int64_t kVoxelsAtOnce = 256;

/// Latents of people at voxels [V,people,64], float64.
torch::Tensor latents_at(const std::vector<torch::Tensor>& maps, const torch::Tensor& voxels,
                         int64_t width) {
  const int64_t people = static_cast<int64_t>(maps.size());
  auto latents = torch::empty({voxels.numel(), people, kPatchLatents});
  const auto* at = voxels.data_ptr<int64_t>();
  for (int64_t v = 0; v < voxels.numel(); ++v)
    for (int64_t p = 0; p < people; ++p) {
      const auto& map = maps[static_cast<size_t>(p)];
      latent_of_map(map.data_ptr<float>(), map.size(1), at[v] / width, at[v] % width,
                    latents.data_ptr<float>() + (v * people + p) * kPatchLatents);
    }
  return latents.to(torch::kDouble);
}

}  // namespace

torch::Tensor relative_uptake(const torch::Tensor& image, const torch::Tensor& mask,
                              const std::array<double, 3>& fwhm_voxels) {
  require(image.dim() == 3 && image.sizes() == mask.sizes(),
          "relative uptake: image and mask lie on other grids");
  const double mean = image.masked_select(mask.ne(0)).to(torch::kDouble).mean().item<double>();
  require(mean > 0, "relative uptake: the mean in the mask is {}; expected above 0", mean);
  return smoothed_inside(image / mean, mask, fwhm_voxels);
}

void NormalImages::add(const torch::Tensor& image) {
  if (people_ == 0) {
    mean_ = torch::zeros_like(image, torch::kDouble);
    squares_ = torch::zeros_like(mean_);
  }
  require(image.sizes() == mean_.sizes(), "z against controls: images of other shapes");
  ++people_;
  const auto off = image.to(torch::kDouble) - mean_;
  mean_ += off / static_cast<double>(people_);
  squares_ += off * (image - mean_);
}

NormalDifferences NormalImages::normal() const {
  require(people_ >= 3, "z against controls: {} controls; expected at least 3", people_);
  NormalDifferences normal;
  normal.mean = mean_.clone();
  normal.sd = (squares_ / static_cast<double>(people_ - 1)).sqrt();
  normal.people = people_;
  return normal;
}

ShrunkCovariance shrunk_covariance(const torch::Tensor& rows) {
  const auto n = static_cast<double>(rows.size(1)), d = static_cast<double>(rows.size(2));
  ShrunkCovariance made;
  made.mean = rows.mean(1);
  const auto centred = rows - made.mean.unsqueeze(1);
  const auto sample = centred.transpose(1, 2).matmul(centred) / n;
  const auto level = sample.diagonal(0, 1, 2).mean(1);             // [V]
  const auto square = sample.square().sum(at::IntArrayRef{1, 2});  // |S|^2
  const auto fourth = centred.square().sum(2).square().sum(1);     // sum |x|^4
  // Both times d: how far S is from the truth, and from level I.
  const auto error = (fourth / n - square) / n;
  const auto distance = square - d * level.square();
  made.shrinkage =
      torch::where(distance > 0, torch::minimum(error, distance) / distance.clamp_min(1e-300),
                   torch::zeros_like(distance));
  made.covariance =
      sample * (1 - made.shrinkage).view({-1, 1, 1}) +
      torch::eye(rows.size(2), torch::kDouble) * (made.shrinkage * level).view({-1, 1, 1});
  return made;
}

torch::Tensor mahalanobis(const ShrunkCovariance& normal, const torch::Tensor& queries) {
  const auto level = normal.covariance.diagonal(0, 1, 2).mean(1);
  const auto known = level > 0;
  const auto ridge = torch::where(known, 1e-6 * level, torch::ones_like(level));
  const auto lower = at::linalg_cholesky(
      normal.covariance + torch::eye(queries.size(2), torch::kDouble) * ridge.view({-1, 1, 1}));
  const auto off = (queries - normal.mean.unsqueeze(1)).transpose(1, 2);
  const auto distance = at::linalg_solve_triangular(lower, off, false).square().sum(1).sqrt();
  return torch::where(known.unsqueeze(1), distance, torch::zeros_like(distance));
}

torch::Tensor plane_distances(const DensePatchEncoder& encoder,
                              const std::vector<ScaledScans>& controls,
                              const std::vector<ScaledScans>& people, const torch::Tensor& mask,
                              int64_t plane) {
  require(controls.size() >= 3, "Mahalanobis distance: {} controls; expected at least 3",
          controls.size());
  const torch::NoGradGuard no_grad;
  const auto voxel = mask.flatten().nonzero().flatten().contiguous();
  const auto of_controls = plane_maps(encoder, controls, plane);
  const auto of_people = plane_maps(encoder, people, plane);
  auto distances = torch::zeros({static_cast<int64_t>(people.size()), voxel.numel()});
  for (int64_t from = 0; from < voxel.numel(); from += kVoxelsAtOnce) {
    const auto some =
        voxel.slice(0, from, std::min(from + kVoxelsAtOnce, voxel.numel())).contiguous();
    const auto rows = latents_at(of_controls, some, mask.size(1));
    const auto queries = latents_at(of_people, some, mask.size(1));
    distances.slice(1, from, from + some.numel())
        .copy_(-mahalanobis(shrunk_covariance(rows), queries).t());
  }
  return distances;
}

}  // namespace scintigen
