// SPDX-License-Identifier: Apache-2.0
#include "imaging/prepare_grid.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/affine.h"
#include "core/error.h"
#include "core/orientation.h"
#include "core/resample.h"
#include "core/table.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

constexpr double kWorthBlurring = 1.2;  // times larger
constexpr int64_t kLeastSide = 8, kMostSide = 1024;
constexpr double kFinestMm = 0.25, kCoarsestMm = 16, kOrthogonalTolerance = 1e-3;
constexpr double kFwhmOfSigma = 2.354820045030949;
constexpr Point kBoxLow_mm = {-78, -112, -70}, kBoxHigh_mm = {78, 76, 85};

/// Gram-Schmidt from the slice normal: of an orthogonal affine the unit axes themselves.
std::array<Point, 3> unit_axes(const Affine& affine) {
  std::array<Point, 3> axes{};
  for (const size_t v : {2U, 1U, 0U}) {
    Point axis = {affine[0][v], affine[1][v], affine[2][v]};
    for (size_t u = v + 1; u < 3; ++u) {
      const double along = axis[0] * axes[u][0] + axis[1] * axes[u][1] + axis[2] * axes[u][2];
      for (size_t w = 0; w < 3; ++w) axis[w] -= along * axes[u][w];
    }
    const double length = std::hypot(axis[0], axis[1], axis[2]);
    for (size_t w = 0; w < 3; ++w) axes[v][w] = axis[w] / length;
  }
  return axes;
}

/// First and last index with a voxel above 0 along each of i, j, k; everything where there is none.
std::array<std::array<double, 2>, 3> box_of(const Volume& volume, bool inside) {
  std::array<std::array<double, 2>, 3> box{};
  const auto above = inside ? volume.voxels > 0 : torch::Tensor();
  for (int64_t v = 0; v < 3; ++v) {
    const int64_t dimension = 2 - v;
    auto& [low, high] = box[static_cast<size_t>(v)];
    high = static_cast<double>(volume.voxels.size(dimension) - 1);
    if (!inside) continue;
    auto line = above;
    for (int64_t other = 2; other >= 0; --other)
      if (other != dimension) line = line.any(other, /*keepdim=*/true);
    const auto places = line.flatten().nonzero();
    if (places.numel() == 0) continue;
    low = static_cast<double>(places.min().item<int64_t>());
    high = static_cast<double>(places.max().item<int64_t>());
  }
  return box;
}

}  // namespace

Grid grid_around(const Volume& reference, const Volume& mask, const std::array<int64_t, 3>& matrix,
                 double spacing_mm) {
  const auto axes = unit_axes(reference.voxel_to_world);
  const auto box = box_of(mask.voxels.defined() ? mask : reference, mask.voxels.defined());
  const auto centre = transform_point(
      reference.voxel_to_world,
      {(box[0][0] + box[0][1]) / 2, (box[1][0] + box[1][1]) / 2, (box[2][0] + box[2][1]) / 2});
  Grid grid{matrix[0], matrix[1], matrix[2], identity_affine()};
  for (size_t v = 0; v < 3; ++v) {
    const double half = spacing_mm * static_cast<double>(matrix[v] / 2);
    double from_voxel =
        0;  // of the first grid point, along axis v, from the reference's first voxel
    for (size_t w = 0; w < 3; ++w)
      from_voxel += axes[v][w] * (centre[w] - reference.voxel_to_world[w][3]);
    const double start = spacing_mm * std::round((from_voxel - half) / spacing_mm);
    for (size_t w = 0; w < 3; ++w) {
      grid.voxel_to_world[w][v] = spacing_mm * axes[v][w];
      grid.voxel_to_world[w][3] += start * axes[v][w];
    }
  }
  for (size_t w = 0; w < 3; ++w) grid.voxel_to_world[w][3] += reference.voxel_to_world[w][3];
  return grid;
}

Grid same_slices(const Volume& reference, double spacing_mm) {
  Grid grid = grid_of(reference);
  const auto own = scintigen::spacing_mm(reference.voxel_to_world);
  for (size_t v = 0; v < 2; ++v) {
    int64_t& count = v == 0 ? grid.ni : grid.nj;
    const double ratio = spacing_mm / own[v];
    if (std::abs(ratio - 1) < 1e-6) continue;
    count = static_cast<int64_t>(std::floor(static_cast<double>(count) / ratio + 1e-6));
    require(count >= 1, "--spacing-mm {}: larger than the field of view of {}", spacing_mm,
            describe_grid(grid_of(reference)));
    for (size_t w = 0; w < 3; ++w) {
      const double step = reference.voxel_to_world[w][v];
      // The field of view begins half a pixel before the first centre.
      grid.voxel_to_world[w][v] = step * ratio;
      grid.voxel_to_world[w][3] += step * (ratio - 1) / 2;
    }
  }
  return grid;
}

Grid template_grid(double spacing_mm) {
  Grid grid{0, 0, 0, identity_affine()};
  for (size_t v = 0; v < 3; ++v) {
    const auto steps =
        static_cast<int64_t>(std::floor((kBoxHigh_mm[v] - kBoxLow_mm[v]) / spacing_mm + 1e-9));
    (v == 0 ? grid.ni : v == 1 ? grid.nj : grid.nk) = steps + 1;
    grid.voxel_to_world[v][v] = spacing_mm;
    grid.voxel_to_world[v][3] = kBoxLow_mm[v];
  }
  return grid;
}

Grid output_grid(const std::filesystem::path& file) {
  const auto where = "--grid " + file.string();
  std::error_code error;
  require(std::filesystem::is_regular_file(file, error), "{}: not there; expected a NIfTI file",
          where);
  std::vector<std::string> strange;
  const Grid grid = canonical_orientation(read_grid(file, &strange));
  for (const int64_t side : {grid.ni, grid.nj, grid.nk})
    require(side >= kLeastSide && side <= kMostSide, "{}: {}; expected {} to {} voxels a side",
            where, describe_grid(grid), kLeastSide, kMostSide);
  const auto spacing = spacing_mm(grid.voxel_to_world);
  for (const double edge : spacing)
    require(edge >= kFinestMm && edge <= kCoarsestMm, "{}: {}; expected voxels of {} to {} mm",
            where, describe_grid(grid), kFinestMm, kCoarsestMm);
  const auto& a = grid.voxel_to_world;
  for (size_t u = 0; u < 3; ++u) {
    const size_t v = (u + 1) % 3;
    const double cosine =
        (a[0][u] * a[0][v] + a[1][u] * a[1][v] + a[2][u] * a[2][v]) / (spacing[u] * spacing[v]);
    require(std::abs(cosine) < kOrthogonalTolerance,
            "{}: its axes are not at right angles; expected a grid that is not sheared", where);
  }
  return grid;
}

Volume onto_grid(const Volume& source, const Grid& target, const SpatialMap& target_to_source,
                 const std::string& interpolation, std::vector<std::string>& steps) {
  const auto step = compose(inverse(source.voxel_to_world),
                            compose(target_to_source.affine(), target.voxel_to_world));
  Volume read = source;
  std::array<double, 3> sigma{};
  for (size_t v = 0; v < 3; ++v) {
    // Width of the target's voxel along this axis of the source, in voxels of the source.
    const double width = std::hypot(step[v][0], step[v][1], step[v][2]);
    if (width > kWorthBlurring) sigma[v] = std::sqrt(width * width - 1) / kFwhmOfSigma;
  }
  if (sigma[0] + sigma[1] + sigma[2] > 0) {
    read.voxels = source.voxels.clone();
    gaussian_blur(read.voxels.data_ptr<float>(), read.voxels.size(2), read.voxels.size(1),
                  read.voxels.size(0), sigma);
    steps.push_back(
        fmt::format("Gaussian of {:.3g} x {:.3g} x {:.3g} voxels SD, to the width of "
                    "the new voxels",
                    sigma[0], sigma[1], sigma[2]));
  }
  const bool spline = interpolation == "bspline";
  auto result = resample(read, target, target_to_source,
                         spline ? Interpolation::kCubicSpline : Interpolation::kLinear);
  result.unit = source.unit;
  const double low = read.voxels.min().item<double>(), high = read.voxels.max().item<double>();
  if (spline) result.voxels.clamp_(std::min(0.0, low), high);
  const char* const how = only_copies(grid_of(source), target, target_to_source)
                              ? "copied, voxel on voxel"
                          : spline ? "third-order B-spline, kept in the range of the source"
                                   : "linear interpolation";
  if (!target_to_source.is_affine()) steps.push_back("through the deformation to the template");
  steps.push_back(fmt::format("{}: {}, {} -> {}, {}", how, describe_grid(grid_of(source)),
                              orientation_letters(source.voxel_to_world), describe_grid(target),
                              orientation_letters(target.voxel_to_world)));
  return result;
}

}  // namespace scintigen
