// SPDX-License-Identifier: Apache-2.0
#include "cohort/prepared_cohort.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <unordered_map>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/safetensors.h"

namespace scintigen {
namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kFormat = "scintigen-prepared-cohort";
constexpr uint64_t kLargestDescription = 64u << 20;

/// "s12", "n3", "n/a" -> which tensor and which row of it.
struct SliceReference {
  enum Kind { kNone, kSlice, kNeighbour } kind = kNone;
  int64_t index = -1;
};

SliceReference parse_reference(const Table& table, size_t row, const char* column,
                               const std::string& cell) {
  if (cell == "n/a") return {};
  SliceReference found;
  const char* last = cell.data() + cell.size();
  const bool letter = cell.size() > 1 && (cell[0] == 's' || cell[0] == 'n');
  const auto [end, problem] = std::from_chars(cell.data() + (letter ? 1 : 0), last, found.index);
  require(letter && problem == std::errc() && end == last && found.index >= 0,
          "{}: row {}, column {}: expected s<row>, n<row> or n/a; found \"{}\"", table.name,
          row + 2, column, cell);
  found.kind = cell[0] == 's' ? SliceReference::kSlice : SliceReference::kNeighbour;
  return found;
}

torch::Tensor adjacent(const PreparedCohort& cohort, int64_t row, const char* column) {
  const auto& cell = cohort.table.at(static_cast<size_t>(row), column);
  const auto reference = parse_reference(cohort.table, static_cast<size_t>(row), column, cell);
  if (reference.kind == SliceReference::kNone) return {};
  const auto& from = reference.kind == SliceReference::kSlice ? cohort.slices : cohort.neighbours;
  require(from.defined() && reference.index < from.size(0),
          "{}: row {}, column {}: \"{}\" points past the last of {}", cohort.table.name, row + 2,
          column, cell, from.defined() ? from.size(0) : 0);
  return from[reference.index];
}

/// float32 [rows,H,W] in [0,1], or an Error that names the first bad row.
void check_pixels(const torch::Tensor& slices, const std::string& where, const char* name) {
  require(slices.dtype() == torch::kFloat && slices.dim() == 3,
          "{}: \"{}\" must be float32 with 3 dimensions; found {} with {}", where, name,
          std::string(slices.dtype().name()), slices.dim());
  const int64_t pixels = slices.size(1) * slices.size(2);
  const float* value = slices.data_ptr<float>();
  for (int64_t row = 0; row < slices.size(0); ++row, value += pixels) {
    const float* end = value + pixels;
    // written so that a NaN fails it too
    const float* bad = std::find_if(value, end, [](float v) { return !(v >= 0.f && v <= 1.f); });
    require(bad == end, "{}: \"{}\", row {}: pixel [{},{}] is {}; expected 0 to 1", where, name,
            row, (bad - value) / slices.size(2), (bad - value) % slices.size(2),
            bad == end ? 0.f : *bad);
  }
}

/// References inside the cohort and inside one participant: a neighbour that two participants share
/// would carry one patient's data across a split.
void check_references(const PreparedCohort& cohort) {
  const auto& table = cohort.table;
  std::vector<const std::string*> owner(static_cast<size_t>(cohort.neighbours.size(0)), nullptr);
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto& participant = table.at(row, "participant_id");
    for (const char* column : {"below", "above"}) {
      const auto& cell = table.at(row, column);
      const auto reference = parse_reference(table, row, column, cell);
      if (reference.kind == SliceReference::kNone) continue;
      const bool is_slice = reference.kind == SliceReference::kSlice;
      const int64_t count = is_slice ? cohort.size() : cohort.neighbours.size(0);
      require(reference.index < count, "{}: row {}, column {}: \"{}\" points past the last of {}",
              table.name, row + 2, column, cell, count);
      const auto index = static_cast<size_t>(reference.index);
      if (!is_slice && !owner[index]) owner[index] = &participant;
      const auto& other = is_slice ? table.at(index, "participant_id") : *owner[index];
      require(other == participant,
              "{}: row {}, column {}: \"{}\" belongs to participant {}, the row to {}", table.name,
              row + 2, column, cell, other, participant);
    }
  }
}

void check_cohort(const PreparedCohort& cohort, const std::string& where) {
  const auto& table = cohort.table;
  for (const char* column : {"participant_id", "slice", "scale", "below", "above"}) {
    table.column(column);
  }
  require(cohort.slices.defined() && cohort.neighbours.defined() && cohort.slices.dim() == 3 &&
              cohort.neighbours.dim() == 3,
          "{}: \"slices\" and \"neighbours\" must both be there with 3 dimensions", where);
  require(cohort.size() == static_cast<int64_t>(table.rows.size()),
          "{}: {} slices but {} rows in {}", where, cohort.size(), table.rows.size(), table.name);
  require(cohort.size() > 0, "{}: the cohort holds no slices", where);
  require(cohort.slices.size(1) > 0 && cohort.slices.size(2) > 0, "{}: slices have no pixels",
          where);
  require(cohort.neighbours.size(0) == 0 ||
              cohort.neighbours.sizes().slice(1) == cohort.slices.sizes().slice(1),
          "{}: neighbours and slices differ in height or width", where);
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto& participant = table.at(row, "participant_id");
    require(!participant.empty() && participant != "n/a", "{}: row {}: no participant_id",
            table.name, row + 2);
    const double scale = table.number_at(row, "scale");
    require(std::isfinite(scale) && scale > 0, "{}: row {}: scale must be above 0; found {}",
            table.name, row + 2, scale);
  }
  check_references(cohort);
}

std::string trimmed(const std::string& text) {
  const auto space = [](unsigned char c) { return std::isspace(c) != 0; };
  const auto begin = std::find_if_not(text.begin(), text.end(), space);
  const auto end = std::find_if_not(text.rbegin(), std::make_reverse_iterator(begin), space);
  return {begin, end.base()};
}

std::vector<std::string> split_text(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  for (auto& part : parts) part = trimmed(part);
  return parts;
}

}  // namespace

double PreparedCohort::scale(int64_t row) const {
  return table.number_at(static_cast<size_t>(row), "scale");
}

torch::Tensor PreparedCohort::below(int64_t row) const { return adjacent(*this, row, "below"); }
torch::Tensor PreparedCohort::above(int64_t row) const { return adjacent(*this, row, "above"); }

std::vector<std::string> PreparedCohort::participants() const {
  std::vector<std::string> found;
  std::set<std::string> seen;
  const size_t column = table.column("participant_id");
  for (const auto& row : table.rows) {
    if (seen.insert(row[column]).second) found.push_back(row[column]);
  }
  return found;
}

std::vector<std::pair<std::string, std::vector<std::string>>> parse_filter(
    const std::string& filter) {
  std::vector<std::pair<std::string, std::vector<std::string>>> clauses;
  for (const auto& clause : split_text(filter, ';')) {
    const auto equals = clause.find('=');
    require(equals != std::string::npos && equals > 0,
            "filter \"{}\": expected column=value,value;column=value; found \"{}\"", filter,
            clause);
    const auto column = trimmed(clause.substr(0, equals));
    const auto values = split_text(clause.substr(equals + 1), ',');
    for (const auto& value : values) {
      require(!value.empty(), "filter \"{}\": no value after \"{}=\"", filter, column);
      require(value.find('=') == std::string::npos,
              "filter \"{}\": \"{}\" looks like another column; put ; between columns", filter,
              value);
    }
    for (const auto& [earlier, unused] : clauses) {
      require(earlier != column, "filter \"{}\": column \"{}\" twice; list its values with commas",
              filter, column);
    }
    clauses.emplace_back(column, values);
  }
  return clauses;
}

std::vector<bool> rows_with(const Table& table, const std::string& filter) {
  std::vector<bool> mask(table.rows.size(), true);
  for (const auto& [name, values] : parse_filter(filter)) {
    const size_t column = table.column(name);
    for (size_t row = 0; row < mask.size(); ++row) {
      const auto& cell = table.rows[row][column];
      mask[row] = mask[row] && std::find(values.begin(), values.end(), cell) != values.end();
    }
  }
  return mask;
}

std::vector<int64_t> matching_rows(const Table& table, const std::string& filter) {
  for (const auto& [name, values] : parse_filter(filter)) {
    const size_t column = table.column(name);
    std::vector<std::string> there;  // in order of appearance
    std::set<std::string> seen;
    for (const auto& row : table.rows) {
      if (seen.insert(row[column]).second) there.push_back(row[column]);
    }
    for (const auto& value : values) {
      const auto nearest = seen.count(value) ? std::nullopt : nearest_word(value, there);
      const auto shown = std::min<size_t>(there.size(), 12);
      require(seen.count(value) > 0, "{}: no row has {}={}; there are {}{}{}", table.name, name,
              value, fmt::join(there.begin(), there.begin() + static_cast<int64_t>(shown), ", "),
              shown < there.size() ? ", ..." : "",
              nearest ? fmt::format("; did you mean {}?", *nearest) : std::string());
    }
  }
  const auto mask = rows_with(table, filter);
  std::vector<int64_t> kept;
  for (size_t row = 0; row < mask.size(); ++row) {
    if (mask[row]) kept.push_back(static_cast<int64_t>(row));
  }
  require(!kept.empty(), "{}: no row has all of \"{}\"", table.name, filter);
  return kept;
}

PreparedCohort PreparedCohort::where(const std::string& filter) const {
  return rows(matching_rows(table, filter));
}

PreparedCohort PreparedCohort::rows(const std::vector<int64_t>& indices) const {
  bool identity = static_cast<int64_t>(indices.size()) == size();
  std::unordered_map<int64_t, int64_t> new_row;
  for (size_t i = 0; i < indices.size(); ++i) {
    require(indices[i] >= 0 && indices[i] < size(), "{}: row {} asked for; there are 0 to {}", name,
            indices[i], size() - 1);
    identity = identity && indices[i] == static_cast<int64_t>(i);
    new_row.emplace(indices[i], static_cast<int64_t>(i));
  }
  if (identity) return *this;  // a large cohort is not copied for nothing

  PreparedCohort part{name, {}, {}, {table.name, table.columns, {}}, pixel_mm, unit};
  const auto options = torch::TensorOptions(torch::kLong);
  part.slices = slices.index_select(0, torch::tensor(indices, options));

  // Slices that are left out as rows but lie next to one that stays become neighbours.
  std::map<std::string, int64_t> new_neighbour;
  std::vector<torch::Tensor> carried;
  part.table.rows.reserve(indices.size());
  for (const int64_t index : indices) {
    auto cells = table.rows[static_cast<size_t>(index)];
    for (const char* column : {"below", "above"}) {
      auto& cell = cells[table.column(column)];
      const auto reference = parse_reference(table, static_cast<size_t>(index), column, cell);
      if (reference.kind == SliceReference::kNone) continue;
      const auto kept = new_row.find(reference.index);
      if (reference.kind == SliceReference::kSlice && kept != new_row.end()) {
        cell = fmt::format("s{}", kept->second);
        continue;
      }
      const auto [entry, is_new] =
          new_neighbour.emplace(cell, static_cast<int64_t>(carried.size()));
      if (is_new) carried.push_back(adjacent(*this, index, column));
      cell = fmt::format("n{}", entry->second);
    }
    part.table.rows.push_back(std::move(cells));
  }
  part.neighbours = carried.empty()
                        ? torch::zeros({0, slices.size(1), slices.size(2)}, slices.options())
                        : torch::stack(carried);
  return part;
}

PreparedCohort read_cohort(const std::filesystem::path& folder) {
  const auto description_path = folder / "cohort.json";
  std::error_code unused;
  require(std::filesystem::is_directory(folder, unused),
          "{}: no such folder; expected a prepared cohort (see scintigen import)", folder.string());
  require(std::filesystem::exists(description_path, unused),
          "{}: no cohort.json in it; expected a prepared cohort (see scintigen import)",
          folder.string());
  const auto description = nlohmann::ordered_json::parse(
      read_file(description_path, kLargestDescription), nullptr, /*allow_exceptions=*/false);
  const auto where = description_path.string();
  require(
      description.is_object() && description.value("format", nlohmann::ordered_json()) == kFormat,
      "{}: not the description of a prepared cohort (\"format\": \"{}\" expected)", where, kFormat);
  const auto version = description.value("format_version", nlohmann::ordered_json());
  require(version == kFormatVersion,
          "{}: format version {}; this program reads {}; import again or update", where,
          version.dump(), kFormatVersion);

  PreparedCohort cohort;
  const auto text_of = [&](const char* key) {
    const auto found = description.find(key);
    return found != description.end() && found->is_string() ? found->get<std::string>()
                                                            : std::string();
  };
  cohort.name = text_of("name");
  cohort.unit = text_of("unit");
  const auto pixel = description.find("pixel_mm");
  if (pixel != description.end() && pixel->is_number()) cohort.pixel_mm = pixel->get<double>();
  require(std::isfinite(cohort.pixel_mm) && cohort.pixel_mm >= 0,
          "{}: pixel_mm must be 0 (not known) or more; found {}", where, cohort.pixel_mm);
  cohort.table = read_table(folder / "slices.tsv");
  const auto tensors_path = folder / "slices.safetensors";
  auto file = read_tensors(tensors_path);
  cohort.slices = file.at("slices");
  cohort.neighbours = file.at("neighbours");
  check_cohort(cohort, tensors_path.string());
  check_pixels(cohort.slices, tensors_path.string(), "slices");
  check_pixels(cohort.neighbours, tensors_path.string(), "neighbours");
  return cohort;
}

void write_cohort(const std::filesystem::path& folder, const PreparedCohort& cohort,
                  const std::string& provenance_json) {
  const auto where = folder.string();
  check_cohort(cohort, where);
  check_pixels(cohort.slices, where, "slices");
  check_pixels(cohort.neighbours, where, "neighbours");
  const auto provenance =
      nlohmann::ordered_json::parse(provenance_json, nullptr, /*allow_exceptions=*/false);
  require(provenance.is_object(), "{}: provenance is not a JSON object", where);

  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  require(!problem, "{}: cannot make the folder: {}", where, problem.message());
  // An old description must not vouch for a mixture of old and new files.
  std::filesystem::remove(folder / "cohort.json", problem);
  require(!problem, "{}: cannot replace cohort.json: {}", where, problem.message());
  write_tensors(folder / "slices.safetensors",
                {{"slices", cohort.slices}, {"neighbours", cohort.neighbours}});
  write_table(folder / "slices.tsv", cohort.table);
  nlohmann::ordered_json description = {
      {"format", kFormat},
      {"format_version", kFormatVersion},
      {"name", cohort.name},
      {"slices", cohort.size()},
      {"neighbours", cohort.neighbours.size(0)},
      {"participants", cohort.participants().size()},
      {"matrix", {cohort.slices.size(1), cohort.slices.size(2)}},
      {"pixel_mm", cohort.pixel_mm},
      {"unit", cohort.unit},
      {"orientation", "rows anterior to posterior, columns patient right to left"},
      {"normalisation", "each slice divided by its own maximum; slice x scale is in unit"},
      {"provenance", provenance},
  };
  write_file(
      folder / "cohort.json",
      description.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

}  // namespace scintigen
