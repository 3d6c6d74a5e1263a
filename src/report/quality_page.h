// SPDX-License-Identifier: Apache-2.0
// The quality page of a prepared cohort: one row a person, sortable, pictures beside it.
// Does: a page that asks for nothing but the pictures next to it; every text escaped.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace scintigen {

/// A cell: what is shown and what it is sorted by.
struct QualityCell {
  std::string text;
  double number = 0;  ///< sort key where `numeric`
  bool numeric = false;
  std::string grade;  ///< "", good, caution or bad: its colour
};

struct QualityPerson {
  std::string participant_id;
  std::vector<QualityCell> cells;  ///< as many as QualityPage::columns
  std::vector<std::string> warnings;
  std::string picture;  ///< from the page's folder; "" = none
};

struct QualityPage {
  std::string title, summary;
  std::string note;                  ///< how to read the table
  std::vector<std::string> columns;  ///< after the participant
  std::vector<QualityPerson> people;
  std::vector<std::pair<std::string, std::string>> settings;
};

/// Writes the page, atomically.
void write_quality_page(const std::filesystem::path& file, const QualityPage& page);

}  // namespace scintigen
