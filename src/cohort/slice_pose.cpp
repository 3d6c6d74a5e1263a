// SPDX-License-Identifier: Apache-2.0
#include "cohort/slice_pose.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace scintigen {
namespace {

constexpr double kWarpSmoothness_px = 12;

/// Bilinear value of `image` at (row, column); zero outside.
float bilinear(const float* image, int64_t height, int64_t width, double row, double column) {
  if (!(row > -1 && column > -1 && row < static_cast<double>(height) &&
        column < static_cast<double>(width))) {
    return 0.f;
  }
  const auto r = static_cast<int64_t>(row + 1) - 1, c = static_cast<int64_t>(column + 1) - 1;
  const auto down = static_cast<float>(row - static_cast<double>(r));
  const auto right = static_cast<float>(column - static_cast<double>(c));
  const auto at = [&](int64_t y, int64_t x) {
    return y < 0 || x < 0 || y >= height || x >= width ? 0.f : image[y * width + x];
  };
  return (1 - down) * ((1 - right) * at(r, c) + right * at(r, c + 1)) +
         down * ((1 - right) * at(r + 1, c) + right * at(r + 1, c + 1));
}

}  // namespace

std::vector<float> smooth_field(int64_t height, int64_t width, double smoothness_px,
                                Random& random) {
  const double spacing =
      smoothness_px / 1.5;  // at this spacing the lattice cannot be seen (< 1e-4)
  const auto axis = [&](int64_t pixels) {
    const auto knots = static_cast<int64_t>(
                           std::ceil((static_cast<double>(pixels) + 6 * smoothness_px) / spacing)) +
                       1;
    std::vector<float> weights(static_cast<size_t>(pixels * knots));
    for (int64_t p = 0; p < pixels; ++p) {
      float* row = &weights[static_cast<size_t>(p * knots)];
      double power = 0;
      for (int64_t k = 0; k < knots; ++k) {
        const double distance =
            (static_cast<double>(p) + 3 * smoothness_px - static_cast<double>(k) * spacing) /
            smoothness_px;
        row[k] = static_cast<float>(std::exp(-0.5 * distance * distance));
        power += static_cast<double>(row[k]) * row[k];
      }
      const auto unit = static_cast<float>(1 / std::sqrt(power));
      std::for_each(row, row + knots, [unit](float& w) { w *= unit; });
    }
    return std::make_pair(knots, weights);
  };
  const auto [row_knots, row_weights] = axis(height);
  const auto [column_knots, column_weights] = axis(width);
  std::vector<float> noise(static_cast<size_t>(row_knots * column_knots));
  for (auto& value : noise) value = static_cast<float>(random.normal());
  std::vector<float> field(static_cast<size_t>(height * width), 0.f);
  std::vector<float> line(static_cast<size_t>(column_knots));
  for (int64_t r = 0; r < height; ++r) {
    std::fill(line.begin(), line.end(), 0.f);
    for (int64_t k = 0; k < row_knots; ++k) {
      const float weight = row_weights[static_cast<size_t>(r * row_knots + k)];
      const float* from = &noise[static_cast<size_t>(k * column_knots)];
      for (int64_t j = 0; j < column_knots; ++j) line[static_cast<size_t>(j)] += weight * from[j];
    }
    for (int64_t c = 0; c < width; ++c) {
      const float* weights = &column_weights[static_cast<size_t>(c * column_knots)];
      float sum = 0;
      for (int64_t j = 0; j < column_knots; ++j) sum += weights[j] * line[static_cast<size_t>(j)];
      field[static_cast<size_t>(r * width + c)] = sum;
    }
  }
  return field;
}

SliceWarp draw_warp(int64_t height, int64_t width, double warp_px, Random& random) {
  if (!(warp_px > 0)) return {};
  SliceWarp warp;
  const auto scaled = [&] {
    auto field = smooth_field(height, width, kWarpSmoothness_px, random);
    for (auto& value : field) value = static_cast<float>(warp_px * static_cast<double>(value));
    return field;
  };
  warp.rows = scaled();
  warp.columns = scaled();
  return warp;
}

void read_posed(const float* source, int64_t height, int64_t width, const SlicePose& pose,
                const SliceWarp& warp, float* out) {
  const double middle_row = static_cast<double>(height - 1) / 2;
  const double middle_column = static_cast<double>(width - 1) / 2;
  const double cosine = std::cos(pose.angle_rad) / pose.zoom;
  const double sine = std::sin(pose.angle_rad) / pose.zoom;
  for (int64_t r = 0; r < height; ++r) {
    const double down = static_cast<double>(r) - pose.down_px - middle_row;
    for (int64_t c = 0; c < width; ++c) {
      const double right = static_cast<double>(c) - pose.right_px - middle_column;
      const auto pixel = static_cast<size_t>(r * width + c);
      double row = cosine * down - sine * right + middle_row;
      double column = sine * down + cosine * right + middle_column;
      if (!warp.rows.empty()) {
        row += static_cast<double>(warp.rows[pixel]);
        column += static_cast<double>(warp.columns[pixel]);
      }
      if (pose.flip) column = static_cast<double>(width - 1) - column;
      out[pixel] = bilinear(source, height, width, row, column);
    }
  }
}

}  // namespace scintigen
