// SPDX-License-Identifier: Apache-2.0
// What an import leaves behind: files, a contact sheet, lines for the screen.
#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include "core/error.h"
#include "core/picture.h"
#include "imaging/import.h"
#include "imaging/slices.h"

namespace scintigen {
namespace {

constexpr size_t kSheetParticipants = 12;
constexpr size_t kSheetSlices = 10;
constexpr int64_t kSheetPixels = 128;  // edge of a slice on the sheet
constexpr size_t kMostLevels = 8;      // of a column that the summary counts

/// Text columns of a few values that are not bookkeeping: what conditions will be made of.
std::vector<std::string> condition_columns(const Table& table) {
  static const std::set<std::string> bookkeeping = {"participant_id", "session", "slice",
                                                    "original_slice", "file",    "scale",
                                                    "below",          "above",   "pixel_mm"};
  std::vector<std::string> found;
  for (size_t column = 0; column < table.columns.size(); ++column) {
    if (bookkeeping.count(table.columns[column])) continue;
    std::set<std::string> values;
    for (const auto& row : table.rows) {
      values.insert(row[column]);
      if (values.size() > kMostLevels) break;
    }
    if (values.size() <= kMostLevels) found.push_back(table.columns[column]);
  }
  return found;
}

/// `most` of `count` things, evenly spread with both ends.
std::vector<size_t> spread(size_t count, size_t most) {
  std::vector<size_t> chosen;
  const size_t shown = std::min(count, most);
  for (size_t i = 0; i < shown; ++i) {
    chosen.push_back(shown == 1 ? 0 : i * (count - 1) / (shown - 1));
  }
  return chosen;
}

Picture contact_sheet(const PreparedCohort& cohort) {
  const auto& table = cohort.table;
  std::map<std::string, std::vector<int64_t>> rows_of;
  for (size_t row = 0; row < table.rows.size(); ++row) {
    rows_of[table.at(row, "participant_id")].push_back(static_cast<int64_t>(row));
  }
  const auto participants = cohort.participants();
  const auto conditions = condition_columns(table);
  std::vector<SheetRow> sheet;
  for (const size_t p : spread(participants.size(), kSheetParticipants)) {
    const auto& rows = rows_of.at(participants[p]);
    SheetRow line;
    line.label = participants[p];
    std::vector<torch::Tensor> shown;
    for (const size_t i : spread(rows.size(), kSheetSlices)) {
      const auto row = static_cast<size_t>(rows[i]);
      const auto slice = cohort.slices[rows[i]];
      shown.push_back(
          slice.size(0) <= kSheetPixels
              ? slice
              : resample_to_matrix(slice, 1, 1, kSheetPixels, field_of_view_mm(slice, 1, 1)));
      auto caption = table.at(row, "slice");
      for (const auto& column : conditions) caption += " " + table.at(row, column);
      std::replace(caption.begin(), caption.end(), '_', ' ');  // so that lines break between words
      line.captions.push_back(caption);
    }
    line.slices = torch::stack(shown);
    sheet.push_back(std::move(line));
  }
  const int64_t zoom = std::max<int64_t>(1, kSheetPixels / cohort.slices.size(1));
  return draw_sheet(
      fmt::format("{}: slices as imported", cohort.name), sheet,
      fmt::format("{} of {} participants, up to {} of their slices each, {} slices in all. Each "
                  "slice is divided by its own maximum. Under each: slice{}{}.",
                  sheet.size(), participants.size(), kSheetSlices, cohort.size(),
                  conditions.empty() ? "" : ", ", fmt::join(conditions, ", ")),
      "perfusion", zoom);
}

}  // namespace

void write_import(const ImportPlan& plan, const ImportResult& result) {
  const std::filesystem::path folder(plan.settings.out);
  std::error_code unused;
  std::filesystem::remove(folder / "skipped.tsv", unused);
  if (!result.skipped.rows.empty()) write_table(folder / "skipped.tsv", result.skipped);
  if (result.cohort.size() == 0) {
    std::set<std::string> reasons;
    for (const auto& row : result.skipped.rows) reasons.insert(row[3]);
    throw Error("{}{}", result.skipped.rows.front()[3],
                reasons.size() == 1
                    ? std::string()
                    : fmt::format("; none of {} rows could be imported, see {}",
                                  result.skipped.rows.size(), (folder / "skipped.tsv").string()));
  }
  write_png(folder / "contact_sheet.png", contact_sheet(result.cohort));
  write_cohort(folder, result.cohort, result.provenance_json);
}

std::vector<std::string> describe_import(const ImportResult& result) {
  const auto& cohort = result.cohort;
  std::vector<std::string> lines = {fmt::format(
      "{} slices of {} participants, {} x {} pixels{}, {} neighbouring slices beside them",
      cohort.size(), cohort.participants().size(), cohort.slices.size(1), cohort.slices.size(2),
      cohort.pixel_mm > 0 ? fmt::format(" of {:.3g} mm", cohort.pixel_mm) : "",
      cohort.neighbours.size(0))};
  for (const auto& name : condition_columns(cohort.table)) {
    std::vector<std::string> order;
    std::map<std::string, std::pair<int64_t, std::set<std::string>>> counts;
    for (size_t row = 0; row < cohort.table.rows.size(); ++row) {
      const auto& value = cohort.table.at(row, name);
      if (!counts.count(value)) order.push_back(value);
      ++counts[value].first;
      counts[value].second.insert(cohort.table.at(row, "participant_id"));
    }
    std::vector<std::string> parts;
    for (const auto& value : order) {
      parts.push_back(
          fmt::format("{} {} (of {})", value, counts[value].first, counts[value].second.size()));
    }
    lines.push_back(fmt::format("{}: {}", name, fmt::join(parts, ", ")));
  }
  return lines;
}

}  // namespace scintigen
