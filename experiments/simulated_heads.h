// SPDX-License-Identifier: Apache-2.0
// Heads with a known brain for experiments/brain_extraction: the simulator's people under the
// circumstances that trouble brain extraction.
#pragma once
#include <string>
#include <vector>

#include "simulate/t1_scan.h"

namespace scintigen {

/// What is done to a head. "plain" is what `scintigen simulate` makes.
struct HeadVariant {
  std::string name = "plain";
  Point spacing_mm = {1, 1, 1};  ///< sagittal storage: front to back, head to feet, left to right
  Point rotation_degrees{};      ///< besides the pose that each person has
  double noise = 0.025, bias = 0.1;
  double offset = 0;                         ///< added to every voxel
  double cut_top_mm = 0, cut_bottom_mm = 0;  ///< of the field of view, from its usual ends
  bool neck = false;                         ///< the template's lowest plane goes on for 80 mm
};

/// plain, and each trouble by itself.
std::vector<HeadVariant> head_variants();

/// `head` with its lowest plane repeated below for `length_mm` (Colin 27 ends below the
/// cerebellum).
TemplateHead with_neck(const TemplateHead& head, double length_mm);

/// Person `index` of `seed`, aged 20 to 80, in a pose of his own (5 mm, 5 degrees).
T1Scan simulate_head(const TemplateHead& head, uint64_t seed, int64_t index,
                     const HeadVariant& variant);

}  // namespace scintigen
