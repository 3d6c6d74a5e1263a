// SPDX-License-Identifier: Apache-2.0
#include "simulate/pathology.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kCorePart = 0.6, kPenumbraChange = 0.5;
constexpr double kEdgeMm = 3;  // over which a border fades
constexpr double kWatershedFrom = 0.35, kWatershedFull = 0.8;
constexpr double kLeast = 0.05;

double fade(double inside_mm, double width_mm) { return 1 / (1 + std::exp(-inside_mm / width_mm)); }

double distance(const Point& a, const Point& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/// Left is -x; a region without a side belongs to the one it lies in.
Side side_at(const Region& region, const Point& at) {
  return region.side != Side::kMiddle ? region.side : at[0] < 0 ? Side::kLeft : Side::kRight;
}

/// A brain voxel for which `good(region, point)` holds, each as likely.
template <class Good>
Point draw_point(const TemplateHead& head, Random& random, const std::string& what, Good good) {
  for (int attempt = 0; attempt < 2000000; ++attempt) {
    const int64_t v = random.integer(0, head.grid.voxels() - 1);
    const auto& region = head.regions[head.region[static_cast<size_t>(v)]];
    if (region.pair == 0 || head.voxel[static_cast<size_t>(v)].gray < 0.5F) continue;
    const Point at = transform_point(head.grid.voxel_to_world,
                                     {static_cast<double>(v % head.grid.ni),
                                      static_cast<double>(v / head.grid.ni % head.grid.nj),
                                      static_cast<double>(v / (head.grid.ni * head.grid.nj))});
    if (good(region, at)) return at;
  }
  throw Error("template: no gray matter found for {}; its label names must be AAL's", what);
}

}  // namespace

double Lesion::change_at(const TemplateHead& head, const Point& at, size_t region_index) const {
  const Region& region = head.regions[region_index];
  if (region.pair == 0) return 0;
  const double from_centre = distance(at, centre);
  switch (kind) {
    case Kind::kFocus:
      return change * fade(radius_mm - from_centre, 1.5);
    case Kind::kDiaschisis:
      return region.structure == Structure::kCerebellum && side_at(region, at) == side
                 ? change * fade(std::abs(at[0]) - 4, kEdgeMm)
                 : 0;
    case Kind::kWatershed: {
      if (region.territory == Territory::kNone || side_at(region, at) != side) return 0;
      const double border = head.watershed.value(at);
      return change *
             std::clamp((border - kWatershedFrom) / (kWatershedFull - kWatershedFrom), 0.0, 1.0) *
             fade(radius_mm - from_centre, kEdgeMm);
    }
    case Kind::kTerritory: {
      if (region.territory != territory || side_at(region, at) != side) return 0;
      const double core = fade(kCorePart * radius_mm - from_centre, kEdgeMm);
      const double whole = fade(radius_mm - from_centre, kEdgeMm);
      return change * (kPenumbraChange * whole + (1 - kPenumbraChange) * core);
    }
  }
  return 0;
}

Lesion make_ischaemia(const TemplateHead& head, Side side, Random& random) {
  Lesion lesion;
  lesion.side = side;
  const double kind = random.uniform();
  if (kind < 0.6) {
    lesion.territory = Territory::kMiddle, lesion.name = "MCA";
  } else if (kind < 0.72) {
    lesion.territory = Territory::kAnterior, lesion.name = "ACA";
  } else if (kind < 0.85) {
    lesion.territory = Territory::kPosterior, lesion.name = "PCA";
  } else {
    lesion.kind = Lesion::Kind::kWatershed, lesion.name = "watershed";
  }
  lesion.change = -(0.15 + 0.45 * random.uniform());
  lesion.radius_mm = 32 + 38 * random.uniform();
  lesion.centre = draw_point(head, random, lesion.name, [&](const Region& region, const Point& at) {
    if (side_at(region, at) != side) return false;
    if (lesion.kind == Lesion::Kind::kWatershed)
      return region.territory != Territory::kNone && head.watershed.value(at) > kWatershedFull;
    return region.territory == lesion.territory;
  });
  if (lesion.kind == Lesion::Kind::kWatershed) lesion.radius_mm += 15;  // a band, front to back
  return lesion;
}

Lesion make_diaschisis(const Lesion& lesion, Random& random) {
  Lesion other;
  other.kind = Lesion::Kind::kDiaschisis;
  other.name = "crossed cerebellar diaschisis";
  other.side = lesion.side == Side::kLeft ? Side::kRight : Side::kLeft;
  const double burden = std::clamp(-lesion.change / 0.6 * lesion.radius_mm / 70, 0.0, 1.0);
  // A person's own cerebellar hemispheres may differ by 6 % the other way.
  other.change = -(0.16 + 0.07 * burden + 0.02 * random.uniform());
  return other;
}

Lesion make_focus(const TemplateHead& head, double diameter_mm, double change, Random& random) {
  static const struct {
    const char *name, *region;
    double until;
  } kSites[] = {{"mesial temporal", "Hippocampus", 0.35},
                {"temporal pole", "Temporal_Pole", 0.6},
                {"insula", "Insula", 0.75},
                {"frontal", "Frontal_", 1.0}};
  const double draw = random.uniform();
  const auto* const site = std::find_if(std::begin(kSites), std::end(kSites),
                                        [&](const auto& one) { return draw < one.until; });
  Lesion lesion;
  lesion.kind = Lesion::Kind::kFocus;
  lesion.name = site->name;
  lesion.radius_mm = diameter_mm / 2;
  lesion.change = change;
  lesion.centre = draw_point(head, random, lesion.name, [&](const Region& region, const Point& at) {
    lesion.side = side_at(region, at);
    return region.name.find(site->region) == 0;
  });
  return lesion;
}

double lesion_factor(const TemplateHead& head, const std::vector<Lesion>& lesions, const Point& at,
                     size_t region) {
  double factor = 1;
  for (const auto& lesion : lesions) factor += lesion.change_at(head, at, region);
  return std::max(factor, kLeast);
}

}  // namespace scintigen
