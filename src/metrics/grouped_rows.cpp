// SPDX-License-Identifier: Apache-2.0
#include "metrics/grouped_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr double kLargestValue = 1e100;  // its square, summed over any table, is still a double

bool is_missing(const std::string& cell) {
  return cell.empty() || cell == "n/a" || cell == "N/A" || cell == "NA" || cell == "nan" ||
         cell == "NaN";
}

std::string trimmed(const std::string& cell) {
  const size_t first = cell.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return cell.substr(first, cell.find_last_not_of(" \t") - first + 1);
}

double number_in(const Table& table, size_t row, const std::string& cell,
                 const std::string& column) {
  const char* const end = cell.data() + cell.size();
  double value = 0;
  const auto [stop, error] = std::from_chars(cell.data(), end, value);
  const bool whole = stop == end && error == std::errc();
  require(whole, "{}: row {}, column '{}': expected a number or n/a, found '{}'", table.name,
          row + 2, column, cell);
  require(std::abs(value) <= kLargestValue,
          "{}: row {}, column '{}': expected a finite number of at most {:g}, found '{}'; write "
          "n/a where there is no value",
          table.name, row + 2, column, kLargestValue, cell);
  return value;
}

/// Numbers names in order of first appearance.
class Names {
 public:
  size_t number(const std::string& name) {
    const auto [place, added] = places_.try_emplace(name, names.size());
    if (added) names.push_back(name);
    return place->second;
  }
  std::vector<std::string> names;

 private:
  std::unordered_map<std::string, size_t> places_;
};

void check_columns(const Table& table, const GroupedColumns& columns) {
  for (const auto* column : {&columns.value, &columns.group}) table.column(*column);
  for (const auto* column : {&columns.pair, &columns.cluster})
    if (!column->empty()) table.column(*column);
  for (const auto* other : {&columns.group, &columns.pair, &columns.cluster})
    require(*other != columns.value,
            "{}: column '{}' is named for the values and for something else; expected a column of "
            "its own",
            table.name, columns.value);
  for (const auto* other : {&columns.pair, &columns.cluster})
    require(*other != columns.group,
            "{}: column '{}' is named for the groups and for something else; expected a column of "
            "its own",
            table.name, columns.group);
}

/// Groups without a value are taken out, and the rest numbered anew.
void drop_empty_groups(GroupedRows& rows) {
  std::vector<size_t> counts(rows.group_names.size(), 0), place(rows.group_names.size(), 0);
  for (const auto& row : rows.rows) ++counts[row.group];
  std::vector<std::string> kept;
  for (size_t group = 0; group < counts.size(); ++group) {
    place[group] = kept.size();
    (counts[group] > 0 ? kept : rows.empty_groups).push_back(rows.group_names[group]);
  }
  for (auto& row : rows.rows) row.group = place[row.group];
  rows.group_names = std::move(kept);
}

bool any_cluster_spans(const GroupedRows& rows) {
  std::unordered_map<size_t, size_t> group_of;
  for (const auto& row : rows.rows)
    if (group_of.try_emplace(row.cluster, row.group).first->second != row.group) return true;
  return false;
}

}  // namespace

std::vector<ValueGroup> GroupedRows::groups() const {
  std::vector<ValueGroup> groups(group_names.size());
  for (size_t i = 0; i < groups.size(); ++i) groups[i].name = group_names[i];
  for (const auto& row : rows) groups[row.group].values.push_back(row.value);
  return groups;
}

GroupedRows read_grouped_rows(const Table& table, const GroupedColumns& columns) {
  check_columns(table, columns);
  const size_t value_column = table.column(columns.value);
  const size_t group_column = table.column(columns.group);
  GroupedRows result;
  result.has_pairs = !columns.pair.empty();
  result.has_clusters = !columns.cluster.empty();
  const size_t pair_column = result.has_pairs ? table.column(columns.pair) : 0;
  const size_t cluster_column = result.has_clusters ? table.column(columns.cluster) : 0;
  Names groups, pairs, clusters;
  std::map<std::pair<size_t, size_t>, size_t> seen;  // (group, pair) -> row
  int64_t no_value = 0, no_group = 0, no_pair = 0, no_cluster = 0;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const auto& cells = table.rows[i];
    if (is_missing(trimmed(cells[group_column]))) {
      ++no_group;
      continue;
    }
    GroupedRow row;
    row.group = groups.number(cells[group_column]);
    const auto text = trimmed(cells[value_column]);
    if (is_missing(text)) {
      ++no_value;
      continue;
    }
    row.value = number_in(table, i, text, columns.value);
    if (result.has_clusters && is_missing(trimmed(cells[cluster_column]))) {
      ++no_cluster;
      continue;
    }
    if (result.has_pairs && is_missing(trimmed(cells[pair_column]))) {
      ++no_pair;
    } else if (result.has_pairs) {
      row.pair = pairs.number(cells[pair_column]);
      const auto [place, added] = seen.try_emplace({row.group, *row.pair}, i);
      require(added,
              "{}: pair '{}' is twice in group '{}' (rows {} and {}); expected one row a pair and "
              "group: average first, or name the column with --cluster",
              table.name, cells[pair_column], cells[group_column], place->second + 2, i + 2);
    }
    row.cluster = result.has_clusters ? clusters.number(cells[cluster_column]) : result.rows.size();
    result.rows.push_back(row);
  }
  result.group_names = std::move(groups.names);
  result.pair_names = std::move(pairs.names);
  result.cluster_names = std::move(clusters.names);
  result.dropped = {{"missing_value", no_value}, {"missing_group", no_group}};
  if (result.has_pairs) result.dropped.emplace_back("missing_pair", no_pair);
  if (result.has_clusters) result.dropped.emplace_back("missing_cluster", no_cluster);
  require(!result.rows.empty(), "{}: no row has a value in '{}' and a group in '{}'", table.name,
          columns.value, columns.group);
  drop_empty_groups(result);
  require(result.group_names.size() > 1,
          "{}: column '{}' has one group with values, '{}'; expected two or more to compare",
          table.name, columns.group, result.group_names.front());
  result.clusters_span_groups = result.has_clusters && any_cluster_spans(result);
  return result;
}

GroupedRows cluster_means(const GroupedRows& rows) {
  std::map<std::pair<size_t, size_t>, std::vector<double>> values;  // (group, cluster)
  for (const auto& row : rows.rows) values[{row.group, row.cluster}].push_back(row.value);
  GroupedRows means;
  means.group_names = rows.group_names;
  means.pair_names = rows.cluster_names;
  means.cluster_names = rows.cluster_names;
  means.has_pairs = means.clusters_span_groups = rows.clusters_span_groups;
  for (const auto& [key, own] : values) {
    GroupedRow row;
    row.group = key.first;
    row.cluster = key.second;
    if (means.has_pairs) row.pair = key.second;
    row.value = moments_of(own).mean;  // exact where they are equal
    means.rows.push_back(row);
  }
  return means;
}

PairedValues paired_values(const GroupedRows& rows, size_t a, size_t b) {
  std::unordered_map<size_t, double> second;
  PairedValues result;
  for (const auto& row : rows.rows)
    if (row.group == b) {
      ++result.unpaired;
      if (row.pair) second[*row.pair] = row.value;
    }
  for (const auto& row : rows.rows) {
    if (row.group != a) continue;
    const auto partner = row.pair ? second.find(*row.pair) : second.end();
    if (partner == second.end()) {
      ++result.unpaired;
      continue;
    }
    result.a.push_back(row.value);
    result.b.push_back(partner->second);
    --result.unpaired;
  }
  return result;
}

std::string repeated_identity(const Table& table, const GroupedColumns& columns) {
  static const std::set<std::string> identities = {"participant_id", "participant", "subject_id",
                                                   "subject",        "sub",         "patient_id",
                                                   "patient",        "person",      "person_id"};
  for (size_t column = 0; column < table.columns.size(); ++column) {
    std::string name = table.columns[column];
    for (char& letter : name)
      letter = letter == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<uint8_t>(letter)));
    if (identities.count(name) == 0 || table.columns[column] == columns.group ||
        table.columns[column] == columns.value)
      continue;
    std::set<std::pair<std::string, std::string>> seen;
    const size_t group = table.column(columns.group);
    for (const auto& row : table.rows)
      if (!is_missing(row[column]) && !seen.insert({row[group], row[column]}).second)
        return table.columns[column];
  }
  return "";
}

}  // namespace scintigen
