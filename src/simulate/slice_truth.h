// SPDX-License-Identifier: Apache-2.0
// What a reader should find in a slice: which sides are affected, and how much.
#pragma once
#include <string>
#include <vector>

#include "simulate/pathology.h"
#include "simulate/person.h"

namespace scintigen {

/// One row of slices.tsv.
struct SliceTruth {
  int64_t slice = 0;    ///< along the image's third axis
  std::string level;    ///< cerebellum, basal_ganglia, cortex
  std::string pattern;  ///< normal, unilateral, bilateral
  std::string side;     ///< none, left, right, both
  double severity = 0;  ///< mean lowering of the affected gray matter, per cent; below 0: raised
};

/// A side is affected where uptake differs by at least 8 % in at least 4 % of its gray matter.
/// `change` is the relative change at each voxel of `maps`; planes first..last of `maps` make the
/// slice.
SliceTruth judge_slice(const TemplateHead& head, const HeadMaps& maps,
                       const std::vector<float>& change, int64_t first, int64_t last);

/// Relative change of uptake by `lesions` at each voxel against the same person without them (under
/// acetazolamide if `reserve` is above 0), 0 outside the brain.
std::vector<float> change_map(const TemplateHead& head, const HeadMaps& maps,
                              const std::vector<Lesion>& lesions, double reserve);

/// The three levels: name and height (mm, template).
struct Level {
  const char* name;
  double z;
};
const std::vector<Level>& levels();

}  // namespace scintigen
