// SPDX-License-Identifier: Apache-2.0
#include "simulate/slice_truth.h"

#include <cmath>

#include "simulate/activity.h"

namespace scintigen {
namespace {

constexpr double kChange = 0.08;  // of uptake: what counts as affected
constexpr double kExtent = 0.04;  // of a side's gray matter

}  // namespace

const std::vector<Level>& levels() {
  static const std::vector<Level> all = {{"cerebellum", -34}, {"basal_ganglia", 5}, {"cortex", 36}};
  return all;
}

std::vector<float> change_map(const TemplateHead& head, const HeadMaps& maps,
                              const std::vector<Lesion>& lesions, double reserve) {
  std::vector<float> change(maps.voxels(), 0.0F);
  if (lesions.empty()) return change;
  for (size_t v = 0; v < change.size(); ++v) {
    if (maps.region[v] == 0) continue;
    const auto& q = maps.template_point[v];
    const double disease = lesion_factor(head, lesions, {q[0], q[1], q[2]}, maps.region[v]);
    change[v] = static_cast<float>(perfusion(disease, reserve) / perfusion(1, reserve) - 1);
  }
  return change;
}

SliceTruth judge_slice(const TemplateHead& head, const HeadMaps& maps,
                       const std::vector<float>& change, int64_t first, int64_t last) {
  double gray[2] = {}, affected[2] = {}, lowered[2] = {};
  const auto plane = static_cast<size_t>(maps.grid.ni * maps.grid.nj);
  for (size_t v = static_cast<size_t>(first) * plane; v < static_cast<size_t>(last + 1) * plane;
       ++v) {
    if (maps.region[v] == 0) continue;
    const Side side = head.regions[maps.region[v]].side;
    const size_t right =
        side == Side::kMiddle ? maps.template_point[v][0] > 0 : side == Side::kRight;
    gray[right] += maps.gray[v];
    if (std::abs(change[v]) < kChange) continue;
    affected[right] += maps.gray[v];
    lowered[right] -= maps.gray[v] * change[v];
  }
  const bool left = affected[0] >= kExtent * gray[0] && affected[0] > 0;
  const bool right = affected[1] >= kExtent * gray[1] && affected[1] > 0;
  SliceTruth truth;
  truth.pattern = left && right ? "bilateral" : left || right ? "unilateral" : "normal";
  truth.side = left && right ? "both" : left ? "left" : right ? "right" : "none";
  double lost = 0, in = 0;
  if (left) lost += lowered[0], in += affected[0];
  if (right) lost += lowered[1], in += affected[1];
  truth.severity = in > 0 ? 100 * lost / in : 0;
  return truth;
}

}  // namespace scintigen
