// SPDX-License-Identifier: Apache-2.0
// A Comparison as JSON and as text (metrics/comparison.h).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "metrics/comparison.h"

namespace scintigen {
namespace {

using nlohmann::ordered_json;

/// Figures that a reader of the JSON may count on: null where they are not computed.
const std::map<std::string, std::vector<std::string>> kFigures = {
    {"anova", {"F", "df1", "df2"}}, {"welch_anova", {"F", "df1", "df2"}},
    {"kruskal", {"H", "df"}},       {"paired_t", {"t", "df"}},
    {"welch_t", {"t", "df"}},       {"wilcoxon", {"W"}},
    {"mann_whitney", {"U"}},        {"ks", {"D"}},
};

const std::map<std::string, std::string> kLabels = {
    {"anova", "one-way ANOVA"},
    {"welch_anova", "Welch's ANOVA"},
    {"kruskal", "Kruskal-Wallis"},
    {"tukey", "Tukey-Kramer"},
    {"dunnett", "Dunnett"},
    {"games_howell", "Games-Howell"},
    {"paired_t", "paired t"},
    {"welch_t", "Welch t"},
    {"wilcoxon", "Wilcoxon signed rank"},
    {"mann_whitney", "Mann-Whitney"},
    {"ks", "Kolmogorov-Smirnov"},
    {"mcnemar", "McNemar"},
    {"tost_welch", "equivalence, Welch"},
    {"tost_paired", "equivalence, paired"},
    {"effect_size", "effect size"},
    {"effect_size_paired", "effect size, paired"},
};

ordered_json counts_json(const std::vector<std::pair<std::string, int64_t>>& counts) {
  auto json = ordered_json::object();
  for (const auto& [name, count] : counts) json[name] = count;
  return json;
}

ordered_json interval_json(const ConfidenceInterval& interval) {
  return {{"low", interval.low}, {"high", interval.high}, {"level", interval.level}};
}

/// Nothing that is no p-value has "p": effect sizes.
bool has_p(const std::string& name) { return name.rfind("effect_size", 0) != 0; }

ordered_json test_json(const std::string& name, const TestResult& test) {
  ordered_json json;
  json["n"] = test.n;
  const auto expected = kFigures.find(name);
  if (expected != kFigures.end())
    for (const auto& figure : expected->second) json[figure] = nullptr;
  for (const auto& [figure, value] : test.figures) json[figure] = value;
  if (test.p)
    json["p"] = *test.p;
  else if (has_p(name))
    json["p"] = nullptr;
  if (test.interval) {
    json["interval"] = interval_json(*test.interval);
    json["interval"]["of"] = test.interval_of;
  }
  if (!test.method.empty()) json["method"] = test.method;
  if (!test.dropped.empty()) json["dropped"] = counts_json(test.dropped);
  if (!test.note.empty()) json["note"] = test.note;
  if (!test.not_computed.empty()) json["not_computed"] = test.not_computed;
  return json;
}

ordered_json pair_json(const std::string& name, const PairComparison& pair) {
  ordered_json json = {{"a", pair.a}, {"b", pair.b}, {"difference", nullptr}};
  if (pair.difference) json["difference"] = *pair.difference;
  json["n_a"] = pair.n_a;
  json["n_b"] = pair.n_b;
  json.update(test_json(name, pair.test));
  return json;
}

ordered_json two_groups_json(const TwoGroups& pair) {
  ordered_json json = {{"a", pair.a}, {"b", pair.b}};
  if (pair.mean_difference) json["bootstrap_difference"] = interval_json(*pair.mean_difference);
  for (size_t i = 0; i < pair.tests.size(); ++i) {
    const auto& [name, test] = pair.tests[i];
    json[name] = test_json(name, test);
    if (i < pair.adjusted.size() && pair.adjusted[i]) json[name]["p_adjusted"] = *pair.adjusted[i];
  }
  return json;
}

ordered_json group_json(const GroupSummary& group) {
  ordered_json json = {{"name", group.name},
                       {"n", group.n},
                       {"units", group.clusters},
                       {"mean", group.mean},
                       {"sd", nullptr},
                       {"median", group.median},
                       {"minimum", group.smallest},
                       {"maximum", group.largest}};
  if (group.sd) json["sd"] = *group.sd;
  if (group.mean_interval) json["mean_interval"] = interval_json(*group.mean_interval);
  return json;
}

/// The tests of two groups stand at the top; with more groups, a word on where they are.
void add_two_sample_keys(ordered_json& json, const Comparison& comparison) {
  if (comparison.pairs.size() == 1) {
    const auto pair = two_groups_json(comparison.pairs.front());
    for (const auto& [name, value] : pair.items())
      if (name != "a" && name != "b") json[name] = value;
    return;
  }
  for (const auto* name : {"paired_t", "welch_t", "wilcoxon", "mann_whitney", "ks"}) {
    int64_t n = 0;
    for (const auto& group : comparison.groups) n += group.n;
    json[name] = test_json(name, not_computed(n, fmt::format("a test of two groups; here are {}: "
                                                             "see pairwise",
                                                             comparison.groups.size())));
  }
}

// Text

std::string p_text(double p) {
  if (p >= 0.0001) return fmt::format("{:.4f}", p);
  return p > 0 ? fmt::format("{:.1e}", p) : "0";
}

/// A name from a file, without what could steer a terminal, cut to `most` bytes.
std::string shown(const std::string& name, size_t most = 40) {
  auto text = Error::one_line(name);
  if (text.size() > most) text = text.substr(0, most - 3) + "...";
  return text;
}

std::string figures_text(const TestResult& test) {
  std::string text;
  for (const auto& [name, value] : test.figures)
    text += fmt::format("{}{} {:.5g}", text.empty() ? "" : ", ", name, value);
  if (test.interval)
    text += fmt::format(", {:g} % [{:.5g}, {:.5g}] of {}", 100 * test.interval->level,
                        test.interval->low, test.interval->high, test.interval_of);
  if (!test.method.empty()) text += fmt::format(" ({})", test.method);
  for (const auto& [name, count] : test.dropped)
    if (count > 0) text += fmt::format("; dropped: {} {}", count, name);
  if (!test.note.empty()) text += "; " + test.note;
  return text;
}

std::string test_line(const std::string& label, const TestResult& test,
                      const std::optional<double>& adjusted = std::nullopt) {
  if (!test.not_computed.empty())
    return fmt::format("  {:<34} n {:>6}  not computed: {}\n", label, test.n,
                       shown(test.not_computed, 300));
  const auto p = test.p ? "p " + p_text(*test.p) : "";
  return fmt::format("  {:<34} n {:>6}  {:<9} {:<20} {}\n", label, test.n, p,
                     adjusted ? "adjusted " + p_text(*adjusted) : "", figures_text(test));
}

/// "no column of pairs" four times says nothing to somebody who has none.
bool worth_a_line(const TestResult& test) {
  return test.not_computed.rfind("no column of pairs", 0) != 0 &&
         test.not_computed.rfind("expected values 0 and 1", 0) != 0;
}

std::string groups_text(const Comparison& comparison) {
  constexpr size_t most = 60;
  std::string text = fmt::format("  {:<40} {:>7} {:>7} {:>12} {:>12} {:>12}  {}\n", "group", "n",
                                 "units", "mean", "SD", "median", "95 % of mean (bootstrap)");
  for (size_t i = 0; i < std::min(comparison.groups.size(), most); ++i) {
    const auto& group = comparison.groups[i];
    text += fmt::format(
        "  {:<40} {:>7} {:>7} {:>12.6g} {:>12} {:>12.6g}  {}\n", shown(group.name), group.n,
        group.clusters, group.mean, group.sd ? fmt::format("{:.6g}", *group.sd) : "-", group.median,
        group.mean_interval
            ? fmt::format("[{:.6g}, {:.6g}]", group.mean_interval->low, group.mean_interval->high)
            : "-");
  }
  if (comparison.groups.size() > most)
    text += fmt::format("  ... and {} more groups (--json has them all)\n",
                        comparison.groups.size() - most);
  return text;
}

std::string pairs_text(const Comparison& comparison) {
  std::string text;
  for (const auto& family : comparison.many) {
    text += fmt::format(
        "\n{}{}\n", kLabels.at(family.name),
        family.name == "dunnett" ? fmt::format(", control '{}'", shown(comparison.control)) : "");
    if (!family.not_computed.empty()) {
      text += fmt::format("  not computed: {}\n", family.not_computed);
      continue;
    }
    for (const auto& pair : family.pairs)
      text += test_line(fmt::format("{} - {}", shown(pair.a, 16), shown(pair.b, 15)), pair.test);
  }
  for (const auto& pair : comparison.pairs) {
    text += fmt::format("\n{} - {}\n", shown(pair.a), shown(pair.b));
    if (pair.mean_difference)
      text += fmt::format("  {:<34} 95 % [{:.5g}, {:.5g}]\n", "difference of means, bootstrap",
                          pair.mean_difference->low, pair.mean_difference->high);
    for (size_t i = 0; i < pair.tests.size(); ++i) {
      const auto& [name, test] = pair.tests[i];
      if (worth_a_line(test))
        text += test_line(kLabels.at(name), test,
                          i < pair.adjusted.size() ? pair.adjusted[i] : std::nullopt);
    }
  }
  return text;
}

}  // namespace

ordered_json comparison_to_json(const Comparison& comparison) {
  ordered_json json = {{"table", comparison.table},
                       {"value", comparison.value},
                       {"group", comparison.group},
                       {"unit", comparison.unit}};
  json["groups"] = ordered_json::array();
  for (const auto& group : comparison.groups) json["groups"].push_back(group_json(group));
  json["dropped"] = counts_json(comparison.dropped);
  for (const auto& [name, test] : comparison.tests) json[name] = test_json(name, test);
  auto refused = ordered_json::object();
  json["control"] = comparison.control;
  for (const auto& family : comparison.many) {
    json[family.name] = ordered_json::array();
    for (const auto& pair : family.pairs) json[family.name].push_back(pair_json(family.name, pair));
    if (!family.not_computed.empty()) refused[family.name] = family.not_computed;
  }
  add_two_sample_keys(json, comparison);
  json["pairwise"] = ordered_json::array();
  for (const auto& pair : comparison.pairs) json["pairwise"].push_back(two_groups_json(pair));
  if (!comparison.pairs_not_computed.empty()) refused["pairwise"] = comparison.pairs_not_computed;
  json["adjust"] = comparison.adjust;
  json["bootstrap"] = comparison.bootstrap;
  if (!refused.empty()) json["not_computed"] = refused;
  json["warnings"] = comparison.warnings;
  if (comparison.by_cluster) json["by_cluster"] = comparison_to_json(*comparison.by_cluster);
  return json;
}

std::string comparison_to_text(const Comparison& comparison) {
  std::string text =
      fmt::format("{} by {} in {}; one n is one {}\n\n", shown(comparison.value),
                  shown(comparison.group), shown(comparison.table, 300), shown(comparison.unit));
  text += groups_text(comparison) + "\n";
  for (const auto& [name, count] : comparison.dropped)
    if (count > 0) text += fmt::format("  dropped: {} rows, {}\n", count, name);
  for (const auto& warning : comparison.warnings)
    text += "  warning: " + shown(warning, 500) + "\n";
  text += "  bootstrap: " + shown(comparison.bootstrap, 300) + "\n\nall groups\n";
  for (const auto& [name, test] : comparison.tests) text += test_line(kLabels.at(name), test);
  text += pairs_text(comparison);
  if (comparison.pairs.size() > 1)
    text += fmt::format("\nadjusted: {} over the {} pairs, each test by itself\n",
                        comparison.adjust, comparison.pairs.size());
  if (comparison.by_cluster)
    text += fmt::format("\n==== the same on the means of each '{}'\n\n",
                        shown(comparison.by_cluster->unit)) +
            comparison_to_text(*comparison.by_cluster);
  return text;
}

}  // namespace scintigen
