// SPDX-License-Identifier: Apache-2.0
#include "report/page.h"

#include <algorithm>

#include "core/error.h"
#include "report/svg_plot.h"

namespace scintigen {

void Page::open_section(const std::string& id, const std::string& title) {
  contents.emplace_back(id, title);
  html.open("section", {{"id", id}, {"aria-labelledby", id + "-title"}});
  html.element("h2", {{"id", id + "-title"}}, title);
}

void Page::close_section() { html.close("section"); }

void Page::figure_caption(const std::string& text) {
  html.open("figcaption");
  html.element("b", "Figure " + std::to_string(++figures) + ". ").text(text).close("figcaption");
}

void Page::table(const std::string& caption, const std::vector<std::string>& columns,
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
void Page::plot(const Plot& plot, const std::string& caption) {
  plots.push_back(plot_json(plot));
  html.open("figure", {{"class", "plot"}, {"id", plot.id}});
  html.open("div", {{"class", "plot-box scroll"}}).append(svg_plot(plot)).close("div");
  figure_caption(caption);
  html.close("figure");
}
template void Page::plot(const GroupPlot&, const std::string&);
template void Page::plot(const IntervalPlot&, const std::string&);
template void Page::plot(const CumulativePlot&, const std::string&);

void Page::legend(const std::vector<size_t>& sets) {
  html.open("p", {{"class", "legend"}});
  for (const size_t s : sets) {
    if (s >= evaluation.sets.size()) continue;
    html.open("span");
    html.open("svg", {{"class", "swatch"}, {"viewBox", "0 0 12 12"}, {"aria-hidden", "true"}});
    html.single("path",
                {{"class", "swatch-mark set-" + std::to_string(s % 5)}, {"d", "M1 1h10v10h-10z"}});
    html.close("svg").text(evaluation.sets[s]).close("span");
  }
  html.close("p");
}

std::vector<std::vector<std::vector<int64_t>>> slices_by_condition(const Page& page) {
  const Evaluation& evaluation = page.evaluation;
  const Table& table = evaluation.slices;
  const size_t set_column = table.column("set"), condition_column = table.column("condition");
  std::vector<std::vector<std::vector<int64_t>>> result(page.set_count());
  for (size_t s = 0; s < page.set_count(); ++s) {
    result[s].resize(evaluation.conditions.size());
    int64_t index = 0;
    for (const auto& row : table.rows) {
      if (row[set_column] != evaluation.sets[s]) continue;
      const auto condition = std::find(evaluation.conditions.begin(), evaluation.conditions.end(),
                                       row[condition_column]);
      if (condition != evaluation.conditions.end())
        result[s][static_cast<size_t>(condition - evaluation.conditions.begin())].push_back(index);
      ++index;
    }
    require(index == page.set(s).size(),
            "report: the evaluation's table has {} rows of set '{}'; expected one for each of its "
            "{} slices",
            index, evaluation.sets[s], page.set(s).size());
  }
  return result;
}

std::vector<int64_t> evenly(const std::vector<int64_t>& indices, int64_t count) {
  const auto n = static_cast<int64_t>(indices.size());
  if (n <= count) return indices;
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(indices[static_cast<size_t>((2 * i + 1) * n / (2 * count))]);
  return chosen;
}

std::string with_interval(const std::optional<double>& value,
                          const std::optional<ConfidenceInterval>& interval) {
  if (!value) return "–";
  std::string text = figure_text(*value);
  if (interval)
    text += " [" + figure_text(interval->low) + ", " + figure_text(interval->high) + "]";
  return text;
}

std::string sentence(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

std::string counted(int64_t count, const std::string& one, const std::string& many) {
  std::string digits = std::to_string(count);
  for (size_t place = digits.size(); place > 3 && count >= 10'000;) {
    place -= 3;
    digits.insert(place, "\u2009");
  }
  return digits + " " + (count == 1 ? one : many.empty() ? one + "s" : many);
}

}  // namespace scintigen
