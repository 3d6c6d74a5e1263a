// SPDX-License-Identifier: Apache-2.0
#include "report/score_report.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "report/document.h"
#include "report/svg_canvas.h"

namespace scintigen {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string shown(const std::string& measure) {
  static const std::vector<std::pair<std::string, std::string>> kNames = {
      {"rmse", "RMSE"}, {"mae", "MAE"}, {"psnr", "PSNR"}, {"ssim", "SSIM"}};
  for (const auto& [key, name] : kNames)
    if (measure.rfind(key, 0) == 0) {
      auto rest = measure.substr(key.size());
      std::replace(rest.begin(), rest.end(), '_', ' ');
      return name + (rest == " brain" ? " in the brain" : rest);
    }
  return short_condition(measure);
}

std::string axis_of(const std::string& measure) {
  return shown(measure) + (measure.rfind("psnr", 0) == 0 ? " (dB)" : "");
}

std::string signed_text(double value) { return (value > 0 ? "+" : "") + figure_text(value); }

std::string difference_text(const TestResult& test) {
  if (!test.not_computed.empty()) return "–";
  std::string text = signed_text(test.figure("difference"));
  if (test.interval)
    text += " [" + figure_text(test.interval->low) + ", " + figure_text(test.interval->high) + "]";
  return text;
}

/// What a difference by patient says: the second is better, worse, or neither is shown.
std::string answer(const std::string& measure, const ScoreDifference& difference,
                   const ScoreDifference::Measured& measured) {
  const auto p = measured.adjusted_p ? measured.adjusted_p : measured.by_patient.p;
  if (!p || !measured.by_patient.interval) return "not computed";
  if (*p >= 0.05) return "no difference shown";
  const bool higher = measured.by_patient.interval->low + measured.by_patient.interval->high > 0;
  return (higher != lower_is_better(measure) ? difference.second : difference.first) + " better";
}

std::string pair_name(const ScoreStudy& study, const ScoreDifference& difference) {
  return study.factors[difference.factor] + ": " + difference.second + " − " + difference.first;
}

/// Differences that answer a question: averaged ones, or all where there are none.
std::vector<const ScoreDifference*> answering(const ScoreStudy& study) {
  std::vector<const ScoreDifference*> found;
  for (const auto& difference : study.differences)
    if (difference.combinations > 1) found.push_back(&difference);
  if (found.empty())
    for (const auto& difference : study.differences) found.push_back(&difference);
  return found;
}

void write_answers(Document& page, const ScoreStudy& study, const std::string& note) {
  page.open_section("answers", "Answers");
  if (!note.empty()) page.html.element("p", note);
  page.html.element(
      "p", fmt::format("Means of each patient's slices, {} patients, paired by patient: mean "
                       "difference, 95 % interval of paired t, p adjusted by Holm over the rows of "
                       "a measure. \"No difference shown\" is not \"equal\": the interval says how "
                       "large a difference may still be.",
                       study.participants.size()));
  Rows rows;
  for (const auto* difference : answering(study))
    for (size_t m = 0; m < study.measures.size(); ++m) {
      const auto& measured = difference->measures[m];
      rows.push_back({pair_name(study, *difference), shown(study.measures[m]),
                      difference_text(measured.by_patient),
                      measured.by_patient.p ? p_text(*measured.by_patient.p) : "–",
                      measured.adjusted_p ? p_text(*measured.adjusted_p) : "–",
                      answer(study.measures[m], *difference, measured)});
    }
  page.table("Differences by patient" +
                 std::string(study.factors.size() > 1
                                 ? ", averaged over all combinations of the other factors."
                                 : "."),
             {"Comparison", "Measure", "Difference [95 %]", "p", "Holm", "Answer"}, rows, {1, 5});
  page.close_section();
}

/// Sets are the levels of the last factor, conditions all others'; one factor: methods side by
/// side, a condition each.
struct Layout {
  std::vector<std::string> conditions, sets;
  std::vector<std::vector<std::optional<size_t>>> method;  ///< [condition][set]
};

Layout layout_of(const ScoreStudy& study) {
  Layout layout;
  const size_t last = study.factors.size() - 1;
  const bool several = last > 0 && study.levels(last).size() <= kSetColours;
  layout.sets = several ? study.levels(last) : std::vector<std::string>{study.factors[last]};
  for (size_t m = 0; m < study.methods.size(); ++m) {
    auto levels = study.methods[m];
    const auto set_name = levels[last];
    if (several) levels.pop_back();
    const auto name = fmt::format("{}", fmt::join(levels, ", "));
    const auto at = std::find(layout.conditions.begin(), layout.conditions.end(), name);
    const auto condition = static_cast<size_t>(at - layout.conditions.begin());
    if (at == layout.conditions.end()) {
      layout.conditions.push_back(name);
      layout.method.emplace_back(layout.sets.size());
    }
    const auto set =
        several ? static_cast<size_t>(std::find(layout.sets.begin(), layout.sets.end(), set_name) -
                                      layout.sets.begin())
                : 0;
    layout.method[condition][set] = m;
  }
  return layout;
}

/// Holm-adjusted p of a pair of methods by patient.
std::optional<double> adjusted_between(const ScoreStudy& study, size_t a, size_t b, size_t m) {
  const size_t last = study.factors.size() - 1;
  for (const auto& difference : study.differences) {
    if (difference.factor != last || difference.combinations > 1) continue;
    auto first = study.methods[a], second = study.methods[b];
    if (difference.first != first[last] || difference.second != second[last]) continue;
    first.pop_back();
    second.pop_back();
    const auto others = fmt::format("{}", fmt::join(first, " / "));
    if (first == second && others == difference.others) return difference.measures[m].adjusted_p;
  }
  return std::nullopt;
}

GroupPlot violins(const ScoreStudy& study, const Layout& layout, size_t m, bool by_slice) {
  GroupPlot plot;
  plot.id = study.measures[m] + (by_slice ? "-slices" : "-patients");
  plot.name = shown(study.measures[m]) + (by_slice ? " by slice" : " by patient");
  plot.axis = axis_of(study.measures[m]);
  plot.conditions = layout.conditions;
  plot.sets = layout.sets;
  std::vector<int64_t> rows;
  for (size_t n = 0; n < (by_slice ? study.slice_patients.size() : study.participants.size()); ++n)
    rows.push_back(static_cast<int64_t>(by_slice ? study.slice_patients[n] : n));
  for (size_t c = 0; c < layout.conditions.size(); ++c) {
    auto& groups = plot.groups.emplace_back();
    for (size_t s = 0; s < layout.sets.size(); ++s) {
      const auto method = layout.method[c][s];
      if (!method) {
        groups.push_back(plotted_group({}, {}));
        continue;
      }
      const auto& values = study.values[m][*method];
      groups.push_back(plotted_group(by_slice ? values.slices : values.patients, rows));
      if (by_slice || s == 0 || !layout.method[c][0]) continue;
      const auto p = adjusted_between(study, *layout.method[c][0], *method, m);
      if (p) plot.brackets.push_back({c, s, significance_mark(*p), *p});
    }
  }
  return plot;
}

void write_plots(Document& page, const ScoreStudy& study) {
  const auto layout = layout_of(study);
  page.open_section("plots", "Scores");
  for (size_t m = 0; m < study.measures.size(); ++m) {
    const auto name = shown(study.measures[m]);
    page.html.element("h3", name);
    if (layout.sets.size() > 1) page.legend(layout.sets);
    const std::string better =
        lower_is_better(study.measures[m]) ? "Lower is better." : "Higher is better.";
    page.plot(
        violins(study, layout, m, false),
        name + " by patient, a point a patient (mean of the slices). " + better +
            (layout.sets.size() > 1
                 ? " Brackets: paired t by patient, Holm over all such pairs of a measure; ns "
                   "from 0.05 on."
                 : ""));
    page.plot(violins(study, layout, m, true),
              fmt::format("{} by slice, as papers draw it: {} slices of {} patients. Slices of one "
                          "patient are alike, so this shows spread and supports no test.",
                          name, study.slice_patients.size(), study.participants.size()));
  }
  page.close_section();
}

void write_means(Document& page, const ScoreStudy& study) {
  page.open_section("means", "Means and spread");
  Rows rows;
  for (size_t m = 0; m < study.measures.size(); ++m)
    for (size_t method = 0; method < study.methods.size(); ++method) {
      const auto& values = study.values[m][method];
      std::vector<std::string> cells = {shown(study.measures[m]), study.method_name(method)};
      for (const auto* of : {&values.patients, &values.slices}) {
        const auto spread = spread_of(*of);
        cells.insert(cells.end(), {figure_text(spread.mean, 4), figure_text(spread.sd),
                                   figure_text(100 * spread.cv) + " %"});
      }
      rows.push_back(std::move(cells));
    }
  page.table(fmt::format("Mean, standard deviation and coefficient of variation: over {} patients "
                         "(each the mean of the slices), and over {} slices.",
                         study.participants.size(), study.slice_patients.size()),
             {"Measure", "Method", "Patients: mean", "SD", "CV", "Slices: mean", "SD", "CV"}, rows,
             {1});
  page.close_section();
}

void write_tests_of(Document& page, const ScoreStudy& study) {
  page.open_section("tests", "Every paired test");
  for (size_t m = 0; m < study.measures.size(); ++m) {
    Rows rows;
    for (const auto& difference : study.differences) {
      const auto& [by_patient, by_slice, adjusted_p] = difference.measures[m];
      rows.push_back({pair_name(study, difference),
                      difference.combinations > 1
                          ? fmt::format("mean over {}", difference.combinations)
                      : difference.others.empty() ? "–"
                                                  : difference.others,
                      difference_text(by_patient), by_patient.p ? p_text(*by_patient.p) : "–",
                      adjusted_p ? p_text(*adjusted_p) : "–", difference_text(by_slice),
                      by_slice.p ? p_text(*by_slice.p) : "–"});
    }
    page.html.open("details");
    page.html.element("summary", shown(study.measures[m]));
    page.table(shown(study.measures[m]) +
                   ": paired t, two-sided. By patient is what may be concluded from; by slice is "
                   "what papers print, and treats slices of one patient as independent, which they "
                   "are not.",
               {"Comparison", "With", "By patient [95 %]", "p", "Holm", "By slice [95 %]", "p"},
               rows, {1});
    page.html.close("details");
  }
  page.close_section();
}

}  // namespace

std::string score_page(const ScoreStudy& study, const ScoreReportExtras& extras) {
  Document page;
  write_answers(page, study, extras.note);
  write_plots(page, study);
  write_means(page, study);
  write_tests_of(page, study);
  page.settings(extras.settings);
  PageFrame frame;
  frame.title = extras.title.empty() ? "Methods compared" : extras.title;
  frame.kicker = "Scores by slice and by patient";
  frame.dateline =
      fmt::format("{} methods, {} patients, {} slices. {}", study.methods.size(),
                  study.participants.size(), study.slice_patients.size(), written_by());
  frame.warning =
      "Research, not diagnosis. Scores of synthetic images say how alike they are to real ones, "
      "not "
      "whether a finding can be trusted.";
  frame.sets = layout_of(study).sets;
  frame.rows = study.participants;
  return whole_page(page, frame);
}

}  // namespace scintigen
