// SPDX-License-Identifier: Apache-2.0
// The plots for web/src/plot_data.ts, which declares the same fields.
#include <cmath>

#include "core/table.h"
#include "report/plots.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;

/// Five significant digits are more than a screen shows; a seventh of the bytes.
Json shortened(const std::vector<double>& values, int digits = 5) {
  Json list = Json::array();
  for (double value : values) {
    if (!std::isfinite(value)) {
      list.push_back(nullptr);
      continue;
    }
    list.push_back(std::stod(fmt::format("{:.{}g}", value, digits)));
  }
  return list;
}

Json optional_json(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json();
}

Json group_json(const PlottedGroup& group) {
  Json json = {{"values", shortened(group.values)},
               {"offsets", shortened(group.offsets, 2)},
               {"rows", group.rows},
               {"at", shortened(group.at)},
               {"density", shortened(group.density, 3)}};
  if (group.box)
    json["box"] = shortened({group.box->low, group.box->lower_quartile, group.box->median,
                             group.box->upper_quartile, group.box->high});
  return json;
}

}  // namespace

Json plot_json(const GroupPlot& plot) {
  Json groups = Json::array(), brackets = Json::array();
  for (const auto& in_condition : plot.groups) {
    Json list = Json::array();
    for (const PlottedGroup& group : in_condition) list.push_back(group_json(group));
    groups.push_back(std::move(list));
  }
  for (const Bracket& bracket : plot.brackets)
    brackets.push_back({{"condition", bracket.condition},
                        {"set", bracket.set},
                        {"mark", bracket.mark},
                        {"p", bracket.adjusted_p}});
  return {{"kind", "groups"},
          {"id", plot.id},
          {"name", plot.name},
          {"axis", plot.axis},
          {"conditions", plot.conditions},
          {"sets", plot.sets},
          {"groups", std::move(groups)},
          {"brackets", std::move(brackets)}};
}

Json plot_json(const IntervalPlot& plot) {
  Json rows = Json::array();
  for (const IntervalPlot::Row& row : plot.rows)
    rows.push_back({{"condition", row.condition},
                    {"set", row.set},
                    {"agreement", row.agreement},
                    {"colour", row.colour},
                    {"estimate", optional_json(row.estimate)},
                    {"low", optional_json(row.low)},
                    {"high", optional_json(row.high)}});
  return {{"kind", "intervals"}, {"id", plot.id},         {"name", plot.name},
          {"axis", plot.axis},   {"margin", plot.margin}, {"rows", std::move(rows)}};
}

Json plot_json(const CumulativePlot& plot) {
  Json series = Json::array();
  for (const CumulativePlot::Series& one : plot.series)
    series.push_back(
        {{"name", one.name}, {"colour", one.colour}, {"values", shortened(one.values)}});
  return {{"kind", "cumulative"},        {"id", plot.id},
          {"name", plot.name},           {"axis", plot.axis},
          {"threshold", plot.threshold}, {"series", std::move(series)}};
}

Json plot_json(const CurvePlot& plot) {
  Json series = Json::array();
  for (const CurvePlot::Series& one : plot.series)
    series.push_back({{"name", one.name},
                      {"colour", one.colour},
                      {"dashed", one.dashed},
                      {"x", shortened(one.x)},
                      {"share", shortened(one.share)},
                      {"low", shortened(one.low)},
                      {"high", shortened(one.high)}});
  return {{"kind", "curves"},  {"id", plot.id},       {"name", plot.name},
          {"axis", plot.axis}, {"share", plot.share}, {"series", std::move(series)}};
}

}  // namespace scintigen
