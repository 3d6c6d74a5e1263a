// SPDX-License-Identifier: Apache-2.0
#include "core/resample.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.h"
#include "core/instruction_clones.h"
#include "core/spline.h"

namespace scintigen {
namespace {

using Index = std::array<int64_t, 3>;

constexpr int64_t kLargestSide = 32767;  // as NIfTI-1
constexpr double kSameVoxel = 1e-6;      // voxels: nearer than this is the same place

/// Target voxel -> source voxel. What is within kSameVoxel of a whole number over the whole target
/// becomes one: rounding in headers must not cost a copy its exactness.
struct VoxelMap {
  double a[3][3]{}, b[3]{};
  bool whole = true;    ///< every target voxel falls on a source voxel
  bool aligned = true;  ///< one source axis moves with one target axis
  Index source_axis{};  ///< of each target axis, where aligned

  VoxelMap(const Affine& map, const Index& n) {
    for (size_t row = 0; row < 3; ++row) {
      for (size_t col = 0; col < 4; ++col) {
        const double extent = col == 3 ? 1 : static_cast<double>(std::max<int64_t>(1, n[col] - 1));
        const double nearest = std::round(map[row][col]);
        const bool snap = std::fabs(map[row][col] - nearest) * extent < kSameVoxel;
        whole = whole && snap;
        (col == 3 ? b[row] : a[row][col]) = snap ? nearest : map[row][col];
      }
    }
    Index used{};
    for (size_t col = 0; col < 3; ++col) {
      int64_t moving = 0;
      for (size_t row = 0; row < 3; ++row)
        if (a[row][col] != 0) {
          ++moving;
          source_axis[col] = static_cast<int64_t>(row);
        }
      aligned = aligned && moving == 1 && ++used[static_cast<size_t>(source_axis[col])] == 1;
    }
  }
};

struct Target {
  float* values;
  Index n;
  float outside;
};

/// Position along one source axis for every index of one target axis.
bool inside(double p, int64_t n) {
  return p >= -0.5 - kSameVoxel && p <= static_cast<double>(n) - 0.5 + kSameVoxel;
}

/// Where the voxels of a line (j, k) of the target lie in the source, in its voxels: [ni][3].
using LinePositions = std::function<void(int64_t j, int64_t k, double* positions)>;

LinePositions positions_of(const VoxelMap& map, int64_t ni) {
  return [map, ni](int64_t j, int64_t k, double* positions) {
    double start[3];
    for (size_t c = 0; c < 3; ++c)
      start[c] =
          map.b[c] + map.a[c][1] * static_cast<double>(j) + map.a[c][2] * static_cast<double>(k);
    for (int64_t i = 0; i < ni; ++i)
      for (size_t c = 0; c < 3; ++c)
        positions[3 * i + static_cast<int64_t>(c)] =
            start[c] + map.a[c][0] * static_cast<double>(i);
  };
}

LinePositions positions_of(const SpatialMap& voxel_to_voxel, int64_t ni) {
  return [voxel_to_voxel, ni](int64_t j, int64_t k, double* positions) {
    for (int64_t i = 0; i < ni; ++i) {
      const Point at =
          voxel_to_voxel({static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)});
      std::copy(at.begin(), at.end(), positions + 3 * i);
    }
  };
}

void copy_voxels(const float* source, const Index& n, const LinePositions& positions,
                 const Target& to, bool round_positions) {
  at::parallel_for(0, to.n[2], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> line(static_cast<size_t>(3 * to.n[0]));
    for (int64_t k = begin; k < end; ++k)
      for (int64_t j = 0; j < to.n[1]; ++j) {
        float* out = to.values + (k * to.n[1] + j) * to.n[0];
        positions(j, k, line.data());
        for (int64_t i = 0; i < to.n[0]; ++i) {
          Index at;
          bool in = true;
          for (size_t c = 0; c < 3; ++c) {
            const double p = line[static_cast<size_t>(3 * i) + c];
            in = in && inside(p, n[c]);
            // A position half-way between two voxels goes to the upper one, but for the last.
            const double q = in ? std::floor(p + 0.5) : 0;
            at[c] = std::clamp<int64_t>(static_cast<int64_t>(q), 0, n[c] - 1);
            in = in && (round_positions || static_cast<double>(at[c]) == q);
          }
          out[i] = in ? source[(at[2] * n[1] + at[1]) * n[0] + at[0]] : to.outside;
        }
      }
  });
}

/// The four taps of each index along one axis; first < 0: outside.
struct Taps {
  std::vector<int64_t> first;  ///< into the padded line
  std::vector<float> weights;  ///< 4 each
  Taps(double step, double start, int64_t count, int64_t n, bool cubic) {
    first.reserve(static_cast<size_t>(count));
    weights.resize(static_cast<size_t>(4 * count));
    for (int64_t i = 0; i < count; ++i) {
      const double p = start + step * static_cast<double>(i), base = std::floor(p);
      first.push_back(inside(p, n) ? static_cast<int64_t>(base) - 1 + kSplinePad : -1);
      spline_taps(static_cast<float>(p - base), cubic, weights.data() + 4 * i);
    }
  }
};

SCINTIGEN_CLONES void add_four(const float* a, const float* b, const float* c, const float* d,
                               const float* w, float* out, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i)
    out[i] = w[0] * a[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i];
}

SCINTIGEN_CLONES void gather_four(const float* line, const int64_t* first, const float* w,
                                  float outside, float* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const float* in = line + std::max<int64_t>(0, first[i]);
    const float sum =
        w[4 * i] * in[0] + w[4 * i + 1] * in[1] + w[4 * i + 2] * in[2] + w[4 * i + 3] * in[3];
    out[i] = first[i] < 0 ? outside : sum;
  }
}

/// Axes aligned: a plane from four planes, its rows from four rows, their voxels from four voxels.
void interpolate_aligned(const SplineVolume& source, const VoxelMap& map, const Target& to,
                         bool cubic) {
  const Taps along_i(map.a[0][0], map.b[0], to.n[0], source.n[0], cubic);
  const Taps along_j(map.a[1][1], map.b[1], to.n[1], source.n[1], cubic);
  const Taps along_k(map.a[2][2], map.b[2], to.n[2], source.n[2], cubic);
  const int64_t row = source.padded[0], plane = row * source.padded[1];
  at::parallel_for(0, to.n[2], 1, [&](int64_t begin, int64_t end) {
    std::vector<float> flat(static_cast<size_t>(plane)), line(static_cast<size_t>(row));
    for (int64_t k = begin; k < end; ++k) {
      float* out = to.values + k * to.n[1] * to.n[0];
      const int64_t first_k = along_k.first[static_cast<size_t>(k)];
      if (first_k < 0) {
        std::fill(out, out + to.n[1] * to.n[0], to.outside);
        continue;
      }
      const float* in = source.values.data() + first_k * plane;
      add_four(in, in + plane, in + 2 * plane, in + 3 * plane, &along_k.weights[4 * k], flat.data(),
               plane);
      for (int64_t j = 0; j < to.n[1]; ++j, out += to.n[0]) {
        const int64_t first_j = along_j.first[static_cast<size_t>(j)];
        if (first_j < 0) {
          std::fill(out, out + to.n[0], to.outside);
          continue;
        }
        const float* rows = flat.data() + first_j * row;
        add_four(rows, rows + row, rows + 2 * row, rows + 3 * row, &along_j.weights[4 * j],
                 line.data(), row);
        gather_four(line.data(), along_i.first.data(), along_i.weights.data(), to.outside, out,
                    to.n[0]);
      }
    }
  });
}

/// One row of the target, wherever its voxels lie.
SCINTIGEN_CLONES void row_any(const float* source, const int64_t* n, const int64_t* padded,
                              const double* positions, bool cubic, float outside, float* out,
                              int64_t count) {
  const int64_t row = padded[0], plane = row * padded[1];
  const double low = -0.5 - kSameVoxel;
  const double high[3] = {static_cast<double>(n[0]) - 0.5 + kSameVoxel,
                          static_cast<double>(n[1]) - 0.5 + kSameVoxel,
                          static_cast<double>(n[2]) - 0.5 + kSameVoxel};
  for (int64_t i = 0; i < count; ++i) {
    const double x = positions[3 * i], y = positions[3 * i + 1], z = positions[3 * i + 2];
    if (!(x >= low && y >= low && z >= low && x <= high[0] && y <= high[1] && z <= high[2])) {
      out[i] = outside;
      continue;
    }
    const auto ix = static_cast<int64_t>(x + 2) - 2, iy = static_cast<int64_t>(y + 2) - 2,
               iz = static_cast<int64_t>(z + 2) - 2;  // floor: positions are above -1
    float wx[4], wy[4], wz[4];
    spline_taps(static_cast<float>(x - static_cast<double>(ix)), cubic, wx);
    spline_taps(static_cast<float>(y - static_cast<double>(iy)), cubic, wy);
    spline_taps(static_cast<float>(z - static_cast<double>(iz)), cubic, wz);
    const float* in = source + (iz - 1 + kSplinePad) * plane + (iy - 1 + kSplinePad) * row +
                      (ix - 1 + kSplinePad);
    Four sum{};
    for (int c = 0; c < 4; ++c)
      for (int b = 0; b < 4; ++b) sum += wz[c] * wy[b] * load_four(in + c * plane + b * row);
    out[i] = sum[0] * wx[0] + sum[1] * wx[1] + sum[2] * wx[2] + sum[3] * wx[3];
  }
}

void interpolate_any(const SplineVolume& source, const LinePositions& positions, const Target& to,
                     bool cubic) {
  at::parallel_for(0, to.n[2] * to.n[1], 16, [&](int64_t begin, int64_t end) {
    std::vector<double> row(static_cast<size_t>(3 * to.n[0]));
    for (int64_t line = begin; line < end; ++line) {
      positions(line % to.n[1], line / to.n[1], row.data());
      row_any(source.values.data(), source.n.data(), source.padded.data(), row.data(), cubic,
              to.outside, to.values + line * to.n[0], to.n[0]);
    }
  });
}

/// The source with its axes in the target's order, and the map to that.
torch::Tensor reordered(const torch::Tensor& voxels, VoxelMap& map) {
  const VoxelMap was = map;
  int64_t dims[3];
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto from = static_cast<size_t>(was.source_axis[axis]);
    dims[2 - axis] = 2 - static_cast<int64_t>(from);
    for (size_t col = 0; col < 3; ++col) map.a[axis][col] = was.a[from][col];
    map.b[axis] = was.b[from];
  }
  return voxels.permute(dims).contiguous();
}

}  // namespace

bool only_copies(const Grid& source, const Grid& target, const SpatialMap& target_to_source) {
  return target_to_source.is_affine() &&
         VoxelMap(compose(inverse(source.voxel_to_world),
                          compose(target_to_source.affine(), target.voxel_to_world)),
                  {target.ni, target.nj, target.nk})
             .whole;
}

Volume resample(const Volume& source, const Grid& target, const SpatialMap& target_to_source,
                Interpolation interpolation, float outside) {
  const torch::Tensor& given = source.voxels;
  require(given.defined() && given.dim() == 3 && given.scalar_type() == torch::kFloat &&
              given.device().is_cpu() && given.numel() > 0,
          "resample: the voxels are not float32 [D,H,W] on the CPU, or there are none");
  for (int64_t side : {target.ni, target.nj, target.nk})
    require(side >= 1 && side <= kLargestSide,
            "resample: the target is {} x {} x {} voxels; expected 1 to {} along each axis",
            target.ni, target.nj, target.nk, kLargestSide);
  const double size = determinant(source.voxel_to_world);
  require(std::isfinite(size) && size != 0,
          "resample: the source's voxel-to-world map is singular or not finite");
  const SpatialMap voxel_to_voxel =
      compose(SpatialMap(inverse(source.voxel_to_world)),
              compose(target_to_source, SpatialMap(target.voxel_to_world)));
  for (const auto& row : voxel_to_voxel.affine())
    for (double number : row)
      require(std::isfinite(number), "resample: the map from target to source is not finite");

  const bool affine = voxel_to_voxel.is_affine();
  VoxelMap map(voxel_to_voxel.affine(), {target.ni, target.nj, target.nk});
  const auto positions =
      affine ? positions_of(map, target.ni) : positions_of(voxel_to_voxel, target.ni);
  torch::Tensor voxels = given.contiguous();
  Volume result = empty_volume(target, source.unit);
  const Target to{result.voxels.data_ptr<float>(), {target.ni, target.nj, target.nk}, outside};
  if ((affine && map.whole) || interpolation == Interpolation::kNearest) {
    copy_voxels(voxels.data_ptr<float>(), {voxels.size(2), voxels.size(1), voxels.size(0)},
                positions, to, interpolation == Interpolation::kNearest);
    return result;
  }
  const bool cubic = interpolation == Interpolation::kCubicSpline;
  require(!cubic || torch::isfinite(voxels).all().item<bool>(),
          "resample: the volume has voxels that are not finite, and a spline would spread them "
          "over all of it; set them to numbers first, or interpolate linearly");
  const bool aligned = affine && map.aligned;
  if (aligned) voxels = reordered(voxels, map);
  SplineVolume padded(voxels);
  if (cubic) padded.prefilter();
  padded.mirror_edges();
  if (aligned) {
    interpolate_aligned(padded, map, to, cubic);
  } else {
    interpolate_any(padded, positions, to, cubic);
  }
  return result;
}

}  // namespace scintigen
