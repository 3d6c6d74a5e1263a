// SPDX-License-Identifier: Apache-2.0
#include "core/spatial_map.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kStep = 0.75, kLeastStep = 0.05, kCloseEnough_mm = 1e-3;
constexpr double kMostBeyond = 0.7;
constexpr int kMostRounds = 3000;  // a place that is compressed to a hundredth takes so many

void check(const Displacements& field) {
  require(field.mm.defined() && field.mm.dim() == 4 && field.mm.size(0) == 3 &&
              field.mm.scalar_type() == torch::kFloat && field.mm.is_contiguous() &&
              field.mm.numel() > 0,
          "displacements: not float32 [3,D,H,W]");
  const double size = determinant(field.voxel_to_world);
  require(std::isfinite(size) && size != 0, "displacements: their voxel-to-world map is singular");
}

/// Reads a field at places of its world.
class FieldReader {
 public:
  FieldReader(const Displacements& field, const Affine& to_voxel)
      : to_voxel_(to_voxel),
        mm_(field.mm.data_ptr<float>()),
        n_{field.mm.size(3), field.mm.size(2), field.mm.size(1)} {}

  Point at(const Point& world) const {
    const Point voxel = transform_point(to_voxel_, world);
    int64_t base[3];
    double part[3];
    for (size_t axis = 0; axis < 3; ++axis) {
      // Not "outside": neither is a number that is not finite.
      if (!(voxel[axis] > -1 && voxel[axis] < static_cast<double>(n_[axis]))) return {0, 0, 0};
      const double low = std::floor(voxel[axis]);
      base[axis] = static_cast<int64_t>(low);
      part[axis] = voxel[axis] - low;
    }
    Point sum{};
    const int64_t plane = n_[0] * n_[1], whole = plane * n_[2];
    for (int corner = 0; corner < 8; ++corner) {
      int64_t at[3];
      double weight = 1;
      bool inside = true;
      for (size_t axis = 0; axis < 3; ++axis) {
        const int upper = corner >> axis & 1;
        at[axis] = base[axis] + upper;
        weight *= upper == 1 ? part[axis] : 1 - part[axis];
        inside = inside && at[axis] >= 0 && at[axis] < n_[axis];
      }
      if (!inside || weight == 0) continue;
      const float* const here = mm_ + at[2] * plane + at[1] * n_[0] + at[0];
      for (size_t c = 0; c < 3; ++c)
        sum[c] += weight * static_cast<double>(here[static_cast<int64_t>(c) * whole]);
    }
    return sum;
  }

 private:
  const Affine& to_voxel_;
  const float* mm_;
  std::array<int64_t, 3> n_;
};

Point sum_of(const Point& a, const Point& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2]}; }

/// d' at `world` with world + d' + d(world + d') = world; false where it does not settle.
bool inverse_at(const FieldReader& field, const Point& world, Point& found) {
  found = {0, 0, 0};
  Point last{};  // step that led here
  double step = kStep, before = 0;
  for (int round = 0; round < kMostRounds; ++round) {
    const Point there = field.at(sum_of(world, found));
    const Point error = sum_of(found, there);
    const double off = std::max({std::abs(error[0]), std::abs(error[1]), std::abs(error[2])});
    if (off < kCloseEnough_mm) return true;
    // Stretched: the step led too far, to as great an error on the other side.
    const bool beyond = error[0] * last[0] + error[1] * last[1] + error[2] * last[2] > 0;
    if (round > 0 && off > (beyond ? kMostBeyond : 1.0) * before && step > kLeastStep) {
      step /= 2;
      for (size_t c = 0; c < 3; ++c) found[c] -= last[c] / 2, last[c] /= 2;
      continue;
    }
    before = off;
    for (size_t c = 0; c < 3; ++c) last[c] = -step * error[c], found[c] += last[c];
  }
  return false;
}

}  // namespace

Grid Displacements::grid() const { return {mm.size(3), mm.size(2), mm.size(1), voxel_to_world}; }

Point Displacements::operator()(const Point& at) const {
  const Affine to_voxel = inverse(voxel_to_world);
  return sum_of(at, FieldReader(*this, to_voxel).at(at));
}

Displacements inverse(const Displacements& field) {
  check(field);
  require(torch::isfinite(field.mm).all().item<bool>(), "displacements: not finite");
  const Affine to_voxel = inverse(field.voxel_to_world);
  const FieldReader reader(field, to_voxel);
  const Grid grid = field.grid();
  Displacements result{torch::empty_like(field.mm), field.voxel_to_world};
  float* const out = result.mm.data_ptr<float>();
  const int64_t whole = grid.voxels();
  std::atomic<int64_t> unsettled{whole};
  at::parallel_for(0, grid.nk * grid.nj, 8, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line)
      for (int64_t i = 0; i < grid.ni; ++i) {
        const auto world = transform_point(
            grid.voxel_to_world, {static_cast<double>(i), static_cast<double>(line % grid.nj),
                                  static_cast<double>(line / grid.nj)});
        Point found;
        if (!inverse_at(reader, world, found)) {
          const int64_t here = line * grid.ni + i;
          int64_t first = unsettled;
          while (here < first && !unsettled.compare_exchange_weak(first, here)) {
          }
        }
        for (size_t c = 0; c < 3; ++c)
          out[static_cast<int64_t>(c) * whole + line * grid.ni + i] = static_cast<float>(found[c]);
      }
  });
  const int64_t where = unsettled;
  if (where < whole) {
    const auto world =
        transform_point(grid.voxel_to_world, {static_cast<double>(where % grid.ni),
                                              static_cast<double>(where / grid.ni % grid.nj),
                                              static_cast<double>(where / grid.ni / grid.nj)});
    throw Error("displacements: cannot be inverted at {:.1f}, {:.1f}, {:.1f} mm: they fold there",
                world[0], world[1], world[2]);
  }
  return result;
}

double least_jacobian(const Displacements& field) {
  check(field);
  const Grid grid = field.grid();
  require(std::min({grid.ni, grid.nj, grid.nk}) >= 3,
          "displacements: under 3 voxels along an axis");
  const Affine to_voxel = inverse(field.voxel_to_world);
  // Differences along the voxel axes, [axis][component].
  std::vector<torch::Tensor> along;
  const auto inner = [](const torch::Tensor& t, int64_t shifted, int64_t by) {
    auto part = t;
    for (int64_t dimension = 1; dimension <= 3; ++dimension) {
      const int64_t from = 1 + (dimension == shifted ? by : 0);
      part = part.slice(dimension, from, from + t.size(dimension) - 2);
    }
    return part;
  };
  for (int64_t axis = 0; axis < 3; ++axis)
    along.push_back((inner(field.mm, 3 - axis, 1) - inner(field.mm, 3 - axis, -1)) / 2);
  torch::Tensor slope[3][3];  // of component c along world axis w, plus the identity
  for (size_t c = 0; c < 3; ++c)
    for (size_t w = 0; w < 3; ++w) {
      auto sum = torch::full_like(along[0][0], c == w ? 1.0 : 0.0);
      for (size_t axis = 0; axis < 3; ++axis)
        sum += along[axis][static_cast<int64_t>(c)] * to_voxel[axis][w];
      slope[c][w] = sum;
    }
  const auto minor = [&](size_t a, size_t b) {
    return slope[1][a] * slope[2][b] - slope[1][b] * slope[2][a];
  };
  return (slope[0][0] * minor(1, 2) - slope[0][1] * minor(0, 2) + slope[0][2] * minor(0, 1))
      .min()
      .item<double>();
}

SpatialMap::SpatialMap(const Affine& map) : affines_{map} {}

SpatialMap::SpatialMap(Displacements field) : affines_{identity_affine(), identity_affine()} {
  check(field);
  const Affine to_voxel = inverse(field.voxel_to_world);
  fields_.push_back({std::make_shared<const Field>(Field{std::move(field), to_voxel}), nullptr});
}

Affine SpatialMap::affine() const {
  Affine all = affines_.front();
  for (size_t step = 1; step < affines_.size(); ++step) all = compose(affines_[step], all);
  return all;
}

Point SpatialMap::operator()(const Point& at) const {
  Point moved = transform_point(affines_.front(), at);
  for (size_t step = 0; step < fields_.size(); ++step) {
    const auto& field = *fields_[step].forward;
    const FieldReader reader(field.displacements, field.to_voxel);
    moved = transform_point(affines_[step + 1], sum_of(moved, reader.at(moved)));
  }
  return moved;
}

SpatialMap compose(const SpatialMap& outer, const SpatialMap& inner) {
  SpatialMap both = inner;
  both.affines_.back() = compose(outer.affines_.front(), inner.affines_.back());
  both.affines_.insert(both.affines_.end(), outer.affines_.begin() + 1, outer.affines_.end());
  both.fields_.insert(both.fields_.end(), outer.fields_.begin(), outer.fields_.end());
  return both;
}

SpatialMap inverse(const SpatialMap& map) {
  SpatialMap turned = map;
  std::reverse(turned.affines_.begin(), turned.affines_.end());
  for (auto& step : turned.affines_) step = inverse(step);
  std::reverse(turned.fields_.begin(), turned.fields_.end());
  for (auto& field : turned.fields_) {
    if (!field.backward) {
      const auto& [displacements, to_voxel] = *field.forward;
      field.backward = std::make_shared<const SpatialMap::Field>(
          SpatialMap::Field{inverse(displacements), to_voxel});
    }
    std::swap(field.forward, field.backward);
  }
  return turned;
}

}  // namespace scintigen
