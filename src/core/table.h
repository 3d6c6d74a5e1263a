// SPDX-License-Identifier: Apache-2.0
// Tables of text: slices.tsv, participants.tsv, metrics.csv.
// Does: read and write TSV (BIDS) and CSV (RFC 4180), checked access.  Does not: know any column.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace scintigen {

/// Rows of text under named columns. "n/a" is BIDS' word for a missing value.
struct Table {
  std::string name;  ///< where it came from, for messages
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< each as long as columns

  /// Index of a column; throws Error that lists the columns there are and names the nearest.
  size_t column(const std::string& column_name) const;
  std::optional<size_t> find_column(const std::string& column_name) const;
  const std::string& at(size_t row, const std::string& column_name) const;
  /// The cell as a whole / real number; throws Error naming table, row (1-based, header = 1) and
  /// column.
  int64_t integer_at(size_t row, const std::string& column_name) const;
  double number_at(size_t row, const std::string& column_name) const;
  void add_row(std::vector<std::string> cells);
};

/// Reads .tsv (tab) or .csv (comma, RFC 4180 quotes). A leading BOM and CRLF are accepted.
/// throws  Error: missing file, empty file, no header, duplicate or empty column name, a row with
/// another number of
///         cells (with its line number), NUL byte (binary file), larger than 64 MiB.
Table read_table(const std::filesystem::path& path);

/// Atomic. .csv is quoted where needed; a .tsv cell may hold no tab or line break (Error).
void write_table(const std::filesystem::path& path, const Table& table);

/// The candidate nearest to `word` by edit distance, if it is near enough to be a slip of the
/// finger.
std::optional<std::string> nearest_word(const std::string& word,
                                        const std::vector<std::string>& candidates);

/// Shortest text that reads back as the same double ("0.1", not "0.10000000000000001").
std::string number_text(double value);

}  // namespace scintigen
