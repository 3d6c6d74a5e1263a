// SPDX-License-Identifier: Apache-2.0
// What the CPU kernels share: one version of a function for each instruction set, bfloat16 in
// registers.
#pragma once
#include <c10/util/BFloat16.h>

#include <cstdint>
#include <cstring>

#include "core/instruction_clones.h"

namespace scintigen {

SCINTIGEN_INLINE float load(const float* p) { return *p; }
SCINTIGEN_INLINE float load(const c10::BFloat16* p) {
  const uint32_t bits = static_cast<uint32_t>(p->x) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
SCINTIGEN_INLINE void store(float value, float* p) { *p = value; }
SCINTIGEN_INLINE void store(
    float value, c10::BFloat16* p) {  // to nearest, ties to even; x86's own NaN stays one
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  p->x = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace scintigen
