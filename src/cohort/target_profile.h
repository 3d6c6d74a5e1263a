// SPDX-License-Identifier: Apache-2.0
// From a translated slice in [-1,1] back to counts.
// A network that learned slices scaled by their own minimum and maximum says nothing about either.
// What can be said of a new person is how bright a slice is *relative to the others* at its place
// in the brain, since people are alike in that; the level of the whole scan (dose, time, camera)
// cannot be known, and is the training people's median unless the user gives one. The rules:
//   high_k = level * shape(n) * product over channels (relative brightness of the input)^gain
//   low_k  = high_k * floor(n),       n the place of plane k in the brain, shape of geometric mean
//   1
// "profile" leaves the product out; "input" has it. Docs: docs/methods.md, "From slices to counts".
// Does: learn the rule from training people, apply it.  Does not: touch a voxel.
// Checked tests/cohort/test_target_profile.cpp
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cohort/paired_slices.h"

namespace scintigen {

struct TargetProfile {
  std::string unit;        ///< of level; empty: not known
  bool by_slice = true;    ///< the network's slices were scaled each by itself
  bool masked = false;     ///< the target was 0 outside the brain mask in training
  double level = 0;        ///< median over people of the geometric mean over slices of high; 0: the
                           ///< targets are not positive, and there is no rule
  double level_sd_ln = 0;  ///< SD over people of its logarithm
  std::vector<double> shape, floor;              ///< [places]
  std::vector<double> gain;                      ///< [channels]
  std::vector<std::vector<double>> input_shape;  ///< [channels][places], ln, mean 0
  /// Of targets scaled by volume: mean over people of the quantiles_of() their pixels in the brain,
  /// which is the histogram that lies in the middle of theirs. Empty otherwise.
  std::vector<double> quantiles;
  bool known() const { return level > 0; }
};

constexpr size_t kQuantiles = 257;

/// [kQuantiles] values at equal steps of rank from the least to the largest, linear between ranks.
/// throws  Error: no value
std::vector<double> quantiles_of(const torch::Tensor& values);

/// Learned at places_of(people) of the people's chosen planes.
TargetProfile fit_target_profile(const std::vector<PairedPerson>& people,
                                 const PairedSettings& settings);

/// What -1 and 1 stand for in each plane.
struct PlaneRange {
  double low = 0, high = 1;
};

/// Of the D planes of a person. rule: "profile" or "input". `level` 0: the training people's.
/// throws  Error: the profile has no rule
std::vector<PlaneRange> plane_ranges(const TargetProfile& profile, const PairedPerson& person,
                                     const std::string& rule, double level = 0);

/// The ranges that the person's own target was scaled with, in its unit: what cannot be known of
/// somebody without a scan. Only for scores. The target must be there.
std::vector<PlaneRange> true_plane_ranges(const PairedPerson& person);

nlohmann::ordered_json to_json(const TargetProfile& profile);
/// throws  Error beginning with `where`: keys missing, arrays of other lengths, not finite
TargetProfile target_profile_from_json(const nlohmann::ordered_json& json, int64_t places,
                                       size_t channels, const std::string& where);

}  // namespace scintigen
