// SPDX-License-Identifier: Apache-2.0
#include "detection/one_class_kernels.h"

#include "models/vector_lanes.h"

namespace scintigen {

SCINTIGEN_CLONES
void pack_examples(const float* rows, int64_t controls, int64_t features, int64_t stride,
                   float* examples) {
  int64_t i = 0;
  for (; i + 8 <= controls; i += 8) {
    const float* from = rows + i * features;
    for (int64_t line = 0; line < 8 * features; line += 16)  // the rows after these eight
      __builtin_prefetch(from + 8 * features + line);
    int64_t k = 0;
    for (; k + 8 <= features; k += 8) {
      Eight part[8];
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) std::memcpy(&part[r], from + r * features + k, sizeof(Eight));
      transpose_eight(part);
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) eight(examples + (k + r) * stride + i) = part[r];
    }
    for (; k < features; ++k)
      for (int64_t r = 0; r < 8; ++r) examples[k * stride + i + r] = from[r * features + k];
  }
  for (; i < controls; ++i)
    for (int64_t k = 0; k < features; ++k) examples[k * stride + i] = rows[i * features + k];
}

}  // namespace scintigen
