// SPDX-License-Identifier: Apache-2.0
// Which voxels are brain.
// Does: T1 by a growing surface (Smith 2002), alone or guided by a template's mask; PET and SPECT
// by
//       histogram threshold and largest component; says when the result is doubtful.
// Does not: segment tissue, read or write scans.
//
// The mask of a T1 is the brain with cerebellum and upper brain stem, ventricles and the fluid in
// its sulci: a smooth hull of the cortex, not the fluid between it and the skull.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/volume.h"

namespace scintigen {

/// A T1 head and its brain mask, in template space.
struct BrainTemplate {
  Volume head;  ///< T1 with skull and scalp
  Volume mask;  ///< 1 brain (with the fluid in its sulci), 0 elsewhere; the grid of `head`
};

/// Debian's mricron-data: Colin 27.
constexpr const char* kTemplateHead = "/usr/share/mricron/templates/ch2.nii.gz";
constexpr const char* kTemplateBrain = "/usr/share/mricron/templates/ch2bet.nii.gz";

/// Reads a head and its brain: any volume that is above 0 in the brain and 0 elsewhere. Of the
/// brain the largest part is kept, without specks, tongues under 4 mm and gaps under 8 mm. throws
/// Error: as read_volume(); grids that differ; voxels not finite; a brain that is empty, the
///         whole volume (the skull is not stripped: the wrong file) or not 500 to 2400 ml; a head
///         that is dark outside the brain (the files are exchanged, or the head is stripped)
BrainTemplate load_brain_template(const std::filesystem::path& head = kTemplateHead,
                                  const std::filesystem::path& brain = kTemplateBrain);

struct BrainMask {
  Volume mask;  ///< 1 inside, 0 outside, float32, grid of the scan
  double volume_ml = 0;
  bool doubtful = false;  ///< look at it before use
  std::string why;        ///< of `doubtful`: one clause
  std::string method;     ///< "surface", "atlas", "threshold"
  double agreement = -1;  ///< Dice of surface and atlas where both were made, else -1
};

/// Surface: a sphere of triangles that grows to the brain's edge. No template needed.
/// doubtful: not 500 to 2400 ml, cut by the volume's border, no step in brightness at the edge, a
///           surface that cuts itself
/// throws  Error: not float32 [D,H,W]; under 16 voxels or 80 mm, or over 512 mm, along an axis;
///         voxels not finite or all the same; nothing to grow in
/// Same voxels whatever the number of threads.
/// Checked tests/imaging/test_brain_extraction.cpp; experiments/brain_extraction (docs/results.md)
BrainMask extract_brain_surface(const Volume& t1);

/// Atlas: the template's head is registered to the T1 (affine), its mask brought over, and the
/// surface starts and stays near that mask's edge.
/// doubtful: as above, or the registration is
/// throws  Error: as above, as register_volumes(); a template without a mask
BrainMask extract_brain_atlas(const Volume& t1, const BrainTemplate& brain_template);

enum class BrainMethod { kAuto, kSurface, kAtlas };

/// kAuto: the surface; with a template the atlas too, and they check each other: doubtful where
/// their Dice is under 0.9. The atlas' mask is taken where they disagree or the surface is
/// doubtful, unless the atlas is doubtful itself. (With templates that are not the head's own
/// ancestor the surface was the better one: docs/results.md.) throws  Error: as above; kAtlas
/// without a template
BrainMask extract_brain(const Volume& t1, BrainMethod method = BrainMethod::kAuto,
                        const std::optional<BrainTemplate>& brain_template = {});

/// PET and SPECT: threshold from the histogram, thin bridges cut, largest component, holes filled.
/// doubtful: not 500 to 2400 ml; cut by the volume's border
/// throws  Error: not float32 [D,H,W]; voxels not finite; nothing above 0
/// Source  threshold and largest component: pix2pix from MRI and PET to SPECT (2024), Methods
BrainMask extract_brain_emission(const Volume& scan);

}  // namespace scintigen
