// SPDX-License-Identifier: Apache-2.0
// A person who never lived: the template's head under a random affine map and a smooth invertible
// deformation, aged.
// Does not: grow another pattern of gyri; every person has the template's.
#pragma once
#include <string>
#include <vector>

#include "simulate/template_head.h"

namespace scintigen {

/// The map between a person's own frame (mm, RAS+, origin near the anterior commissure) and the
/// template: q = D(A p).
struct Person {
  double age_years = 60;
  bool female = false;
  double sulcal_widening = 0;         ///< part of the outer cortex turned to fluid, 0..0.4
  Affine affine = identity_affine();  ///< A
  CoarseField displacement{3};        ///< D(x) = x + displacement(x), mm

  Point to_template(const Point& person) const;
  Point from_template(const Point& at) const;  ///< the inverse, to 0.001 mm
};

/// exp(v): the displacement of the flow along the stationary velocity `v` (mm) after time 1, by
/// scaling and squaring (Arsigny 2006): invertible, with the flow along -v as its inverse.
/// Checked tests/simulate/test_person.cpp: inverse consistency, positive Jacobian over seeds
CoarseField flow_displacement(const CoarseField& velocity);

/// Determinant of the Jacobian of x -> x + displacement(x) at a point (central differences, 4 mm).
double jacobian(const CoarseField& displacement, const Point& at);

/// How much people differ; SDs.
struct Variation {
  double size = 0.03, axis = 0.03, shear = 0.015;  ///< relative
  double deformation_mm = 2.5, smoothness_mm = 22;
  double ventricle_mm_per_decade = 0.9;  ///< beyond 30 years; SD of 1.5 decades' worth at any age
};

/// Shape by (seed, index); age and sex as given.
Person make_person(const TemplateHead& head, uint64_t seed, int64_t index, double age_years,
                   bool female, const Variation& variation = {});

/// A person's head on a grid of some scanner.
struct HeadMaps {
  Grid grid;
  std::vector<float> gray, white, csf, skull, scalp, t1;
  std::vector<uint8_t> region;                       ///< index into TemplateHead::regions
  std::vector<std::array<float, 3>> template_point;  ///< mm
  size_t voxels() const { return gray.size(); }
};

/// `person_from_world` maps the grid's world to the person's frame. Values are point samples of
/// fractions that are averages over 2 mm.
HeadMaps sample_head(const TemplateHead& head, const Person& person, const Grid& grid,
                     const Affine& person_from_world);

}  // namespace scintigen
