// SPDX-License-Identifier: Apache-2.0
#include "imaging/deformation.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/mask_morphology.h"
#include "core/resample.h"
#include "core/same_grid.h"
#include "imaging/prepare_grid.h"

namespace scintigen {
namespace {

struct Level {
  double spacing_mm;
  int most_steps;
};
constexpr Level kLevels[] = {{8, 60}, {4, 60}, {2, 40}};
// In voxels of the level (Gaussian SDs): window of the correlation, of each step, of the whole.
constexpr double kWindow = 2, kStepSmoothing = 2, kWholeSmoothing = 0.6;
constexpr double kLargestStep = 0.5, kLeastStep = 0.05;  // voxels
constexpr double kWorthGoingOn = 1e-4;                   // rise of the similarity over ...
constexpr int kPatience = 6;                             // ... so many steps
constexpr double kFlat = 1e-3;         // of the variance: where there is less there is no structure
constexpr double kAroundBrain_mm = 6;  // the brain's edge is structure, too
constexpr double kRoom_mm = 16;        // around the box of template_grid(), to fade out in
constexpr double kLeastJacobian = 0.05, kOverlapLoss = 0.01;

/// template_grid() with room around it.
Grid level_grid(double spacing_mm) {
  Grid grid = template_grid(spacing_mm);
  const auto more = static_cast<int64_t>(std::llround(kRoom_mm / spacing_mm));
  for (auto* side : {&grid.ni, &grid.nj, &grid.nk}) *side += 2 * more;
  for (size_t axis = 0; axis < 3; ++axis)
    grid.voxel_to_world[axis][3] -= static_cast<double>(more) * spacing_mm;
  return grid;
}

torch::Tensor blurred(const torch::Tensor& fields, double sigma) {
  auto result = fields.clone();  // [C,D,H,W] or [D,H,W]
  const auto planes = result.dim() == 4 ? result.size(0) : 1;
  const auto d = result.size(-3), h = result.size(-2), w = result.size(-1);
  for (int64_t c = 0; c < planes; ++c)
    gaussian_blur(result.data_ptr<float>() + c * d * h * w, w, h, d, {sigma, sigma, sigma});
  return result;
}

/// Half the difference of both neighbours along k, j, i as components i, j, k; 0 at the faces.
torch::Tensor rise_along(const torch::Tensor& volume) {
  auto result = torch::zeros({3, volume.size(0), volume.size(1), volume.size(2)});
  for (int64_t c = 0; c < 3; ++c) {
    const int64_t dimension = 2 - c, n = volume.size(dimension);
    result[c]
        .narrow(dimension, 1, n - 2)
        .copy_((volume.narrow(dimension, 2, n - 2) - volume.narrow(dimension, 0, n - 2)) / 2);
  }
  return result;
}

/// Reads fields [C,D,H,W] at x + u(x), u [3,D,H,W] in voxels along i, j, k; the nearest face's
/// value outside. Linear.
torch::Tensor read_displaced(const torch::Tensor& fields, const torch::Tensor& u) {
  const int64_t channels = fields.size(0), d = fields.size(1), h = fields.size(2),
                w = fields.size(3), whole = d * h * w;
  auto result = torch::empty_like(fields);
  const auto* const in = fields.data_ptr<float>();
  const auto* const shift = u.data_ptr<float>();
  auto* const out = result.data_ptr<float>();
  at::parallel_for(0, d * h, 16, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line)
      for (int64_t i = 0; i < w; ++i) {
        const int64_t at = line * w + i;
        const float x = std::clamp(static_cast<float>(i) + shift[at], 0.0F, float(w - 1));
        const float y =
            std::clamp(static_cast<float>(line % h) + shift[whole + at], 0.0F, float(h - 1));
        const float z =
            std::clamp(static_cast<float>(line / h) + shift[2 * whole + at], 0.0F, float(d - 1));
        const auto x0 = std::min(static_cast<int64_t>(x), w - 2),
                   y0 = std::min(static_cast<int64_t>(y), h - 2),
                   z0 = std::min(static_cast<int64_t>(z), d - 2);
        const float fx = x - float(x0), fy = y - float(y0), fz = z - float(z0);
        const int64_t first = (z0 * h + y0) * w + x0;
        for (int64_t c = 0; c < channels; ++c) {
          const float* const p = in + c * whole + first;
          const float* const q = p + h * w;
          const float near =
              (1 - fy) * ((1 - fx) * p[0] + fx * p[1]) + fy * ((1 - fx) * p[w] + fx * p[w + 1]);
          const float far =
              (1 - fy) * ((1 - fx) * q[0] + fx * q[1]) + fy * ((1 - fx) * q[w] + fx * q[w + 1]);
          out[c * whole + at] = (1 - fz) * near + fz * far;
        }
      }
  });
  return result;
}

/// 0 at the faces, 1 from kRoom_mm inside them.
torch::Tensor fade(const torch::Tensor& like, double spacing_mm) {
  auto window = torch::ones_like(like);
  for (int64_t dimension = 0; dimension < 3; ++dimension) {
    const int64_t n = like.size(dimension);
    const auto from_face = torch::minimum(torch::arange(n), n - 1 - torch::arange(n));
    auto ramp = (from_face.to(torch::kFloat) * (spacing_mm / kRoom_mm)).clamp_max(1);
    std::vector<int64_t> shape(3, 1);
    shape[static_cast<size_t>(dimension)] = n;
    window *= ramp.view(shape);
  }
  return window;
}

/// The squared local correlation of a fixed and a moving image, and where it rises.
class LocalCorrelation {
 public:
  LocalCorrelation(const torch::Tensor& fixed, const torch::Tensor& where) : where_(where) {
    const auto inside = fixed.masked_select(where > 0);
    scale_ = 1 / std::max(inside.std().item<double>(), 1e-12);
    fixed_ = fixed * scale_;
    mean_ = blurred(fixed_, kWindow);
    variance_ = blurred(fixed_ * fixed_, kWindow) - mean_ * mean_;
    total_ = where.sum(torch::kDouble).item<double>();
  }

  /// Mean in `where` and, at each voxel, its rise along i, j, k of the moving image.
  double rise(const torch::Tensor& moving, torch::Tensor& along) const {
    const auto mean = blurred(moving, kWindow);
    const auto variance = blurred(moving * moving, kWindow) - mean * mean;
    const auto both = blurred(fixed_ * moving, kWindow) - mean_ * mean;
    const auto spread = (variance_ + kFlat) * (variance + kFlat);
    const auto slope = both / (variance + kFlat);
    const auto force = 2 * both / spread * ((fixed_ - mean_) - slope * (moving - mean)) * where_;
    along = rise_along(moving) * force;
    return (both * both / spread * where_).sum(torch::kDouble).item<double>() / total_;
  }

 private:
  torch::Tensor fixed_, mean_, variance_, where_;
  double scale_ = 1, total_ = 0;
};

/// `volume` blurred to the width of a level's voxels, on its grid.
torch::Tensor on_level(const Volume& volume, const Grid& grid, const Affine& map) {
  std::vector<std::string> steps;
  return onto_grid(volume, grid, map, "linear", steps).voxels;
}

/// The displacements (voxels) of the level before on this level's grid.
torch::Tensor carried_over(const torch::Tensor& u, double from_mm, const Grid& from, double to_mm,
                           const Grid& to) {
  std::vector<torch::Tensor> components;
  for (int64_t c = 0; c < 3; ++c)
    components.push_back(resample({u[c].contiguous(), from.voxel_to_world, "1"}, to,
                                  identity_affine(), Interpolation::kLinear)
                             .voxels *
                         (from_mm / to_mm));
  return torch::stack(components);
}

struct LevelFit {
  torch::Tensor u;                ///< [3,D,H,W], voxels
  double without = 0, after = 0;  ///< similarity, undisplaced and with `u`
};

/// Climbs from `u`.
LevelFit climb(const torch::Tensor& fixed, const torch::Tensor& moving, const torch::Tensor& where,
               const torch::Tensor& u, const Level& level) {
  const LocalCorrelation correlation(fixed, where);
  const auto window = fade(fixed, level.spacing_mm);
  const double scale = 1 / std::max(moving.masked_select(where > 0).std().item<double>(), 1e-12);
  const auto scaled = (moving * scale).unsqueeze(0).contiguous();
  torch::Tensor along;
  LevelFit fit;
  fit.without = correlation.rise(scaled.squeeze(0), along);
  fit.u = u;
  double now = fit.after = correlation.rise(read_displaced(scaled, u).squeeze(0), along);
  double step = kLargestStep, marked = now;
  for (int round = 1; round <= level.most_steps && step >= kLeastStep; ++round) {
    auto v = blurred(along, kStepSmoothing) * window;
    const double largest = v.pow(2).sum(0).max().sqrt().item<double>();
    if (!(largest > 0)) break;
    v *= step / largest;
    // x -> x + v(x) -> that + u(that)
    auto next = blurred(v + read_displaced(fit.u, v), kWholeSmoothing) * window;
    torch::Tensor next_along;
    now = correlation.rise(read_displaced(scaled, next).squeeze(0), next_along);
    if (now <= fit.after) {
      step /= 2;
      continue;
    }
    fit.u = next, along = next_along, fit.after = now;
    if (round % kPatience == 0) {
      if (now - marked < kWorthGoingOn) break;
      marked = now;
    }
  }
  return fit;
}

double overlap(const Volume& template_brain, const Volume& brain, const Grid& grid,
               const SpatialMap& map) {
  const auto wanted = resample(template_brain, grid, identity_affine(), Interpolation::kNearest);
  const auto found = resample(brain, grid, map, Interpolation::kNearest);
  return dice(wanted.voxels > 0, found.voxels > 0);
}

bool can_be_inverted(const Displacements& field) {
  try {
    inverse(field);
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace

std::string deformation_doubt(const Deformation& found) {
  if (found.least_jacobian < kLeastJacobian)
    return fmt::format("it folds or nearly: least Jacobian {:.2f}, expected {:g} or more",
                       found.least_jacobian, kLeastJacobian);
  if (found.overlap_after < found.overlap_before - kOverlapLoss)
    return fmt::format("the brains overlap less with it (Dice {:.3f}) than without ({:.3f})",
                       found.overlap_after, found.overlap_before);
  if (!can_be_inverted(found.field)) return "it cannot be inverted";
  return "";
}

Deformation deform_to_template(const Volume& template_head, const Volume& template_brain,
                               const Volume& t1, const Volume& brain,
                               const Affine& template_to_t1) {
  require_same_grid(template_head, "the template's head", template_brain, "its brain");
  require((template_brain.voxels > 0).any().item<bool>(), "the template's brain is empty");
  Volume around = template_brain;
  around.voxels =
      dilate(template_brain.voxels > 0, kAroundBrain_mm, spacing_mm(template_brain.voxel_to_world))
          .to(torch::kFloat);
  Deformation found;
  torch::Tensor u;
  Grid grid;
  double spacing = 0;
  for (const auto& level : kLevels) {
    const Grid next = level_grid(level.spacing_mm);
    u = u.defined() ? carried_over(u, spacing, grid, level.spacing_mm, next)
                    : torch::zeros({3, next.nk, next.nj, next.ni});
    grid = next, spacing = level.spacing_mm;
    const auto fit =
        climb(on_level(template_head, grid, identity_affine()), on_level(t1, grid, template_to_t1),
              resample(around, grid, identity_affine(), Interpolation::kLinear).voxels, u, level);
    u = fit.u;
    found.similarity_before = fit.without;
    found.similarity_after = fit.after;
  }
  found.field = {(u * spacing).contiguous(), grid.voxel_to_world};
  found.least_jacobian = least_jacobian(found.field);
  const auto inside =
      resample(template_brain, grid, identity_affine(), Interpolation::kNearest).voxels > 0;
  const auto moved = found.field.mm.pow(2).sum(0).sqrt().masked_select(inside);
  found.largest_mm = moved.max().item<double>();
  found.mean_mm = moved.mean().item<double>();
  if (brain.voxels.defined()) {
    found.overlap_before = overlap(template_brain, brain, grid, template_to_t1);
    found.overlap_after = overlap(template_brain, brain, grid,
                                  compose(SpatialMap(template_to_t1), SpatialMap(found.field)));
  }
  found.doubt = deformation_doubt(found);
  return found;
}

nlohmann::ordered_json deformation_record(const Deformation& found) {
  nlohmann::ordered_json record = {
      {"similarity", {{"before", found.similarity_before}, {"after", found.similarity_after}}}};
  if (found.overlap_after > 0)
    record["brain_overlap"] = {{"before", found.overlap_before}, {"after", found.overlap_after}};
  record["least_jacobian"] = found.least_jacobian;
  record["largest_mm"] = found.largest_mm;
  record["mean_mm"] = found.mean_mm;
  return record;
}

}  // namespace scintigen
