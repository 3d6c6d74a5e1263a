// SPDX-License-Identifier: Apache-2.0
// Orders of things as functions of a key.
#pragma once
#include <cstdint>

namespace scintigen {

/// Element `index` of a pseudo-random permutation of 0..count-1 that depends on `key`, without
/// making the permutation: a Feistel network over the next power of four, walked until it lands
/// inside (Black and Rogaway 2002).
/// Checked tests/cohort/test_sampling.cpp: every slice once an epoch
int64_t permuted(int64_t index, int64_t count, uint64_t key);

}  // namespace scintigen
