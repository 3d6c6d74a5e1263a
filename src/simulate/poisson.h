// SPDX-License-Identifier: Apache-2.0
// Poisson counts from core/random.h.
#pragma once
#include "core/random.h"

namespace scintigen {

/// An exact draw: inversion by sequential search below a mean of 10, above it the transformed
/// rejection of Hoermann 1993 (Insurance: Mathematics and Economics 12:39, algorithm PTRS).
/// mean  0 .. 1e12, throws Error. Takes a varying number of draws from `random`.
/// Checked in tests/simulate/test_poisson.cpp (chi-square, mean, variance).
double poisson_draw(double mean, Random& random);

}  // namespace scintigen
