// SPDX-License-Identifier: Apache-2.0
#include "metrics/evaluation.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "metrics/evaluation_parts.h"

namespace scintigen {
namespace {

constexpr size_t kMostConditions = 64;
constexpr size_t kMostSets = 4;
constexpr int64_t kMostSlices = 5000;  // the audit compares each with each: minutes

void check_set(const SliceSet& set, const SliceSet& reference, const char* what) {
  require(set.size() > 0, "evaluate: {} '{}' has no slices", what, set.name);
  require(set.slices.dim() == 3 && set.slices.is_floating_point(),
          "evaluate: {} '{}' is not slices [N,H,W] of floating point", what, set.name);
  require(set.slices.size(1) == reference.slices.size(1) &&
              set.slices.size(2) == reference.slices.size(2),
          "evaluate: {} '{}' has slices of {} x {} pixels and '{}' of {} x {}; expected the same",
          what, set.name, set.slices.size(1), set.slices.size(2), reference.name,
          reference.slices.size(1), reference.slices.size(2));
  require(set.slices.size(0) == static_cast<int64_t>(set.table.rows.size()),
          "evaluate: {} '{}' has {} slices and {} rows in its table", what, set.name, set.size(),
          set.table.rows.size());
  require(set.size() <= kMostSlices,
          "evaluate: {} '{}' has {} slices; expected at most {}: take a part "
          "with --where",
          what, set.name, set.size(), kMostSlices);
}

void check_name(const std::string& name) {
  const std::set<std::string> missing = {"", "n/a", "NA", "nan", "training"};
  require(missing.count(name) == 0 &&
              std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 32; }),
          "evaluate: '{}' cannot be the name of a set: it stands for something else or holds a "
          "control character; name it with --name",
          name);
}

void check_input(const EvaluationInput& input, const EvaluationSettings& settings) {
  check_set(input.reference, input.reference, "the real set");
  require(!input.synthetic.empty() && input.synthetic.size() <= kMostSets,
          "evaluate: {} synthetic sets; expected 1 to {}", input.synthetic.size(), kMostSets);
  check_name(input.reference.name);
  std::set<std::string> names = {input.reference.name};
  for (const auto& set : input.synthetic) {
    check_name(set.name);
    check_set(set, input.reference, "the synthetic set");
    require(names.insert(set.name).second,
            "evaluate: two sets are called '{}'; give each a name of its own", set.name);
  }
  if (input.training.size() > 0) check_set(input.training, input.reference, "the training set");
  require(settings.smallest_variety < settings.largest_variety,
          "evaluate: smallest_variety {} is not below largest_variety {}",
          settings.smallest_variety, settings.largest_variety);
}

/// "cortex, normal": the values in the order of `by`.
std::string condition_of(const SliceSet& set, size_t row, const std::vector<std::string>& by) {
  std::string text;
  for (const auto& column : by) text += (text.empty() ? "" : ", ") + set.table.at(row, column);
  return text.empty() ? "all" : text;
}

/// Text of the values by slice: what a reader can check every figure with.
Table slice_table(const SortedSets& sets, const std::vector<SliceValues>& values) {
  Table table;
  table.name = "slices";
  table.columns = {"set", "participant_id", "condition"};
  for (const auto& value : values) table.columns.push_back(value.key);
  for (size_t set = 0; set < sets.sets.size(); ++set) {
    std::vector<const double*> columns;
    for (const auto& value : values) columns.push_back(value.values[set].data_ptr<double>());
    const auto& rows = sets.sets[set]->table;
    for (size_t row = 0; row < rows.rows.size(); ++row) {
      std::vector<std::string> cells = {
          sets.sets[set]->name, rows.at(row, "participant_id"),
          sets.conditions[static_cast<size_t>(sets.condition[set][row])]};
      for (const auto* column : columns)
        cells.push_back(std::isfinite(column[row]) ? fmt::format("{:.6g}", column[row]) : "n/a");
      table.add_row(std::move(cells));
    }
  }
  return table;
}

}  // namespace

void EvaluationSettings::visit(SettingsVisitor& v) {
  v.visit(text("by",
               "columns that make the conditions, e.g. level,pattern; default: those of few values "
               "that all sets share, up to 12 conditions"),
          by);
  v.visit(number("margin",
                 "two means are equivalent where the 90 % interval of their difference is within "
                 "this many SD of the real slices",
                 0.01, 10),
          margin);
  v.visit(
      number("smallest_variety", "ratio of mean pixel-wise SD, synthetic / real: the least", 0, 1),
      smallest_variety);
  v.visit(number("largest_variety", "and the most that passes", 1, 100), largest_variety);
  v.visit(choice("midline",
                 "mid-sagittal plane: the middle of the matrix, or of each slice's brain mask",
                 {"centre", "mask"}),
          midline);
  v.visit(
      number("mask_threshold", "brain mask: above this fraction of the slice's maximum", 0, 0.9),
      mask_threshold);
  v.visit(number("components", "principal components of the pixel features", 1, 1000), components);
  v.visit(number("shift_px", "shifts that the search for copies tries, pixels", 0, 8), shift_px);
  v.visit(number("seed", "seed of bootstraps and random directions", 0, 9e15), seed);
  v.visit(number("resamples", "bootstrap resamples of each interval", 100, 100000), resamples);
}

std::vector<int64_t> SortedSets::rows_of(size_t set, size_t wanted) const {
  std::vector<int64_t> rows;
  for (size_t row = 0; row < condition[set].size(); ++row)
    if (condition[set][row] == static_cast<int64_t>(wanted))
      rows.push_back(static_cast<int64_t>(row));
  return rows;
}

int64_t SortedSets::patients_in(size_t set, size_t wanted) const {
  std::set<std::string> found;
  for (const int64_t row : rows_of(set, wanted))
    found.insert(patients[set][static_cast<size_t>(row)]);
  return static_cast<int64_t>(found.size());
}

SortedSets sort_sets(const EvaluationInput& input, const std::vector<std::string>& by) {
  SortedSets sorted;
  sorted.sets.push_back(&input.reference);
  for (const auto& set : input.synthetic) sorted.sets.push_back(&set);
  std::map<std::string, int64_t> index;
  std::set<std::string> real_people;
  for (size_t set = 0; set < sorted.sets.size(); ++set) {
    const auto& slices = *sorted.sets[set];
    auto& own = sorted.condition.emplace_back();
    auto& people = sorted.patients.emplace_back();
    for (size_t row = 0; row < slices.table.rows.size(); ++row) {
      const auto text = condition_of(slices, row, by);
      const auto place = index.emplace(text, static_cast<int64_t>(index.size())).first->second;
      if (place == static_cast<int64_t>(sorted.conditions.size()))
        sorted.conditions.push_back(text);
      own.push_back(place);
      const auto& person = slices.table.at(row, "participant_id");
      if (set == 0) real_people.insert(person);
      // A translated scan has its patient's name: drawn together. Other names are a set's own.
      people.push_back(set == 0 || real_people.count(person) > 0 ? person
                                                                 : slices.name + "\n" + person);
    }
    require(index.size() <= kMostConditions,
            "evaluate: {} conditions by {}; expected at most {}: name fewer columns with --by",
            index.size(), fmt::join(by, ", "), kMostConditions);
  }
  for (const auto& own : sorted.condition) {
    auto& counts = sorted.counts.emplace_back(sorted.conditions.size(), 0);
    for (const int64_t condition : own) ++counts[static_cast<size_t>(condition)];
  }
  return sorted;
}

Evaluation evaluate_slices(const EvaluationInput& input, const EvaluationSettings& settings) {
  const c10::NoGradGuard no_gradients;
  check_input(input, settings);
  const auto sets = sort_sets(input, settings.by);
  Evaluation evaluation;
  evaluation.margin = settings.margin;
  evaluation.smallest_variety = settings.smallest_variety;
  evaluation.largest_variety = settings.largest_variety;
  for (const auto* set : sets.sets) evaluation.sets.push_back(set->name);
  evaluation.conditions = sets.conditions;
  evaluation.counts = sets.counts;
  for (size_t condition = 0; condition < sets.conditions.size(); ++condition)
    evaluation.patients.push_back(sets.patients_in(0, condition));
  const auto values = measure_slices(sets, input, settings);
  for (const auto& value : values)
    evaluation.quantities.push_back(compare_quantity(value, sets, settings));
  for (size_t condition = 0; condition < sets.conditions.size(); ++condition)
    evaluation.maps.push_back(map_condition(sets, condition));
  evaluation.features = compare_distributions(sets, input, settings, evaluation.warnings);
  for (const auto& set : input.synthetic)
    evaluation.audits.push_back(audit_set(set, input, settings));
  evaluation.slices = slice_table(sets, values);
  judge(evaluation, input, settings);
  return evaluation;
}

}  // namespace scintigen
