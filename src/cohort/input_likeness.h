// SPDX-License-Identifier: Apache-2.0
// Whether a volume looks like those that a network was trained on: modality, orientation,
// intensity, size of what is in it, voxel size. A network translates anything; somebody must say
// when not to believe it. Does: a compact picture of the training people (a coarse mean head, a
// histogram, seven numbers
//       with their spread), and one line for each way in which a new volume differs.
// Does not: see left and right exchanged (a brain is too symmetric for that), or judge disease.
// Docs: docs/methods.md, "Does the input look like the training data?"
// Checked tests/cohort/test_input_likeness.cpp, tests/cli/translate/
#pragma once
#include <torch/types.h>

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/volume.h"

namespace scintigen {

constexpr int64_t kCoarseSide = 24;   ///< cells along each side of the coarse cube
constexpr double kCoarseCell_mm = 8;  ///< 192 mm: a brain and its surroundings

/// A volume in short.
struct InputPicture {
  torch::Tensor coarse;  ///< float32 [24,24,24], mean of value / high in cells of 8 mm, RAS,
                         ///< centred on what is bright
  std::vector<double> histogram;  ///< [20] part of the bright voxels below (b + 1) / 20 * 1.25 high
  double high = 0;                ///< 99th percentile of the voxels that are not 0
  double floor = 0;               ///< 1st percentile of all voxels, as part of high
  double bright_ml = 0;           ///< volume of what is above 0.15 high
  std::array<double, 3> extent_mm{};  ///< SD of its position along x, y, z
  std::array<double, 3> spacing_mm{};
};

/// `volume` stored as RAS (canonical_orientation), tilt is not looked at. A volume without a bright
/// voxel gives zeros.
InputPicture picture_of(const torch::Tensor& voxels, const Affine& voxel_to_world);

/// A measure of the training people: mean and SD over people.
struct TrainingMeasure {
  double mean = 0, sd = 0;
};

/// One channel's training people.
struct InputLikeness {
  std::string modality;
  int64_t people = 0;
  torch::Tensor coarse;           ///< mean, float32 [24,24,24]
  std::vector<double> histogram;  ///< mean
  std::array<double, 3> spacing_mm{};
  /// Of each person against the mean of the others (one person: against themselves).
  TrainingMeasure likeness, pattern, histogram_distance;
  /// Natural logarithms of high, bright_ml and extents; floor as it is.
  TrainingMeasure high, floor, bright, extent[3];
};

InputLikeness learn_likeness(const std::string& modality, const std::vector<InputPicture>& people);

/// One line for each difference, beginning with `name`; empty: it looks like the training data.
/// Limits: the training mean +- 5 (1 + 2/n) SD, and at least the tolerances in the source.
std::vector<std::string> differences(const InputLikeness& trained, const InputPicture& picture,
                                     const std::string& name);

nlohmann::ordered_json to_json(const InputLikeness& likeness);  ///< without `coarse`
/// throws  Error beginning with `where`
InputLikeness input_likeness_from_json(const nlohmann::ordered_json& json, torch::Tensor coarse,
                                       const std::string& where);

}  // namespace scintigen
