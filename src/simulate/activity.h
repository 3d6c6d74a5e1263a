// SPDX-License-Identifier: Apache-2.0
// Tracer uptake of a simulated brain.
// Does: uptake by structure and tracer; differences between people, regions and sides that a T1
// does not show; age; rest and stress; lesions.
#pragma once
#include <string>
#include <vector>

#include "simulate/pathology.h"
#include "simulate/person.h"

namespace scintigen {

enum class Tracer { kImp, kHmpao, kEcd, kFdg };
/// "I-123 IMP", "Tc-99m HMPAO", "Tc-99m ECD", "F-18 FDG"; short: "IMP", ...
std::string tracer_name(Tracer tracer);
std::string tracer_short_name(Tracer tracer);
/// From the short name; throws Error that lists them.
Tracer tracer_from_name(const std::string& short_name);

/// Linear attenuation at the tracer's photon energy (159, 140, 511 keV), 1/mm: NIST XCOM water and
/// cortical bone.
double water_attenuation(Tracer tracer);
double bone_attenuation(Tracer tracer);

/// Relative uptake, gray matter of the cerebral cortex = 100. Sources: methods.md E4 to E6.
struct Uptake {
  double cortex, visual, medial_temporal, caudate, putamen, pallidum, thalamus, cerebellum,
      brain_stem;
  double white, csf, scalp;
  double saturation;  ///< k of f (1 + k) / (f + k), f relative to normal cortex; 0 = linear
};
const Uptake& uptake_of(Tracer tracer);

/// What a person's brain takes up where, lesions apart.
struct Metabolism {
  std::vector<double> region;  ///< relative uptake of gray matter, by TemplateHead::regions
  double white = 0, csf = 0, scalp = 0;
  CoarseField variation{1};  ///< relative, smooth, in template space
  double saturation = 0;
};

/// By (seed, index): the same for every tracer of a person but for 2 % a region.
///   regional SD 5 %, hemispheres SD 4 % on the ratio, regions left against right SD 3 %,
///   cerebellar hemispheres SD 2 % (never above 6 %: 10 % means diaschisis), smooth variation SD 4
///   % over 15 mm (cerebellum 1 %), age -0.45 % a year in the frontal lobe, half as much elsewhere,
///   none in the cerebellum.
Metabolism make_metabolism(const TemplateHead& head, const Person& person, Tracer tracer,
                           uint64_t seed, int64_t index);

/// Perfusion of tissue whose disease leaves the factor `disease` of the normal, under a
/// vasodilation of `reserve` (acetazolamide: normal tissue 1 + reserve; 0 = rest): diseased vessels
/// are wide already and gain less.
double perfusion(double disease, double reserve);

/// Uptake (normal cortex at rest = 1) after flow has grown by 1 + reserve: on the tracer's curve
/// u = f (1 + k) / (f + k) of uptake by flow, k = `saturation`; 0 = proportional.
double dilated(double uptake, double reserve, double saturation);

/// Uptake on the grid of `maps`. The table's figures, and a lesion's change, are of uptake as
/// images show it; the tracer's saturation acts on vasodilation.
Volume make_activity(const TemplateHead& head, const HeadMaps& maps, const Metabolism& metabolism,
                     const std::vector<Lesion>& lesions, double reserve = 0);

/// Linear attenuation in 1/mm: soft tissue as water, skull as bone.
Volume make_attenuation(const HeadMaps& maps, Tracer tracer);
/// What a reconstruction without CT assumes: water within the contour of the head.
Volume make_uniform_attenuation(const HeadMaps& maps, Tracer tracer);

}  // namespace scintigen
