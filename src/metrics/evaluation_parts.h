// SPDX-License-Identifier: Apache-2.0
// The steps of evaluate_slices(): each file evaluation_*.cpp is one of them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "metrics/evaluation.h"

namespace scintigen {

/// The sets with conditions and units resolved; set 0 is the reference.
struct SortedSets {
  std::vector<const SliceSet*> sets;
  std::vector<std::string> conditions;             ///< in order of the reference, then of the sets
  std::vector<std::vector<int64_t>> condition;     ///< [set][row] -> index
  std::vector<std::vector<std::string>> patients;  ///< [set][row] what a bootstrap draws
  std::vector<std::vector<int64_t>> counts;        ///< [set][condition]
  std::vector<int64_t> rows_of(size_t set, size_t condition) const;
  /// How many different `patients` a condition has in a set.
  int64_t patients_in(size_t set, size_t condition) const;
};
SortedSets sort_sets(const EvaluationInput& input, const std::vector<std::string>& by);

/// One number a slice, over all sets: [set] -> [N] float64, not a number where undefined.
struct SliceValues {
  std::string key, name, unit, definition;
  bool judged = false, whole_comparison = false;
  std::vector<torch::Tensor> values;
};
std::vector<SliceValues> measure_slices(const SortedSets& sets, const EvaluationInput& input,
                                        const EvaluationSettings& settings);

Quantity compare_quantity(const SliceValues& values, const SortedSets& sets,
                          const EvaluationSettings& settings);

ConditionMaps map_condition(const SortedSets& sets, size_t condition);

/// Feature spaces with the distances of each set, and of the training patients, to the reference.
/// All are brought to the reference's mix of conditions first; what that cost goes to `warnings`.
std::vector<FeatureSpace> compare_distributions(const SortedSets& sets,
                                                const EvaluationInput& input,
                                                const EvaluationSettings& settings,
                                                std::vector<std::string>& warnings);

SetAudit audit_set(const SliceSet& synthetic, const EvaluationInput& input,
                   const EvaluationSettings& settings);

/// "a; b; c; and 4 more": the first `most`.
std::string names(const std::vector<std::string>& all, size_t most = 3);

/// findings of an evaluation whose numbers are there; then describe().
void judge(Evaluation& evaluation, const EvaluationInput& input,
           const EvaluationSettings& settings);

/// headline, warnings and methods of an evaluation whose findings are there.
void describe(Evaluation& evaluation, const EvaluationInput& input,
              const EvaluationSettings& settings);

}  // namespace scintigen
