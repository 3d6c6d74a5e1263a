// SPDX-License-Identifier: Apache-2.0
// NIfTI volumes and a slice table -> a prepared cohort.
// Does: find each row's volume, take its axial slices and their neighbours, resample, normalise.
// Does not: register, reorient or mask; write anything but what write_import() lists.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cohort/prepared_cohort.h"
#include "core/settings.h"
#include "core/table.h"

namespace scintigen {

struct ImportSettings {
  std::string table, volumes, out, where, position_column, unit, name;
  int64_t matrix = 64;
  double fov_mm = 0;
  bool overwrite = false;
  void visit(SettingsVisitor& visitor);
};

/// One row of the slice table, found.
struct ImportRow {
  size_t volume;                    ///< of ImportPlan::volumes
  int64_t slice;                    ///< along the file's third axis
  std::optional<int64_t> position;  ///< in the patient, where the table has such a column
  bool wanted;                      ///< kept by --where
};

/// What an import will do: everything that can be known from the table alone.
struct ImportPlan {
  ImportSettings settings;
  Table table;                  ///< all rows
  std::vector<ImportRow> rows;  ///< as many
  bool has_positions = false;   ///< neighbours are judged by position, not by index
  struct VolumeFile {
    std::filesystem::path path;
    std::vector<size_t> rows;  ///< wanted rows of it
  };
  std::vector<VolumeFile> volumes;  ///< with a wanted row, in order of appearance
};

/// Reads the table and finds every row's volume. Nothing is opened but the table, nothing written.
/// throws  Error: all of read_table(); a missing or unknown column; a slice that is not a whole
///         number >= 0; the same slice of a volume twice; one volume under two participants; names
///         that would leave their folder; no row kept.
ImportPlan plan_import(const ImportSettings& settings);

/// throws  Error: the output folder cannot be made, or holds something this import did not write
///         (a finished cohort too, unless `overwrite`).
void check_import_folder(const ImportSettings& settings);

struct ImportResult {
  PreparedCohort cohort;           ///< rows in table order; no rows if all were skipped
  Table skipped;                   ///< participant_id, slice, file, reason
  std::vector<std::string> notes;  ///< what the user should know
  std::string provenance_json;     ///< grids before and after
  int64_t bad_volumes = 0;
};

/// Reads each volume once. A volume or slice that cannot be used is recorded in `skipped`, and the
/// rest goes on. `progress` is called once a volume.
/// Memory  one volume as float32 and the cohort.
ImportResult import_slices(const ImportPlan& plan,
                           const std::function<void(const std::string&)>& progress = {});

/// Writes the cohort, skipped.tsv (only if rows were skipped) and contact_sheet.png to `out`.
void write_import(const ImportPlan& plan, const ImportResult& result);

/// Lines for the screen: participants, slices, each condition column's values.
std::vector<std::string> describe_import(const ImportResult& result);

}  // namespace scintigen
