// SPDX-License-Identifier: Apache-2.0
// What is wrong with a simulated brain, and where: ischaemia in the territories of the large
// arteries, crossed cerebellar diaschisis, epileptic foci.
// Does: shapes in template space, so that every modality of a person shows the same lesion.
#pragma once
#include <string>
#include <vector>

#include "core/random.h"
#include "simulate/template_head.h"

namespace scintigen {

struct Lesion {
  enum class Kind { kTerritory, kWatershed, kDiaschisis, kFocus };
  Kind kind = Kind::kTerritory;
  std::string name;  ///< "MCA", "watershed", "crossed cerebellar diaschisis", "temporal pole", ...
  Side side = Side::kLeft;
  Territory territory = Territory::kMiddle;
  Point centre{};         ///< mm, template
  double radius_mm = 40;  ///< core to 0.6 radius, penumbra of half the change up to the radius
  double change = -0.3;   ///< of the core's uptake: -0.3 = 30 % lower, +0.5 = contrast 1.5

  /// Relative change of uptake at a point of a region, between 0 and `change`.
  double change_at(const TemplateHead& head, const Point& at, size_t region) const;
};

/// One lesion of chronic cerebrovascular disease on one side: MCA 60 %, ACA 12 %, PCA 13 %,
/// watershed 15 %; severity 15 to 60 % in the core.
Lesion make_ischaemia(const TemplateHead& head, Side side, Random& random);

/// Crossed cerebellar diaschisis of a supratentorial lesion: the other cerebellar hemisphere lower
/// by 16 to 25 %, more for larger and deeper lesions (methods.md E4, S38 to S40).
Lesion make_diaschisis(const Lesion& lesion, Random& random);

/// An epileptogenic focus (mesial temporal, temporal pole, insula, frontal): centre in gray matter.
/// `diameter_mm` to half of the change.
Lesion make_focus(const TemplateHead& head, double diameter_mm, double change, Random& random);

/// 1 + the sum of the lesions' changes at a point, at least 0.05.
double lesion_factor(const TemplateHead& head, const std::vector<Lesion>& lesions, const Point& at,
                     size_t region);

}  // namespace scintigen
