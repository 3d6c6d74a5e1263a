// SPDX-License-Identifier: Apache-2.0
// A prepared cohort: the folder between imaging (or simulation) and learning, for any language.
//   cohort.json         format, matrix, pixel size, orientation, where it came from
//   slices.tsv          one row a slice: participant_id, slice, conditions, scale, below, above
//   slices.safetensors  "slices" [N,H,W] and "neighbours" [M,H,W], float32 in [0,1]
// Described for other programs in docs/file_formats.md.
#pragma once
#include <torch/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/table.h"

namespace scintigen {

/// Slices are stored rows anterior -> posterior, columns patient right -> left, as in radiology.
struct PreparedCohort {
  std::string name;
  torch::Tensor slices;      ///< float32 [N,H,W] in [0,1], each divided by its maximum
  torch::Tensor neighbours;  ///< float32 [M,H,W] likewise: next to a row, but not rows themselves
  Table table;               ///< N rows; always participant_id, slice, scale, below, above
  double pixel_mm = 0;       ///< after resampling; 0 = not known
  std::string unit;          ///< of slices * scale

  int64_t size() const { return slices.size(0); }
  /// What one divided by: slices[i] * scale(i) is in `unit` again.
  double scale(int64_t row) const;
  /// The slice next to `row` (below: towards the feet); undefined where there is none or it is
  /// empty. In slices.tsv: "s12" = row 12 of slices, "n3" = row 3 of neighbours, "n/a" = none.
  torch::Tensor below(int64_t row) const;
  torch::Tensor above(int64_t row) const;

  /// Rows whose columns hold one of the named values: "level=cortex;pattern=normal,unilateral".
  /// Neighbours stay reachable: rows that fall away beside one that stays become neighbours.
  /// throws  Error: syntax, unknown column (nearest named), a value no row has (lists those there
  ///         are), nothing left
  PreparedCohort where(const std::string& filter) const;
  /// The rows with these indices, in this order. All rows in their order share the memory.
  PreparedCohort rows(const std::vector<int64_t>& indices) const;
  std::vector<std::string> participants() const;  ///< distinct, in order of first appearance
};

/// throws  Error: a missing file, another format version, shapes, columns or indices that disagree,
///         a neighbour of two participants, values outside [0,1] or not finite (names the row)
/// Checked tests/cohort/test_prepared_cohort.cpp
PreparedCohort read_cohort(const std::filesystem::path& folder);

/// Writes the three files atomically (cohort.json last: a folder without it is not a cohort).
/// `provenance` is JSON text.
void write_cohort(const std::filesystem::path& folder, const PreparedCohort& cohort,
                  const std::string& provenance_json = "{}");

/// One clause list of a filter, parsed: column -> allowed values. Shared by where() and flip_where.
std::vector<std::pair<std::string, std::vector<std::string>>> parse_filter(
    const std::string& filter);

/// Rows of a table that a filter keeps, in table order. Errors as PreparedCohort::where().
std::vector<int64_t> matching_rows(const Table& table, const std::string& filter);
/// The same as a mask, where no row need match (flip_where on a part of a cohort).
std::vector<bool> rows_with(const Table& table, const std::string& filter);

/// By patient, never by slice: {training, held out}. With nobody held out that part has no rows.
/// throws  Error: an unknown participant (nearest named), nobody left to train on
/// Checked tests/cohort/test_split.cpp: no patient's slice or neighbour on both sides, over seeds
struct Split {
  PreparedCohort training, held_out;
};
Split split_by_patient(const PreparedCohort& cohort, const std::vector<std::string>& held_out);

/// `count` participants drawn by `seed` so that they differ as little as may be from the rest in
/// the values of `balance_columns` (each patient counts once); empty = every column of 2 to 8
/// values. Sorted as in the table.
/// throws  Error: count not in 0..participants - 1
std::vector<std::string> draw_held_out(const PreparedCohort& cohort, int64_t count, uint64_t seed,
                                       std::vector<std::string> balance_columns = {});

}  // namespace scintigen
