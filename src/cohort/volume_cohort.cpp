// SPDX-License-Identifier: Apache-2.0
#include "cohort/volume_cohort.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "scintigen-prepared-volumes";
constexpr int kFormatVersion = 1;
constexpr uint64_t kLargestDescription = 64u << 20;
const std::vector<std::string> kColumns = {"participant_id", "session",   "modality",    "file",
                                           "mask_file",      "unit",      "tracer",      "scaling",
                                           "slope",          "intercept", "scaling_file"};

std::string or_na(const std::string& text) { return text.empty() ? "n/a" : text; }
std::string or_empty(const std::string& cell) { return cell == "n/a" ? "" : cell; }

/// A file of the cohort: below its folder, whatever a foreign table says.
std::filesystem::path inside(const Table& table, size_t row, const char* column) {
  const auto cell = or_empty(table.at(row, column));
  const std::filesystem::path path(cell);
  require(path.is_relative() && std::find(path.begin(), path.end(), "..") == path.end(),
          "{}: row {}, column {}: {}: expected a file below the cohort's folder", table.name,
          row + 2, column, cell);
  return path;
}

PreparedVolume volume_of(const VolumeCohort& cohort, size_t row) {
  const auto& table = cohort.table;
  PreparedVolume volume;
  volume.participant_id = table.at(row, "participant_id");
  volume.session = or_empty(table.at(row, "session"));
  volume.modality = table.at(row, "modality");
  volume.file = inside(table, row, "file");
  volume.mask_file = inside(table, row, "mask_file");
  volume.unit = or_empty(table.at(row, "unit"));
  volume.tracer = or_empty(table.at(row, "tracer"));
  volume.scaling = table.at(row, "scaling");
  volume.scaling_file = inside(table, row, "scaling_file");
  if (volume.scaling_file.empty()) {
    volume.slope = table.number_at(row, "slope");
    volume.intercept = table.number_at(row, "intercept");
  }
  volume.grid = grid_of(map_volume(cohort.folder / volume.file));
  return volume;
}

}  // namespace

std::vector<std::string> VolumeCohort::participants() const {
  std::vector<std::string> found;
  std::set<std::string> seen;
  for (const auto& volume : volumes)
    if (seen.insert(volume.participant_id).second) found.push_back(volume.participant_id);
  return found;
}

size_t VolumeCohort::find(const std::string& participant_id, const std::string& modality,
                          const std::string& session) const {
  std::vector<size_t> rows;
  std::set<std::string> others;
  for (size_t row = 0; row < volumes.size(); ++row) {
    const auto& volume = volumes[row];
    if (volume.participant_id != participant_id) continue;
    if (volume.modality == modality && (session.empty() || volume.session == session))
      rows.push_back(row);
    others.insert(volume.session.empty() ? volume.modality
                                         : volume.modality + " of " + volume.session);
  }
  require(!rows.empty(), "{}: no {}{} of {}; there are: {}", table.name, modality,
          session.empty() ? "" : " of " + session, participant_id,
          others.empty() ? "none" : fmt::format("{}", fmt::join(others, ", ")));
  require(rows.size() == 1, "{}: {} of {} stands in {} rows; name a session", table.name, modality,
          participant_id, rows.size());
  return rows.front();
}

VolumeCohort read_volume_cohort(const std::filesystem::path& folder) {
  VolumeCohort cohort;
  cohort.folder = folder;
  const auto description = folder / "volumes.json";
  std::error_code error;
  require(std::filesystem::is_regular_file(description, error),
          "{}: no volumes.json; expected a folder that `scintigen prepare` finished, such as "
          "prepared/native",
          folder.string());
  const auto json = Json::parse(read_file(description, kLargestDescription), nullptr, false);
  require(json.is_object() && json.value("format", Json()) == kFormat,
          "{}: not a description of prepared volumes", description.string());
  require(json.value("format_version", Json()) == kFormatVersion,
          "{}: format version {}; this scintigen reads {}", description.string(),
          json.value("format_version", Json()).dump(), kFormatVersion);
  for (const auto& [key, into] :
       {std::pair{"name", &cohort.name}, std::pair{"space", &cohort.space}}) {
    require(json.value(key, Json()).is_string(), "{}: \"{}\" is not text", description.string(),
            key);
    *into = json[key].get<std::string>();
  }
  const auto fit = json.value("template_fit", Json("affine"));  // of older cohorts
  require(fit == "affine" || fit == "deformable",
          "{}: template_fit {}; expected affine or deformable", description.string(), fit.dump());
  cohort.template_fit = fit.get<std::string>();
  cohort.table = read_table(folder / "volumes.tsv");
  for (size_t row = 0; row < cohort.table.rows.size(); ++row)
    cohort.volumes.push_back(volume_of(cohort, row));
  return cohort;
}

torch::Tensor map_voxels(const VolumeCohort& cohort, size_t row) {
  return map_volume(cohort.folder / cohort.volumes.at(row).file).voxels;
}

std::vector<std::array<double, 2>> unit_scaling(const VolumeCohort& cohort, size_t row) {
  const auto& volume = cohort.volumes.at(row);
  if (volume.scaling_file.empty()) return {{volume.slope, volume.intercept}};
  const auto table = read_table(cohort.folder / volume.scaling_file);
  require(static_cast<int64_t>(table.rows.size()) == volume.grid.nk,
          "{}: {} rows; expected one for each of the {} planes of {}", table.name,
          table.rows.size(), volume.grid.nk, volume.file.string());
  std::vector<std::array<double, 2>> pairs;
  for (size_t k = 0; k < table.rows.size(); ++k)
    pairs.push_back({table.number_at(k, "slope"), table.number_at(k, "intercept")});
  return pairs;
}

void write_volume_cohort(const VolumeCohort& cohort, const Table& more,
                         const std::string& provenance_json) {
  require(more.columns.empty() || more.rows.size() == cohort.volumes.size(),
          "prepared volumes: {} rows of further columns for {} volumes", more.rows.size(),
          cohort.volumes.size());
  Table table{"volumes.tsv", kColumns, {}};
  table.columns.insert(table.columns.end(), more.columns.begin(), more.columns.end());
  for (size_t row = 0; row < cohort.volumes.size(); ++row) {
    const auto& v = cohort.volumes[row];
    const bool by_slice = !v.scaling_file.empty();
    std::vector<std::string> cells = {v.participant_id,
                                      or_na(v.session),
                                      v.modality,
                                      v.file.generic_string(),
                                      or_na(v.mask_file.generic_string()),
                                      or_na(v.unit),
                                      or_na(v.tracer),
                                      v.scaling,
                                      by_slice ? "n/a" : number_text(v.slope),
                                      by_slice ? "n/a" : number_text(v.intercept),
                                      or_na(v.scaling_file.generic_string())};
    if (!more.columns.empty())
      cells.insert(cells.end(), more.rows[row].begin(), more.rows[row].end());
    table.add_row(std::move(cells));
  }
  write_table(cohort.folder / "volumes.tsv", table);
  Json description = {{"format", kFormat},
                      {"format_version", kFormatVersion},
                      {"name", cohort.name},
                      {"space", cohort.space},
                      {"volumes", cohort.volumes.size()},
                      {"participants", cohort.participants().size()},
                      {"orientation", "voxel axes nearest to right, anterior, superior"},
                      {"undo_scaling", "stored * slope + intercept is in unit"},
                      {"provenance", Json::parse(provenance_json)}};
  if (cohort.space == "template") description["template_fit"] = cohort.template_fit;
  write_file(cohort.folder / "volumes.json",
             description.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace scintigen
