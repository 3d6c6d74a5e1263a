// SPDX-License-Identifier: Apache-2.0
#include "imaging/slices.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kDegrees = 57.29577951308232;

/// [matrix,pixels] weights that take `pixels` of `pixel_mm` to `matrix` over `fov_mm`, same centre.
torch::Tensor axis_weights(int64_t pixels, double pixel_mm, int64_t matrix, double fov_mm) {
  auto weights = torch::zeros({matrix, pixels}, torch::kDouble);
  double* weight = weights.data_ptr<double>();
  // in units of source pixels, from the outer edge of the first
  const double step = fov_mm / static_cast<double>(matrix) / pixel_mm;
  const double start = (static_cast<double>(pixels) - step * static_cast<double>(matrix)) / 2;
  const bool shrinks = step < 1 - 1e-9;
  const auto last = static_cast<double>(pixels);
  for (int64_t o = 0; o < matrix; ++o, weight += pixels) {
    const double low = start + step * static_cast<double>(o), high = low + step;
    if (shrinks) {
      const double edge = (low + high) / 2;
      if (edge < 0 || edge > last) continue;  // outside the slice: zero
      const double centre = std::clamp(edge - 0.5, 0.0, last - 1);
      const auto first = std::min(static_cast<int64_t>(centre), std::max<int64_t>(pixels - 2, 0));
      const double fraction = centre - static_cast<double>(first);
      weight[first] += 1 - fraction;
      if (fraction > 0) weight[first + 1] += fraction;
      continue;
    }
    const auto begin = static_cast<int64_t>(std::floor(std::clamp(low, 0.0, last)));
    const auto end = static_cast<int64_t>(std::ceil(std::clamp(high, 0.0, last)));
    for (int64_t i = begin; i < end; ++i) {
      const double overlap =
          std::min(high, static_cast<double>(i + 1)) - std::max(low, static_cast<double>(i));
      weight[i] = std::max(0.0, overlap) / step;
    }
  }
  return weights;
}

}  // namespace

AxialView axial_view(const Affine& voxel_to_world, const std::string& where) {
  const auto length = spacing_mm(voxel_to_world);
  // cosine[w][v]: of voxel axis v with patient axis w (right, anterior, superior)
  std::array<std::array<double, 3>, 3> cosine;
  for (size_t w = 0; w < 3; ++w) {
    for (size_t v = 0; v < 3; ++v) cosine[w][v] = voxel_to_world[w][v] / length[v];
  }
  // The permutation that agrees best as a whole: taking each axis' own nearest could take one twice
  // near 45 degrees.
  std::array<size_t, 3> order{0, 1, 2}, best = order;  // patient axis of voxel axis v
  double most = -1;
  do {
    double agreement = 0;
    for (size_t v = 0; v < 3; ++v) agreement += std::abs(cosine[order[v]][v]);
    if (agreement > most + 1e-9) {
      most = agreement;
      best = order;
    }
  } while (std::next_permutation(order.begin(), order.end()));

  static const std::array<const char*, 3> stored = {"sagittal", "coronal", "axial"};
  require(best[2] == 2,
          "{}: slices are {} (the third voxel axis runs {}); expected axial; reorient the volume "
          "first",
          where, stored[best[2]], best[2] == 0 ? "left-right" : "anterior-posterior");
  AxialView view;
  view.transpose = best[0] == 1;
  const size_t left_right = view.transpose ? 1 : 0, front_back = 1 - left_right;
  view.flip_rows = cosine[1][front_back] > 0;     // the index rises to the front
  view.flip_columns = cosine[0][left_right] > 0;  // the index rises to the right
  view.towards_feet = cosine[2][2] > 0 ? -1 : 1;
  view.row_mm = length[front_back];
  view.column_mm = length[left_right];
  for (size_t v = 0; v < 3; ++v) {
    const double angle = std::acos(std::min(1.0, std::abs(cosine[best[v]][v]))) * kDegrees;
    view.tilt_deg = std::max(view.tilt_deg, angle);
  }
  return view;
}

torch::Tensor axial_slice(const Volume& volume, const AxialView& view, int64_t index) {
  auto slice = volume.voxels[index];  // [j,i]
  if (view.transpose) slice = slice.t();
  if (view.flip_rows) slice = slice.flip(0);
  if (view.flip_columns) slice = slice.flip(1);
  return slice.contiguous();
}

std::string slice_problem(const Volume& volume, int64_t index) {
  const auto values = volume.voxels[index].contiguous();
  const float* value = values.data_ptr<float>();
  const int64_t count = values.numel();
  int64_t not_finite = 0, first = 0;
  for (int64_t i = count - 1; i >= 0; --i) {
    if (std::isfinite(value[i])) continue;
    ++not_finite;
    first = i;
  }
  if (not_finite > 0) {
    return fmt::format("holds {} non-finite values, the first at voxel [{},{},{}]", not_finite,
                       first % values.size(1), first / values.size(1), index);
  }
  const auto [least, most] = std::minmax_element(value, value + count);
  if (*most <= 0.f) return "is empty (no value above 0)";
  if (*least == *most) return fmt::format("is constant (every value is {})", *most);
  return {};
}

double field_of_view_mm(const torch::Tensor& slice, double row_mm, double column_mm) {
  return std::max(static_cast<double>(slice.size(0)) * row_mm,
                  static_cast<double>(slice.size(1)) * column_mm);
}

torch::Tensor resample_to_matrix(const torch::Tensor& slice, double row_mm, double column_mm,
                                 int64_t matrix, double fov_mm) {
  require(matrix >= 1 && row_mm > 0 && column_mm > 0 && fov_mm > 0,
          "resampling: matrix {}, pixels {} x {} mm, field of view {} mm; all must be above 0",
          matrix, row_mm, column_mm, fov_mm);
  const auto rows = axis_weights(slice.size(0), row_mm, matrix, fov_mm);
  const auto columns = axis_weights(slice.size(1), column_mm, matrix, fov_mm);
  return rows.matmul(slice.to(torch::kDouble)).matmul(columns.t()).to(torch::kFloat).contiguous();
}

}  // namespace scintigen
