// SPDX-License-Identifier: Apache-2.0
#include "report/document.h"

#include <algorithm>
#include <ctime>

#include "core/run_record.h"
#include "report/page_assets.h"
#include "report/page_head.h"
#include "report/svg_canvas.h"
#include "report/svg_plot.h"

namespace scintigen {

void Document::open_section(const std::string& id, const std::string& title) {
  contents.emplace_back(id, title);
  html.open("section", {{"id", id}, {"aria-labelledby", id + "-title"}});
  html.element("h2", {{"id", id + "-title"}}, title);
}

void Document::close_section() { html.close("section"); }

void Document::figure_caption(const std::string& text) {
  html.open("figcaption");
  html.element("b", "Figure " + std::to_string(++figures) + ". ").text(text).close("figcaption");
}

void Document::table(const std::string& caption, const std::vector<std::string>& columns,
                     const std::vector<std::vector<std::string>>& rows,
                     const std::vector<size_t>& text_columns) {
  const auto css_class = [&](size_t column) {
    const bool is_text = column == 0 || std::find(text_columns.begin(), text_columns.end(),
                                                  column) != text_columns.end();
    return is_text ? "words" : "number";
  };
  const std::string number = std::to_string(++tables);
  // The caption stands outside of the box that scrolls, so that a narrow window cuts the table
  // only.
  html.open("p", {{"class", "caption"}, {"id", "table-" + number}});
  html.element("b", "Table " + number + ". ").text(caption).close("p");
  html.open("div",
            {{"class", "scroll"}, {"role", "region"}, {"aria-labelledby", "table-" + number}});
  html.open("table", {{"aria-labelledby", "table-" + number}}).open("thead").open("tr");
  for (size_t c = 0; c < columns.size(); ++c)
    html.element("th", {{"scope", "col"}, {"class", css_class(c)}}, columns[c]);
  html.close("tr").close("thead").open("tbody");
  for (size_t r = 0; r < rows.size(); ++r) {
    html.open("tr");
    // Rows that begin alike share their first cell.
    size_t alike = r;
    while (alike < rows.size() && rows[alike][0] == rows[r][0]) ++alike;
    if (r == 0 || rows[r - 1][0] != rows[r][0])
      html.element("th",
                   {{"scope", alike - r > 1 ? "rowgroup" : "row"},
                    {"class", "words"},
                    {"rowspan", std::to_string(alike - r)}},
                   rows[r][0]);
    for (size_t c = 1; c < rows[r].size(); ++c)
      html.element("td", {{"class", css_class(c)}}, rows[r][c]);
    html.close("tr");
  }
  html.close("tbody").close("table").close("div");
}

template <class Plot>
void Document::plot(const Plot& plot, const std::string& caption) {
  plots.push_back(plot_json(plot));
  html.open("figure", {{"class", "plot"}, {"id", plot.id}});
  html.open("div", {{"class", "plot-box scroll"}}).append(svg_plot(plot)).close("div");
  figure_caption(caption);
  html.close("figure");
}
template void Document::plot(const GroupPlot&, const std::string&);
template void Document::plot(const IntervalPlot&, const std::string&);
template void Document::plot(const CumulativePlot&, const std::string&);
template void Document::plot(const CurvePlot&, const std::string&);

void Document::legend(const std::vector<std::string>& names) {
  html.open("p", {{"class", "legend"}});
  for (size_t s = 0; s < names.size(); ++s) {
    if (names[s].empty()) continue;
    html.open("span");
    html.open("svg", {{"class", "swatch"}, {"viewBox", "0 0 12 12"}, {"aria-hidden", "true"}});
    html.single("path", {{"class", "swatch-mark set-" + std::to_string(s % kSetColours)},
                         {"d", "M1 1h10v10h-10z"}});
    html.close("svg").text(names[s]).close("span");
  }
  html.close("p");
}

void Document::settings(const nlohmann::ordered_json& values) {
  if (!values.is_object() || values.empty()) return;
  open_section("settings", "Settings");
  html.open("dl", {{"class", "settings"}});
  for (const auto& [name, value] : values.items()) {
    html.element("dt", name);
    html.element(
        "dd", value.is_string()
                  ? value.get<std::string>()
                  : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
  html.close("dl");
  close_section();
}

namespace {

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

void write_contents(Html& html, const Document& page) {
  html.open("nav", {{"aria-label", "Contents"}}).open("ol");
  for (const auto& [id, title] : page.contents)
    html.open("li").element("a", {{"href", "#" + id}}, title).close("li");
  html.close("ol").close("nav");
}

void write_footer(Html& html, const PageFrame& frame) {
  html.open("footer");
  html.element("p", frame.warning);
  html.element("p", page_script().empty()
                        ? "This build of scintigen has no interactive plots (SCINTIGEN_WEB)."
                        : "One file, no connection: nothing on this page is loaded from elsewhere "
                          "or sent. Interactive plots: plotly.js, © Plotly, Inc., MIT licence.");
  html.close("footer");
}

/// What the script reads. "<" never appears in it, so that no text can end the element.
void write_plot_data(Html& html, const Document& document, const PageFrame& frame) {
  const nlohmann::ordered_json data = {
      {"sets", frame.sets}, {"rows", frame.rows}, {"plots", document.plots}};
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

std::string written_by() {
  return std::string("Written ") + time_text() + " by scintigen " + kVersion + ".";
}

std::string whole_page(const Document& document, const PageFrame& frame) {
  Html html;
  write_page_head(html, frame.title, page_script(), "data: blob:");
  html.open("body").element("a", {{"class", "skip"}, {"href", "#main"}}, "Skip to the report");
  html.open("header");
  html.element("p", {{"class", "kicker"}}, frame.kicker);
  html.element("h1", frame.title);
  html.element("p", {{"class", "dateline"}}, frame.dateline).close("header");
  write_contents(html, document);
  html.open("main", {{"id", "main"}, {"tabindex", "-1"}}).append(document.html).close("main");
  write_footer(html, frame);
  if (!page_script().empty()) {
    write_plot_data(html, document, frame);
    html.open("script").markup(page_script()).close("script");
  }
  html.close("body").close("html");
  return html.str();
}

}  // namespace scintigen
