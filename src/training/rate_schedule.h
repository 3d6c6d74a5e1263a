// SPDX-License-Identifier: Apache-2.0
// How learning rates change with the epoch.
#pragma once
#include <cstdint>

namespace scintigen {

/// The factor on the learning rate in an epoch (from 0): 1 for `constant` epochs, then down by
/// 1 / (decay + 1) each, as the public implementation's "linear" policy of pix2pix and Cycle-GAN;
/// `decay` 0: always 1. Checked tests/training/test_cycle_step.cpp against torch.optim.lr_scheduler
double rate_factor(int64_t epoch, int64_t constant, int64_t decay);

}  // namespace scintigen
