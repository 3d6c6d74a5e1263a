// SPDX-License-Identifier: Apache-2.0
// Scores of several methods on the same slices of the same people, put beside one another: by
// patient, which is what a test may rest on, and by slice, as papers do it.
// Does: means and spread of each method; paired t tests between methods that differ in one factor,
//       in each combination of the others and averaged over them. Does not: read files, draw.
// Checked tests/metrics/test_score_study.cpp (known answers, SciPy's ttest_rel)
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/table.h"
#include "metrics/test_result.h"

namespace scintigen {

/// One method's scores: a row a slice, columns participant_id, slice and the measures.
struct MethodScores {
  std::vector<std::string> levels;  ///< of each factor: "MRI", "native"
  Table rows;
};

struct MethodValues {
  std::vector<double> patients;  ///< mean over the patient's slices, in ScoreStudy::participants
  std::vector<double> slices;    ///< in the order of ScoreStudy::slice_patients
};

/// Second level minus first level of a factor, paired.
struct ScoreDifference {
  size_t factor = 0;
  std::string first, second;
  std::string others;  ///< levels of the other factors; empty: the mean over all combinations
  int64_t combinations = 1;
  struct Measured {
    TestResult by_patient, by_slice;   ///< paired t
    std::optional<double> adjusted_p;  ///< by patient: Holm over the differences of this measure
                                       ///< that are averaged, or over those that are not
  };
  std::vector<Measured> measures;  ///< as ScoreStudy::measures
};

struct ScoreStudy {
  std::vector<std::string> factors, measures, participants;
  std::vector<std::vector<std::string>> methods;  ///< levels of each
  std::vector<size_t> slice_patients;             ///< patient of each slice
  std::vector<std::vector<MethodValues>> values;  ///< [measure][method]
  std::vector<ScoreDifference> differences;       ///< the averaged ones first

  std::string method_name(size_t method) const;  ///< levels, " / " between them
  /// Levels of a factor, in order of first appearance.
  std::vector<std::string> levels(size_t factor) const;
};

/// Slices are paired by their order within a patient: volumes of two spaces have no slice in
/// common.
/// throws  Error: fewer than two methods, two of the same levels, a measure that a table lacks, a
///         cell that is no number, patients or numbers of slices that differ between tables
ScoreStudy study_scores(const std::vector<MethodScores>& methods,
                        const std::vector<std::string>& factors,
                        const std::vector<std::string>& measures);

/// Mean, SD and coefficient of variation (SD / |mean|) of values.
struct ScoreSpread {
  double mean = 0, sd = 0, cv = 0;
};
ScoreSpread spread_of(const std::vector<double>& values);

/// Whether less of it is better: errors.
bool lower_is_better(const std::string& measure);

/// A row a method, measure and patient: the factors, participant_id, measure, value.
Table patients_table(const ScoreStudy& study);
/// A row a method and measure: means, SD and CV by patient and by slice.
Table methods_table(const ScoreStudy& study);
/// A row a difference and measure: means, intervals, p.
Table differences_table(const ScoreStudy& study);

}  // namespace scintigen
