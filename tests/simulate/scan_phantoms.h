// SPDX-License-Identifier: Apache-2.0
// Objects with known projections, and what is measured on profiles.
#pragma once
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/volume.h"

namespace scintigen {

inline Affine centred_affine(int64_t side, int64_t slices, double pixel_mm) {
  Affine affine{};
  for (size_t axis = 0; axis < 3; ++axis) {
    affine[axis][axis] = pixel_mm;
    affine[axis][3] = -0.5 * pixel_mm * static_cast<double>((axis == 2 ? slices : side) - 1);
  }
  affine[3][3] = 1;
  return affine;
}

/// value(x, y, z in mm about the centre) on [slices,side,side]; in-plane mean of samples x samples
/// points a voxel.
template <class Value>
Volume phantom(int64_t side, int64_t slices, double pixel_mm, Value value, int64_t samples = 1) {
  Volume volume{torch::zeros({slices, side, side}, torch::kFloat),
                centred_affine(side, slices, pixel_mm), "1"};
  float* to = volume.voxels.data_ptr<float>();
  const auto place = [&](int64_t index, int64_t count, double within) {
    return (static_cast<double>(index) - 0.5 * static_cast<double>(count - 1) + within) * pixel_mm;
  };
  for (int64_t k = 0; k < slices; ++k) {
    for (int64_t j = 0; j < side; ++j) {
      for (int64_t i = 0; i < side; ++i) {
        double sum = 0;
        for (int64_t s = 0; s < samples * samples; ++s) {
          const auto n = static_cast<double>(samples);
          const double dx = (static_cast<double>(s % samples) + 0.5) / n - 0.5,
                       dy = (static_cast<double>(s / samples) + 0.5) / n - 0.5;
          sum += value(place(i, side, dx), place(j, side, dy), place(k, slices, 0));
        }
        *to++ = static_cast<float>(sum / static_cast<double>(samples * samples));
      }
    }
  }
  return volume;
}

/// A cylinder along z about the centre.
inline Volume cylinder(int64_t side, int64_t slices, double pixel_mm, double radius_mm,
                       double value) {
  return phantom(
      side, slices, pixel_mm,
      [&](double x, double y, double) { return std::hypot(x, y) <= radius_mm ? value : 0.0; }, 4);
}

/// Full width at half maximum in samples. The peak's place and height are those of a parabola
/// through the logarithms of the three highest samples; between samples the logarithm is linear in
/// the squared distance from the peak: both exact for a Gaussian.
inline double fwhm_of(const std::vector<double>& profile) {
  const auto peak = std::max_element(profile.begin(), profile.end());
  const auto top = static_cast<int64_t>(peak - profile.begin());
  const auto log_at = [&](int64_t i) { return std::log(profile[static_cast<size_t>(i)]); };
  const double a = log_at(top - 1), b = log_at(top), c = log_at(top + 1);
  const double place = static_cast<double>(top) + 0.5 * (a - c) / (a - 2 * b + c);
  const double half = b - (a - c) * (a - c) / (8 * (a - 2 * b + c)) - std::log(2.0);
  const auto crossing = [&](int64_t step) {
    int64_t at = top;
    while (log_at(at + step) > half) at += step;
    const double inner = std::pow(static_cast<double>(at) - place, 2),
                 outer = std::pow(static_cast<double>(at + step) - place, 2);
    return std::sqrt(inner +
                     (outer - inner) * (log_at(at) - half) / (log_at(at) - log_at(at + step)));
  };
  return crossing(1) + crossing(-1);
}

/// SD in samples about the centroid.
inline double sd_of(const std::vector<double>& profile) {
  double sum = 0, first = 0, second = 0;
  for (size_t i = 0; i < profile.size(); ++i) {
    const auto x = static_cast<double>(i);
    sum += profile[i];
    first += profile[i] * x;
    second += profile[i] * x * x;
  }
  return std::sqrt(second / sum - first / sum * (first / sum));
}

struct Line {
  double at_zero, slope;
};

inline Line fitted_line(const std::vector<double>& x, const std::vector<double>& y) {
  double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / static_cast<double>(x.size());
    mean_y += y[i] / static_cast<double>(x.size());
  }
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  return {mean_y - xy / xx * mean_x, xy / xx};
}

}  // namespace scintigen
