// SPDX-License-Identifier: Apache-2.0
#include "simulate/scan_columns.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "simulate/poisson.h"

namespace scintigen {
namespace {

constexpr int64_t kBlock = 16;  // of the transposition: a cache line of floats

/// [rows][columns] -> [columns][rows], block by block.
void transpose(const float* from, int64_t rows, int64_t columns, float* to) {
  for (int64_t r0 = 0; r0 < rows; r0 += kBlock) {
    for (int64_t c0 = 0; c0 < columns; c0 += kBlock) {
      const int64_t r1 = std::min(r0 + kBlock, rows), c1 = std::min(c0 + kBlock, columns);
      for (int64_t c = c0; c < c1; ++c)
        for (int64_t r = r0; r < r1; ++r) to[c * rows + r] = from[r * columns + c];
    }
  }
}

void check_form(const Volume& volume, const std::string& name, int64_t side, int64_t slices,
                double pixel_mm) {
  const auto& voxels = volume.voxels;
  require(voxels.defined() && voxels.device().is_cpu() && voxels.scalar_type() == torch::kFloat,
          "{}: expected a float32 volume in CPU memory, found {}", name,
          voxels.defined() ? "another type" : "none");
  require(voxels.dim() == 3 && voxels.size(0) == slices && voxels.size(1) == side &&
              voxels.size(2) == side,
          "{}: expected [{},{},{}] voxels for the protocol's matrix and slices, found [{}]", name,
          slices, side, side, fmt::join(voxels.sizes(), ","));
  for (const double mm : spacing_mm(volume.voxel_to_world))
    require(std::fabs(mm - pixel_mm) <= 1e-3 * pixel_mm,
            "{}: expected cubic voxels of {} mm, found an edge of {:.6g} mm", name, pixel_mm, mm);
}

}  // namespace

std::vector<float> columns_of(const Volume& volume, const std::string& name, int64_t side,
                              int64_t slices, double pixel_mm, double most) {
  check_form(volume, name, side, slices, pixel_mm);
  const torch::Tensor voxels = volume.voxels.contiguous();
  const float* from = voxels.data_ptr<float>();
  const auto limit = static_cast<float>(most);
  const float* bad =
      std::find_if_not(from, from + voxels.numel(), [&](float v) { return v >= 0 && v <= limit; });
  require(bad == from + voxels.numel(), "{}: expected values of 0 to {:.3g}, found {}", name, most,
          bad == from + voxels.numel() ? 0 : *bad);
  std::vector<float> columns(static_cast<size_t>(voxels.numel()));
  transpose(from, slices, side * side, columns.data());
  return columns;
}

void check_same_place(const Volume& volume, const std::string& name, const Volume& other,
                      const std::string& other_name) {
  for (size_t row = 0; row < 3; ++row)
    for (size_t column = 0; column < 4; ++column)
      require(
          std::fabs(volume.voxel_to_world[row][column] - other.voxel_to_world[row][column]) <= 1e-3,
          "{}: expected the place of {}, found another voxel-to-world matrix ({} instead of {} "
          "in row {}, column {})",
          other_name, name, other.voxel_to_world[row][column], volume.voxel_to_world[row][column],
          row, column);
}

torch::Tensor voxels_of(const std::vector<float>& columns, int64_t side, int64_t slices) {
  torch::Tensor voxels = torch::empty({slices, side, side}, torch::kFloat);
  transpose(columns.data(), side * side, slices, voxels.data_ptr<float>());
  return voxels;
}

void spread_broadly(std::vector<float>& views, int64_t rows, int64_t length, double pixel_mm,
                    double fwhm_mm) {
  const double decay = std::exp(-2 * std::log(2.0) * pixel_mm / fwhm_mm);
  const auto keep = static_cast<float>(decay), norm = static_cast<float>((1 - decay) / (1 + decay));
  const int64_t size = rows * length, count = static_cast<int64_t>(views.size()) / size;
  std::vector<float> ahead(static_cast<size_t>(size));
  // One axis: f sums x and what lies before it, then what lies after is added while x becomes the
  // sum from there on.
  const auto along = [&](float* view, int64_t outer, int64_t steps, int64_t inner) {
    for (int64_t o = 0; o < outer; ++o) {
      float *x = view + o * steps * inner, *f = ahead.data() + o * steps * inner;
      std::copy_n(x, steps * inner, f);
      for (int64_t i = inner; i < steps * inner; ++i) f[i] += keep * f[i - inner];
      for (int64_t i = (steps - 1) * inner - 1; i >= 0; --i) {
        f[i] += keep * x[i + inner];
        x[i] += keep * x[i + inner];
      }
      for (int64_t i = 0; i < steps * inner; ++i) x[i] = norm * f[i];
    }
  };
  for (int64_t view = 0; view < count; ++view) {
    along(views.data() + view * size, 1, rows, length);
    along(views.data() + view * size, rows, length, 1);
  }
}

double total_of(const std::vector<float>& values) {
  double total = 0;
  for (const float value : values) total += value;
  return total;
}

void scale_to(std::vector<float>& values, double total) {
  const double found = total_of(values);
  if (!(found > 0)) return;
  const auto factor = static_cast<float>(total / found);
  for (float& value : values) value *= factor;
}

std::vector<float> draw_counts(const std::vector<float>& primary,
                               const std::vector<float>& background, Random& random) {
  std::vector<float> counts(primary.size());
  for (size_t i = 0; i < counts.size(); ++i)
    counts[i] = static_cast<float>(poisson_draw(
        std::max(static_cast<double>(primary[i]) + static_cast<double>(background[i]), 0.0),
        random));
  return counts;
}

}  // namespace scintigen
