// SPDX-License-Identifier: Apache-2.0
#include "imaging/brain_extraction.h"

#include "core/connected_components.h"
#include "core/error.h"
#include "core/mask_morphology.h"
#include "imaging/brain_atlas.h"
#include "imaging/brain_judgement.h"
#include "imaging/brain_surface.h"
#include "imaging/registration.h"

namespace scintigen {
namespace {

constexpr double kLeastAgreement = 0.9;

BrainMask mask_of(const Volume& t1, const BrainSurface& found, const HeadImage& head,
                  const char* method) {
  BrainMask result;
  result.method = method;
  result.mask = t1;
  result.mask.unit = "1";
  const auto inside = winding_numbers(found.surface, grid_of(t1)).gt(0);
  result.mask.voxels = fill_holes(largest_component(inside, Neighbours::kFaces6)).to(torch::kFloat);
  judge_size(result);
  judge_surface(result, found, head);
  return result;
}

}  // namespace

BrainMask extract_brain_surface(const Volume& t1) {
  HeadImage head = head_image(t1, "brain extraction");
  const auto found = find_brain_surface(head);
  return mask_of(t1, found, head, "surface");
}

BrainMask extract_brain_atlas(const Volume& t1, const BrainTemplate& brain_template) {
  HeadImage head = head_image(t1, "brain extraction");
  require(brain_template.mask.voxels.defined() &&
              brain_template.mask.voxels.sizes() == brain_template.head.voxels.sizes(),
          "brain extraction: the template's mask is not on the grid of its head");
  RegistrationSettings settings;
  settings.motion = Motion::kAffine;
  settings.check_mirror = false;  // a mirrored head has the same brain
  const auto registration = register_volumes(t1, brain_template.head, settings);
  const CubeField guide = guide_of(brain_template, registration.fixed_to_moving, head.grid);
  const auto found = find_brain_surface_near(head, guide);
  BrainMask result = mask_of(t1, found, head, "atlas");
  if (registration.doubtful)
    doubt(result, "the template's registration is doubtful: " + registration.why);
  return result;
}

BrainMask extract_brain(const Volume& t1, BrainMethod method,
                        const std::optional<BrainTemplate>& brain_template) {
  require(method != BrainMethod::kAtlas || brain_template.has_value(),
          "brain extraction by atlas: no template given; expected a head and its brain");
  if (method == BrainMethod::kSurface || !brain_template) return extract_brain_surface(t1);
  if (method == BrainMethod::kAtlas) return extract_brain_atlas(t1, *brain_template);
  BrainMask atlas = extract_brain_atlas(t1, *brain_template);
  BrainMask surface = extract_brain_surface(t1);
  const double agreement = dice(atlas.mask.voxels, surface.mask.voxels);
  // Where they disagree it is more often the surface that has grown into neck or eyes.
  const bool disagree = agreement < kLeastAgreement;
  BrainMask& chosen = (surface.doubtful || disagree) && !atlas.doubtful ? atlas : surface;
  chosen.agreement = agreement;
  if (disagree)
    doubt(chosen, fmt::format("surface and atlas disagree (Dice {:.2f}; expected {} or more)",
                              agreement, kLeastAgreement));
  return std::move(chosen);
}

}  // namespace scintigen
