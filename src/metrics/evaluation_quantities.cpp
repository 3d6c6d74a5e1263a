// SPDX-License-Identifier: Apache-2.0
// Step 1 of evaluate_slices(): one number a slice, compared by condition.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/error.h"
#include "metrics/adjust.h"
#include "metrics/cluster_bootstrap.h"
#include "metrics/evaluation_parts.h"
#include "metrics/samples.h"
#include "metrics/slice_statistics.h"

namespace scintigen {
namespace {

const char* const kSideBalance = "left_lower";
constexpr double kEquivalenceLevel = 0.90;  // two one-sided tests at 5 %
constexpr size_t kFewestSlices = 3;
constexpr int64_t kFewestPatients = 3;
constexpr int64_t kFewestPatientsForEquivalence = 8;  // a bootstrap of fewer is far too narrow
constexpr double kFairCoin = 0.5;                     // SD of a share, whatever the real share is

/// What a comparison of one condition starts from: values and the patient of each, by set.
struct ConditionValues {
  std::vector<std::vector<double>> values;
  std::vector<std::vector<std::string>> patients;
};

ConditionValues values_in(const SliceValues& values, const SortedSets& sets, size_t condition) {
  ConditionValues found;
  for (size_t set = 0; set < sets.sets.size(); ++set) {
    auto& own = found.values.emplace_back();
    auto& people = found.patients.emplace_back();
    const auto* data = values.values[set].data_ptr<double>();
    for (const int64_t row : sets.rows_of(set, condition)) {
      if (!std::isfinite(data[row])) continue;
      own.push_back(data[row]);
      people.push_back(sets.patients[set][static_cast<size_t>(row)]);
    }
  }
  return found;
}

Table comparison_table(const ConditionValues& found, const SortedSets& sets,
                       const std::string& key) {
  Table table;
  table.name = key;
  table.columns = {"value", "set", "patient"};
  for (size_t set = 0; set < found.values.size(); ++set)
    for (size_t i = 0; found.values[set].size() >= kFewestSlices && i < found.values[set].size();
         ++i)
      table.add_row(
          {number_text(found.values[set][i]), sets.sets[set]->name, found.patients[set][i]});
  return table;
}

/// The reference as group 0 and one set as group 1.
std::vector<ClusteredValue> clustered(const ConditionValues& found, size_t other) {
  std::vector<ClusteredValue> values;
  std::map<std::string, size_t> number;
  for (const size_t set : {size_t{0}, other})
    for (size_t i = 0; i < found.values[set].size(); ++i)
      values.push_back({set == 0 ? size_t{0} : size_t{1},
                        number.emplace(found.patients[set][i], number.size()).first->second,
                        found.values[set][i]});
  return values;
}

/// Every test of stats, over the sets that have enough slices.
std::optional<Comparison> whole_comparison(const ConditionValues& found, const SortedSets& sets,
                                           const SliceValues& values, double sd,
                                           const EvaluationSettings& settings) {
  const auto table = comparison_table(found, sets, values.key);
  std::set<std::string> groups;
  for (const auto& row : table.rows) groups.insert(row[1]);
  if (found.values.front().size() < kFewestSlices || groups.size() < 2) return std::nullopt;
  ComparisonSettings comparison;
  comparison.value = "value";
  comparison.group = "set";
  comparison.cluster = "patient";
  comparison.seed = settings.seed;
  comparison.resamples = settings.resamples;
  if (sd > 0) comparison.margin = settings.margin * sd;
  return compare_groups(table, comparison);
}

/// p of a set against the reference, by patients' means.
void add_p(QuantityDifference& difference, const Comparison& comparison,
           const std::string& reference) {
  const auto& by = comparison.by_cluster ? *comparison.by_cluster : comparison;
  for (const auto& pair : by.pairs) {
    const bool this_one = (pair.a == reference && pair.b == difference.set) ||
                          (pair.b == reference && pair.a == difference.set);
    if (!this_one) continue;
    for (const auto& [name, test] : pair.tests)
      if (name == "welch_t") difference.p = test.p;
    difference.test = "Welch's t on patients' means";
  }
}

Agreement agreement_of(const QuantityDifference& difference, double margin, int64_t patients) {
  if (!difference.interval) return Agreement::unknown;
  const auto& interval = *difference.interval;
  if (interval.low > -margin && interval.high < margin)
    return patients >= kFewestPatientsForEquivalence ? Agreement::equivalent : Agreement::undecided;
  if (interval.low > 0 || interval.high < 0) return Agreement::different;
  return Agreement::undecided;
}

std::string why_not(const QuantityInCondition& result, const QuantityDifference& difference) {
  if (result.values.front().size() < kFewestSlices || result.reference_patients < kFewestPatients)
    return fmt::format("{} real slices of {} patients; needs at least {} of {}",
                       result.values.front().size(), result.reference_patients, kFewestSlices,
                       kFewestPatients);
  if (static_cast<size_t>(difference.n) < kFewestSlices)
    return fmt::format("{} synthetic slices; needs at least {}", difference.n, kFewestSlices);
  if (!(result.reference_sd > 0)) return "the real slices all have the same value";
  return "";
}

QuantityInCondition compare_condition(const SliceValues& values, const SortedSets& sets,
                                      size_t condition, const EvaluationSettings& settings) {
  const auto found = values_in(values, sets, condition);
  QuantityInCondition result;
  result.condition = sets.conditions[condition];
  result.values = found.values;
  result.reference_patients = sets.patients_in(0, condition);
  const auto reference = moments_of(found.values.front());
  result.reference_n = reference.n;
  result.reference_mean = reference.mean;
  result.reference_sd = std::sqrt(reference.variance);

  if (values.key == kSideBalance) result.reference_sd = kFairCoin;
  if (values.whole_comparison)
    result.comparison = whole_comparison(found, sets, values, result.reference_sd, settings);
  for (size_t set = 1; set < found.values.size(); ++set) {
    QuantityDifference difference;
    const auto moments = moments_of(found.values[set]);
    difference.set = sets.sets[set]->name;
    difference.n = moments.n;
    difference.mean = moments.mean;
    difference.sd = std::sqrt(moments.variance);
    difference.why = why_not(result, difference);
    if (difference.why.empty()) {
      // Each pair by itself: what is said of a set does not depend on the others.
      const auto bootstrap = bootstrap_means(
          clustered(found, set), 2, static_cast<uint64_t>(settings.seed), settings.resamples);
      difference.why = bootstrap.not_computed;
      if (difference.why.empty()) {
        difference.difference = (moments.mean - reference.mean) / result.reference_sd;
        auto interval = bootstrap.of_difference(1, 0, kEquivalenceLevel);
        interval.low /= result.reference_sd;
        interval.high /= result.reference_sd;
        difference.interval = interval;
        difference.agreement = agreement_of(difference, settings.margin, result.reference_patients);
      }
    }
    if (result.comparison) add_p(difference, *result.comparison, sets.sets[0]->name);
    result.sets.push_back(std::move(difference));
  }
  return result;
}

/// Holm over the conditions of one set.
void adjust_over_conditions(Quantity& quantity) {
  if (quantity.conditions.empty()) return;
  for (size_t set = 0; set < quantity.conditions.front().sets.size(); ++set) {
    std::vector<double> p;
    std::vector<QuantityDifference*> whose;
    for (auto& condition : quantity.conditions) {
      auto& difference = condition.sets[set];
      if (!difference.p) continue;
      p.push_back(*difference.p);
      whose.push_back(&difference);
    }
    const auto all = adjusted(p, Adjustment::kHolm);
    for (size_t i = 0; i < all.size(); ++i) whose[i]->adjusted_p = all[i];
  }
}

SliceValues described(std::string key, std::string name, std::string unit, std::string definition,
                      bool judged) {
  return {
      std::move(key), std::move(name), std::move(unit), std::move(definition), judged, true, {}};
}

void add_regions(std::vector<SliceValues>& all, const SortedSets& sets, const RegionAtlas& atlas,
                 const EvaluationSettings& settings) {
  std::vector<torch::Tensor> by_set;
  for (const auto* set : sets.sets) {
    std::vector<std::string> planes;
    for (size_t row = 0; row < set->table.rows.size(); ++row)
      planes.push_back(set->table.at(row, atlas.column));
    by_set.push_back(regional_means(set->slices, atlas, planes, settings.mask_threshold));
  }
  for (size_t region = 0; region < atlas.regions.size(); ++region) {
    SliceValues values = described(
        "region_" + atlas.regions[region], atlas.regions[region], "of the brain mask's mean",
        fmt::format("mean of the region / mean of the brain mask ({})", atlas.name), false);
    values.whole_comparison = false;
    for (const auto& means : by_set)
      values.values.push_back(means.select(1, static_cast<int64_t>(region)).contiguous());
    all.push_back(std::move(values));
  }
}

}  // namespace

const char* agreement_word(Agreement agreement) {
  switch (agreement) {
    case Agreement::equivalent:
      return "equivalent";
    case Agreement::different:
      return "different";
    case Agreement::undecided:
      return "undecided";
    case Agreement::unknown:
      break;
  }
  return "unknown";
}

std::vector<SliceValues> measure_slices(const SortedSets& sets, const EvaluationInput& input,
                                        const EvaluationSettings& settings) {
  const auto plane =
      settings.midline == "mask" ? "middle of the brain mask" : "middle of the matrix";
  const auto mask = fmt::format("brain mask > {:g} of the maximum, mid-sagittal plane the {}",
                                settings.mask_threshold, plane);
  auto counts = described("mean_counts", "Mean counts", "of the slice's maximum",
                          "mean over all pixels / maximum of the slice", true);
  auto balance = described("abs_ln_left_right", "Left/right imbalance |ln LR|", "",
                           "|ln(mean of the left half / mean of the right half)|; " + mask, true);
  auto lower = described(
      kSideBalance, "Side balance", "share of slices",
      "share of slices whose left half has the lower mean, in SD of a fair coin (0.5); " + mask,
      true);
  auto ratio = described("left_right_ratio", "Left/right ratio LR", "",
                         "mean of the left half / mean of the right half; " + mask +
                             ". Left and right lesions cancel in its mean",
                         false);
  auto index = described("asymmetry_index", "Asymmetry index", "%",
                         "200 (left - right) / (left + right); " + mask, false);
  for (const auto* set : sets.sets) {
    const auto slices = set->slices;
    counts.values.push_back(mean_counts(slices).contiguous());
    const auto ratios = settings.midline == "mask"
                            ? left_right_ratio(slices, settings.mask_threshold,
                                               midsagittal_column(slices, settings.mask_threshold))
                            : left_right_ratio(slices, settings.mask_threshold);
    ratio.values.push_back(ratios.contiguous());
    const auto logarithm = ratios.log();
    balance.values.push_back(logarithm.abs().contiguous());
    const auto known = ratios.isfinite();
    lower.values.push_back(at::where(known, (ratios < 1).to(torch::kDouble), ratios).contiguous());
    index.values.push_back((200 * (ratios - 1) / (ratios + 1)).contiguous());
  }
  std::vector<SliceValues> all = {std::move(counts), std::move(balance), std::move(lower),
                                  std::move(ratio), std::move(index)};
  if (input.atlas) add_regions(all, sets, *input.atlas, settings);
  return all;
}

Quantity compare_quantity(const SliceValues& values, const SortedSets& sets,
                          const EvaluationSettings& settings) {
  Quantity quantity{values.key, values.name, values.unit, values.definition, values.judged, {}};
  for (size_t condition = 0; condition < sets.conditions.size(); ++condition)
    quantity.conditions.push_back(compare_condition(values, sets, condition, settings));
  // A region that no plane of any condition holds is not worth a table of blanks.
  if (!values.whole_comparison) {
    auto& conditions = quantity.conditions;
    conditions.erase(std::remove_if(conditions.begin(), conditions.end(),
                                    [](const auto& condition) {
                                      return std::all_of(
                                          condition.values.begin(), condition.values.end(),
                                          [](const auto& own) { return own.empty(); });
                                    }),
                     conditions.end());
  }
  adjust_over_conditions(quantity);
  return quantity;
}

}  // namespace scintigen
