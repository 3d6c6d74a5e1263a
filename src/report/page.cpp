// SPDX-License-Identifier: Apache-2.0
#include "report/page.h"

#include <algorithm>

#include "core/error.h"

namespace scintigen {

void Page::legend(const std::vector<size_t>& sets) {
  std::vector<std::string> names(evaluation.sets.size());
  for (const size_t s : sets)
    if (s < names.size()) names[s] = evaluation.sets[s];
  Document::legend(names);
}

std::vector<std::vector<std::vector<int64_t>>> slices_by_condition(const Page& page) {
  const Evaluation& evaluation = page.evaluation;
  const Table& table = evaluation.slices;
  const size_t set_column = table.column("set"), condition_column = table.column("condition");
  std::vector<std::vector<std::vector<int64_t>>> result(page.set_count());
  for (size_t s = 0; s < page.set_count(); ++s) {
    result[s].resize(evaluation.conditions.size());
    int64_t index = 0;
    for (const auto& row : table.rows) {
      if (row[set_column] != evaluation.sets[s]) continue;
      const auto condition = std::find(evaluation.conditions.begin(), evaluation.conditions.end(),
                                       row[condition_column]);
      if (condition != evaluation.conditions.end())
        result[s][static_cast<size_t>(condition - evaluation.conditions.begin())].push_back(index);
      ++index;
    }
    require(index == page.set(s).size(),
            "report: the evaluation's table has {} rows of set '{}'; expected one for each of its "
            "{} slices",
            index, evaluation.sets[s], page.set(s).size());
  }
  return result;
}

std::vector<int64_t> evenly(const std::vector<int64_t>& indices, int64_t count) {
  const auto n = static_cast<int64_t>(indices.size());
  if (n <= count) return indices;
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i)
    chosen.push_back(indices[static_cast<size_t>((2 * i + 1) * n / (2 * count))]);
  return chosen;
}

std::string with_interval(const std::optional<double>& value,
                          const std::optional<ConfidenceInterval>& interval) {
  if (!value) return "–";
  std::string text = figure_text(*value);
  if (interval)
    text += " [" + figure_text(interval->low) + ", " + figure_text(interval->high) + "]";
  return text;
}

std::string sentence(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

std::string counted(int64_t count, const std::string& one, const std::string& many) {
  std::string digits = std::to_string(count);
  for (size_t place = digits.size(); place > 3 && count >= 10'000;) {
    place -= 3;
    digits.insert(place, "\u2009");
  }
  return digits + " " + (count == 1 ? one : many.empty() ? one + "s" : many);
}

}  // namespace scintigen
