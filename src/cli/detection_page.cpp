// SPDX-License-Identifier: Apache-2.0
#include "cli/detection_page.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/table.h"
#include "report/document.h"

namespace scintigen {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string with_interval(const DetectionPoint& point) {
  return fmt::format("{} [{:.0f}, {:.0f}]", percent(point.sensitivity), 100 * point.lower,
                     100 * point.upper);
}

// More than these make one gray of each other's bands; the table has every interval.
constexpr size_t kMostBands = 4;

std::string bands_in_words(size_t detectors) {
  return detectors <= kMostBands ? "Bands: Wilson's 95 %." : "Intervals are in the table.";
}

std::string shown_p(const std::string& cell) {
  return cell == "n/a" ? "–" : p_text(std::stod(cell));
}

std::string counted(size_t count, const std::string& one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

/// The numbers of clusters whose rows a reader needs.
std::vector<int64_t> told(int64_t most) {
  std::vector<int64_t> counts;
  for (const int64_t n : {1, 2, 3, 5, 10, 20, 50, 100})
    if (n < most) counts.push_back(n);
  counts.push_back(most);
  return counts;
}

CurvePlot curve_plot(const std::vector<DetectorStudy>& studies) {
  CurvePlot plot{"sensitivity",
                 "Sensitivity by clusters",
                 "Clusters a patient, at most",
                 "Patients whose lesion is hit",
                 {}};
  for (size_t d = 0; d < studies.size(); ++d) {
    CurvePlot::Series series{studies[d].name, d, false, {}, {}, {}, {}};
    for (size_t k = 0; k < studies[d].curve.size(); ++k) {
      series.x.push_back(static_cast<double>(k + 1));
      series.share.push_back(studies[d].curve[k].sensitivity);
      if (studies.size() > kMostBands) continue;
      series.low.push_back(studies[d].curve[k].lower);
      series.high.push_back(studies[d].curve[k].upper);
    }
    plot.series.push_back(series);
    if (studies[d].chance.empty()) continue;
    plot.series.push_back(
        {studies[d].name + ", at random", d, true, series.x, studies[d].chance, {}, {}});
  }
  return plot;
}

/// By false clusters a patient, from the strictest threshold on to where there are more than `most`
/// (nobody looks at so many) or clusters begin to merge and their number falls.
CurvePlot froc_plot(const std::vector<DetectorStudy>& studies, int64_t most) {
  CurvePlot plot{"free-response",
                 "Free response",
                 "False clusters a patient",
                 "Patients whose lesion is hit",
                 {}};
  for (size_t d = 0; d < studies.size(); ++d) {
    CurvePlot::Series series{studies[d].name, d, false, {}, {}, {}, {}};
    for (size_t t = studies[d].at_thresholds.size(); t-- > 0;) {
      const auto& point = studies[d].at_thresholds[t];
      if (point.misses > static_cast<double>(most)) break;
      if (!series.x.empty() && point.misses < series.x.back()) break;
      series.x.push_back(point.misses);
      series.share.push_back(point.sensitivity);
      if (studies.size() > kMostBands) continue;
      series.low.push_back(point.lower);
      series.high.push_back(point.upper);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

void write_answer(Document& page, const std::vector<DetectorStudy>& studies,
                  const DetectionPageExtras& extras) {
  page.open_section("answer", "Answer");
  if (!extras.note.empty()) page.html.element("p", extras.note);
  const auto patients = studies[0].patients.size();
  // Half of Wilson's interval at one half.
  const double half = 98 / std::sqrt(static_cast<double>(patients) + 3.84);
  page.html.element(
      "p",
      fmt::format("A patient is one trial. {} With {} a share of one half is known to within "
                  "{:.0f} points.{}",
                  extras.rule, counted(patients, "patient"), half,
                  studies.size() > 1 ? " Detectors have the same patients: whether they differ "
                                       "is said by the table of pairs, not by their intervals."
                                     : ""));
  const auto counts = told(static_cast<int64_t>(studies[0].curve.size()));
  std::vector<std::string> columns = {"Detector"};
  for (const int64_t n : counts) columns.push_back(fmt::format("at most {}", n));
  Rows rows;
  for (const auto& study : studies) {
    rows.push_back({study.name});
    for (const int64_t n : counts)
      rows.back().push_back(with_interval(study.curve[static_cast<size_t>(n - 1)]));
    if (study.chance.empty()) continue;
    rows.push_back({study.name + ", at random"});
    for (const int64_t n : counts)
      rows.back().push_back(percent(study.chance[static_cast<size_t>(n - 1)]));
  }
  page.table(
      "Patients whose lesion is hit, by clusters a patient, with Wilson's 95 % interval; at "
      "random: the same clusters at other places of the brain.",
      columns, rows);
  page.close_section();
}

void write_curves(Document& page, const std::vector<DetectorStudy>& studies,
                  const StudyRule& rule) {
  std::vector<std::string> names;
  for (const auto& study : studies) names.push_back(study.name);
  page.open_section("curves", "Sensitivity");
  page.legend(names);
  page.plot(
      curve_plot(studies),
      "Sensitivity against clusters a patient; the threshold is each patient's own (Zotova et "
      "al. 2021, figure 4). " +
          bands_in_words(studies.size()) +
          (rule.draws > 0 ? " Dashed: clusters of the same sizes placed at random." : ""));
  if (!rule.thresholds.empty()) {
    page.legend(names);
    page.plot(froc_plot(studies, rule.most),
              fmt::format("Free response: one threshold for everybody, milder ones further right. "
                          "A line ends, and the rest is in the table alone, where clusters "
                          "begin to merge or there are more than {} "
                          "false ones a patient. {}",
                          rule.most, bands_in_words(studies.size())));
    Rows rows;
    for (const auto& study : studies)
      for (size_t t = 0; t < study.at_thresholds.size(); ++t) {
        const auto& point = study.at_thresholds[t];
        rows.push_back({study.name, number_text(rule.thresholds[t]), figure_text(point.clusters),
                        figure_text(point.misses),
                        study.controls.empty() ? "–" : figure_text(study.in_controls[t]),
                        with_interval(point)});
      }
    page.html.open("details").element("summary", "Every threshold");
    page.table(fmt::format("Free response of {} patients and {} held-out controls.",
                           studies[0].patients.size(), studies[0].controls.size()),
               {"Detector", "Threshold", "Clusters a patient", "of them false",
                "Clusters a control", "Sensitivity"},
               rows);
    page.html.close("details");
  }
  page.close_section();
}

void write_pairs(Document& page, const std::vector<DetectorStudy>& studies) {
  if (studies.size() < 2) return;
  page.open_section("pairs", "Detector against detector");
  const auto table = pair_table(studies);
  const auto counts = told(static_cast<int64_t>(studies[0].curve.size()));
  Rows rows;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto most = std::stol(table.at(row, "most"));
    if (std::find(counts.begin(), counts.end(), most) == counts.end()) continue;
    rows.push_back({table.at(row, "a") + " – " + table.at(row, "b"), table.at(row, "most"),
                    table.at(row, "only_a"), table.at(row, "only_b"), shown_p(table.at(row, "p"))});
  }
  page.table(
      "Patients that only the first or only the second detector finds, and McNemar's exact "
      "test, two-sided, not adjusted for the number of rows.",
      {"Detectors", "at most", "only the first", "only the second", "p"}, rows);
  page.close_section();
}

void write_patients(Document& page, const std::vector<DetectorStudy>& studies) {
  page.open_section("patients", "Patient by patient");
  std::vector<std::string> columns = {"Patient"};
  for (const auto& study : studies) columns.push_back(study.name);
  Rows rows;
  for (size_t p = 0; p < studies[0].patients.size(); ++p) {
    rows.push_back({studies[0].patients[p]});
    for (const auto& study : studies) {
      const auto at =
          std::find(study.patients.begin(), study.patients.end(), studies[0].patients[p]);
      if (at == study.patients.end()) {
        rows.back().push_back("–");
        continue;
      }
      const auto& hits = study.hits[static_cast<size_t>(at - study.patients.begin())];
      const auto first =
          std::find_if(hits.begin(), hits.end(), [](const PatientHit& hit) { return hit.hit(); });
      rows.back().push_back(first == hits.end() ? "missed"
                                                : std::to_string(first - hits.begin() + 1));
    }
  }
  page.table("The fewest clusters at which the patient's lesion is hit.", columns, rows);
  page.close_section();
}

}  // namespace

std::string detection_page(const std::vector<DetectorStudy>& studies, const StudyRule& rule,
                           const DetectionPageExtras& extras) {
  Document page;
  write_answer(page, studies, extras);
  write_curves(page, studies, rule);
  write_pairs(page, studies);
  write_patients(page, studies);
  page.settings(extras.settings);
  PageFrame frame;
  frame.title = extras.title.empty() ? "Lesions found" : extras.title;
  frame.kicker = "Detection of known lesions";
  frame.dateline =
      fmt::format("{}, {}, {}. {}", counted(studies.size(), "detector"),
                  counted(studies[0].patients.size(), "patient"),
                  counted(studies[0].controls.size(), "held-out control"), written_by());
  frame.warning = "Research software: not for diagnosis.";
  for (const auto& study : studies) frame.sets.push_back(study.name);
  return whole_page(page, frame);
}

}  // namespace scintigen
