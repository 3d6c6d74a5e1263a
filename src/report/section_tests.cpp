// SPDX-License-Identifier: Apache-2.0
// Every test that was done, whether the verdict uses it or not.
#include <algorithm>
#include <map>

#include "report/page.h"

namespace scintigen {
namespace {

using Rows = std::vector<std::vector<std::string>>;
constexpr size_t kMostRows =
    12'000;  ///< about 350 bytes each: many sets and regions would fill 10 MB

std::string named(const std::string& key) {
  static const std::map<std::string, std::string> names = {
      {"anova", "ANOVA"},
      {"welch_anova", "Welch's ANOVA"},
      {"kruskal", "Kruskal–Wallis"},
      {"tukey", "Tukey"},
      {"dunnett", "Dunnett"},
      {"games_howell", "Games–Howell"},
      {"paired_t", "Paired t"},
      {"wilcoxon", "Wilcoxon signed rank"},
      {"mcnemar", "McNemar"},
      {"welch_t", "Welch's t"},
      {"mann_whitney", "Mann–Whitney U"},
      {"ks", "Kolmogorov–Smirnov"},
      {"effect_size", "Effect size"},
      {"effect_size_paired", "Effect size, paired"},
      {"tost_welch", "Two one-sided tests, Welch"},
      {"tost_paired", "Two one-sided tests, paired"}};
  const auto name = names.find(key);
  return name != names.end() ? name->second : key;
}

/// "F = 5.21, df1 = 1": no zeros behind that say nothing.
std::string figures_of(const TestResult& test) {
  std::string text;
  for (const auto& [name, value] : test.figures) {
    std::string figure = figure_text(value, 4);
    if (figure.find('.') != std::string::npos && figure.find('e') == std::string::npos) {
      figure.erase(figure.find_last_not_of('0') + 1);
      if (figure.back() == '.') figure.pop_back();
    }
    text += (text.empty() ? "" : ", ") + name + " = " + figure;
  }
  return text;
}

std::string remark_of(const TestResult& test) {
  if (!test.not_computed.empty()) return "not computed: " + test.not_computed;
  std::string text = test.method;
  if (!test.note.empty()) text += (text.empty() ? "" : "; ") + test.note;
  for (const auto& [what, count] : test.dropped)
    if (count > 0)
      text += (text.empty() ? "" : "; ") + std::to_string(count) + " " + what + " dropped";
  return text;
}

std::vector<std::string> test_row(const std::string& condition, const std::string& unit,
                                  const std::string& name, const TestResult& test,
                                  const std::optional<double>& adjusted) {
  std::string interval;
  if (test.interval)
    interval = (test.interval_of.empty() ? "" : test.interval_of + " ") + "[" +
               figure_text(test.interval->low) + ", " + figure_text(test.interval->high) + "] (" +
               figure_text(100 * test.interval->level, 2) + " %)";
  return {condition,
          name,
          unit,
          std::to_string(test.n),
          figures_of(test),
          test.p ? p_text(*test.p) : "–",
          adjusted ? p_text(*adjusted) : "",
          interval,
          remark_of(test)};
}

/// `unit`: what one n is, slices or patients.
void add_tests(Rows& rows, const std::string& condition, const Comparison& comparison) {
  const std::string& unit = comparison.unit;
  for (const auto& [name, test] : comparison.tests)
    rows.push_back(test_row(condition, unit, named(name), test, {}));
  for (const ManyComparisons& many : comparison.many) {
    for (const PairComparison& pair : many.pairs)
      rows.push_back(test_row(condition, unit, named(many.name) + ": " + pair.a + " − " + pair.b,
                              pair.test, {}));
    if (!many.not_computed.empty())
      rows.push_back({condition, named(many.name), unit, "", "", "–", "", "",
                      "not computed: " + many.not_computed});
  }
  for (const TwoGroups& two : comparison.pairs)
    for (size_t i = 0; i < two.tests.size(); ++i)
      rows.push_back(
          test_row(condition, unit, named(two.tests[i].first) + ": " + two.a + ", " + two.b,
                   two.tests[i].second, i < two.adjusted.size() ? two.adjusted[i] : std::nullopt));
  if (!comparison.pairs_not_computed.empty())
    rows.push_back({condition, "Pairs", unit, "", "", "–", "", "", comparison.pairs_not_computed});
}

void add_groups(Rows& rows, const std::string& condition, const Comparison& comparison) {
  for (const GroupSummary& group : comparison.groups)
    rows.push_back({condition, group.name, std::to_string(group.n), std::to_string(group.clusters),
                    with_interval(group.mean, group.mean_interval),
                    group.sd ? figure_text(*group.sd) : "–", figure_text(group.median),
                    figure_text(group.smallest), figure_text(group.largest)});
}

/// Adds its rows to `written`; beyond kMostRows the table of tests stays out.
void write_quantity(Page& page, const Quantity& quantity, size_t& written) {
  Rows tests, groups;
  std::vector<std::string> warnings;
  for (const QuantityInCondition& here : quantity.conditions) {
    const std::string condition = short_condition(here.condition);
    if (!here.comparison) continue;
    add_groups(groups, condition, *here.comparison);
    add_tests(tests, condition, *here.comparison);
    if (here.comparison->by_cluster) add_tests(tests, condition, *here.comparison->by_cluster);
    for (const std::string& warning : here.comparison->warnings)
      warnings.push_back(condition + ": " + warning);
  }
  if (tests.empty() && groups.empty()) return;
  const bool fits = written + tests.size() <= kMostRows;
  if (fits) written += tests.size();
  Html& html = page.html;
  html.open("details").element("summary", quantity.name);
  page.table(
      quantity.name + ": the groups.",
      {"Condition", "Set", "Values", "Patients", "Mean [95 %]", "SD", "Median", "Least", "Largest"},
      groups, {1});
  if (!fits)
    html.element(
        "p",
        "Left out here: " + counted(static_cast<int64_t>(tests.size()), "test") +
            " would make this page too large; `scintigen stats` computes them from slices.tsv.");
  else
    page.table(
        quantity.name +
            ": every test. A p whose unit is the row treats slices of one patient as "
            "independent, which they are not.",
        {"Condition", "Test", "Unit of n", "n", "Figures", "p", "Adjusted p", "Interval", "Remark"},
        tests, {1, 2, 4, 7, 8});
  if (!warnings.empty()) {
    html.open("ul");
    for (const std::string& warning : warnings) html.element("li", warning);
    html.close("ul");
  }
  html.close("details");
}

}  // namespace

void write_tests(Page& page) {
  const auto& quantities = page.evaluation.quantities;
  const bool any = std::any_of(quantities.begin(), quantities.end(), [](const Quantity& quantity) {
    return std::any_of(quantity.conditions.begin(), quantity.conditions.end(),
                       [](const auto& here) { return here.comparison.has_value(); });
  });
  if (!any) return;
  page.open_section("tests", "Every test");
  size_t written = 0;
  for (const bool judged : {true, false})
    for (const Quantity& quantity : quantities)
      if (quantity.judged == judged) write_quantity(page, quantity, written);
  page.close_section();
}

}  // namespace scintigen
