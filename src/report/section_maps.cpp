// SPDX-License-Identifier: Apache-2.0
// Mean and standard deviation by pixel, set against reference, with their difference.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/table.h"
#include "report/page.h"

namespace scintigen {
namespace {

struct MapRow {
  std::string name;
  const std::vector<torch::Tensor>& maps;  ///< by set, reference first; undefined: too few slices
};

double largest(const torch::Tensor& map) {
  const double value = map.abs().max().item<double>();
  return std::isfinite(value) ? value : 0;
}

void write_map(Html& html, const torch::Tensor& map, double low, double high, ColourScale colours,
               const std::string& name, const std::string& description) {
  html.open("div", {{"class", "map"}});
  write_image(html, map, low, high, colours, description);
  html.element("span", name).close("div");
}

void write_row(Page& page, const MapRow& row, const std::string& condition) {
  Html& html = page.html;
  const auto& sets = page.evaluation.sets;
  double high = 0, reach = 0;
  const bool reference = !row.maps.empty() && row.maps[0].defined();
  for (const torch::Tensor& map : row.maps) {
    if (!map.defined()) continue;
    high = std::max(high, largest(map));
    if (reference) reach = std::max(reach, largest(map - row.maps[0]));
  }
  html.open("div", {{"class", "sheet-row"}}).open("div", {{"class", "row-label"}});
  html.element("strong", row.name).close("div");
  html.open("div", {{"class", "maps"}});
  html.open(
      "div",
      {{"class", "pictures"}, {"role", "group"}, {"aria-label", row.name + ", " + condition}});
  const size_t count = std::min(row.maps.size(), sets.size());
  for (size_t s = 0; s < count; ++s)
    if (row.maps[s].defined())
      write_map(html, row.maps[s], 0, high, ColourScale::perfusion, sets[s],
                row.name + " of " + sets[s] + ", " + condition);
    else
      html.element("p", {{"class", "none"}}, sets[s] + ": fewer than 2 slices");
  for (size_t s = 1; reference && s < count; ++s)
    if (row.maps[s].defined())
      write_map(html, row.maps[s] - row.maps[0], -reach, reach, ColourScale::difference,
                sets[s] + " − " + sets[0],
                row.name + ", " + sets[s] + " minus " + sets[0] + ", " + condition);
  html.close("div").open("div", {{"class", "bars"}});
  write_colour_bar(html, ColourScale::perfusion, "0", "", figure_text(high));
  if (reach > 0)
    write_colour_bar(html, ColourScale::difference, figure_text(-reach), "0",
                     "+" + figure_text(reach));
  html.close("div").close("div").close("div");
}

void write_ratios(Page& page) {
  const Evaluation& evaluation = page.evaluation;
  std::vector<std::string> columns = {"Condition"};
  for (size_t s = 1; s < evaluation.sets.size(); ++s) columns.push_back(evaluation.sets[s]);
  std::vector<std::vector<std::string>> rows;
  bool any = false;
  for (const ConditionMaps& maps : evaluation.maps) {
    auto& row = rows.emplace_back();
    row.push_back(short_condition(maps.condition));
    for (size_t s = 1; s < evaluation.sets.size(); ++s) {
      const auto ratio =
          s < maps.deviation_ratio.size() ? maps.deviation_ratio[s] : std::optional<double>();
      any = any || ratio;
      row.push_back(with_interval(
          ratio, s < maps.ratio_interval.size() ? maps.ratio_interval[s] : std::nullopt));
    }
  }
  if (!any) return;
  page.table(
      "Variety: mean SD over the pixels of the brain, set / reference, with its 95 % "
      "interval. 1 is as varied as real slices; the verdict asks for " +
          number_text(evaluation.smallest_variety) + " to " +
          number_text(evaluation.largest_variety) + ".",
      columns, rows);
}

}  // namespace

void write_maps(Page& page) {
  const Evaluation& evaluation = page.evaluation;
  if (evaluation.maps.empty()) return;
  Html& html = page.html;
  page.open_section("maps", "Mean and variety by pixel");
  html.element("p",
               "Mean and standard deviation (SD) over the slices of a condition, and their "
               "difference from the reference. Values are shares of each slice's maximum; the "
               "pictures of a row share one scale, the differences another that is symmetric "
               "about zero: red is more than in real slices, blue is less.");
  for (const ConditionMaps& maps : evaluation.maps) {
    const std::string condition = short_condition(maps.condition);
    html.open("figure", {{"class", "sheet"}}).element("h3", condition);
    write_row(page, {"Mean", maps.mean}, condition);
    write_row(page, {"SD", maps.deviation}, condition);
    page.figure_caption("Mean and SD of " + condition + ", by set, and their differences.");
    html.close("figure");
  }
  write_ratios(page);
  page.close_section();
}

}  // namespace scintigen
