// SPDX-License-Identifier: Apache-2.0
#include "detection/siscom.h"

#include <ATen/ATen.h>

#include <cmath>

#include "core/error.h"
#include "core/mask_morphology.h"

namespace scintigen {
namespace {

constexpr int64_t kLeastVoxels = 100;
constexpr double kSamePercent = 1e-4;  // float32 of equal scans leaves 1e-5 %
constexpr double kBisquare = 4.685, kSigmaOfMedian = 1.4826;
constexpr int kMostRounds = 100;
constexpr double kAngleSettled = 1e-10;

void require_same_shape(const torch::Tensor& a, const torch::Tensor& b, const char* names) {
  require(a.defined() && b.defined() && a.dim() == 3 && a.sizes() == b.sizes(),
          "siscom: {} are not on one grid [D,H,W]", names);
}

/// Voxels of `scan` inside `mask` in double, checked.
torch::Tensor inside(const torch::Tensor& scan, const torch::Tensor& mask, const char* name) {
  require(scan.scalar_type() == torch::kFloat, "siscom: the {} scan is not float32", name);
  const auto values = scan.masked_select(mask.ne(0)).to(torch::kDouble);
  require(values.isfinite().all().item<bool>(),
          "siscom: the {} scan holds values in the brain that are not finite", name);
  return values;
}

double mean_above_0(const torch::Tensor& values, const char* scan, const char* where) {
  require(values.numel() > 0, "siscom: {} holds no voxel of the {} scan", where, scan);
  const double mean = values.mean().item<double>();
  require(mean > 0, "siscom: the {} scan's mean in {} is {:.3g}; expected counts above 0", scan,
          where, mean);
  return mean;
}

/// Slope of `y` on `x` through the origin, outliers apart.
double robust_slope(const torch::Tensor& x, const torch::Tensor& y) {
  const double middle_x = x.median().item<double>(), middle_y = y.median().item<double>();
  require(middle_x > 0 && middle_y > 0,
          "siscom: half of the brain has no counts; --counts mean or reference, or mend the mask");
  const auto a = x / middle_x, b = y / middle_y;
  double angle = std::atan(1.0);  // equal after division by the medians
  for (int round = 0; round < kMostRounds; ++round) {
    const auto distance = (b * std::cos(angle) - a * std::sin(angle)).abs();
    const double reach = kBisquare * kSigmaOfMedian * distance.median().item<double>();
    if (reach <= 0) break;  // more than half of the voxels lie on the line
    const auto weight = (1 - (distance / reach).square()).clamp_min(0).square();
    // Principal axis of the weighted moments about the origin.
    const double aa = (weight * a * a).sum().item<double>(),
                 bb = (weight * b * b).sum().item<double>(),
                 ab = (weight * a * b).sum().item<double>();
    const double next = std::atan2(2 * ab, aa - bb) / 2;
    const bool settled = std::abs(next - angle) < kAngleSettled;
    angle = next;
    if (settled) break;
  }
  return std::tan(angle) * middle_y / middle_x;
}

CountFactors factors_of(const torch::Tensor& ictal, const torch::Tensor& interictal,
                        const torch::Tensor& mask, CountScaling scaling,
                        const torch::Tensor& reference) {
  const auto in_ictal = inside(ictal, mask, "ictal"),
             in_interictal = inside(interictal, mask, "interictal");
  require(in_ictal.numel() >= kLeastVoxels, "siscom: the brain mask has {} voxels; expected {}",
          in_ictal.numel(), kLeastVoxels);
  CountFactors factors;
  factors.ictal_mean = mean_above_0(in_ictal, "ictal", "the brain");
  const double interictal_mean = mean_above_0(in_interictal, "interictal", "the brain");
  switch (scaling) {
    case CountScaling::kMean:
      factors.interictal_factor = factors.ictal_mean / interictal_mean;
      break;
    case CountScaling::kReference: {
      require_same_shape(ictal, reference, "scan and reference region");
      factors.interictal_factor =
          mean_above_0(inside(ictal, reference, "ictal"), "ictal", "the reference region") /
          mean_above_0(inside(interictal, reference, "interictal"), "interictal",
                       "the reference region");
      break;
    }
    case CountScaling::kRobust:
      factors.interictal_factor = robust_slope(in_interictal, in_ictal);
      break;
  }
  return factors;
}

std::optional<double> dice_of_any(const torch::Tensor& a, const torch::Tensor& b) {
  if (!a.any().item<bool>() && !b.any().item<bool>()) return std::nullopt;
  return dice(a, b);
}

double distance_mm(const Point& a, const Point& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

}  // namespace

torch::Tensor difference_in_percent(const torch::Tensor& ictal, const torch::Tensor& interictal,
                                    const CountFactors& factors) {
  require_same_shape(ictal, interictal, "ictal and interictal scan");
  return (100 *
          (ictal.to(torch::kDouble) - factors.interictal_factor * interictal.to(torch::kDouble)) /
          factors.ictal_mean)
      .to(torch::kFloat);
}

Subtraction subtract(const torch::Tensor& ictal, const torch::Tensor& interictal,
                     const torch::Tensor& mask, CountScaling scaling,
                     const torch::Tensor& reference) {
  require_same_shape(ictal, interictal, "ictal and interictal scan");
  require_same_shape(ictal, mask, "scan and brain mask");
  Subtraction made;
  made.factors = factors_of(ictal, interictal, mask, scaling, reference);
  const auto outside = mask.eq(0);
  made.difference =
      difference_in_percent(ictal, interictal, made.factors).masked_fill(outside, 0).contiguous();
  const auto values = made.difference.masked_select(mask.ne(0)).to(torch::kDouble);
  made.mean = values.mean().item<double>();
  made.sd = values.std().item<double>();
  made.same = made.sd < kSamePercent;
  made.z = made.same ? torch::zeros_like(made.difference) : made.difference / made.sd;
  return made;
}

torch::Tensor against_normal(const torch::Tensor& difference, const NormalDifferences& normal) {
  require_same_shape(difference, normal.sd, "difference and normal SD");
  require(normal.people != 1,
          "siscom: normal differences of 1 person have no SD; expected 2 or "
          "more, or 0 where SD and mean are known exactly");
  auto over = difference.to(torch::kDouble);
  if (normal.mean.defined()) {
    require_same_shape(difference, normal.mean, "difference and normal mean");
    over = over - normal.mean.to(torch::kDouble);
  }
  const double widening =
      normal.people > 0 ? std::sqrt(1 + 1 / static_cast<double>(normal.people)) : 1;
  const auto t = over / (normal.sd.to(torch::kDouble) * widening);
  const auto known = normal.sd.gt(0).logical_and(t.isfinite());
  return t.masked_fill(known.logical_not(), 0).to(torch::kFloat).contiguous();
}

MapAgreement agreement_of(const torch::Tensor& z_a, const Clusters& a, const torch::Tensor& z_b,
                          const Clusters& b, const torch::Tensor& mask) {
  require_same_shape(z_a, z_b, "the two maps");
  require_same_shape(z_a, mask, "map and mask");
  const auto in = mask.ne(0);
  auto x = z_a.masked_select(in).to(torch::kDouble), y = z_b.masked_select(in).to(torch::kDouble);
  require(x.numel() > 0, "siscom: the mask of the comparison holds no voxel");
  MapAgreement made;
  const double threshold = std::abs(a.rule.threshold);
  made.dice_above = dice_of_any(x.ge(threshold), y.ge(threshold));
  made.dice_below = dice_of_any(x.le(-threshold), y.le(-threshold));
  x -= x.mean(), y -= y.mean();
  const double spread =
      std::sqrt(x.square().sum().item<double>() * y.square().sum().item<double>());
  made.correlation = spread > 0 ? (x * y).sum().item<double>() / spread : 0;
  if (a.found.empty() || b.found.empty()) return made;
  const auto &top_a = a.found.front(), &top_b = b.found.front();
  made.peaks_apart_mm = distance_mm(top_a.peak_mm, top_b.peak_mm);
  made.centres_apart_mm = distance_mm(top_a.centre_mm, top_b.centre_mm);
  made.top_overlap = dice(a.labels.eq(top_a.label), b.labels.eq(top_b.label));
  return made;
}

}  // namespace scintigen
