// SPDX-License-Identifier: Apache-2.0
#include "imaging/slices.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

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
