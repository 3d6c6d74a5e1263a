// SPDX-License-Identifier: Apache-2.0
// A report as it grows (sections, numbered figures and tables, plots with their data) and the one
// self-contained page around it. Says nothing about what is reported.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "report/html.h"
#include "report/plots.h"

namespace scintigen {

struct Document {
  Html html;
  int figures = 0, tables = 0;
  nlohmann::ordered_json plots = nlohmann::ordered_json::array();
  std::vector<std::pair<std::string, std::string>> contents;  ///< id, title of each section

  /// Opens a section with its heading and notes it for the contents.
  void open_section(const std::string& id, const std::string& title);
  void close_section();
  /// "Figure 3. " in bold and the text.
  void figure_caption(const std::string& text);
  /// A table in a box of its own that scrolls when the window is narrow. Every row has a cell, the
  /// first names it; the others are numbers (right-aligned) unless named in `text_columns`.
  void table(const std::string& caption, const std::vector<std::string>& columns,
             const std::vector<std::vector<std::string>>& rows,
             const std::vector<size_t>& text_columns = {});
  /// Static plot, with the data of the interactive one; the caption under it.
  template <class Plot>
  void plot(const Plot& plot, const std::string& caption);
  /// Names with the colours of sets 0, 1, ...; those with an empty name are left out.
  void legend(const std::vector<std::string>& names);
  /// A section of names and values; nothing where there are none.
  void settings(const nlohmann::ordered_json& values);
};

/// What stands around a document.
struct PageFrame {
  std::string title, kicker, dateline;  ///< any text
  std::string warning;                  ///< first line of the foot: what may not be done with it
  std::vector<std::string> sets;        ///< of the plots' data
  std::vector<std::string> rows;        ///< participant of each row that plots point to
};

/// One HTML file: complete without JavaScript; its Content-Security-Policy allows its own script by
/// SHA-256 and no request.
std::string whole_page(const Document& document, const PageFrame& frame);

/// "Written 2024-05-31 09:12 UTC by scintigen 0.1": the end of a dateline.
std::string written_by();

}  // namespace scintigen
