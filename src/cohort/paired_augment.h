// SPDX-License-Identifier: Apache-2.0
// Augmentation of a pair of slices: one geometry for input and target, contrast of the input alone.
// Nothing by default, as in the SPECT paper of 2024. Checked tests/cohort/test_paired_augment.cpp.
#pragma once
#include <torch/types.h>

#include <cstdint>

#include "core/settings.h"

namespace scintigen {

struct PairedAugment {
  bool flip = false;          ///< left and right exchanged in half of the pairs
  double shift_px = 0;        ///< each direction, uniform in [-s, s]
  double rotate_deg = 0;      ///< in-plane, uniform in [-d, d]
  double scale_fraction = 0;  ///< zoom, log-uniform in [1/(1+s), 1+s]
  double warp_px = 0;         ///< standard deviation of a smooth displacement (Gaussian, 12 px)
  double gamma_fraction = 0;  ///< input in [0,1] to a power, log-uniform in [1/(1+s), 1+s]
  bool any() const;
  void visit(SettingsVisitor& visitor);
};

/// Pair `index` of a run: inputs [C,H,W] and target [1,H,W], float32 in [-1,1], contiguous, are
/// changed in place; -1 comes in from beyond the edge. A function of (seed, index).
void augment_pair(torch::Tensor inputs, torch::Tensor target, const PairedAugment& settings,
                  uint64_t seed, uint64_t index);

}  // namespace scintigen
