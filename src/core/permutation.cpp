// SPDX-License-Identifier: Apache-2.0
#include "core/permutation.h"

namespace scintigen {

int64_t permuted(int64_t index, int64_t count, uint64_t key) {
  constexpr int kRounds = 6;
  int half = 3;  // bits; a smaller domain would know too few permutations
  while ((int64_t{1} << (2 * half)) < count) ++half;
  const uint64_t mask = (uint64_t{1} << half) - 1;
  auto value = static_cast<uint64_t>(index);
  do {
    uint64_t left = value >> half, right = value & mask;
    for (uint64_t round = 0; round < kRounds; ++round) {
      uint64_t mixed = (key + round * 0x9E3779B97F4A7C15ull) ^ (right * 0xD1342543DE82EF95ull);
      mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9ull;
      mixed = (mixed ^ (mixed >> 32)) * 0x94D049BB133111EBull;
      const uint64_t swapped = left ^ ((mixed >> 40) & mask);
      left = right;
      right = swapped;
    }
    value = (left << half) | right;
  } while (value >= static_cast<uint64_t>(count));
  return static_cast<int64_t>(value);
}

}  // namespace scintigen
