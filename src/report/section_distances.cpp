// SPDX-License-Identifier: Apache-2.0
// Distances between the sets in feature spaces, beside what real people are apart.
#include <algorithm>

#include "report/page.h"

namespace scintigen {
namespace {

std::string column_name(const std::string& set, const std::vector<std::string>& sets) {
  if (std::find(sets.begin(), sets.end(), set) != sets.end()) return set;
  return "Real people (" + set + ")";
}

void write_space(Page& page, const FeatureSpace& space) {
  Html& html = page.html;
  html.element("h3", sentence(space.name)).element("p", sentence(space.definition));
  std::vector<std::string> names;
  for (const Distance& distance : space.distances)
    for (const DistanceValue& value : distance.values)
      if (std::find(names.begin(), names.end(), value.set) == names.end())
        names.push_back(value.set);
  std::vector<std::string> columns = {"Distance", "Ideal"};
  for (const std::string& name : names) columns.push_back(column_name(name, page.evaluation.sets));
  columns.push_back("What it is");
  std::vector<std::vector<std::string>> rows;
  for (const Distance& distance : space.distances) {
    auto& row = rows.emplace_back();
    row = {distance.name, distance.ideal};
    for (const std::string& name : names) {
      const auto value = std::find_if(distance.values.begin(), distance.values.end(),
                                      [&](const DistanceValue& v) { return v.set == name; });
      if (value == distance.values.end())
        row.push_back("–");
      else
        row.push_back(value->value || value->why.empty()
                          ? with_interval(value->value, value->interval)
                          : "none: " + value->why);
    }
    row.push_back(sentence(distance.definition));
  }
  page.table(sentence(space.name) + " (" + counted(space.size, "feature") +
                 "): distances to the reference with 95 % intervals. Where there is a "
                 "column of real people, it is what is attainable.",
             columns, rows, {columns.size() - 1});
}

}  // namespace

void write_distances(Page& page) {
  if (page.evaluation.features.empty()) return;
  page.open_section("distances", "Distance between the sets");
  for (const FeatureSpace& space : page.evaluation.features) write_space(page, space);
  page.close_section();
}

}  // namespace scintigen
