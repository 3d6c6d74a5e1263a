// SPDX-License-Identifier: Apache-2.0
#include "imaging/head_image.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kCubeMm = 1.5;
constexpr double kSmoothMm = 0.7;  // sigma along axes finer than a cube
constexpr int64_t kLeastVoxels = 16;
constexpr double kLeastMm = 80, kMostMm = 512;
constexpr int64_t kSamples = 1000000;
constexpr double kLowPart = 0.02, kHighPart = 0.98, kAirPart = 0.1;

/// The cubes that cover the scan's corners.
Grid cubes_over(const Grid& scan) {
  Point low{1e300, 1e300, 1e300}, high{-1e300, -1e300, -1e300};
  for (int corner = 0; corner < 8; ++corner) {
    const Point p =
        transform_point(scan.voxel_to_world, {(corner & 1) != 0 ? double(scan.ni - 1) : 0,
                                              (corner & 2) != 0 ? double(scan.nj - 1) : 0,
                                              (corner & 4) != 0 ? double(scan.nk - 1) : 0});
    for (size_t axis = 0; axis < 3; ++axis)
      low[axis] = std::min(low[axis], p[axis]), high[axis] = std::max(high[axis], p[axis]);
  }
  Grid grid;
  grid.voxel_to_world = identity_affine();
  int64_t* const sides[3] = {&grid.ni, &grid.nj, &grid.nk};
  for (size_t axis = 0; axis < 3; ++axis) {
    *sides[axis] = static_cast<int64_t>(std::floor((high[axis] - low[axis]) / kCubeMm)) + 1;
    grid.voxel_to_world[axis][axis] = kCubeMm;
    grid.voxel_to_world[axis][3] = low[axis];
  }
  return grid;
}

void set_range(HeadImage& head, const torch::Tensor& voxels) {
  const int64_t step = std::max<int64_t>(1, voxels.numel() / kSamples);
  std::vector<float> sorted;
  for (int64_t v = 0; v < voxels.numel(); v += step) sorted.push_back(voxels.data_ptr<float>()[v]);
  const auto quantile = [&](double part) {
    const auto at = sorted.begin() + static_cast<int64_t>(part * double(sorted.size() - 1));
    std::nth_element(sorted.begin(), at, sorted.end());
    return *at;
  };
  head.high = quantile(kHighPart);
  head.low = quantile(kLowPart);
  head.background = head.low + static_cast<float>(kAirPart) * (head.high - head.low);
}

void judge(const Volume& scan, const std::string& name) {
  const auto& voxels = scan.voxels;
  require(voxels.defined() && voxels.dim() == 3 && voxels.scalar_type() == torch::kFloat &&
              voxels.is_contiguous(),
          "{}: expected a float32 volume [D,H,W]", name);
  const auto spacing = spacing_mm(scan.voxel_to_world);
  const Grid grid = grid_of(scan);
  const int64_t sides[3] = {grid.ni, grid.nj, grid.nk};
  for (size_t axis = 0; axis < 3; ++axis) {
    const double length = double(sides[axis]) * spacing[axis];
    require(sides[axis] >= kLeastVoxels && length >= kLeastMm && length <= kMostMm,
            "{}: {}; expected a whole head: at least {} voxels and {} to {} mm along each axis",
            name, describe_grid(grid), kLeastVoxels, kLeastMm, kMostMm);
  }
  require(std::abs(determinant(scan.voxel_to_world)) > 1e-9,
          "{}: its axes do not span a volume; correct the header", name);
  require(voxels.isfinite().all().item<bool>(),
          "{}: voxels that are not finite; replace them first", name);
  require(voxels.min().item<float>() < voxels.max().item<float>(),
          "{}: all voxels are {:g}; expected a head", name, voxels.min().item<float>());
}

}  // namespace

float read_linear(const float* voxels, const Grid& grid, const Point& place, float outside) {
  const double i = place[0], j = place[1], k = place[2];
  if (!(i >= 0 && j >= 0 && k >= 0 && i <= double(grid.ni - 1) && j <= double(grid.nj - 1) &&
        k <= double(grid.nk - 1)))
    return outside;
  const auto i0 = std::min(static_cast<int64_t>(i), grid.ni - 2),
             j0 = std::min(static_cast<int64_t>(j), grid.nj - 2),
             k0 = std::min(static_cast<int64_t>(k), grid.nk - 2);
  const auto u = static_cast<float>(i - double(i0)), v = static_cast<float>(j - double(j0)),
             w = static_cast<float>(k - double(k0));
  const float* const p = voxels + i0 + grid.ni * (j0 + grid.nj * k0);
  const int64_t row = grid.ni, plane = grid.ni * grid.nj;
  const auto along = [&](const float* q) { return q[0] + u * (q[1] - q[0]); };
  const float near = along(p) + v * (along(p + row) - along(p));
  const float far = along(p + plane) + v * (along(p + plane + row) - along(p + plane));
  return near + w * (far - near);
}

float CubeField::at(const Point& mm) const {
  const double cube = spacing();
  const auto& a = grid.voxel_to_world;
  return read_linear(voxels.data(), grid,
                     {(mm[0] - a[0][3]) / cube, (mm[1] - a[1][3]) / cube, (mm[2] - a[2][3]) / cube},
                     outside);
}

HeadImage head_image(const Volume& scan, const std::string& name) {
  judge(scan, name);
  HeadImage head;
  set_range(head, scan.voxels);
  require(head.high > head.low,
          "{}: 96 % of the voxels are {:g}; expected a head that fills its volume", name, head.low);
  head.outside = head.low;
  const Grid from = grid_of(scan);
  const auto smooth = scan.voxels.clone();
  const auto spacing = spacing_mm(scan.voxel_to_world);
  std::array<double, 3> sigma{};
  for (size_t axis = 0; axis < 3; ++axis)
    sigma[axis] = spacing[axis] < kCubeMm ? kSmoothMm / spacing[axis] : 0;
  // The blur takes 0 outside: an offset would fade at the border.
  smooth.sub_(head.low);
  gaussian_blur(smooth.data_ptr<float>(), from.ni, from.nj, from.nk, sigma);
  smooth.add_(head.low);

  head.grid = cubes_over(from);
  head.voxels.resize(static_cast<size_t>(head.grid.voxels()));
  const Affine to_scan = compose(inverse(from.voxel_to_world), head.grid.voxel_to_world);
  const float* const source = smooth.data_ptr<float>();
  at::parallel_for(0, head.grid.nk, 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      for (int64_t j = 0; j < head.grid.nj; ++j)
        for (int64_t i = 0; i < head.grid.ni; ++i)
          head.voxels[static_cast<size_t>(i + head.grid.ni * (j + head.grid.nj * k))] = read_linear(
              source, from, transform_point(to_scan, {double(i), double(j), double(k)}), head.low);
  });
  return head;
}

}  // namespace scintigen
