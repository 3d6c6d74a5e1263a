// SPDX-License-Identifier: Apache-2.0
#include "cohort/paired_augment.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cohort/slice_pose.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr double kPi = 3.14159265358979323846;

/// Uniform on the logarithm between 1/(1+fraction) and 1+fraction.
double about_one(Random& random, double fraction) {
  return std::exp((2 * random.uniform() - 1) * std::log1p(fraction));
}

void pose_planes(torch::Tensor planes, const SlicePose& pose, const SliceWarp& warp) {
  const int64_t height = planes.size(1), width = planes.size(2), pixels = height * width;
  std::vector<float> above(static_cast<size_t>(pixels));  // above the background: 0 to 2
  for (int64_t c = 0; c < planes.size(0); ++c) {
    float* const plane = planes.data_ptr<float>() + c * pixels;
    std::transform(plane, plane + pixels, above.begin(), [](float v) { return v + 1; });
    read_posed(above.data(), height, width, pose, warp, plane);
    std::for_each(plane, plane + pixels, [](float& v) { v -= 1; });
  }
}

}  // namespace

bool PairedAugment::any() const {
  return flip || shift_px > 0 || rotate_deg > 0 || scale_fraction > 0 || warp_px > 0 ||
         gamma_fraction > 0;
}

void PairedAugment::visit(SettingsVisitor& v) {
  v.visit(flag("flip", "augmentation: left and right exchanged in half of the pairs"), flip);
  v.visit(number("shift_px", "augmentation: largest shift in each direction, pixels", 0, 64),
          shift_px);
  v.visit(number("rotate_deg", "augmentation: largest in-plane rotation, degrees", 0, 180),
          rotate_deg);
  v.visit(number("scale_fraction", "augmentation: zoom between 1/(1+s) and 1+s", 0, 1),
          scale_fraction);
  v.visit(
      number("warp_px", "augmentation: standard deviation of a smooth displacement, pixels", 0, 8),
      warp_px);
  v.visit(
      number("gamma_fraction",
             "augmentation: input in [0,1] to a power between 1/(1+s) and 1+s; the target stays", 0,
             4),
      gamma_fraction);
}

void augment_pair(torch::Tensor inputs, torch::Tensor target, const PairedAugment& settings,
                  uint64_t seed, uint64_t index) {
  if (!settings.any()) return;
  // Every draw is made whatever the settings are: switching one on leaves the others as they were.
  Random random(seed, "augment pair", index);
  SlicePose pose;
  pose.flip = random.uniform() < 0.5 && settings.flip;
  pose.down_px = (2 * random.uniform() - 1) * settings.shift_px;
  pose.right_px = (2 * random.uniform() - 1) * settings.shift_px;
  pose.angle_rad = (2 * random.uniform() - 1) * settings.rotate_deg * kPi / 180;
  pose.zoom = about_one(random, settings.scale_fraction);
  std::vector<double> powers;
  for (int64_t c = 0; c < inputs.size(0); ++c)
    powers.push_back(about_one(random, settings.gamma_fraction));
  const auto warp = draw_warp(inputs.size(1), inputs.size(2), settings.warp_px, random);
  pose_planes(inputs, pose, warp);
  pose_planes(target, pose, warp);
  if (settings.gamma_fraction > 0)
    for (int64_t c = 0; c < inputs.size(0); ++c) {
      auto plane = inputs[c];
      plane.add_(1).div_(2).clamp_(0, 1).pow_(powers[static_cast<size_t>(c)]).mul_(2).sub_(1);
    }
}

}  // namespace scintigen
