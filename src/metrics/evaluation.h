// SPDX-License-Identifier: Apache-2.0
// Synthetic slices against real ones: what `scintigen evaluate` finds and the report shows.
// Does: quantities by condition with an equivalence margin, maps, distances between the sets,
// the audit for copies, a verdict in words. Does not: read files, draw.
#pragma once
#include <torch/types.h>

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/settings.h"
#include "core/table.h"
#include "metrics/comparison.h"
#include "metrics/copy_audit.h"
#include "metrics/region_atlas.h"

namespace scintigen {

/// Slices of one origin, each divided by its own maximum.
struct SliceSet {
  std::string name;      ///< "real", "synthetic", ...: as it is shown; any text
  torch::Tensor slices;  ///< float32 [N,H,W] in [0,1]; columns patient right -> left
  Table table;           ///< N rows; participant_id and the condition columns
  int64_t size() const { return slices.defined() ? slices.size(0) : 0; }
};

struct EvaluationSettings : Settings {
  std::vector<std::string> by;     ///< condition columns
  double margin = 0.5;             ///< of equivalence, in SD of the real slices
  double smallest_variety = 0.8;   ///< SD ratio that is still enough
  double largest_variety = 1.25;   ///< and that is not too much
  std::string midline = "centre";  ///< centre, mask
  double mask_threshold = 0.2;     ///< of each slice's maximum
  int64_t components = 40;         ///< of the pixel features
  int64_t shift_px = 2;            ///< of the copy search
  int64_t seed = 1, resamples = 2000;
  void visit(SettingsVisitor& v) override;
};

struct EvaluationInput {
  SliceSet reference;               ///< real slices; best of patients who were not trained on
  SliceSet training;                ///< real slices that were; may be empty
  std::vector<SliceSet> synthetic;  ///< one to four sets
  std::optional<RegionAtlas> atlas;
  bool reference_is_held_out = false;  ///< nobody in `reference` was trained on
};

/// How two means stand to each other, by the 90 % interval of their difference (two one-sided
/// tests at 5 %): inside the margin; outside of zero and not inside; anything else.
enum class Agreement { equivalent, different, undecided, unknown };
const char* agreement_word(Agreement agreement);

/// One synthetic set against the reference, one quantity, one condition.
struct QuantityDifference {
  std::string set;
  int64_t n = 0;  ///< slices with a value
  double mean = 0, sd = 0;
  std::optional<double> difference;            ///< of means, in SD of the reference's slices
  std::optional<ConfidenceInterval> interval;  ///< of it, 90 %, patients drawn
  std::optional<double> p;                     ///< Welch's t on patients' means
  std::optional<double> adjusted_p;  ///< Holm over the conditions of this quantity and set
  std::string test;                  ///< which test gave p
  Agreement agreement = Agreement::unknown;
  std::string why;  ///< where something is unknown
};

struct QuantityInCondition {
  std::string condition;  ///< "cortex, normal" in the order of `by`, or "all"
  int64_t reference_n = 0, reference_patients = 0;
  double reference_mean = 0, reference_sd = 0;
  /// [set][slice], reference first; what is not a number was left out.
  std::vector<std::vector<double>> values;
  std::vector<QuantityDifference> sets;
  std::optional<Comparison> comparison;  ///< everything stats knows; none where it was refused
};

/// mean_counts, left_right_ratio, abs_ln_left_right, asymmetry_index, left_lower, region_*.
struct Quantity {
  std::string key, name, unit, definition;
  bool judged = false;  ///< the verdict rests on it
  std::vector<QuantityInCondition> conditions;
};

/// Pixel-wise mean and SD over the slices of a condition; sets in order, reference first.
struct ConditionMaps {
  std::string condition;
  std::vector<torch::Tensor> mean, deviation;          ///< [H,W] float64; undefined below 2 slices
  std::vector<std::optional<double>> deviation_ratio;  ///< mean SD in the mask, set / reference
  /// 95 % by a jackknife over groups of patients and of images.
  std::vector<std::optional<ConfidenceInterval>> ratio_interval;
};

struct DistanceValue {
  std::string set;  ///< a synthetic set, or "training": real people against the reference
  std::optional<double> value;
  std::optional<ConfidenceInterval> interval;  ///< 95 %
  std::string why;                             ///< where there is no value
};

struct Distance {
  std::string key, name, definition;
  std::string ideal;  ///< "0", "0.5", "1"
  std::vector<DistanceValue> values;
};

struct FeatureSpace {
  std::string key, name, definition;  ///< pixels_pca, radiomic
  int64_t size = 0;
  std::vector<Distance> distances;
};

struct SetAudit {
  std::string set;
  std::optional<CopyAudit> audit;
  std::optional<ConfidenceInterval> auc_interval;  ///< 95 %, patients drawn
  double suspect_share = 0;
  std::string why;  ///< where there is no audit
};

/// One line of the verdict.
struct Finding {
  enum class Grade { good, caution, bad, unknown } grade = Grade::unknown;
  std::string set, subject;  ///< "synthetic", "Mean counts"
  std::string sentence;
};
const char* grade_word(Finding::Grade grade);  ///< "good", "caution", "bad", "unknown"

struct Evaluation {
  std::vector<std::string> sets;        ///< reference first
  std::vector<std::string> conditions;  ///< in order; those with real or synthetic slices
  /// [set][condition] slices, and the patients of the real ones
  std::vector<std::vector<int64_t>> counts;
  std::vector<int64_t> patients;  ///< of the reference, by condition
  /// As they were in the settings: the figures draw them.
  double margin = 0.5, smallest_variety = 0.8, largest_variety = 1.25;
  std::vector<Quantity> quantities;
  std::vector<ConditionMaps> maps;
  std::vector<FeatureSpace> features;
  std::vector<SetAudit> audits;
  std::string headline;
  std::vector<Finding> findings;
  std::vector<std::string> warnings;  ///< one line each
  std::string methods;                ///< a paragraph to paste
  Table slices;                       ///< one row a slice: set, participant_id, condition, values
};

/// throws  Error: no synthetic or no real slices, unlike matrices, an unknown column of `by`, a set
///         name twice, more than 64 conditions
/// Checked tests/metrics/test_evaluation.cpp
Evaluation evaluate_slices(const EvaluationInput& input, const EvaluationSettings& settings);

/// Numbers and texts of it (values of single slices are in `slices`, not here).
nlohmann::ordered_json evaluation_to_json(const Evaluation& evaluation);

}  // namespace scintigen
