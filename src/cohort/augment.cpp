// SPDX-License-Identifier: Apache-2.0
// One slice under the augmentation. Plain loops: at 64 x 64 a tensor operation costs more than its
// arithmetic.
#include <algorithm>
#include <array>
#include <cmath>

#include "cohort/sampling.h"
#include "cohort/slice_pose.h"
#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr double kGainSmoothness_px = 16;
constexpr double kPi = 3.14159265358979323846;

/// What one image is drawn to be. Every draw is made whatever the settings are, so that switching
/// one transform on leaves the others as they were.
struct Draws {
  double mix, side, flip, angle_rad, zoom;
  int64_t shift_ap, shift_lr;

  Draws(const AugmentSettings& settings, uint64_t seed, uint64_t index) {
    Random random(seed, "augment", index);
    mix = random.uniform();
    side = random.uniform();
    flip = random.uniform();
    const double turn = random.uniform(), size = random.uniform();
    angle_rad = (2 * turn - 1) * settings.rotate_deg * kPi / 180;
    zoom = std::exp((2 * size - 1) * std::log1p(settings.scale_fraction));
    shift_ap = random.integer(-settings.shift_ap_px, settings.shift_ap_px);
    shift_lr = random.integer(-settings.shift_lr_px, settings.shift_lr_px);
  }
};

/// Whole-pixel shift with zero fill, after a left-right flip. Nothing is interpolated.
void shift_and_flip(const std::vector<float>& source, int64_t height, int64_t width,
                    const Draws& draws, bool flip, float* out) {
  for (int64_t r = 0; r < height; ++r) {
    const int64_t from_row = r - draws.shift_ap;
    for (int64_t c = 0; c < width; ++c) {
      const int64_t shifted = c - draws.shift_lr;
      const bool inside = from_row >= 0 && from_row < height && shifted >= 0 && shifted < width;
      const int64_t column = flip ? width - 1 - shifted : shifted;
      out[r * width + c] = inside ? source[static_cast<size_t>(from_row * width + column)] : 0.f;
    }
  }
}

void divide_by_maximum(float* image, int64_t pixels) {
  const float most = *std::max_element(image, image + pixels);
  if (most <= 0.f) return;
  std::for_each(image, image + pixels, [most](float& v) { v /= most; });
}

}  // namespace

void AugmentSettings::visit(SettingsVisitor& v) {
  v.visit(
      flag("mix_neighbours", "weighted average with the slice above or below (Werner 2022, eq. 6)"),
      mix_neighbours);
  v.visit(flag("renormalise", "divide by the maximum again after mixing"), renormalise);
  v.visit(number("shift_ap_px", "largest anteroposterior shift, pixels (Werner 2022: 2)", 0, 64),
          shift_ap_px);
  v.visit(number("shift_lr_px", "largest left-right shift, pixels", 0, 64), shift_lr_px);
  v.visit(text("flip_where",
               "rows that may be flipped left-right: column=value,value;column=value, all, or "
               "nothing (Werner 2022: pattern=normal,bilateral)"),
          flip_where);
  v.visit(number("rotate_deg", "largest in-plane rotation, degrees", 0, 180), rotate_deg);
  v.visit(number("scale_fraction", "largest in-plane zoom: between 1/(1+s) and 1+s", 0, 1),
          scale_fraction);
  v.visit(number("warp_px", "standard deviation of a smooth displacement, pixels", 0, 8), warp_px);
  v.visit(number("gain_fraction", "standard deviation of a smooth multiplicative field", 0, 0.5),
          gain_fraction);
}

void augment_into(const PreparedCohort& cohort, int64_t row, bool may_flip,
                  const AugmentSettings& settings, uint64_t seed, uint64_t index, float* out) {
  const int64_t height = cohort.slices.size(1), width = cohort.slices.size(2);
  const int64_t pixels = height * width;
  require(row >= 0 && row < cohort.size(), "{}: row {} asked for; there are 0 to {}", cohort.name,
          row, cohort.size() - 1);
  const Draws draws(settings, seed, index);
  const auto target = cohort.slices[row].contiguous();
  std::vector<float> source(target.data_ptr<float>(), target.data_ptr<float>() + pixels);
  if (settings.mix_neighbours) {
    auto below = cohort.below(row), above = cohort.above(row);
    // z2 of eq. 6; at the end of a volume the only one there is
    auto other = !above.defined() || (below.defined() && draws.side < 0.5) ? below : above;
    if (other.defined()) {
      other = other.contiguous();
      const float* z2 = other.data_ptr<float>();
      const auto w = static_cast<float>(draws.mix);
      for (auto& z1 : source) {
        z1 = w * z1 + (1.f - w) * *z2;
        ++z2;
      }
    }
    if (settings.renormalise) divide_by_maximum(source.data(), pixels);
  }
  const bool flip = may_flip && draws.flip < 0.5;
  Random random(seed, "augment fields", index);
  if (settings.rotate_deg > 0 || settings.scale_fraction > 0 || settings.warp_px > 0) {
    const SlicePose pose{draws.angle_rad, draws.zoom, static_cast<double>(draws.shift_ap),
                         static_cast<double>(draws.shift_lr), flip};
    const auto warp = draw_warp(height, width, settings.warp_px, random);
    read_posed(source.data(), height, width, pose, warp, out);
  } else {
    shift_and_flip(source, height, width, draws, flip, out);
  }
  if (settings.gain_fraction > 0) {
    const auto field = smooth_field(height, width, kGainSmoothness_px, random);
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const auto gain =
          1.0 + settings.gain_fraction * static_cast<double>(field[static_cast<size_t>(pixel)]);
      out[pixel] *= static_cast<float>(std::max(0.0, gain));
    }
    divide_by_maximum(out, pixels);
  }
}

torch::Tensor augmented_slice(const PreparedCohort& cohort, int64_t row, bool may_flip,
                              const AugmentSettings& settings, uint64_t seed, uint64_t index) {
  auto image = torch::empty({cohort.slices.size(1), cohort.slices.size(2)}, torch::kFloat);
  augment_into(cohort, row, may_flip, settings, seed, index, image.data_ptr<float>());
  return image;
}

}  // namespace scintigen
