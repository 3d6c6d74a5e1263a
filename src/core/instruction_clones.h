// SPDX-License-Identifier: Apache-2.0
// One version of a function for each instruction set: the compiler makes the versions, the loader
// picks one. Every loop that is to become vector instructions has a fixed number of lanes or
// `omp simd`.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SCINTIGEN_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define SCINTIGEN_SIXTEEN_LANES  // models/vector_lanes.h
#else
#define SCINTIGEN_CLONES
#endif
/// For what a function with SCINTIGEN_CLONES calls: inlined, it is compiled for each set too.
#define SCINTIGEN_INLINE inline __attribute__((always_inline))
