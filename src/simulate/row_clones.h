// SPDX-License-Identifier: Apache-2.0
// One version of a loop over rows for each instruction set: the compiler makes them, the loader
// picks one (as models/vector_loops.h, which this room does not see). Every loop that is to become
// vector instructions has `omp simd`.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SCINTIGEN_ROW_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SCINTIGEN_ROW_CLONES
#endif
