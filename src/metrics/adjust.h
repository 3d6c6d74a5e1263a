// SPDX-License-Identifier: Apache-2.0
// p-values of one family of tests, adjusted. Checked against statsmodels' multipletests.
#pragma once
#include <string>
#include <vector>

namespace scintigen {

enum class Adjustment {
  kNone,
  kHolm,               ///< step-down, family-wise error (Holm 1979)
  kBenjaminiHochberg,  ///< step-up, false discovery rate (Benjamini and Hochberg 1995)
};

/// "none", "holm", "bh"; throws Error for another word.
Adjustment adjustment_named(const std::string& name);

/// As many values as p, in the same order, each at least its p and at most 1. p in [0, 1]
/// (Error otherwise).
std::vector<double> adjusted(const std::vector<double>& p, Adjustment adjustment);

}  // namespace scintigen
