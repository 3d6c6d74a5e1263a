// SPDX-License-Identifier: Apache-2.0
// Made-up brain slices with known sides, for tests of what compares sets of them.
#pragma once
#include <ATen/ATen.h>

#include <string>

#include "core/random.h"
#include "metrics/evaluation.h"

namespace scintigen {

struct BrainSlices {
  double lesion = 0;        ///< largest lowering of one side
  bool left_only = false;   ///< else either side as often
  bool both_sides = false;  ///< the same lowering on both: symmetric images
  double variety = 1;
  int64_t slices_per_patient = 1;
};

/// `count` slices of 32 x 32, max 1: an ellipse of varying size and place with a lowered side.
inline torch::Tensor brain_slices(uint64_t seed, int64_t count, const BrainSlices& like = {}) {
  const auto axis = at::arange(32, torch::kDouble) - 15.5;
  const auto y = axis.view({32, 1}), x = axis.view({1, 32});
  std::vector<torch::Tensor> slices;
  for (int64_t k = 0; k < count; ++k) {
    Random random(seed, "patient", static_cast<uint64_t>(k / like.slices_per_patient));
    Random own(seed, "slice", static_cast<uint64_t>(k));
    const double width = 10 + like.variety * random.normal();
    const double height = 12 + like.variety * random.normal();
    auto brain = at::exp(-(x.square() / (width * width) + y.square() / (height * height)).pow(3));
    const double texture = 1 + 0.3 * like.variety * own.normal();
    brain = brain * (1 + 0.15 * texture * at::cos(x / 2).mul(at::cos(y / 2)));
    const double lowering = like.lesion * (0.5 + 0.5 * random.uniform());
    const bool left = like.left_only || random.uniform() < 0.5;  // columns run right to left
    if (like.both_sides)
      brain = brain * (1 - lowering / 2);
    else
      brain = brain * (1 - lowering * (left ? x > 0 : x < 0).to(torch::kDouble));
    brain = brain + 0.02 * own.uniform_tensor({32, 32}) * (brain > 0.2).to(torch::kDouble);
    slices.push_back((brain / brain.max()).to(torch::kFloat));
  }
  return at::stack(slices);
}

/// A set with a column level = `level`; patients named `prefix`-1, -2, ...
inline SliceSet brain_set(const std::string& name, const torch::Tensor& slices,
                          const std::string& prefix, int64_t slices_per_patient = 1,
                          const std::string& level = "cortex") {
  SliceSet set{name, slices, {}};
  set.table.name = name;
  set.table.columns = {"participant_id", "level"};
  for (int64_t k = 0; k < slices.size(0); ++k)
    set.table.add_row({fmt::format("{}-{}", prefix, k / slices_per_patient + 1), level});
  return set;
}

}  // namespace scintigen
