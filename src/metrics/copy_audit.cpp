// SPDX-License-Identifier: Apache-2.0
#include "metrics/copy_audit.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "metrics/slice_statistics.h"

namespace scintigen {
namespace {

constexpr double kPercentile = 0.01;
constexpr int64_t kEnoughHeldOut = 100;

/// Root mean square of each slice.
torch::Tensor strength(const torch::Tensor& slices) {
  return slices.to(torch::kDouble).pow(2).mean({1, 2}).sqrt().clamp_min(1e-12);
}

/// Distances to slices of `reference`, relative to the strength of the slice found.
NearestSlices relative(NearestSlices found, const torch::Tensor& reference) {
  found.distance = found.distance / strength(reference).index_select(0, found.index);
  return found;
}

}  // namespace

double area_under_curve(const torch::Tensor& positive, const torch::Tensor& negative) {
  require(
      positive.dim() == 1 && negative.dim() == 1 && positive.numel() > 0 && negative.numel() > 0,
      "area under the curve: expected two lists of numbers, neither empty");
  const auto sorted = std::get<0>(negative.to(torch::kDouble).sort());
  const auto values = positive.to(torch::kDouble).contiguous();
  const auto below = at::searchsorted(sorted, values, false, false).to(torch::kDouble);
  const auto up_to = at::searchsorted(sorted, values, false, true).to(torch::kDouble);
  return ((below + up_to) / 2).mean().item<double>() / static_cast<double>(negative.numel());
}

CopyAudit audit_copies(const torch::Tensor& synthetic, const torch::Tensor& training,
                       const torch::Tensor& held_out, int64_t shift_px) {
  const c10::NoGradGuard no_gradients;
  require(held_out.dim() == 3 && held_out.size(0) > 0,
          "copy audit: no held-out slices; expected real slices that were not trained on, for "
          "without them no distance is near or far");
  const auto of_training = nearest_both_ways(synthetic, training, shift_px);
  const auto found = relative(of_training.of_slices, training);
  CopyAudit audit;
  audit.synthetic = found.distance;
  audit.nearest = found.index;
  audit.held_out = relative(nearest_slices(held_out, training, shift_px), training).distance;
  const auto sorted = std::get<0>(audit.held_out.sort());
  audit.threshold_is_minimum = sorted.numel() < kEnoughHeldOut;
  const auto place = static_cast<int64_t>(kPercentile * static_cast<double>(sorted.numel()));
  audit.threshold = sorted[place].item<double>();
  for (int64_t i = 0; i < synthetic.size(0); ++i) {
    const double distance = audit.synthetic[i].item<double>();
    if (distance < audit.threshold)
      audit.suspects.push_back({i, audit.nearest[i].item<int64_t>(), distance});
  }
  std::sort(audit.suspects.begin(), audit.suspects.end(),
            [](const auto& a, const auto& b) { return a.distance < b.distance; });
  // Members lie nearer to what was made from them, so the held-out are the larger distances.
  audit.held_out_to_synthetic =
      relative(nearest_slices(held_out, synthetic, shift_px), synthetic).distance;
  audit.training_to_synthetic = relative(of_training.of_reference, synthetic).distance;
  audit.membership_auc = area_under_curve(audit.held_out_to_synthetic, audit.training_to_synthetic);
  return audit;
}

}  // namespace scintigen
