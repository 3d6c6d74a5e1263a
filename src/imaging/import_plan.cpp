// SPDX-License-Identifier: Apache-2.0
// The part of an import that needs the table alone.
#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <system_error>

#include "core/error.h"
#include "imaging/import.h"

namespace scintigen {
namespace {

constexpr int64_t kLargestCohort_bytes = int64_t{16} << 30;
constexpr const char* kUsualPositionColumn = "original_slice";

/// A cell that becomes part of a path: one name, not a way out of the folder.
void check_name(const std::string& cell, const std::string& where) {
  const bool harmless =
      std::none_of(cell.begin(), cell.end(), [](unsigned char c) { return c < 32 || c == 127; });
  require(harmless && !cell.empty() && cell != "n/a" && cell != "." && cell != ".." &&
              cell.find_first_of("/\\") == std::string::npos,
          "{} is \"{}\"; expected a name without / or \\, which becomes part of file names", where,
          cell);
}

/// "{participant_id}/{participant_id}_spect.nii.gz" with the cells of a row.
class PathPattern {
 public:
  PathPattern(const std::string& pattern, const Table& table) {
    for (size_t begin = 0; begin < pattern.size();) {
      const size_t open = std::min(pattern.find('{', begin), pattern.size());
      texts_.push_back(pattern.substr(begin, open - begin));
      if (open == pattern.size()) break;
      const size_t close = pattern.find('}', open);
      require(close != std::string::npos, "--volumes \"{}\": a brace is not closed", pattern);
      columns_.push_back(table.column(pattern.substr(open + 1, close - open - 1)));
      begin = close + 1;
    }
    require(!columns_.empty(),
            "--volumes \"{}\": expected a column in braces, such as {{participant_id}}", pattern);
    texts_.resize(columns_.size() + 1);
  }
  std::string of_row(const Table& table, size_t row) const {
    std::string path = texts_[0];
    for (size_t i = 0; i < columns_.size(); ++i) {
      const auto& cell = table.rows[row][columns_[i]];
      check_name(cell,
                 fmt::format("{}: row {}: {}", table.name, row + 2, table.columns[columns_[i]]));
      path += cell + texts_[i + 1];
    }
    return path;
  }

 private:
  std::vector<std::string> texts_;
  std::vector<size_t> columns_;
};

std::optional<int64_t> whole_number(const std::string& cell) {
  int64_t value = 0;
  const char* last = cell.data() + cell.size();
  const auto [end, problem] = std::from_chars(cell.data(), last, value);
  if (problem != std::errc() || end != last) return std::nullopt;
  return value;
}

void check_columns(const Table& table) {
  for (const char* column : {"participant_id", "slice"}) table.column(column);
  for (const char* column : {"scale", "below", "above", "pixel_mm"}) {
    require(!table.find_column(column),
            "{}: column \"{}\" is one that import writes; rename or remove it", table.name, column);
  }
}

/// The path of each row's volume as the table gives it.
std::vector<std::string> volume_paths(const ImportSettings& settings, const Table& table) {
  std::vector<std::string> paths;
  if (!settings.volumes.empty()) {
    const PathPattern pattern(settings.volumes, table);
    for (size_t row = 0; row < table.rows.size(); ++row) {
      paths.push_back(pattern.of_row(table, row));
    }
    return paths;
  }
  require(table.find_column("file").has_value(),
          "{}: nothing says where the volumes are; give --volumes "
          "\"{{participant_id}}/{{participant_id}}_spect.nii.gz\" or a column file",
          table.name);
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto& cell = table.at(row, "file");
    require(!cell.empty() && cell != "n/a" && cell.find('\0') == std::string::npos,
            "{}: row {}: no file", table.name, row + 2);
    paths.push_back(cell);
  }
  return paths;
}

}  // namespace

void ImportSettings::visit(SettingsVisitor& v) {
  v.visit(required(text("table", "slice table (.tsv or .csv): participant_id, slice, conditions")),
          table);
  v.visit(text("volumes",
               "where a row's NIfTI volume is, from the table's folder; any column in braces: "
               "\"{participant_id}/{participant_id}_spect.nii.gz\" (default: column file)"),
          volumes);
  v.visit(required(text("out", "folder for the prepared cohort")), out);
  v.visit(text("where", "rows to import: column=value,value;column=value (default: all)"), where);
  v.visit(
      number("matrix", "pixels along each side of the slices written (Werner 2022: 64)", 8, 1024),
      matrix);
  v.visit(
      number("fov_mm", "edge of the square field of view; 0 = the volume's longer side", 0, 10000),
      fov_mm);
  v.visit(text("position_column",
               "column with the slice's place in the patient: only places that differ by 1 are "
               "neighbours (default: original_slice where the table has it)"),
          position_column);
  v.visit(text("unit", "unit of the voxels: counts, Bq/mL, ... (kept with the cohort)"), unit);
  v.visit(text("name", "name of the cohort (default: that of the folder)"), name);
  v.visit(flag("overwrite", "replace a cohort that is in --out already"), overwrite);
}

ImportPlan plan_import(const ImportSettings& settings) {
  ImportPlan plan;
  plan.settings = settings;
  plan.table = read_table(settings.table);
  const auto& table = plan.table;
  require(!table.rows.empty(), "{}: no rows below the header", table.name);
  check_columns(table);
  auto& position_column = plan.settings.position_column;
  if (position_column.empty() && table.find_column(kUsualPositionColumn)) {
    position_column = kUsualPositionColumn;
  }
  plan.has_positions = !position_column.empty();
  if (plan.has_positions) table.column(position_column);

  const auto mask = settings.where.empty()
                        ? std::vector<bool>(table.rows.size(), true)
                        : (matching_rows(table, settings.where), rows_with(table, settings.where));
  const auto paths = volume_paths(settings, table);
  const auto folder = std::filesystem::path(settings.table).parent_path();
  std::map<std::string, size_t> owner;  // path -> a row of it
  std::map<std::pair<std::string, int64_t>, size_t> taken;
  std::map<std::string, size_t> volume_index;
  int64_t wanted = 0;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto where = fmt::format("{}: row {}", table.name, row + 2);
    const auto& participant = table.at(row, "participant_id");
    check_name(participant, where + ": participant_id");
    const int64_t slice = table.integer_at(row, "slice");
    require(slice >= 0, "{}: slice is {}; expected 0 or more (the first slice is 0)", where, slice);
    const auto path = (folder / paths[row]).lexically_normal();
    const auto [first, is_new] = owner.emplace(path.string(), row);
    const auto& other = table.at(first->second, "participant_id");
    // A stack of unrelated slices, as `generate` writes: each is a participant, with no place in a
    // head.
    const auto position =
        plan.has_positions ? whole_number(table.at(row, position_column)) : std::nullopt;
    const bool unrelated = plan.has_positions && !position;
    require(is_new || other == participant || unrelated,
            "{}: {} is the volume of participant {} and of {} (row {}); one volume, one patient",
            where, paths[row], participant, other, first->second + 2);
    const auto [same, unique] = taken.emplace(std::make_pair(path.string(), slice), row);
    require(unique, "{}: participant {}, slice {} stands in row {} already", where, participant,
            slice, same->second + 2);
    const auto [entry, opened] = volume_index.emplace(path.string(), plan.volumes.size());
    if (opened) plan.volumes.push_back({path, {}});
    plan.rows.push_back({entry->second, slice, position, mask[row]});
    if (!mask[row]) continue;
    ++wanted;
    plan.volumes[entry->second].rows.push_back(row);
  }
  require(3 * wanted * settings.matrix * settings.matrix * 4 <= kLargestCohort_bytes,
          "{}: {} slices of {} x {} and their neighbours need more than {} GiB; use a smaller "
          "--matrix or split the table",
          table.name, wanted, settings.matrix, settings.matrix, kLargestCohort_bytes >> 30);
  return plan;
}

void check_import_folder(const ImportSettings& settings) {
  static const std::set<std::string> own = {"cohort.json", "slices.tsv", "slices.safetensors",
                                            "skipped.tsv", "run.json",   "contact_sheet.png",
                                            "import.log"};
  const std::filesystem::path folder(settings.out);
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  require(!problem && std::filesystem::is_directory(folder), "--out {}: cannot be made: {}",
          settings.out, problem ? problem.message() : "it is a file");
  for (const auto& entry : std::filesystem::directory_iterator(folder, problem)) {
    const auto name = entry.path().filename().string();
    require(own.count(name) > 0 || name.find(".tmp-") != std::string::npos,
            "--out {}: holds {}, which import did not write; give an empty or new folder",
            settings.out, name);
    require(name != "cohort.json" || settings.overwrite,
            "--out {}: holds a prepared cohort already; give another folder or --overwrite",
            settings.out);
  }
  require(!problem, "--out {}: cannot be read: {}", settings.out, problem.message());
}

}  // namespace scintigen
