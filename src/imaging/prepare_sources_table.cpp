// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "imaging/one_scan.h"
#include "imaging/prepare_sources.h"

namespace scintigen {
namespace {

const std::set<std::string> kOfTheScan = {"participant_id", "session", "modality",
                                          "file",           "unit",    "tracer"};

std::string cell_or_empty(const Table& table, size_t row, const char* column) {
  if (!table.find_column(column)) return "";
  const auto& cell = table.at(row, column);
  return cell == "n/a" ? "" : cell;
}

/// Names of people and sessions become names of folders and files.
void check_label(const std::string& label, const std::string& where) {
  const bool plain = !label.empty() && label != "." && label != ".." &&
                     std::all_of(label.begin(), label.end(), [](unsigned char letter) {
                       return std::isalnum(letter) || letter == '-' || letter == '_' ||
                              letter == '.' || letter == '+';
                     });
  require(plain, "{}: '{}'; expected letters, digits, - _ . +", where, label);
}

}  // namespace

void find_table_scans(PreparePlan& plan) {
  const auto table = read_table(plan.settings.table);
  for (const char* column : {"participant_id", "modality", "file"}) table.column(column);
  const auto folder = std::filesystem::path(plan.settings.table).parent_path();
  plan.columns = {table.name, {"participant_id"}, {}};
  for (const auto& column : table.columns)
    if (!kOfTheScan.count(column)) plan.columns.columns.push_back(column);
  std::map<std::string, size_t> index;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto where = fmt::format("{}: row {}", table.name, row + 2);
    const auto& id = table.at(row, "participant_id");
    check_label(id, where + ": participant_id");
    ScanSource scan;
    scan.session = cell_or_empty(table, row, "session");
    if (!scan.session.empty()) check_label(scan.session, where + ": session");
    scan.modality = table.at(row, "modality");
    const auto near = nearest_word(scan.modality, kScanModalities);
    require(std::find(kScanModalities.begin(), kScanModalities.end(), scan.modality) !=
                kScanModalities.end(),
            "{}: modality '{}'; expected {}{}", where, scan.modality,
            fmt::join(kScanModalities, ", "), near ? "; did you mean " + *near + "?" : "");
    scan.unit = cell_or_empty(table, row, "unit");
    scan.tracer = cell_or_empty(table, row, "tracer");
    const auto file = (folder / table.at(row, "file")).lexically_normal();
    std::error_code error;
    if (std::filesystem::is_directory(file, error)) {
      scan.series = only_series(file, where);
      if (scan.tracer.empty()) scan.tracer = scan.series.technical.tracer;
    } else {
      scan.file = file;
    }
    const auto [at, is_new] = index.emplace(id, plan.patients.size());
    if (is_new) {
      plan.patients.push_back({id, {}, "", {}, true});
      std::vector<std::string> cells = {id};
      for (size_t c = 1; c < plan.columns.columns.size(); ++c)
        cells.push_back(table.at(row, plan.columns.columns[c]));
      plan.columns.add_row(std::move(cells));
    }
    for (size_t c = 1; c < plan.columns.columns.size(); ++c)
      scan.columns[plan.columns.columns[c]] = table.at(row, plan.columns.columns[c]);
    auto& patient = plan.patients[at->second];
    if (scan.series.files.empty() && !std::filesystem::is_regular_file(scan.file, error))
      patient.problem = fmt::format("{}: no such file", scan.file.string());
    patient.scans.push_back(std::move(scan));
  }
}

}  // namespace scintigen
