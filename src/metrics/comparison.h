// SPDX-License-Identifier: Apache-2.0
// Everything that `scintigen stats` and the report say about one column of values by group.
#pragma once
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/settings.h"
#include "core/table.h"
#include "metrics/test_result.h"

namespace scintigen {

struct ComparisonSettings : Settings {
  std::string value, group;     ///< columns
  std::string pair, cluster;    ///< columns, or empty
  double margin = 0;            ///< of equivalence, in the unit of the values; 0: no such test
  std::string control;          ///< group that Dunnett compares with; empty: the first
  std::string adjust = "holm";  ///< of pairwise p: holm, bh, none
  int64_t seed = 1, resamples = 9999;
  void visit(SettingsVisitor& v) override;
};

struct GroupSummary {
  std::string name;
  int64_t n = 0, clusters = 0;
  double mean = 0;
  std::optional<double> sd;  ///< none for one value
  double median = 0, smallest = 0, largest = 0;
  std::optional<ConfidenceInterval> mean_interval;  ///< bootstrap
};

using NamedTests = std::vector<std::pair<std::string, TestResult>>;

/// Two groups: paired_t, wilcoxon, mcnemar, welch_t, mann_whitney, ks, effect_size,
/// effect_size_paired, and with a margin tost_welch, tost_paired.
struct TwoGroups {
  std::string a, b;
  NamedTests tests;
  std::vector<std::optional<double>> adjusted;        ///< as tests; filled for 3 groups and more
  std::optional<ConfidenceInterval> mean_difference;  ///< bootstrap
};

struct ManyComparisons {
  std::string name;  ///< tukey, dunnett, games_howell
  std::vector<PairComparison> pairs;
  std::string not_computed;
};

struct Comparison {
  std::string table, value, group, control, adjust;
  std::string unit;  ///< what one n is: "row", "pair", or the name of the cluster column
  std::vector<GroupSummary> groups;
  std::vector<std::pair<std::string, int64_t>> dropped;
  NamedTests tests;  ///< anova, welch_anova, kruskal
  std::vector<ManyComparisons> many;
  std::vector<TwoGroups> pairs;
  std::string pairs_not_computed;
  std::string bootstrap;                   ///< how its intervals were drawn, or why there are none
  std::vector<std::string> warnings;       ///< one line each
  std::shared_ptr<Comparison> by_cluster;  ///< the same of the clusters' means
};

/// Reads and compares. Time is bounded: pairs of more than kMostGroupsInPairs groups, and
/// bootstraps of more than 2e8 draws, are refused by text in the result. throws  Error: as
/// read_grouped_rows, unknown control, settings out of range.
Comparison compare_groups(const Table& table, const ComparisonSettings& settings);

/// Keys: docs/methods.md, "Statistics". Without a figure: null and "not_computed" with the reason.
nlohmann::ordered_json comparison_to_json(const Comparison& comparison);

/// The same as lines of text for a terminal.
std::string comparison_to_text(const Comparison& comparison);

}  // namespace scintigen
