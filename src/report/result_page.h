// SPDX-License-Identifier: Apache-2.0
// One result as one self-contained HTML page: a headline, warnings, sections of text, pictures and
// tables, the settings.
// Does: escape every text; carry its pictures inside; no script, asks for nothing.
#pragma once
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace scintigen {

struct ResultPicture {
  std::string png;          ///< bytes
  std::string description;  ///< for those who do not see it
  std::string caption;
};

struct ResultTable {
  std::string caption;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  ///< first cell names the row
  std::vector<size_t> text_columns;            ///< not numbers: left-aligned
};

struct ResultSection {
  std::string id, title;
  std::vector<std::string> paragraphs;
  std::vector<ResultPicture> pictures;
  std::vector<ResultTable> tables;
};

struct ResultPage {
  std::string kind;  ///< "SISCOM"
  std::string title, dateline;
  std::string headline;               ///< the result in a sentence
  std::vector<std::string> findings;  ///< under it, one a line
  std::vector<std::string> warnings;
  std::vector<ResultSection> sections;
  std::vector<std::pair<std::string, std::string>> settings;
};

/// The page; write_file() of core/atomic_file.h puts it on disk.
std::string result_page(const ResultPage& page);

}  // namespace scintigen
