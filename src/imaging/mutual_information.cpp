// SPDX-License-Identifier: Apache-2.0
#include "imaging/mutual_information.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace scintigen {
namespace {

/// What the gradient needs of a point; `weight` 0: outside.
struct Seen {
  float value, weight;
  float slope[3], weight_slope[3];  // per moving voxel
};

struct View {
  const float* place;
  const int32_t* bin;
  const float* voxels;
  int64_t row, plane;
  float n[3];
  float pose[3][4];  // place -> moving voxel
};

SCINTIGEN_INLINE float sum_of(Four a) { return (a[0] + a[1]) + (a[2] + a[3]); }

/// The cubic B-spline's four weights as one register: polynomials of t, one a lane.
SCINTIGEN_INLINE Four taps(float t) {
  const Four a = {-1.0F / 6, 0.5F, -0.5F, 1.0F / 6}, b = {0.5F, -1, 0.5F, 0},
             c = {-0.5F, 0, 0.5F, 0}, d = {1.0F / 6, 2.0F / 3, 1.0F / 6, 0};
  return ((a * t + b) * t + c) * t + d;
}
/// Their derivatives.
SCINTIGEN_INLINE Four tap_slopes(float t) {
  const Four a = {-0.5F, 1.5F, -1.5F, 0.5F}, b = {1, -2, 1, 0}, c = {-0.5F, 0, 0.5F, 0};
  return (a * t + b) * t + c;
}

/// 0 at the outer face of the outermost voxel, 1 from half a voxel inside its centre on.
SCINTIGEN_INLINE float edge_weight(float p, float n, float* slope) {
  const float low = p + 0.5F, high = n - 0.5F - p;
  const float depth = low < high ? low : high;
  *slope = 0;
  if (depth >= 1) return 1;
  *slope = 6 * depth * (1 - depth) * (low < high ? 1.0F : -1.0F);
  return depth * depth * (3 - 2 * depth);
}

template <bool kSlopes>
SCINTIGEN_INLINE void see(const View& view, const float* place, Seen& seen) {
  float p[3], w[3], dw[3];
  for (int c = 0; c < 3; ++c) {
    p[c] = view.pose[c][0] * place[0] + view.pose[c][1] * place[1] + view.pose[c][2] * place[2] +
           view.pose[c][3];
    if (!(p[c] > -0.5F && p[c] < view.n[c] - 0.5F)) {
      seen.weight = 0;
      return;
    }
    w[c] = edge_weight(p[c], view.n[c], &dw[c]);
  }
  seen.weight = w[0] * w[1] * w[2];
  int64_t base[3];
  float t[3];
  for (int c = 0; c < 3; ++c) {
    base[c] = static_cast<int64_t>(p[c] + 1) - 1;
    t[c] = p[c] - static_cast<float>(base[c]);
  }
  const Four wx = taps(t[0]), wy = taps(t[1]), wz = taps(t[2]);
  const Four sy = tap_slopes(t[1]), sz = tap_slopes(t[2]);
  const float* in = view.voxels + (base[2] - 1 + kSplinePad) * view.plane +
                    (base[1] - 1 + kSplinePad) * view.row + base[0] - 1 + kSplinePad;
  Four value{}, along_y{}, along_z{};
  for (int c = 0; c < 4; ++c) {
    const float* rows = in + c * view.plane;
    const Four a = load_four(rows), b = load_four(rows + view.row),
               d = load_four(rows + 2 * view.row), e = load_four(rows + 3 * view.row);
    const Four flat = a * wy[0] + b * wy[1] + d * wy[2] + e * wy[3];
    value += flat * wz[c];
    if (kSlopes) {
      along_y += (a * sy[0] + b * sy[1] + d * sy[2] + e * sy[3]) * wz[c];
      along_z += flat * sz[c];
    }
  }
  seen.value = sum_of(value * wx);
  if (kSlopes) {
    seen.slope[0] = sum_of(value * tap_slopes(t[0]));
    seen.slope[1] = sum_of(along_y * wx);
    seen.slope[2] = sum_of(along_z * wx);
    seen.weight_slope[0] = dw[0] * w[1] * w[2];
    seen.weight_slope[1] = w[0] * dw[1] * w[2];
    seen.weight_slope[2] = w[0] * w[1] * dw[2];
  }
}

SCINTIGEN_INLINE void add_to(float* histogram, int32_t bin, const Seen& seen) {
  const auto base = static_cast<int32_t>(seen.value);
  float* cells = histogram + bin * kBins + base - 1;
  const Four sum = load_four(cells) + taps(seen.value - static_cast<float>(base)) * seen.weight;
  std::memcpy(cells, &sum, sizeof sum);
}

SCINTIGEN_CLONES void count_values(const View& view, int64_t begin, int64_t end, float* histogram) {
  Seen seen;
  for (int64_t s = begin; s < end; ++s) {
    see<false>(view, view.place + 4 * s, seen);
    if (seen.weight > 0) add_to(histogram, view.bin[s], seen);
  }
}

SCINTIGEN_CLONES void count_and_keep(const View& view, int64_t begin, int64_t end, float* histogram,
                                     Seen* kept) {
  for (int64_t s = begin; s < end; ++s) {
    see<true>(view, view.place + 4 * s, kept[s]);
    if (kept[s].weight > 0) add_to(histogram, view.bin[s], kept[s]);
  }
}

/// Sum over points of d value / d (moving voxel position) times place: 3 x 4.
SCINTIGEN_CLONES void gather_slopes(const View& view, const Seen* kept, int64_t begin, int64_t end,
                                    const float* per_cell, float* result) {
  Four sums[3] = {};
  for (int64_t s = begin; s < end; ++s) {
    const Seen& seen = kept[s];
    if (!(seen.weight > 0)) continue;
    const auto base = static_cast<int32_t>(seen.value);
    const float t = seen.value - static_cast<float>(base);
    const Four cells = load_four(per_cell + view.bin[s] * kBins + base - 1);
    const float by_value = seen.weight * sum_of(cells * tap_slopes(t)),
                by_weight = sum_of(cells * taps(t));
    const Four place = load_four(view.place + 4 * s);
    for (int c = 0; c < 3; ++c)
      sums[c] += (by_value * seen.slope[c] + by_weight * seen.weight_slope[c]) * place;
  }
  std::memcpy(result, sums, sizeof sums);
}

using Histogram = std::array<double, kBins * kBins>;

/// Normalised mutual information of counts whose sum is `all`; their gradient in `per_cell`.
double information(const Histogram& joint, double all, float* per_cell) {
  std::array<double, kBins> rows{}, columns{};
  for (size_t f = 0; f < kBins; ++f)
    for (size_t m = 0; m < kBins; ++m) {
      rows[f] += joint[f * kBins + m];
      columns[m] += joint[f * kBins + m];
    }
  const auto entropy = [all](const double* counts, size_t size) {
    double sum = 0;
    for (size_t c = 0; c < size; ++c)
      if (counts[c] > 0) sum -= counts[c] * std::log(counts[c] / all);
    return sum / all;
  };
  const double fixed = entropy(rows.data(), kBins), moving = entropy(columns.data(), kBins),
               both = entropy(joint.data(), joint.size());
  if (!(both > 0)) return 0;
  const double value = (fixed + moving) / both;
  if (per_cell == nullptr) return value;
  // d H / d count = -(ln P + H) / all, for each of the three histograms.
  for (size_t f = 0; f < kBins; ++f)
    for (size_t m = 0; m < kBins; ++m) {
      const double count = joint[f * kBins + m];
      // An empty cell beside a point's spline is touched by its end, whose slope is 0.
      const double slope = count > 0 ? value * (std::log(count / all) + both) -
                                           (std::log(rows[f] / all) + fixed) -
                                           (std::log(columns[m] / all) + moving)
                                     : 0;
      per_cell[f * kBins + m] = static_cast<float>(slope / (all * both));
    }
  return value;
}

}  // namespace

Agreement agreement(const SamplePoints& points, const MovingLevel& moving, const Pose& pose,
                    bool with_gradient, int64_t parts) {
  const SplineVolume& values = moving.values;
  View view{points.place.data(),
            points.bin.data(),
            values.values.data(),
            values.padded[0],
            values.padded[0] * values.padded[1],
            {},
            {}};
  const Affine& to_voxel = moving.world_to_voxel;
  for (size_t c = 0; c < 3; ++c) {
    view.n[c] = static_cast<float>(values.n[c]);
    for (size_t col = 0; col < 4; ++col) {
      double sum = col == 3 ? to_voxel[c][3] : 0;
      for (size_t row = 0; row < 3; ++row) sum += to_voxel[c][row] * pose[row][col];
      view.pose[c][col] = static_cast<float>(sum);
    }
  }
  const int64_t count = points.count();
  const auto begin_of = [count, parts](int64_t part) { return count * part / parts; };
  std::vector<float> histograms(static_cast<size_t>(parts * kBins * kBins));
  std::vector<Seen> kept(with_gradient ? static_cast<size_t>(count) : 0);
  const auto in_parts = [parts](const auto& work) {
    if (parts == 1) return work(0, 1);
    at::parallel_for(0, parts, 1, work);
  };
  in_parts([&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      float* histogram = histograms.data() + part * kBins * kBins;
      if (with_gradient) {
        count_and_keep(view, begin_of(part), begin_of(part + 1), histogram, kept.data());
      } else {
        count_values(view, begin_of(part), begin_of(part + 1), histogram);
      }
    }
  });
  Histogram joint{};
  double all = 0;
  for (int64_t part = 0; part < parts; ++part)
    for (size_t c = 0; c < joint.size(); ++c)
      joint[c] += histograms[static_cast<size_t>(part) * joint.size() + c];
  for (double cell : joint) all += cell;

  Agreement result;
  result.overlap = count > 0 ? all / static_cast<double>(count) : 0;
  if (!(result.overlap >= kLeastOverlap)) return result;
  std::vector<float> per_cell(with_gradient ? joint.size() : 0);
  result.value = information(joint, all, with_gradient ? per_cell.data() : nullptr);
  if (!with_gradient || result.value == 0) return result;
  std::vector<float> sums(static_cast<size_t>(parts * 12));
  in_parts([&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part)
      gather_slopes(view, kept.data(), begin_of(part), begin_of(part + 1), per_cell.data(),
                    sums.data() + part * 12);
  });
  for (size_t row = 0; row < 3; ++row)
    for (size_t col = 0; col < 4; ++col)
      for (int64_t part = 0; part < parts; ++part)
        for (size_t c = 0; c < 3; ++c)
          result.gradient[row][col] +=
              to_voxel[c][row] * sums[static_cast<size_t>(part * 12) + c * 4 + col];
  return result;
}

}  // namespace scintigen
