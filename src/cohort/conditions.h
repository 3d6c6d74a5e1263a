// SPDX-License-Identifier: Apache-2.0
// Conditions: named columns of the slice table -> the vector y of generator and discriminator.
// Text columns are one-hot in order of first appearance, numeric columns scaled to [0,1] over the
// training rows. Werner 2022, table 2, is `level,pattern` (A, 6 elements) and `pattern` on rows
// with level=cortex (B, 3 elements).
#pragma once
#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "core/table.h"

namespace scintigen {

struct ConditionColumn {
  std::string name;
  std::vector<std::string> values;  ///< text column: its values; empty = numeric
  double minimum = 0, maximum = 1;  ///< numeric column
};

class ConditionEncoder {
 public:
  ConditionEncoder() = default;
  /// Learns the columns from a table. A column is numeric if every cell is a number and it has more
  /// than `most_levels` different ones. No columns: y has no elements.
  /// throws  Error: an unknown column or one named twice; "n/a" (says in how many rows, and to use
  ///         --where); more than 64 texts; a text with a comma, semicolon or equals sign
  ConditionEncoder(const Table& table, const std::vector<std::string>& columns,
                   size_t most_levels = 8);

  int64_t size() const;  ///< elements of y
  const std::vector<ConditionColumn>& columns() const { return columns_; }

  /// float32 [N, size()]; numbers outside the training range go outside [0,1].
  /// throws  Error: a text not seen in training (lists those that were), not a number
  torch::Tensor encode(const Table& table) const;
  /// "level=cortex,pattern=normal" -> [size()]; every column once. Warns outside the range.
  torch::Tensor encode(const std::string& assignment) const;
  /// The canonical text of a table row: "level=cortex,pattern=normal".
  std::string describe(const Table& table, size_t row) const;
  /// The text columns of it alone: what counts as one class. The key of combinations().
  std::string text_values(const Table& table, size_t row) const;
  std::map<std::string, std::string> parse(const std::string& assignment) const;

  /// How many training rows had exactly these text values (numeric columns do not count).
  int64_t training_count(const std::string& assignment) const;
  /// All combinations of text values with their training counts, in table order (zero counts too).
  /// Numeric columns do not appear; without text columns there is one combination, "".
  std::vector<std::pair<std::string, int64_t>> combinations() const;

  std::string to_json() const;  ///< kept in checkpoints
  static ConditionEncoder from_json(const std::string& text, const std::string& where);

 private:
  std::vector<ConditionColumn> columns_;
  std::map<std::string, int64_t> counts_;
};

}  // namespace scintigen
