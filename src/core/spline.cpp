// SPDX-License-Identifier: Apache-2.0
#include "core/spline.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

namespace scintigen {
namespace {

constexpr int64_t kLanes = 16;    // lines that are filtered side by side
constexpr int64_t kHorizon = 24;  // |pole|^24 < 2e-14: what lies farther is below float32

/// `lines` [n][kLanes], in place.
SCINTIGEN_CLONES void filter_lines(float* lines, int64_t n) {
  const float pole = static_cast<float>(std::sqrt(3.0) - 2);
  float sum[kLanes], last[kLanes];
  // The causal filter starts from the sum over the mirrored line, whose period is 2n - 2.
  for (int64_t l = 0; l < kLanes; ++l) sum[l] = lines[l];
  float power = 1;
  if (n > kHorizon) {
    for (int64_t m = 1; m < kHorizon; ++m) {
      power *= pole;
      for (int64_t l = 0; l < kLanes; ++l) sum[l] += power * lines[m * kLanes + l];
    }
  } else {
    for (int64_t m = 1; m < 2 * n - 2; ++m) {
      power *= pole;
      const float* line = lines + (m < n ? m : 2 * n - 2 - m) * kLanes;
      for (int64_t l = 0; l < kLanes; ++l) sum[l] += power * line[l];
    }
    const float whole = 1 / (1 - power * pole);
    for (int64_t l = 0; l < kLanes; ++l) sum[l] *= whole;
  }
  for (int64_t l = 0; l < kLanes; ++l) lines[l] = last[l] = sum[l];
  for (int64_t m = 1; m < n; ++m)
    for (int64_t l = 0; l < kLanes; ++l)
      lines[m * kLanes + l] = last[l] = lines[m * kLanes + l] + pole * last[l];
  const float gain = 6, start = gain * pole / (pole * pole - 1);
  float* end = lines + (n - 1) * kLanes;
  for (int64_t l = 0; l < kLanes; ++l) end[l] = last[l] = start * (end[l] + pole * end[l - kLanes]);
  for (int64_t m = n - 2; m >= 0; --m)
    for (int64_t l = 0; l < kLanes; ++l)
      lines[m * kLanes + l] = last[l] = pole * (last[l] - gain * lines[m * kLanes + l]);
}

}  // namespace

SplineVolume::SplineVolume(const torch::Tensor& voxels)
    : n{voxels.size(2), voxels.size(1), voxels.size(0)} {
  for (size_t axis = 0; axis < 3; ++axis) padded[axis] = n[axis] + 2 * kSplinePad;
  values.resize(static_cast<size_t>(padded[0] * padded[1] * padded[2]));
  const float* from = voxels.data_ptr<float>();
  at::parallel_for(0, n[2], 1, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      for (int64_t j = 0; j < n[1]; ++j)
        std::copy_n(from + (k * n[1] + j) * n[0], n[0],
                    values.data() + ((k + kSplinePad) * padded[1] + j + kSplinePad) * padded[0] +
                        kSplinePad);
  });
}

void SplineVolume::prefilter() {
  const std::array<int64_t, 3> stride = {1, padded[0], padded[0] * padded[1]};
  float* const first = values.data() + kSplinePad * (stride[0] + stride[1] + stride[2]);
  for (size_t axis = 0; axis < 3; ++axis) {
    if (n[axis] < 2) continue;
    // Side by side lie voxels along i; where i is the axis, rows.
    const size_t side = axis == 0 ? 1 : 0, outer = axis == 2 ? 1 : 2;
    const int64_t blocks = (n[side] + kLanes - 1) / kLanes;
    at::parallel_for(0, n[outer] * blocks, 4, [&](int64_t begin, int64_t end) {
      std::vector<float> lines(static_cast<size_t>(n[axis] * kLanes));
      for (int64_t task = begin; task < end; ++task) {
        const int64_t left = task % blocks * kLanes, lanes = std::min(kLanes, n[side] - left);
        float* const base = first + task / blocks * stride[outer] + left * stride[side];
        if (lanes < kLanes) std::fill(lines.begin(), lines.end(), 0.0F);
        for (int64_t m = 0; m < n[axis]; ++m)
          for (int64_t l = 0; l < lanes; ++l)
            lines[static_cast<size_t>(m * kLanes + l)] = base[m * stride[axis] + l * stride[side]];
        filter_lines(lines.data(), n[axis]);
        for (int64_t m = 0; m < n[axis]; ++m)
          for (int64_t l = 0; l < lanes; ++l)
            base[m * stride[axis] + l * stride[side]] = lines[static_cast<size_t>(m * kLanes + l)];
      }
    });
  }
}

void SplineVolume::mirror_edges() {
  const std::array<int64_t, 3> stride = {1, padded[0], padded[0] * padded[1]};
  for (size_t axis = 0; axis < 3; ++axis) {
    const size_t one = axis == 0 ? 1 : 0, two = axis == 2 ? 1 : 2;
    for (int64_t beyond = 1; beyond <= kSplinePad; ++beyond) {
      // In a line shorter than the reach the mirrors repeat: 0 1 | 0 1 0 1.
      const int64_t period = std::max<int64_t>(1, 2 * n[axis] - 2), low = beyond % period,
                    high = (n[axis] - 1 + beyond) % period;
      const int64_t from_low = low < n[axis] ? low : period - low,
                    from_high = high < n[axis] ? high : period - high;
      for (int64_t b = 0; b < padded[two]; ++b)
        for (int64_t a = 0; a < padded[one]; ++a) {
          float* const line = values.data() + a * stride[one] + b * stride[two];
          line[(kSplinePad - beyond) * stride[axis]] = line[(kSplinePad + from_low) * stride[axis]];
          line[(kSplinePad + n[axis] - 1 + beyond) * stride[axis]] =
              line[(kSplinePad + from_high) * stride[axis]];
        }
    }
  }
}

}  // namespace scintigen
