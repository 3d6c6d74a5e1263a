// SPDX-License-Identifier: Apache-2.0
#include "report/quality_page.h"

#include "core/atomic_file.h"
#include "core/run_record.h"
#include "core/table.h"
#include "report/page_head.h"

namespace scintigen {
namespace {

/// Sorts the table by the column whose heading's button is pressed; again: the other way.
constexpr std::string_view kScript = R"js("use strict";
const table = document.querySelector("table.sortable");
const buttons = [...table.querySelectorAll("thead button")];
const key = (row, column) => {
  const cell = row.children[column];
  return cell.dataset.number === undefined ? cell.textContent : Number(cell.dataset.number);
};
buttons.forEach((button, column) => button.addEventListener("click", () => {
  const heading = button.parentElement;
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of buttons) other.parentElement.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => {
    const x = key(a, column), y = key(b, column);
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return up ? order : -order;
  });
  body.append(...rows);
}));
)js";

constexpr std::string_view kStyle = R"css(
.sortable button { all: unset; cursor: pointer; font-weight: 600; }
.sortable button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.sortable [aria-sort="ascending"] button::after { content: " \2191"; }
.sortable [aria-sort="descending"] button::after { content: " \2193"; }
.grade-good { color: var(--good); }
.grade-caution { color: var(--caution); font-weight: 600; }
.grade-bad { color: var(--bad); font-weight: 600; }
.person { padding-top: 1.75rem; }
.person h3 { margin: 0 0 0.5rem; }
.person img { display: block; max-width: 100%; height: auto; background: #0c0d10; }
.person .back { font-size: 0.8125rem; margin-left: 0.75rem; font-weight: 400; }
)css";

void write_table(Html& html, const QualityPage& page) {
  html.open("div", {{"class", "scroll"}}).open("table", {{"class", "sortable"}});
  html.open("thead").open("tr");
  const auto heading = [&](const std::string& text) {
    html.open("th", {{"scope", "col"}}).element("button", {{"type", "button"}}, text).close("th");
  };
  heading("participant");
  for (const auto& column : page.columns) heading(column);
  html.close("tr").close("thead").open("tbody");
  for (const auto& person : page.people) {
    html.open("tr").open("th", {{"scope", "row"}});
    html.element("a", {{"href", "#" + person.participant_id}}, person.participant_id).close("th");
    for (const auto& cell : person.cells) {
      const auto grade = cell.grade.empty() ? "" : "grade-" + cell.grade;
      if (cell.numeric)
        html.element("td",
                     {{"class", "number " + grade}, {"data-number", number_text(cell.number)}},
                     cell.text);
      else
        html.element("td", {{"class", "words " + grade}}, cell.text);
    }
    html.close("tr");
  }
  html.close("tbody").close("table").close("div");
}

void write_person(Html& html, const QualityPerson& person) {
  html.open("div", {{"class", "person"}, {"id", person.participant_id}});
  html.open("h3").text(person.participant_id);
  html.element("a", {{"class", "back"}, {"href", "#table"}}, "back to the table").close("h3");
  if (!person.warnings.empty()) {
    html.open("ul", {{"class", "warnings"}});
    for (const auto& warning : person.warnings) html.element("li", warning);
    html.close("ul");
  }
  if (!person.picture.empty())
    html.single("img", {{"src", person.picture},
                        {"loading", "lazy"},
                        {"alt", "Axial, coronal and sagittal planes of each scan of " +
                                    person.participant_id + " with the brain outlined"}});
  html.close("div");
}

}  // namespace

void write_quality_page(const std::filesystem::path& file, const QualityPage& page) {
  Html html;
  // The pictures lie beside the page: "file:" on a disk, 'self' behind a server.
  write_page_head(html, page.title, kScript, "file: 'self'", kStyle);
  html.open("body").open("header");
  html.element("p", {{"class", "kicker"}},
               std::string("scintigen ") + kVersion + ", prepared cohort");
  html.element("h1", page.title).element("p", {{"class", "dateline"}}, page.summary);
  html.close("header").open("main");
  html.open("section", {{"id", "table"}}).element("h2", "People");
  html.element("p", page.note);
  write_table(html, page);
  html.close("section");
  html.open("section", {{"id", "pictures"}}).element("h2", "Outlines");
  html.element("p",
               "Each scan in the space of the first, brought there by the registration found, with "
               "the brain mask of the first outlined: an outline that does not follow the brain of "
               "a lower row is a registration that failed. Last, in template space, the first scan "
               "with the template's brain. Patient's right is on the left, front on the left.");
  for (const auto& person : page.people) write_person(html, person);
  html.close("section").open("section", {{"id", "settings"}}).element("h2", "Settings");
  html.open("dl", {{"class", "settings"}});
  for (const auto& [name, value] : page.settings) html.element("dt", name).element("dd", value);
  html.close("dl").close("section").close("main");
  html.open("script").markup(kScript).close("script").close("body").close("html");
  write_file(file, html.str());
}

}  // namespace scintigen
