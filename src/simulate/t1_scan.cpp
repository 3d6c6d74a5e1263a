// SPDX-License-Identifier: Apache-2.0
#include "simulate/t1_scan.h"

#include <algorithm>
#include <cmath>

namespace scintigen {
namespace {

constexpr int64_t kSlab = 16;
constexpr double kBiasMm = 45, kWhite = 1000;

}  // namespace

void T1Protocol::visit(SettingsVisitor& v) {
  v.visit(number("bias", "T1: SD of the logarithm of the smooth coil sensitivity", 0, 1), bias);
  v.visit(number("noise", "T1: SD of Rician noise, white matter = 1", 0, 1), noise);
}

T1Scan simulate_t1(const TemplateHead& head, const Person& person, const Grid& grid,
                   const Affine& person_from_world, const T1Protocol& protocol, Random random) {
  T1Scan scan{empty_volume(grid, "1"), empty_volume(grid, "1")};
  const auto sensitivity = CoarseField::smooth_noise(1, kBiasMm, Random(random.next(), "bias"));
  float* image = scan.image.voxels.data_ptr<float>();
  float* mask = scan.brain_mask.voxels.data_ptr<float>();
  for (int64_t first = 0; first < grid.nk; first += kSlab) {
    Grid slab = grid;
    slab.nk = std::min(kSlab, grid.nk - first);
    for (size_t row = 0; row < 3; ++row)
      slab.voxel_to_world[row][3] += double(first) * grid.voxel_to_world[row][2];
    const HeadMaps maps = sample_head(head, person, slab, person_from_world);
    size_t v = 0;
    for (int64_t k = 0; k < slab.nk; ++k)
      for (int64_t j = 0; j < slab.nj; ++j)
        for (int64_t i = 0; i < slab.ni; ++i, ++v) {
          // The coil belongs to the scanner, not to the head: its field lies in the world.
          const Point at = transform_point(slab.voxel_to_world, {double(i), double(j), double(k)});
          const double signal = maps.t1[v] * std::exp(protocol.bias * sensitivity.value(at));
          const double real = signal + protocol.noise * random.normal();
          const double imaginary = protocol.noise * random.normal();
          *image++ = static_cast<float>(std::round(kWhite * std::hypot(real, imaginary)));
          *mask++ = maps.region[v] != 0;
        }
  }
  return scan;
}

}  // namespace scintigen
