// SPDX-License-Identifier: Apache-2.0
// A T1-weighted MR scan of a simulated head: skull and scalp kept, bias field, Rician noise.
#pragma once
#include "simulate/person.h"

namespace scintigen {

struct T1Protocol : Settings {
  double bias = 0.1;     ///< SD of the logarithm of the coil's sensitivity
  double noise = 0.025;  ///< SD of each of the two channels, white matter = 1
  void visit(SettingsVisitor& visitor) override;
};

struct T1Scan {
  Volume image;       ///< whole numbers, white matter about 1000
  Volume brain_mask;  ///< 0 or 1: brain with its fluid, as the template's mask
};

/// Memory: the two volumes and a slab of 16 planes.
T1Scan simulate_t1(const TemplateHead& head, const Person& person, const Grid& grid,
                   const Affine& person_from_world, const T1Protocol& protocol, Random random);

}  // namespace scintigen
