// SPDX-License-Identifier: Apache-2.0
// The verdict in words, the warnings, and how many slices of what there are.
#include <algorithm>
#include <array>

#include "report/page.h"

namespace scintigen {
namespace {

struct Chip {
  const char *word, *path;  ///< an icon of 16 x 16, so that colour never speaks alone
};

Chip chip_of(Finding::Grade grade) {
  switch (grade) {
    case Finding::Grade::good:
      return {"good", "M3 8.5l3.5 3.5L13 4.5"};
    case Finding::Grade::caution:
      return {"caution", "M8 3v6.5M8 12.2v.6"};
    case Finding::Grade::bad:
      return {"bad", "M4 4l8 8M12 4l-8 8"};
    case Finding::Grade::unknown:
      break;
  }
  return {"unknown", "M5.5 6a2.5 2.5 0 1 1 3.4 2.3c-.6.3-.9.7-.9 1.5M8 12.4v.4"};
}

void write_chip(Html& html, Finding::Grade grade) {
  const Chip chip = chip_of(grade);
  html.open("span", {{"class", std::string("chip ") + chip.word}});
  html.open("svg", {{"viewBox", "0 0 16 16"}, {"aria-hidden", "true"}});
  html.single("path", {{"d", chip.path}}).close("svg").text(chip.word).close("span");
}

std::string tally(const std::vector<Finding>& findings) {
  using Grade = Finding::Grade;
  std::string text;
  for (const Grade grade : {Grade::bad, Grade::caution, Grade::good, Grade::unknown}) {
    const auto count = std::count_if(findings.begin(), findings.end(),
                                     [&](const Finding& f) { return f.grade == grade; });
    if (count == 0) continue;
    text += (text.empty() ? "" : " · ") + std::to_string(count) + " " + chip_of(grade).word;
  }
  return text;
}

/// Findings stand by set, and within one the worst first: that is what a reader must not miss.
std::vector<Finding> in_order(std::vector<Finding> findings, const std::vector<std::string>& sets) {
  const auto rank = [&](const Finding& finding) {
    constexpr std::array<int, 4> order = {2, 1, 0, 3};
    const auto set = std::find(sets.begin(), sets.end(), finding.set) - sets.begin();
    return std::pair(set, order[static_cast<size_t>(finding.grade) % order.size()]);
  };
  std::stable_sort(findings.begin(), findings.end(),
                   [&](const Finding& a, const Finding& b) { return rank(a) < rank(b); });
  return findings;
}

}  // namespace

void write_verdict(Page& page) {
  const Evaluation& evaluation = page.evaluation;
  Html& html = page.html;
  page.open_section("verdict", "Verdict");
  html.element("p", {{"class", "headline"}}, evaluation.headline);
  if (!evaluation.findings.empty())
    html.element("p", {{"class", "tally"}}, "Findings: " + tally(evaluation.findings));
  const auto findings = in_order(evaluation.findings, evaluation.sets);
  const bool several = evaluation.sets.size() > 2;
  for (size_t i = 0; i < findings.size(); ++i) {
    if (i == 0 || findings[i].set != findings[i - 1].set) {
      if (i > 0) html.close("ul");
      if (several && !findings[i].set.empty()) html.element("h3", findings[i].set);
      html.open("ul", {{"class", "findings"}});
    }
    html.open("li");
    write_chip(html, findings[i].grade);
    html.element("strong", findings[i].subject);
    html.element("span", {{"class", "sentence"}}, sentence(findings[i].sentence)).close("li");
  }
  if (!findings.empty()) html.close("ul");
  page.close_section();
  if (evaluation.warnings.empty()) return;
  page.open_section("warnings", "Before you rely on this");
  html.open("ul", {{"class", "warnings"}});
  for (const std::string& warning : evaluation.warnings) html.element("li", sentence(warning));
  html.close("ul");
  page.close_section();
}

void write_counts(Page& page) {
  const Evaluation& evaluation = page.evaluation;
  page.open_section("counts", "What was compared");
  std::vector<std::string> columns = {"Condition"};
  for (size_t s = 0; s < evaluation.sets.size(); ++s) {
    columns.push_back(evaluation.sets[s] + ", slices");
    if (s == 0) columns.push_back(evaluation.sets[s] + ", patients");
  }
  const auto count = [&](size_t s, size_t c) {
    return s < evaluation.counts.size() && c < evaluation.counts[s].size()
               ? std::to_string(evaluation.counts[s][c])
               : std::string("–");
  };
  std::vector<std::vector<std::string>> rows;
  for (size_t c = 0; c < evaluation.conditions.size(); ++c) {
    auto& row = rows.emplace_back();
    row.push_back(short_condition(evaluation.conditions[c]));
    for (size_t s = 0; s < evaluation.sets.size(); ++s) {
      row.push_back(count(s, c));
      if (s == 0)
        row.push_back(c < evaluation.patients.size() ? std::to_string(evaluation.patients[c])
                                                     : std::string("–"));
    }
  }
  std::string caption = "Slices by condition";
  caption += page.input.reference_is_held_out
                 ? ". No patient of the reference was trained on."
                 : ". Patients of the reference may have been trained on.";
  if (page.input.training.size() > 0)
    caption += " " + counted(page.input.training.size(), "training slice") +
               " served the audit for copies and the comparison of real people with real people.";
  page.table(caption, columns, rows);
  page.close_section();
}

}  // namespace scintigen
