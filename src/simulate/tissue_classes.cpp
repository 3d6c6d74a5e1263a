// SPDX-License-Identifier: Apache-2.0
#include "simulate/tissue_classes.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr size_t kBins = 256;
constexpr int kRounds = 200;
constexpr int64_t kFewestVoxels = 10000;

struct Gaussian {
  double mean, sd, weight;
  double density(double x) const {
    const double z = (x - mean) / sd;
    return weight / sd * std::exp(-0.5 * z * z);
  }
};

}  // namespace

std::array<float, 3> TissueClasses::fractions(double intensity) const {
  const double low = std::clamp((intensity - csf) / (gray - csf), 0.0, 1.0);
  const double high = std::clamp((intensity - gray) / (white - gray), 0.0, 1.0);
  return {static_cast<float>(1 - low), static_cast<float>(low - high), static_cast<float>(high)};
}

TissueClasses fit_tissue_classes(const float* brain, int64_t count, const std::string& where) {
  double highest = 0;
  int64_t inside = 0;
  for (int64_t v = 0; v < count; ++v) {
    highest = std::max(highest, static_cast<double>(brain[v]));
    inside += brain[v] > 0;
  }
  require(inside >= kFewestVoxels && std::isfinite(highest),
          "{}: {} voxels above 0; expected a brain (at least {})", where, inside, kFewestVoxels);
  std::vector<double> histogram(kBins, 0);
  const double bin = highest / kBins;
  for (int64_t v = 0; v < count; ++v)
    if (brain[v] > 0) histogram[std::min(kBins - 1, static_cast<size_t>(brain[v] / bin))] += 1;

  std::array<Gaussian, 3> classes;
  double passed = 0;
  const std::array<double, 3> starts = {0.05, 0.4, 0.8};
  for (size_t b = 0, next = 0; b < kBins && next < 3; ++b) {
    passed += histogram[b];
    while (next < 3 && passed >= starts[next] * static_cast<double>(inside))
      classes[next++] = {(static_cast<double>(b) + 0.5) * bin, highest / 16, 1.0 / 3};
  }
  for (int round = 0; round < kRounds; ++round) {
    std::array<double, 3> sum{}, first{}, second{};
    for (size_t b = 0; b < kBins; ++b) {
      const double x = (static_cast<double>(b) + 0.5) * bin;
      std::array<double, 3> density{};
      double all = 1e-300;
      for (size_t c = 0; c < 3; ++c) all += density[c] = classes[c].density(x);
      for (size_t c = 0; c < 3; ++c) {
        const double part = histogram[b] * density[c] / all;
        sum[c] += part, first[c] += part * x, second[c] += part * x * x;
      }
    }
    for (size_t c = 0; c < 3; ++c) {
      const double n = std::max(sum[c], 1e-9), mean = first[c] / n;
      classes[c] = {mean, std::sqrt(std::max(second[c] / n - mean * mean, bin * bin)),
                    n / static_cast<double>(inside)};
    }
  }
  const TissueClasses found{classes[0].mean, classes[1].mean, classes[2].mean};
  require(found.csf + 2 * bin < found.gray && found.gray + 2 * bin < found.white,
          "{}: fluid, gray and white matter do not stand apart (means {:.3g}, {:.3g}, {:.3g}); "
          "expected a T1 of the brain",
          where, found.csf, found.gray, found.white);
  return found;
}

}  // namespace scintigen
