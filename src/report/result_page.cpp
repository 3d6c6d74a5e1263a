// SPDX-License-Identifier: Apache-2.0
#include "report/result_page.h"

#include <algorithm>

#include "core/error.h"
#include "core/run_record.h"
#include "report/page_head.h"

namespace scintigen {
namespace {

constexpr std::string_view kStyle = R"css(
.finding-lines { padding-left: 1.1rem; }
.picture img { display: block; max-width: 100%; height: auto; background: #0c0d10; }
.research { color: var(--muted); font-size: 0.8125rem; }
)css";

bool holds(const std::vector<size_t>& places, size_t place) {
  return std::find(places.begin(), places.end(), place) != places.end();
}

void write_table(Html& html, const ResultTable& table) {
  if (!table.caption.empty()) html.element("p", {{"class", "caption"}}, table.caption);
  html.open("div", {{"class", "scroll"}}).open("table").open("thead").open("tr");
  const auto class_of = [&](size_t column) {
    return column == 0 || holds(table.text_columns, column) ? "words" : "number";
  };
  for (size_t c = 0; c < table.columns.size(); ++c)
    html.element("th", {{"scope", "col"}, {"class", class_of(c)}}, table.columns[c]);
  html.close("tr").close("thead").open("tbody");
  for (const auto& row : table.rows) {
    require(row.size() == table.columns.size(), "result page: {} cells in a row of {} columns",
            row.size(), table.columns.size());
    html.open("tr").element("th", {{"scope", "row"}}, row.front());
    for (size_t c = 1; c < row.size(); ++c) html.element("td", {{"class", class_of(c)}}, row[c]);
    html.close("tr");
  }
  html.close("tbody").close("table").close("div");
}

void write_section(Html& html, const ResultSection& section) {
  html.open("section", {{"id", section.id}}).element("h2", section.title);
  for (const auto& paragraph : section.paragraphs) html.element("p", paragraph);
  for (const auto& picture : section.pictures) {
    html.open("figure", {{"class", "picture"}});
    html.single("img", {{"src", "data:image/png;base64," + base64(picture.png)},
                        {"alt", picture.description}});
    if (!picture.caption.empty()) html.element("figcaption", picture.caption);
    html.close("figure");
  }
  for (const auto& table : section.tables) write_table(html, table);
  html.close("section");
}

}  // namespace

std::string result_page(const ResultPage& page) {
  Html html;
  write_page_head(html, page.title, "", "data:", kStyle);
  html.open("body").open("header");
  html.element("p", {{"class", "kicker"}}, "scintigen " + std::string(kVersion) + ", " + page.kind);
  html.element("h1", page.title).element("p", {{"class", "dateline"}}, page.dateline);
  html.close("header").open("main").open("section", {{"id", "verdict"}});
  html.element("p", {{"class", "headline"}}, page.headline);
  if (!page.findings.empty()) {
    html.open("ul", {{"class", "finding-lines"}});
    for (const auto& line : page.findings) html.element("li", line);
    html.close("ul");
  }
  if (!page.warnings.empty()) {
    html.open("ul", {{"class", "warnings"}});
    for (const auto& line : page.warnings) html.element("li", line);
    html.close("ul");
  }
  html.element("p", {{"class", "research"}}, "Research software: not for diagnosis.");
  html.close("section");
  for (const auto& section : page.sections) write_section(html, section);
  html.open("section", {{"id", "settings"}}).element("h2", "Settings");
  html.open("dl", {{"class", "settings"}});
  for (const auto& [name, value] : page.settings) html.element("dt", name).element("dd", value);
  html.close("dl").close("section").close("main").close("body").close("html");
  return html.str();
}

}  // namespace scintigen
