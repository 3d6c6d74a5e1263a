// SPDX-License-Identifier: Apache-2.0
#include "metrics/comparison.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "metrics/adjust.h"
#include "metrics/cluster_bootstrap.h"
#include "metrics/group_tests.h"
#include "metrics/grouped_rows.h"
#include "metrics/two_sample_tests.h"

namespace scintigen {
namespace {

constexpr int64_t kSmall = 10;          // values, patients: below it a warning
constexpr double kMostPathCells = 1e9;  // of all exact Kolmogorov-Smirnov tests: seconds
constexpr size_t kMostNamedInWarning = 5;

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<GroupSummary> summaries(const GroupedRows& rows,
                                    const std::vector<ValueGroup>& groups) {
  std::vector<std::vector<size_t>> clusters(groups.size());
  for (const auto& row : rows.rows) clusters[row.group].push_back(row.cluster);
  std::vector<GroupSummary> result;
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto moments = moments_of(groups[i].values);
    GroupSummary summary;
    summary.name = groups[i].name;
    summary.n = moments.n;
    summary.mean = moments.mean;
    if (moments.n > 1) summary.sd = std::sqrt(moments.variance);
    summary.median = median_of(groups[i].values);
    summary.smallest = moments.smallest;
    summary.largest = moments.largest;
    std::sort(clusters[i].begin(), clusters[i].end());
    summary.clusters = std::unique(clusters[i].begin(), clusters[i].end()) - clusters[i].begin();
    result.push_back(std::move(summary));
  }
  return result;
}

/// A family of comparisons, or the reason of its refusal.
template <class Compare>
ManyComparisons many(const char* name, Compare compare) {
  ManyComparisons result;
  result.name = name;
  try {
    result.pairs = compare();
  } catch (const Error& error) {
    result.not_computed = error.what();
  }
  return result;
}

void add_paired_tests(NamedTests& tests, const GroupedRows& rows, size_t a, size_t b,
                      double margin) {
  const char* const names[] = {"paired_t", "wilcoxon", "mcnemar", "effect_size_paired"};
  if (!rows.has_pairs) {
    for (const auto* name : names)
      tests.emplace_back(name, not_computed(0, "no column of pairs; name it with --pair"));
    return;
  }
  const auto paired = paired_values(rows, a, b);
  const size_t first = tests.size();
  if (paired.a.empty()) {
    for (const auto* name : names)
      tests.emplace_back(name, not_computed(0, "no pair has a value in both groups"));
  } else {
    tests.emplace_back("paired_t", paired_t(paired.a, paired.b));
    tests.emplace_back("wilcoxon", wilcoxon_signed_rank(paired.a, paired.b));
    tests.emplace_back("mcnemar", mcnemar_exact(paired.a, paired.b));
    tests.emplace_back("effect_size_paired", paired_effect_size(paired.a, paired.b));
    if (margin > 0) tests.emplace_back("tost_paired", tost_paired(paired.a, paired.b, margin));
  }
  for (size_t i = first; i < tests.size(); ++i)
    tests[i].second.dropped.emplace_back("unpaired", paired.unpaired);
}

TwoGroups two_groups(const GroupedRows& rows, const std::vector<ValueGroup>& groups, size_t a,
                     size_t b, double margin, double path_cells) {
  TwoGroups pair;
  pair.a = groups[a].name;
  pair.b = groups[b].name;
  const auto &first = groups[a].values, &second = groups[b].values;
  pair.tests.emplace_back("welch_t", welch_t(first, second));
  pair.tests.emplace_back("mann_whitney", mann_whitney(first, second));
  pair.tests.emplace_back("ks", kolmogorov_smirnov(first, second, path_cells));
  pair.tests.emplace_back("effect_size", effect_size(first, second));
  if (margin > 0) pair.tests.emplace_back("tost_welch", tost_welch(first, second, margin));
  add_paired_tests(pair.tests, rows, a, b, margin);
  return pair;
}

/// Each test is a family of its own over the pairs.
void adjust_pairs(std::vector<TwoGroups>& pairs, Adjustment adjustment) {
  if (pairs.size() < 2) return;
  for (auto& pair : pairs) pair.adjusted.resize(pair.tests.size());
  std::vector<std::string> names;
  for (const auto& pair : pairs)
    for (const auto& [name, test] : pair.tests)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (const auto& name : names) {
    std::vector<double> p;
    std::vector<std::optional<double>*> places;
    for (auto& pair : pairs) {
      for (size_t i = 0; i < pair.tests.size(); ++i) {
        if (pair.tests[i].first != name || !pair.tests[i].second.p) continue;
        p.push_back(*pair.tests[i].second.p);
        places.push_back(&pair.adjusted[i]);
      }
    }
    const auto higher = adjusted(p, adjustment);
    for (size_t i = 0; i < places.size(); ++i) *places[i] = higher[i];
  }
}

void add_bootstrap(Comparison& comparison, const GroupedRows& rows,
                   const ComparisonSettings& settings) {
  if (settings.resamples == 0) {
    comparison.bootstrap = "not computed: --resamples 0";
    return;
  }
  std::vector<ClusteredValue> values;
  size_t alone = rows.pair_names.size();  // a row without a pair is a unit of its own
  const bool by_pair = rows.has_pairs && !rows.has_clusters;
  for (const auto& row : rows.rows)
    values.push_back({row.group,
                      !by_pair   ? row.cluster
                      : row.pair ? *row.pair
                                 : alone++,
                      row.value});
  const auto means = bootstrap_means(values, comparison.groups.size(),
                                     static_cast<uint64_t>(settings.seed), settings.resamples);
  if (!means.not_computed.empty()) {
    comparison.bootstrap = "not computed: " + means.not_computed;
    return;
  }
  const std::string unit = rows.has_clusters ? settings.cluster : by_pair ? settings.pair : "row";
  comparison.bootstrap = fmt::format(
      "percentile intervals, {} resamples of {} units ({}){}, seed {}{}", means.resamples,
      means.clusters, unit, means.by_group ? " within each group" : " over all groups",
      settings.seed,
      means.empty_resamples > 0
          ? fmt::format(", {} resamples left out (a group was empty)", means.empty_resamples)
          : "");
  for (size_t i = 0; i < comparison.groups.size(); ++i)
    comparison.groups[i].mean_interval = means.of_mean(i);
  size_t place = 0;
  for (size_t a = 0; a < comparison.groups.size(); ++a)
    for (size_t b = a + 1; b < comparison.groups.size(); ++b)
      comparison.pairs[place++].mean_difference = means.of_difference(a, b);
}

void add_pairs(Comparison& comparison, const GroupedRows& rows,
               const std::vector<ValueGroup>& groups, const ComparisonSettings& settings,
               size_t control) {
  comparison.many.push_back(many("tukey", [&] { return tukey_kramer(groups); }));
  comparison.many.push_back(many("dunnett", [&] { return dunnett(groups, control); }));
  comparison.many.push_back(many("games_howell", [&] { return games_howell(groups); }));
  if (groups.size() > kMostGroupsInPairs) {
    comparison.pairs_not_computed = comparison.many.front().not_computed;
    comparison.bootstrap = "not computed: " + comparison.pairs_not_computed;
    return;
  }
  const auto count = static_cast<double>(groups.size());
  const double cells = std::min(1e8, kMostPathCells / (count * (count - 1) / 2));
  for (size_t a = 0; a < groups.size(); ++a)
    for (size_t b = a + 1; b < groups.size(); ++b)
      comparison.pairs.push_back(two_groups(rows, groups, a, b, settings.margin, cells));
  adjust_pairs(comparison.pairs, adjustment_named(settings.adjust));
}

void warn_of_small_groups(Comparison& comparison) {
  std::vector<std::string> small;
  for (const auto& group : comparison.groups)
    if (group.n < kSmall) small.push_back(fmt::format("'{}' {}", group.name, group.n));
  if (small.empty()) return;
  const size_t rest = small.size() - std::min(small.size(), kMostNamedInWarning);
  small.resize(small.size() - rest);
  comparison.warnings.push_back(fmt::format(
      "few values ({}{}): below {} a test finds large differences only, and nothing shows whether "
      "its assumptions hold",
      fmt::join(small, ", "), rest > 0 ? fmt::format(", and {} more groups", rest) : "", kSmall));
}

void warn_of_units(Comparison& comparison, const Table& table, const GroupedRows& rows,
                   const ComparisonSettings& settings) {
  const auto repeated =
      repeated_identity(table, {settings.value, settings.group, settings.pair, settings.cluster});
  if (!rows.has_clusters && !repeated.empty())
    comparison.warnings.push_back(fmt::format(
        "rows stand for patients: somebody in '{}' has several rows in a group, and the tests take "
        "each row as a patient; name the column with --cluster {}",
        repeated, repeated));
  if (rows.has_clusters) {
    int64_t fewest = comparison.groups.front().clusters;
    for (const auto& group : comparison.groups) fewest = std::min(fewest, group.clusters);
    if (fewest < kSmall)
      comparison.warnings.push_back(
          fmt::format("few units: a group has {} of '{}'; bootstrap intervals of fewer than {} are "
                      "too narrow",
                      fewest, settings.cluster, kSmall));
    if (rows.rows.size() > cluster_means(rows).rows.size())
      comparison.warnings.push_back(
          fmt::format("tests by row take each row as independent; quote those by '{}' "
                      "(by_cluster) and the bootstrap intervals",
                      settings.cluster));
  }
  if (rows.has_pairs)
    comparison.warnings.push_back(
        fmt::format("rows are paired by '{}': quote the paired tests; the others take the groups "
                    "as independent",
                    settings.pair));
}

Comparison compare_rows(const GroupedRows& rows, const ComparisonSettings& settings,
                        size_t control) {
  const auto groups = rows.groups();
  Comparison comparison;
  comparison.value = settings.value;
  comparison.group = settings.group;
  comparison.adjust = settings.adjust;
  comparison.control = rows.group_names[control];
  comparison.unit = "row";
  comparison.groups = summaries(rows, groups);
  comparison.dropped = rows.dropped;
  comparison.tests.emplace_back("anova", one_way_anova(groups));
  comparison.tests.emplace_back("welch_anova", welch_anova(groups));
  comparison.tests.emplace_back("kruskal", kruskal_wallis(groups));
  add_pairs(comparison, rows, groups, settings, control);
  warn_of_small_groups(comparison);
  return comparison;
}

size_t control_of(const GroupedRows& rows, const std::string& name, const std::string& table) {
  if (name.empty()) return 0;
  const auto& names = rows.group_names;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  const auto near = nearest_word(name, names);
  const std::vector<std::string> some(
      names.begin(), names.begin() + static_cast<int64_t>(std::min<size_t>(names.size(), 10)));
  throw Error("{}: no group '{}' with values for the control{}; there are: {}{}", table, name,
              near ? "; did you mean '" + *near + "'?" : std::string(), fmt::join(some, ", "),
              some.size() < names.size() ? ", ..." : "");
}

}  // namespace

void ComparisonSettings::visit(SettingsVisitor& v) {
  v.visit(required(text("value", "column of the values")), value);
  v.visit(required(text("group", "column of the groups; two or more")), group);
  v.visit(text("pair", "column that names who is paired across groups, for the paired tests"),
          pair);
  v.visit(text("cluster",
               "column of the patients that rows belong to: bootstrap intervals draw whole "
               "patients, and every test is repeated on their means"),
          cluster);
  v.visit(number("margin",
                 "margin of equivalence (TOST) in the unit of the values, fixed before the data "
                 "are seen; 0: no such test",
                 0, 1e100),
          margin);
  v.visit(text("control", "group that Dunnett compares the others with; default the first"),
          control);
  v.visit(choice("adjust", "adjustment of the pairwise tests' p-values over the pairs",
                 {"holm", "bh", "none"}),
          adjust);
  v.visit(number("seed", "seed of the bootstrap", 0, 9e15), seed);
  v.visit(number("resamples", "bootstrap resamples; 0: none, else at least 100", 0, 1000000),
          resamples);
}

Comparison compare_groups(const Table& table, const ComparisonSettings& settings) {
  const GroupedColumns columns = {settings.value, settings.group, settings.pair, settings.cluster};
  const auto rows = read_grouped_rows(table, columns);
  const size_t control = control_of(rows, settings.control, table.name);
  auto comparison = compare_rows(rows, settings, control);
  comparison.table = table.name;
  if (comparison.pairs_not_computed.empty()) add_bootstrap(comparison, rows, settings);
  if (!rows.empty_groups.empty())
    comparison.warnings.push_back(
        fmt::format("left out, without a value: {} group{} ('{}'{})", rows.empty_groups.size(),
                    rows.empty_groups.size() == 1 ? "" : "s", rows.empty_groups.front(),
                    rows.empty_groups.size() == 1 ? "" : ", ..."));
  warn_of_units(comparison, table, rows, settings);
  if (rows.has_clusters) {
    auto means = compare_rows(cluster_means(rows), settings, control);
    means.table = table.name;
    means.unit = settings.cluster;
    means.bootstrap = "see the intervals by row: they draw whole units";
    if (rows.clusters_span_groups)
      means.warnings.push_back(
          fmt::format("'{}' is the same in several groups: quote the paired tests; the others take "
                      "the groups as independent",
                      settings.cluster));
    comparison.by_cluster = std::make_shared<Comparison>(std::move(means));
  }
  return comparison;
}

}  // namespace scintigen
