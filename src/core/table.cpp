// SPDX-License-Identifier: Apache-2.0
#include "core/table.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <set>

#include "core/atomic_file.h"
#include "core/error.h"

namespace scintigen {
namespace {

constexpr uint64_t kLimitBytes = uint64_t{64} << 20;
constexpr size_t kMostColumns = 4096;
constexpr size_t kMostCells = size_t{1} << 24;  // a cell costs 32 bytes and more in memory

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// '\t' or ','.
char separator_of(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  require(extension == ".tsv" || extension == ".csv",
          "{}: not a table; expected a name ending in .tsv or .csv", path.string());
  return extension == ".tsv" ? '\t' : ',';
}

/// Takes cells and rows off a text.
class TableReader {
 public:
  TableReader(std::string name, const std::string& text, char separator)
      : name_(std::move(name)), text_(text), separator_(separator) {
    if (text_.compare(0, 3, "\xEF\xBB\xBF") == 0) place_ = 3;
    end_ = text_.size();
    while (end_ > place_ && (text_[end_ - 1] == '\n' || text_[end_ - 1] == '\r')) --end_;
  }

  bool more() const { return more_ && place_ <= end_; }
  size_t line() const { return row_line_; }

  std::vector<std::string> row(size_t expected) {
    row_line_ = line_;
    std::vector<std::string> cells;
    bool row_ends = false;
    while (!row_ends) {
      cells.push_back(separator_ == ',' && place_ < end_ && text_[place_] == '"' ? quoted()
                                                                                 : plain());
      require(++cells_ <= kMostCells, "{}: more than {} cells", name_, kMostCells);
      require(cells.size() <= kMostColumns, "{}: line {}: more than {} cells in a row", name_,
              row_line_, kMostColumns);
      row_ends = place_ >= end_ || text_[place_] != separator_;
      if (!row_ends) ++place_;
    }
    finish_line();
    require(expected == 0 || cells.size() == expected,
            "{}: line {}: expected {} cells as in the header, found {}", name_, row_line_, expected,
            cells.size());
    return cells;
  }

 private:
  std::string plain() {
    const size_t begin = place_;
    while (place_ < end_ && text_[place_] != separator_ && text_[place_] != '\n') {
      const char c = text_[place_];
      if (c == '\r' && (place_ + 1 == end_ || text_[place_ + 1] == '\n')) break;
      require(c != '\r', "{}: line {}: a carriage return inside a line; save it with LF line ends",
              name_, line_);
      require(separator_ != ',' || c != '"',
              "{}: line {}: a quote inside a cell; expected the whole cell in quotes, quotes in it "
              "doubled",
              name_, line_);
      ++place_;
    }
    return text_.substr(begin, place_ - begin);
  }

  std::string quoted() {
    std::string cell;
    const size_t first_line = line_;
    for (++place_;; ++place_) {
      require(place_ < end_, "{}: line {}: a quote is opened but never closed", name_, first_line);
      if (text_[place_] == '"') {
        if (place_ + 1 < end_ && text_[place_ + 1] == '"') {
          ++place_;
        } else {
          break;
        }
      }
      if (text_[place_] == '\n') ++line_;
      cell += text_[place_];
    }
    ++place_;
    const bool ends = place_ >= end_ || text_[place_] == separator_ || text_[place_] == '\n' ||
                      text_[place_] == '\r';
    require(ends, "{}: line {}: text after a closing quote", name_, line_);
    return cell;
  }

  void finish_line() {
    if (place_ < end_ && text_[place_] == '\r') ++place_;
    if (place_ < end_ && text_[place_] == '\n') {
      ++place_;
      ++line_;
    } else {
      more_ = false;
    }
  }

  std::string name_;
  const std::string& text_;
  char separator_;
  size_t place_ = 0, end_ = 0, line_ = 1, row_line_ = 1, cells_ = 0;
  bool more_ = true;
};

void check_text(const std::string& name, const std::string& text) {
  require(!text.empty(), "{}: empty file; expected a header line with column names", name);
  const bool utf16 = text.compare(0, 2, "\xFF\xFE") == 0 || text.compare(0, 2, "\xFE\xFF") == 0;
  require(!utf16, "{}: looks like UTF-16 text; save it as UTF-8", name);
  require(text.find('\0') == std::string::npos,
          "{}: holds NUL bytes; expected a text table, found a binary file", name);
}

void check_header(const std::string& name, const std::vector<std::string>& columns,
                  char separator) {
  if (columns.size() == 1) {
    const bool tab = separator == '\t';
    const size_t other = columns[0].find_first_of(tab ? ",;" : "\t;");
    require(other == std::string::npos,
            "{}: the header has one column only; expected {} between columns, found '{}'", name,
            tab ? "tabs" : "commas",
            other != std::string::npos && columns[0][other] == '\t'
                ? "tab"
                : columns[0].substr(std::min(other, columns[0].size()), 1));
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < columns.size(); ++i) {
    require(!columns[i].empty(), "{}: column {} of the header has no name", name, i + 1);
    require(seen.insert(columns[i]).second, "{}: column '{}' is there twice", name, columns[i]);
  }
}

std::string csv_cell(const std::string& cell, bool alone) {
  if (!(alone && cell.empty()) && cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string text = "\"";
  for (char c : cell) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

void append_line(std::string& text, const std::vector<std::string>& cells, char separator,
                 const std::string& name) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) text += separator;
    if (separator == ',') {
      text += csv_cell(cells[i], cells.size() == 1);
      continue;
    }
    require(cells[i].find_first_of("\t\r\n") == std::string::npos,
            "{}: cell '{}' holds a tab or line break; a .tsv cannot, write .csv", name, cells[i]);
    require(cells.size() > 1 || !cells[i].empty(),
            "{}: an empty cell of a one-column .tsv reads as a blank line; write n/a", name);
    text += cells[i];
  }
  text += '\n';
}

/// Edit distance with neighbours swapped as one edit (optimal string alignment).
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min(
          {d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string folded(const std::string& word) {
  std::string text = word;
  for (char& c : text)
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

std::optional<size_t> Table::find_column(const std::string& column_name) const {
  const auto found = std::find(columns.begin(), columns.end(), column_name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<size_t>(found - columns.begin());
}

size_t Table::column(const std::string& column_name) const {
  if (const auto found = find_column(column_name)) return *found;
  const auto near = nearest_word(column_name, columns);
  throw Error("{}: no column '{}'{}; it has: {}", name, column_name,
              near ? "; did you mean '" + *near + "'?" : std::string(), joined(columns));
}

const std::string& Table::at(size_t row, const std::string& column_name) const {
  const size_t place = column(column_name);
  require(row < rows.size(), "{}: no row {}; it has {} rows", name, row + 2, rows.size());
  return rows[row][place];
}

int64_t Table::integer_at(size_t row, const std::string& column_name) const {
  const std::string& cell = at(row, column_name);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  require(error == std::errc() && end == cell.data() + cell.size(),
          "{}: row {}, column '{}': expected a whole number, found '{}'", name, row + 2,
          column_name, cell);
  return value;
}

double Table::number_at(size_t row, const std::string& column_name) const {
  const std::string& cell = at(row, column_name);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  require(error == std::errc() && end == cell.data() + cell.size() && std::isfinite(value),
          "{}: row {}, column '{}': expected a number, found '{}'", name, row + 2, column_name,
          cell);
  return value;
}

void Table::add_row(std::vector<std::string> cells) {
  require(cells.size() == columns.size(), "{}: a row of {} cells; expected {}", name, cells.size(),
          columns.size());
  rows.push_back(std::move(cells));
}

Table read_table(const std::filesystem::path& path) {
  const char separator = separator_of(path);
  const std::string text = read_file(path, kLimitBytes);
  Table table;
  table.name = path.string();
  check_text(table.name, text);
  TableReader reader(table.name, text, separator);
  table.columns = reader.row(0);
  require(table.columns.size() > 1 || !table.columns[0].empty(),
          "{}: no header; expected column names on the first line", table.name);
  check_header(table.name, table.columns, separator);
  while (reader.more()) table.rows.push_back(reader.row(table.columns.size()));
  return table;
}

void write_table(const std::filesystem::path& path, const Table& table) {
  const char separator = separator_of(path);
  check_header(path.string(), table.columns, separator);
  std::string text;
  append_line(text, table.columns, separator, path.string());
  for (const auto& row : table.rows) {
    require(row.size() == table.columns.size(), "{}: a row of {} cells; expected {}", path.string(),
            row.size(), table.columns.size());
    append_line(text, row, separator, path.string());
  }
  write_file(path, text);
}

std::optional<std::string> nearest_word(const std::string& word,
                                        const std::vector<std::string>& candidates) {
  constexpr size_t longest = 64;  // the distance costs the product of the lengths
  if (word.empty() || word.size() > longest) return std::nullopt;
  const std::string sought = folded(word);
  const size_t near_enough = std::max<size_t>(1, word.size() / 3);
  size_t best_distance = near_enough + 1;
  std::optional<std::string> best;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest) continue;
    const size_t distance = edit_distance(sought, folded(candidate));
    if (distance < best_distance && distance < candidate.size()) {
      best_distance = distance;
      best = candidate;
    }
  }
  if (best || word.size() < 3) return best;
  for (const std::string& candidate : candidates) {  // "batch" for "batch_size", if only one does
    if (folded(candidate).compare(0, sought.size(), sought) != 0) continue;
    if (best) return std::nullopt;
    best = candidate;
  }
  return best;
}

std::string number_text(double value) {
  const double size = std::abs(value);
  const bool plain = value == 0 || (size >= 1e-5 && size < 1e15);  // "0.0002", not "2e-04"
  char buffer[32];
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof buffer, value,
                    plain ? std::chars_format::fixed : std::chars_format::scientific);
  require(error == std::errc(), "a number does not fit its text");  // 24 characters are the most
  return std::string(buffer, end);
}

}  // namespace scintigen
