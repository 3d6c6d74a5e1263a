// SPDX-License-Identifier: Apache-2.0
// Distances between the sets in feature spaces, beside what real people are apart.
#include <algorithm>

#include "report/page.h"

namespace scintigen {
namespace {

std::string row_name(const std::string& set, const std::vector<std::string>& sets) {
  if (std::find(sets.begin(), sets.end(), set) != sets.end()) return set;
  return "Real people against real people (" + set + ")";
}

void write_space(Page& page, const FeatureSpace& space) {
  Html& html = page.html;
  html.element("h3", space.name).element("p", space.definition);
  std::vector<std::string> columns = {"Set"}, names;
  for (const Distance& distance : space.distances) {
    columns.push_back(distance.name +
                      (distance.ideal.empty() ? "" : " (ideal " + distance.ideal + ")"));
    for (const DistanceValue& value : distance.values)
      if (std::find(names.begin(), names.end(), value.set) == names.end())
        names.push_back(value.set);
  }
  std::vector<std::vector<std::string>> rows;
  for (const std::string& name : names) {
    auto& row = rows.emplace_back();
    row.push_back(row_name(name, page.evaluation.sets));
    for (const Distance& distance : space.distances) {
      const auto value = std::find_if(distance.values.begin(), distance.values.end(),
                                      [&](const DistanceValue& v) { return v.set == name; });
      if (value == distance.values.end())
        row.push_back("–");
      else
        row.push_back(value->value || value->why.empty()
                          ? with_interval(value->value, value->interval)
                          : "none: " + value->why);
    }
  }
  page.table("Distances to the reference in " + space.name + " (" + counted(space.size, "feature") +
                 "), with 95 % intervals. The row of real people is what is attainable.",
             columns, rows);
  html.open("dl", {{"class", "definitions"}});
  for (const Distance& distance : space.distances) {
    if (distance.definition.empty()) continue;
    html.element("dt", distance.name).element("dd", distance.definition);
  }
  html.close("dl");
}

}  // namespace

void write_distances(Page& page) {
  if (page.evaluation.features.empty()) return;
  page.open_section("distances", "Distance between the sets");
  for (const FeatureSpace& space : page.evaluation.features) write_space(page, space);
  page.close_section();
}

}  // namespace scintigen
