// SPDX-License-Identifier: Apache-2.0
#include "cohort/conditions.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/progress.h"

namespace scintigen {
namespace {

constexpr size_t kMostTexts =
    64;  // a one-hot vector longer than this is a mistake (participant_id, say)

std::optional<double> as_number(const std::string& cell) {
  double value = 0;
  const char* last = cell.data() + cell.size();
  const auto [end, problem] = std::from_chars(cell.data(), last, value);
  if (problem != std::errc() || end != last || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool is_text(const ConditionColumn& column) { return !column.values.empty(); }

ConditionColumn learn_column(const Table& table, const std::string& name, size_t most_levels) {
  const size_t index = table.column(name);
  ConditionColumn column{name, {}, 0, 1};
  std::set<std::string> seen;
  size_t missing = 0;
  bool numeric = true;
  double least = 0, most = 0;
  for (const auto& row : table.rows) {
    const auto& cell = row[index];
    if (cell == "n/a" || cell.empty()) {
      ++missing;
      continue;
    }
    if (seen.insert(cell).second && seen.size() <= kMostTexts) column.values.push_back(cell);
    const auto value = as_number(cell);
    numeric = numeric && value.has_value();
    if (!numeric) continue;
    least = seen.size() == 1 ? *value : std::min(least, *value);
    most = seen.size() == 1 ? *value : std::max(most, *value);
  }
  require(missing == 0,
          "{}: column {} is n/a in {} of {} rows; a condition needs a value; leave them out with "
          "--where {}={}",
          table.name, name, missing, table.rows.size(), name,
          column.values.empty() ? std::string("value")
                                : fmt::format("{}", fmt::join(column.values, ",")));
  if (numeric && seen.size() > most_levels) {
    column.values.clear();
    column.minimum = least;
    column.maximum = most;
    return column;
  }
  require(seen.size() <= kMostTexts,
          "{}: column {} has {} different texts; a condition may have {}; group them first",
          table.name, name, seen.size(), kMostTexts);
  for (const auto& value : column.values) {
    require(
        value.find_first_of(",=;") == std::string::npos,
        "{}: column {}: the value \"{}\" holds a comma, semicolon or equals sign, which separate "
        "conditions; rename it",
        table.name, name, value);
  }
  return column;
}

/// Writes the elements of one cell at `y`; returns how many.
int64_t encode_cell(const ConditionColumn& column, const std::string& cell,
                    const std::string& where, float* y) {
  if (!is_text(column)) {
    const auto value = as_number(cell);
    require(value.has_value(), "{}: {} must be a number; found \"{}\"", where, column.name, cell);
    *y = static_cast<float>((*value - column.minimum) / (column.maximum - column.minimum));
    return 1;
  }
  const auto found = std::find(column.values.begin(), column.values.end(), cell);
  require(found != column.values.end(), "{}: {}={} was not in the training data; there were {}",
          where, column.name, cell, fmt::join(column.values, ", "));
  y[found - column.values.begin()] = 1.f;
  return static_cast<int64_t>(column.values.size());
}

/// Key of counts_: the text values alone, in the order of the columns.
template <class CellOf>
std::string text_key(const std::vector<ConditionColumn>& columns, CellOf cell_of) {
  std::string key;
  for (const auto& column : columns) {
    if (!is_text(column)) continue;
    key += fmt::format("{}{}={}", key.empty() ? "" : ",", column.name, cell_of(column.name));
  }
  return key;
}

}  // namespace

ConditionEncoder::ConditionEncoder(const Table& table, const std::vector<std::string>& columns,
                                   size_t most_levels) {
  require(!table.rows.empty(), "{}: no rows to learn conditions from", table.name);
  std::set<std::string> named;
  for (const auto& name : columns) {
    require(named.insert(name).second, "condition column {} is named twice", name);
    require(
        name != "participant_id",
        "condition participant_id: a network must not learn who a slice is of; name other columns");
    columns_.push_back(learn_column(table, name, most_levels));
  }
  for (size_t row = 0; row < table.rows.size(); ++row) {
    ++counts_[text_values(table, row)];
  }
}

int64_t ConditionEncoder::size() const {
  int64_t total = 0;
  for (const auto& column : columns_) {
    total += is_text(column) ? static_cast<int64_t>(column.values.size()) : 1;
  }
  return total;
}

torch::Tensor ConditionEncoder::encode(const Table& table) const {
  const auto rows = static_cast<int64_t>(table.rows.size());
  auto encoded = torch::zeros({rows, size()}, torch::kFloat);
  if (columns_.empty()) return encoded;
  float* y = encoded.data_ptr<float>();
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto where = fmt::format("{}: row {}", table.name, row + 2);
    for (const auto& column : columns_) {
      y += encode_cell(column, table.at(row, column.name), where, y);
    }
  }
  return encoded;
}

std::map<std::string, std::string> ConditionEncoder::parse(const std::string& assignment) const {
  std::vector<std::string> names;
  for (const auto& column : columns_) names.push_back(column.name);
  std::map<std::string, std::string> values;
  for (size_t begin = 0; begin < assignment.size();) {
    const auto end = std::min(assignment.find(',', begin), assignment.size());
    const auto part = assignment.substr(begin, end - begin);
    begin = end + 1;
    const auto equals = part.find('=');
    require(equals != std::string::npos && equals > 0 && equals + 1 < part.size(),
            "condition \"{}\": expected column=value,column=value; found \"{}\"", assignment, part);
    const auto name = part.substr(0, equals);
    const auto nearest = nearest_word(name, names);
    require(std::find(names.begin(), names.end(), name) != names.end(),
            "condition \"{}\": no column {}; there are {}{}", assignment, name,
            fmt::join(names, ", "),
            nearest ? fmt::format("; did you mean {}?", *nearest) : std::string());
    require(values.emplace(name, part.substr(equals + 1)).second,
            "condition \"{}\": column {} twice", assignment, name);
  }
  for (const auto& name : names) {
    require(values.count(name) > 0, "condition \"{}\": no value for {}; expected {}=...",
            assignment, name, fmt::join(names, "=...,"));
  }
  return values;
}

torch::Tensor ConditionEncoder::encode(const std::string& assignment) const {
  const auto values = parse(assignment);
  auto encoded = torch::zeros({size()}, torch::kFloat);
  if (columns_.empty()) return encoded;
  float* y = encoded.data_ptr<float>();
  for (const auto& column : columns_) {
    const float* begin = y;
    y +=
        encode_cell(column, values.at(column.name), fmt::format("condition \"{}\"", assignment), y);
    if (!is_text(column) && (*begin < 0.f || *begin > 1.f)) {
      warn(fmt::format("{}={} is outside the training range {} to {}", column.name,
                       values.at(column.name), number_text(column.minimum),
                       number_text(column.maximum)));
    }
  }
  return encoded;
}

std::string ConditionEncoder::describe(const Table& table, size_t row) const {
  std::string text;
  for (const auto& column : columns_) {
    text +=
        fmt::format("{}{}={}", text.empty() ? "" : ",", column.name, table.at(row, column.name));
  }
  return text;
}

std::string ConditionEncoder::text_values(const Table& table, size_t row) const {
  return text_key(columns_, [&](const auto& name) { return table.at(row, name); });
}

int64_t ConditionEncoder::training_count(const std::string& assignment) const {
  const auto values = parse(assignment);
  const auto found =
      counts_.find(text_key(columns_, [&](const auto& name) { return values.at(name); }));
  return found == counts_.end() ? 0 : found->second;
}

std::vector<std::pair<std::string, int64_t>> ConditionEncoder::combinations() const {
  std::vector<std::string> keys(1);
  for (const auto& column : columns_) {
    if (!is_text(column)) continue;
    std::vector<std::string> longer;
    for (const auto& key : keys) {
      for (const auto& value : column.values) {
        longer.push_back(fmt::format("{}{}{}={}", key, key.empty() ? "" : ",", column.name, value));
      }
    }
    keys = std::move(longer);
  }
  std::vector<std::pair<std::string, int64_t>> found;
  for (const auto& key : keys) {
    const auto count = counts_.find(key);
    found.emplace_back(key, count == counts_.end() ? 0 : count->second);
  }
  return found;
}

std::string ConditionEncoder::to_json() const {
  auto columns = nlohmann::ordered_json::array();
  for (const auto& column : columns_) {
    nlohmann::ordered_json entry = {{"name", column.name}};
    if (is_text(column)) {
      entry["values"] = column.values;
    } else {
      entry["minimum"] = column.minimum;
      entry["maximum"] = column.maximum;
    }
    columns.push_back(std::move(entry));
  }
  return nlohmann::ordered_json({{"columns", columns}, {"training_rows", counts_}}).dump();
}

ConditionEncoder ConditionEncoder::from_json(const std::string& text, const std::string& where) {
  const auto bad = [&](const std::string& what) {
    return Error("{}: conditions: {}; the file is damaged or not of this program", where, what);
  };
  const auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("columns") || !json["columns"].is_array() ||
      !json.contains("training_rows") || !json["training_rows"].is_object()) {
    throw bad("expected an object with columns and training_rows");
  }
  ConditionEncoder encoder;
  try {
    for (const auto& entry : json["columns"]) {
      ConditionColumn column;
      column.name = entry.at("name").get<std::string>();
      if (entry.contains("values")) {
        column.values = entry["values"].get<std::vector<std::string>>();
        if (column.values.empty()) throw bad("column " + column.name + " has no values");
      } else {
        column.minimum = entry.at("minimum").get<double>();
        column.maximum = entry.at("maximum").get<double>();
        if (!(column.maximum > column.minimum))
          throw bad("column " + column.name + " has no range");
      }
      if (column.name.empty()) throw bad("a column without a name");
      encoder.columns_.push_back(std::move(column));
    }
    for (const auto& [key, count] : json["training_rows"].items()) {
      encoder.counts_[key] = count.get<int64_t>();
    }
  } catch (const nlohmann::json::exception& problem) {
    throw bad(problem.what());
  }
  return encoder;
}

}  // namespace scintigen
