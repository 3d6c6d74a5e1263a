// SPDX-License-Identifier: Apache-2.0
// A table of text turned into values by group, with the pair and the patient (cluster) of each row,
// and a count of what could not enter.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/table.h"
#include "metrics/samples.h"

namespace scintigen {

struct GroupedRow {
  size_t group = 0;
  double value = 0;
  std::optional<size_t> pair;  ///< index in pair_names
  size_t cluster = 0;          ///< index; rows without a cluster column are clusters of their own
};

struct GroupedRows {
  std::vector<std::string> group_names;  ///< order of first appearance; each with a value or more
  std::vector<GroupedRow> rows;
  std::vector<std::string> pair_names, cluster_names;
  bool has_pairs = false, has_clusters = false;
  bool clusters_span_groups = false;
  std::vector<std::string> empty_groups;                 ///< named, but without a value
  std::vector<std::pair<std::string, int64_t>> dropped;  ///< "missing_value", ...: rows

  std::vector<ValueGroup> groups() const;
};

/// Columns that a comparison reads; pair and cluster may be empty.
struct GroupedColumns {
  std::string value, group, pair, cluster;
};

/// Cells "", n/a, NA and nan are missing: the row is dropped and counted (a missing pair only takes
/// the row out of paired tests). Blanks around a number are ignored.
/// throws  Error: unknown column, one column in two roles, a value that is no number, infinite or
///         beyond 1e100, no value at all, a single group, a pair that is twice in a group.
GroupedRows read_grouped_rows(const Table& table, const GroupedColumns& columns);

/// One row for each cluster in each group: the mean of its values. Pairs are the clusters where any
/// cluster is in two groups.
GroupedRows cluster_means(const GroupedRows& rows);

/// The values of pairs that are in both groups, in the same order, and how many rows of the two
/// groups have no partner.
struct PairedValues {
  std::vector<double> a, b;
  int64_t unpaired = 0;
};
PairedValues paired_values(const GroupedRows& rows, size_t a, size_t b);

/// A column whose name says that it identifies people (participant_id, subject, ...) and in which
/// somebody comes twice within a group; empty if there is none.
std::string repeated_identity(const Table& table, const GroupedColumns& columns);

}  // namespace scintigen
