// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include <ctime>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/run_record.h"
#include "report/page.h"
#include "report/page_assets.h"
#include "report/page_head.h"

namespace scintigen {
namespace {

void check_slices(const torch::Tensor& slices, const std::string& what) {
  require(slices.defined() && slices.dim() == 3 && slices.size(1) > 0 && slices.size(2) > 0,
          "report: {} are not [N,H,W]", what);
}

void check(const EvaluationInput& input, const Evaluation& evaluation, const ReportExtras& extras) {
  require(evaluation.sets.size() == 1 + input.synthetic.size(),
          "report: the evaluation is of {} sets; expected {}: the reference and each synthetic set",
          evaluation.sets.size(), 1 + input.synthetic.size());
  check_slices(input.reference.slices, "the reference's slices");
  for (size_t s = 0; s < input.synthetic.size(); ++s) {
    require(evaluation.sets[s + 1] == input.synthetic[s].name,
            "report: the evaluation's set {} is '{}'; expected '{}'", s + 1, evaluation.sets[s + 1],
            input.synthetic[s].name);
    check_slices(input.synthetic[s].slices, "slices of '" + input.synthetic[s].name + "'");
  }
  if (input.training.slices.defined()) check_slices(input.training.slices, "training slices");
  for (const auto& strip : extras.interpolations)
    if (strip.slices.defined()) check_slices(strip.slices, "slices of '" + strip.label + "'");
}

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

std::string title_of(const ReportExtras& extras) {
  return extras.title.empty() ? "Synthetic against real slices" : extras.title;
}

std::string dateline(const Page& page) {
  const Evaluation& evaluation = page.evaluation;
  std::string text = evaluation.sets[0] + ": " + counted(page.input.reference.size(), "slice");
  for (const SliceSet& set : page.input.synthetic)
    text += "; " + set.name + ": " + counted(set.size(), "slice");
  text += "; " + counted(static_cast<int64_t>(evaluation.conditions.size()), "condition");
  return text + ". Written " + time_text() + " by scintigen " + kVersion + ".";
}

void write_contents(Html& html, const Page& page) {
  html.open("nav", {{"aria-label", "Contents"}}).open("ol");
  for (const auto& [id, title] : page.contents)
    html.open("li").element("a", {{"href", "#" + id}}, title).close("li");
  html.close("ol").close("nav");
}

void write_footer(Html& html) {
  html.open("footer");
  html.element("p",
               "Research, not diagnosis. Synthetic slices were made by a program; no clinical "
               "decision may rest on them or on this report.");
  html.element("p", page_script().empty()
                        ? "This build of scintigen has no interactive plots (SCINTIGEN_WEB)."
                        : "One file, no connection: nothing on this page is loaded from elsewhere "
                          "or sent. Interactive plots: plotly.js, © Plotly, Inc., MIT licence.");
  html.close("footer");
}

/// What the script reads. "<" never appears in it, so that no text can end the element.
void write_plot_data(Html& html, const Page& page) {
  nlohmann::ordered_json data = {{"sets", page.evaluation.sets},
                                 {"rows", nlohmann::ordered_json::array()},
                                 {"plots", page.plots}};
  const Table& table = page.evaluation.slices;
  const auto participant = table.find_column("participant_id");
  for (const auto& row : table.rows)
    data["rows"].push_back(participant ? row[*participant] : std::string());
  const std::string json =
      data.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
  std::string safe;
  safe.reserve(json.size());
  for (char c : json) {
    if (c == '<')
      safe += "\\u003c";
    else if (c == '>')
      safe += "\\u003e";
    else if (c == '&')
      safe += "\\u0026";
    else
      safe += c;
  }
  html.open("script", {{"type", "application/json"}, {"id", "plot-data"}});
  html.markup(safe).close("script");
}

}  // namespace

std::string report_page(const EvaluationInput& input, const Evaluation& evaluation,
                        const ReportExtras& extras) {
  check(input, evaluation, extras);
  Page page{input, evaluation, extras, {}, 0, 0, nlohmann::ordered_json::array(), {}};
  for (const auto section :
       {write_verdict, write_counts, write_sheets, write_quantities, write_maps, write_distances,
        write_audit, write_interpolations, write_tests, write_settings, write_methods})
    section(page);
  Html html;
  write_page_head(html, title_of(extras), page_script(), "data: blob:");
  html.open("body").element("a", {{"class", "skip"}, {"href", "#main"}}, "Skip to the report");
  html.open("header");
  html.element("p", {{"class", "kicker"}}, "Synthetic against real SPECT slices");
  html.element("h1", title_of(extras));
  html.element("p", {{"class", "dateline"}}, dateline(page)).close("header");
  write_contents(html, page);
  html.open("main", {{"id", "main"}, {"tabindex", "-1"}}).append(page.html).close("main");
  write_footer(html);
  if (!page_script().empty()) {
    write_plot_data(html, page);
    html.open("script").markup(page_script()).close("script");
  }
  html.close("body").close("html");
  return html.str();
}

void write_report(const std::filesystem::path& path, const EvaluationInput& input,
                  const Evaluation& evaluation, const ReportExtras& extras) {
  write_file(path, report_page(input, evaluation, extras));
}

}  // namespace scintigen
