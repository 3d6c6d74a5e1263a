// SPDX-License-Identifier: Apache-2.0
#include "simulate/coarse_field.h"

#include <algorithm>
#include <cmath>

namespace scintigen {
namespace {

constexpr Point kBoxLow = {-112, -148, -112};
constexpr std::array<int64_t, 3> kBoxPoints = {57, 66, 61};

}  // namespace

CoarseField::CoarseField(int64_t components)
    : components_(components), n_(kBoxPoints), origin_(kBoxLow) {
  data_.assign(static_cast<size_t>(components * points()), 0.0F);
}

Point CoarseField::point(int64_t index) const {
  const int64_t i = index % n_[0], j = index / n_[0] % n_[1], k = index / (n_[0] * n_[1]);
  return {origin_[0] + kSpacingMm * static_cast<double>(i),
          origin_[1] + kSpacingMm * static_cast<double>(j),
          origin_[2] + kSpacingMm * static_cast<double>(k)};
}

Grid CoarseField::grid() const {
  Grid grid{n_[0], n_[1], n_[2], identity_affine()};
  for (size_t axis = 0; axis < 3; ++axis) {
    grid.voxel_to_world[axis][axis] = kSpacingMm;
    grid.voxel_to_world[axis][3] = origin_[axis];
  }
  return grid;
}

CoarseField::Cell CoarseField::cell(const Point& at) const {
  Cell cell{};
  std::array<int64_t, 3> low{};
  for (size_t axis = 0; axis < 3; ++axis) {
    const double last = static_cast<double>(n_[axis] - 1);
    const double place = std::clamp((at[axis] - origin_[axis]) / kSpacingMm, 0.0, last);
    low[axis] = std::min(static_cast<int64_t>(place), n_[axis] - 2);
    cell.part[axis] = static_cast<float>(place - static_cast<double>(low[axis]));
  }
  cell.start = low[0] + n_[0] * (low[1] + n_[1] * low[2]);
  return cell;
}

float CoarseField::value(const Cell& cell, int64_t c) const {
  const int64_t row = n_[0], plane = n_[0] * n_[1];
  const float* const v = component(c) + cell.start;
  const auto along_x = [&](const float* p) { return p[0] + cell.part[0] * (p[1] - p[0]); };
  const auto along_y = [&](const float* p) {
    const float a = along_x(p);
    return a + cell.part[1] * (along_x(p + row) - a);
  };
  const float a = along_y(v);
  return a + cell.part[2] * (along_y(v + plane) - a);
}

void CoarseField::read(const Point& at, float* into) const {
  const Cell here = cell(at);
  for (int64_t c = 0; c < components_; ++c) into[c] = value(here, c);
}

float CoarseField::value(const Point& at) const { return value(cell(at), 0); }

CoarseField CoarseField::smooth_noise(int64_t components, double sigma_mm, Random random) {
  const double sigma = sigma_mm / kSpacingMm;
  CoarseField field(components);
  // The variance of smoothed white noise is the sum of squares of the kernel's part inside the box.
  const auto kernel = gaussian_kernel(sigma);
  const auto radius = static_cast<int64_t>(kernel.size() / 2);
  std::array<std::vector<float>, 3> scale;
  for (size_t axis = 0; axis < 3; ++axis)
    for (int64_t to = 0; to < field.n_[axis]; ++to) {
      double squares = 0;
      for (int64_t k = std::max(-radius, -to); k <= std::min(radius, field.n_[axis] - 1 - to); ++k)
        squares += std::pow(kernel[static_cast<size_t>(k + radius)], 2);
      scale[axis].push_back(static_cast<float>(1 / std::sqrt(squares)));
    }
  for (int64_t c = 0; c < components; ++c) {
    float* value = field.component(c);
    for (int64_t p = 0; p < field.points(); ++p) value[p] = static_cast<float>(random.normal());
    gaussian_blur(value, field.n_[0], field.n_[1], field.n_[2], {sigma, sigma, sigma});
    for (const float z : scale[2])
      for (const float y : scale[1])
        for (const float x : scale[0]) *value++ *= x * y * z;
  }
  return field;
}

}  // namespace scintigen
