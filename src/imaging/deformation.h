// SPDX-License-Identifier: Apache-2.0
// Deformable registration of a T1 to the template, after the affine one: folds and ventricles on
// the template's, so that one voxel is one place in everybody.
// Does: a smooth displacement field that can be inverted, and what it cost and brought.
// Does not: register other modalities (they follow their T1), move a head (register_volumes()),
//           resample.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "core/spatial_map.h"
#include "core/volume.h"

namespace scintigen {

struct Deformation {
  Displacements field;  ///< template world: the affine map comes after it
  double similarity_before = 0, similarity_after = 0;  ///< mean squared local correlation, brain
  double overlap_before = 0, overlap_after = 0;        ///< Dice of the brains; 0 without a mask
  double least_jacobian = 1;                           ///< of volume; over 0: nothing folds
  double largest_mm = 0, mean_mm = 0;                  ///< displacements in the template's brain
  std::string doubt;                                   ///< one clause; empty: none
};

/// `template_head` and `template_brain` (> 0 inside; same grid): a T1 in MNI space. `t1` and its
/// brain (> 0 inside, its grid; may be undefined) of a person; `template_to_t1` the affine map
/// between their worlds.
/// Maximises the squared local correlation (Gaussian window) by the greedy flow of Avants et al.
/// 2008 (one direction): at 8, 4 and 2 mm, each step the smoothed gradient, composed, the whole
/// smoothed again. The same numbers whatever the number of threads, but for the last bits of the
/// similarity, which decides whether a step is taken.
/// throws  Error: as resample(); grids that differ; a template without a brain
/// Time    docs/results.md, "T1 onto the template"
/// Checked tests/imaging/test_deformation.cpp: a known deformation of a phantom, one that is not
///         there, the Jacobian; experiments/template_fit on simulated people against their truth
///         and elastix (docs/results.md)
Deformation deform_to_template(const Volume& template_head, const Volume& template_brain,
                               const Volume& t1, const Volume& brain, const Affine& template_to_t1);

/// Why it should not be used; empty: no reason. Sets nothing.
/// A Jacobian below 0.05, brains that overlap less than without it (by over 0.01), a field that
/// cannot be inverted.
std::string deformation_doubt(const Deformation& found);

/// Everything of it but the field, for a person's record.
nlohmann::ordered_json deformation_record(const Deformation& found);

}  // namespace scintigen
