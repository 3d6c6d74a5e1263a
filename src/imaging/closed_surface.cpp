// SPDX-License-Identifier: Apache-2.0
#include "imaging/closed_surface.h"

#include <algorithm>
#include <map>

namespace scintigen {
namespace {

Point minus(const Point& a, const Point& b) { return {a[0] - b[0], a[1] - b[1], a[2] - b[2]}; }

Point cross(const Point& a, const Point& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

double dot(const Point& a, const Point& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Point on_sphere(const Point& p) {
  const double length = std::sqrt(dot(p, p));
  return {p[0] / length, p[1] / length, p[2] / length};
}

/// Whether the point, in the plane of j and k, lies to the left of the line from a to b. A point on
/// the line counts as if it stood a little further along j and, far less, along k: so it belongs to
/// one triangle of those that meet in an edge or vertex. Computed in the same order for both
/// triangles of an edge, so rounding cannot part them.
bool left_of(const std::vector<Point>& at, int32_t a, int32_t b, double j, double k) {
  const bool turned = a > b;
  if (turned) std::swap(a, b);
  const Point &p = at[static_cast<size_t>(a)], &q = at[static_cast<size_t>(b)];
  const double dj = q[1] - p[1], dk = q[2] - p[2];
  const double area = dj * (k - p[2]) - dk * (j - p[1]);
  const bool left = area != 0 ? area > 0 : dk != 0 ? dk < 0 : dj > 0;
  return left != turned;
}

/// Adds where the lines along i meet one triangle: `steps` [nk,nj,ni] at the first voxel behind.
void add_crossings(const std::vector<Point>& at, const std::array<int32_t, 3>& triangle,
                   const Grid& grid, int8_t* steps) {
  const Point &a = at[static_cast<size_t>(triangle[0])], &b = at[static_cast<size_t>(triangle[1])],
              &c = at[static_cast<size_t>(triangle[2])];
  const Point normal = cross(minus(b, a), minus(c, a));
  if (normal[0] == 0) return;
  const auto first = [](double least, int64_t) {
    return std::max<int64_t>(0, static_cast<int64_t>(std::ceil(least)));
  };
  const auto last = [](double most, int64_t n) {
    return std::min<int64_t>(n - 1, static_cast<int64_t>(std::floor(most)));
  };
  const int64_t j0 = first(std::min({a[1], b[1], c[1]}), grid.nj),
                j1 = last(std::max({a[1], b[1], c[1]}), grid.nj),
                k0 = first(std::min({a[2], b[2], c[2]}), grid.nk),
                k1 = last(std::max({a[2], b[2], c[2]}), grid.nk);
  for (int64_t k = k0; k <= k1; ++k)
    for (int64_t j = j0; j <= j1; ++j) {
      const auto y = static_cast<double>(j), z = static_cast<double>(k);
      const bool side = left_of(at, triangle[0], triangle[1], y, z);
      if (left_of(at, triangle[1], triangle[2], y, z) != side ||
          left_of(at, triangle[2], triangle[0], y, z) != side)
        continue;
      const double x = a[0] - (normal[1] * (y - a[1]) + normal[2] * (z - a[2])) / normal[0];
      if (x > static_cast<double>(grid.ni - 1)) continue;
      const int64_t i = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(x)));
      // Entering where the outward normal points back along the line.
      steps[i + grid.ni * (j + grid.nj * k)] =
          static_cast<int8_t>(steps[i + grid.ni * (j + grid.nj * k)] + (side ? -1 : 1));
    }
}

}  // namespace

std::vector<Point> ClosedSurface::normals() const {
  std::vector<Point> sum(vertices.size(), Point{});
  for (const auto& t : triangles) {
    const Point& a = vertices[static_cast<size_t>(t[0])];
    const Point area = cross(minus(vertices[static_cast<size_t>(t[1])], a),
                             minus(vertices[static_cast<size_t>(t[2])], a));
    for (const int32_t v : t)
      for (size_t axis = 0; axis < 3; ++axis) sum[static_cast<size_t>(v)][axis] += area[axis];
  }
  for (Point& n : sum) {
    const double length = std::sqrt(dot(n, n));
    if (length > 0)
      for (double& x : n) x /= length;
  }
  return sum;
}

double ClosedSurface::mean_edge_mm() const {
  double sum = 0;
  int64_t count = 0;
  for (size_t v = 0; v < vertices.size(); ++v)
    for (const int32_t other : neighbours[v]) {
      const Point d = minus(vertices[static_cast<size_t>(other)], vertices[v]);
      sum += std::sqrt(dot(d, d));
      ++count;
    }
  return sum / static_cast<double>(count);
}

double ClosedSurface::volume_mm3() const {
  double six = 0;
  for (const auto& t : triangles)
    six += dot(vertices[static_cast<size_t>(t[0])],
               cross(vertices[static_cast<size_t>(t[1])], vertices[static_cast<size_t>(t[2])]));
  return six / 6;
}

ClosedSurface icosphere(int splits) {
  ClosedSurface s;
  const double g = (1 + std::sqrt(5.0)) / 2;
  s.vertices = {{-1, g, 0},  {1, g, 0},  {-1, -g, 0}, {1, -g, 0}, {0, -1, g},  {0, 1, g},
                {0, -1, -g}, {0, 1, -g}, {g, 0, -1},  {g, 0, 1},  {-g, 0, -1}, {-g, 0, 1}};
  for (Point& p : s.vertices) p = on_sphere(p);
  s.triangles = {{0, 11, 5}, {0, 5, 1},  {0, 1, 7},   {0, 7, 10}, {0, 10, 11},
                 {1, 5, 9},  {5, 11, 4}, {11, 10, 2}, {10, 7, 6}, {7, 1, 8},
                 {3, 9, 4},  {3, 4, 2},  {3, 2, 6},   {3, 6, 8},  {3, 8, 9},
                 {4, 9, 5},  {2, 4, 11}, {6, 2, 10},  {8, 6, 7},  {9, 8, 1}};
  for (int split = 0; split < splits; ++split) {
    std::map<std::pair<int32_t, int32_t>, int32_t> middles;
    const auto middle = [&](int32_t a, int32_t b) {
      const auto [found, is_new] = middles.try_emplace({std::min(a, b), std::max(a, b)},
                                                       static_cast<int32_t>(s.vertices.size()));
      if (is_new) {
        const Point p = s.vertices[static_cast<size_t>(a)], q = s.vertices[static_cast<size_t>(b)];
        s.vertices.push_back(on_sphere({p[0] + q[0], p[1] + q[1], p[2] + q[2]}));
      }
      return found->second;
    };
    std::vector<std::array<int32_t, 3>> finer;
    for (const auto& [a, b, c] : s.triangles) {
      const int32_t ab = middle(a, b), bc = middle(b, c), ca = middle(c, a);
      finer.insert(finer.end(), {{a, ab, ca}, {b, bc, ab}, {c, ca, bc}, {ab, bc, ca}});
    }
    s.triangles = std::move(finer);
  }
  s.neighbours.resize(s.vertices.size());
  for (const auto& t : s.triangles)  // each edge is met once in each direction
    for (size_t corner = 0; corner < 3; ++corner)
      s.neighbours[static_cast<size_t>(t[corner])].push_back(t[(corner + 1) % 3]);
  return s;
}

torch::Tensor winding_numbers(const ClosedSurface& surface, const Grid& grid) {
  auto winding = torch::zeros({grid.nk, grid.nj, grid.ni}, torch::kInt8);
  auto* const steps = winding.data_ptr<int8_t>();
  const Affine to_voxel = inverse(grid.voxel_to_world);
  std::vector<Point> at(surface.vertices.size());
  for (size_t v = 0; v < at.size(); ++v) at[v] = transform_point(to_voxel, surface.vertices[v]);
  for (const auto& triangle : surface.triangles) add_crossings(at, triangle, grid, steps);
  // A mirrored grid turns the triangles around.
  const int8_t sign = determinant(grid.voxel_to_world) > 0 ? 1 : -1;
  for (int64_t line = 0; line < grid.nj * grid.nk; ++line) {
    int8_t sum = 0;
    for (int64_t i = 0; i < grid.ni; ++i) {
      int8_t& here = steps[line * grid.ni + i];
      sum = static_cast<int8_t>(sum + here);
      here = static_cast<int8_t>(sign * sum);
    }
  }
  return winding;
}

}  // namespace scintigen
