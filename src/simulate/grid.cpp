// SPDX-License-Identifier: Apache-2.0
#include "simulate/grid.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace scintigen {
namespace {

constexpr Point kBoxLow = {-112, -148, -112};
constexpr std::array<int64_t, 3> kBoxPoints = {57, 66, 61};
constexpr double kKernelReach = 3.5;  // sigmas

std::vector<float> gaussian_kernel(double sigma) {
  const auto radius = static_cast<int64_t>(std::ceil(kKernelReach * sigma));
  std::vector<float> kernel(static_cast<size_t>(2 * radius + 1));
  double sum = 0;
  for (int64_t k = -radius; k <= radius; ++k)
    sum += kernel[static_cast<size_t>(k + radius)] =
        static_cast<float>(std::exp(-0.5 * static_cast<double>(k * k) / (sigma * sigma)));
  for (float& weight : kernel) weight = static_cast<float>(weight / sum);
  return kernel;
}

/// Along the axis whose neighbours lie `stride` apart: [outer][length][stride].
void blur_axis(float* voxels, int64_t outer, int64_t length, int64_t stride, double sigma) {
  if (sigma <= 0) return;
  const auto kernel = gaussian_kernel(sigma);
  const auto radius = static_cast<int64_t>(kernel.size() / 2);
  std::vector<float> lines(static_cast<size_t>(length * stride));
  for (int64_t o = 0; o < outer; ++o) {
    float* const base = voxels + o * length * stride;
    std::fill(lines.begin(), lines.end(), 0.0F);
    for (int64_t to = 0; to < length; ++to) {
      float* const out = lines.data() + to * stride;
      const int64_t first = std::max<int64_t>(0, to - radius);
      const int64_t last = std::min(length - 1, to + radius);
      for (int64_t from = first; from <= last; ++from) {
        const float weight = kernel[static_cast<size_t>(from - to + radius)];
        const float* const in = base + from * stride;
        for (int64_t s = 0; s < stride; ++s) out[s] += weight * in[s];
      }
    }
    std::copy(lines.begin(), lines.end(), base);
  }
}

}  // namespace

Grid centred_grid(int64_t ni, int64_t nj, int64_t nk, double spacing_mm,
                  const std::array<int, 3>& directions) {
  Grid grid{ni, nj, nk, {}};
  grid.voxel_to_world[3][3] = 1;
  const std::array<int64_t, 3> n = {ni, nj, nk};
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto row = static_cast<size_t>(std::abs(directions[axis]) - 1);
    const double step = directions[axis] > 0 ? spacing_mm : -spacing_mm;
    grid.voxel_to_world[row][axis] = step;
    grid.voxel_to_world[row][3] = -step * static_cast<double>(n[axis] - 1) / 2;
  }
  return grid;
}

Volume empty_volume(const Grid& grid, const std::string& unit) {
  Volume volume;
  volume.voxels = torch::zeros({grid.nk, grid.nj, grid.ni}, torch::kFloat);
  volume.voxel_to_world = grid.voxel_to_world;
  volume.unit = unit;
  return volume;
}

void gaussian_blur(float* voxels, int64_t ni, int64_t nj, int64_t nk,
                   const std::array<double, 3>& sigma_voxels) {
  blur_axis(voxels, nk * nj, ni, 1, sigma_voxels[0]);
  blur_axis(voxels, nk, nj, ni, sigma_voxels[1]);
  blur_axis(voxels, 1, nk, nj * ni, sigma_voxels[2]);
}

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
