// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.h"
#include "core/table.h"
#include "core/temporary_folder.h"

using namespace scintigen;

namespace {

Table read_text(const std::string& text, const std::string& name = "t.tsv") {
  TemporaryFolder folder;
  return read_table(put_bytes(folder / name, text));
}

using Rows = std::vector<std::vector<std::string>>;

}  // namespace

TEST(Table, ReadsTsv) {
  const Table table = read_text(
      "\xEF\xBB\xBFparticipant_id\tslice\tage\r\nsub-01\t3\t61.5\r\n"
      "sub-02\t4\tn/a\r\n\r\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"participant_id", "slice", "age"}));
  EXPECT_EQ(table.rows, (Rows{{"sub-01", "3", "61.5"}, {"sub-02", "4", "n/a"}}));
  EXPECT_EQ(table.integer_at(1, "slice"), 4);
  EXPECT_EQ(table.number_at(0, "age"), 61.5);
  EXPECT_EQ(read_text("a\tb\n1\t").rows, (Rows{{"1", ""}}));
  EXPECT_EQ(read_text("a\tb\n").rows.size(), 0u);
  EXPECT_EQ(read_text("a\n\"x\"\n").rows, (Rows{{"\"x\""}}));  // TSV has no quotes
}

TEST(Table, ReadsCsvQuotes) {
  const Table table = read_text("a,b\n\"x, \"\"y\"\"\",\"line\nbreak\"\n,\"\"\n", "t.CSV");
  EXPECT_EQ(table.rows, (Rows{{"x, \"y\"", "line\nbreak"}, {"", ""}}));
}

TEST(Table, RefusesWhatIsNoTable) {
  TemporaryFolder folder;
  EXPECT_REFUSED(read_table(folder / "none.tsv"), "none.tsv: cannot be opened: No such file");
  EXPECT_REFUSED(read_table(folder / "t.xlsx"), "expected a name ending in .tsv or .csv");
  EXPECT_REFUSED(read_text(""), "empty file; expected a header");
  EXPECT_REFUSED(read_text("\n\n"), "no header");
  EXPECT_REFUSED(read_text("a\ta\n"), "column 'a' is there twice");
  EXPECT_REFUSED(read_text("a\t\tc\n"), "column 2 of the header has no name");
  EXPECT_REFUSED(read_text("a\tb\n1\t2\n1\t2\t3\n"),
                 "line 3: expected 2 cells as in the header, found 3");
  EXPECT_REFUSED(read_text("a\tb\n\n1\t2\n"), "line 2: expected 2 cells as in the header, found 1");
  EXPECT_REFUSED(read_text(std::string("a\tb\n1\t\0\n", 8)), "NUL bytes");
  EXPECT_REFUSED(read_text("\xFF\xFEx\1"), "UTF-16");
  EXPECT_REFUSED(read_text("a,b\n1,2\n"), "expected tabs between columns, found ','");
  EXPECT_REFUSED(read_text("a;b\n1;2\n", "t.csv"), "expected commas between columns, found ';'");
  EXPECT_REFUSED(read_text("a\tb\r1\t2\r"), "carriage return inside a line");
  EXPECT_REFUSED(read_text("a,b\n\"1,2\n", "t.csv"), "line 2: a quote is opened but never closed");
  EXPECT_REFUSED(read_text("a,b\n1\"x,2\n", "t.csv"), "line 2: a quote inside a cell");
  EXPECT_REFUSED(read_text("a,b\n\"1\"x,2\n", "t.csv"), "text after a closing quote");
  EXPECT_REFUSED(read_text(std::string(10000, '\t')), "more than 4096 cells in a row");
}

TEST(Table, RefusesTablesOver64MiB) {
  TemporaryFolder folder;
  const auto path = put_bytes(folder / "large.tsv", "a\tb\n");
  std::filesystem::resize_file(path, (64u << 20) + 1);  // a hole: costs no disk
  EXPECT_REFUSED(read_table(path), "too large; expected at most 67108864 bytes");
}

TEST(Table, CheckedAccess) {
  const Table table = read_text("participant_id\tslice\nsub-01\tx\nsub-02\t1e999\nsub-03\t12.5\n");
  EXPECT_REFUSED(table.at(0, "slices"),
                 "no column 'slices'; did you mean 'slice'?; it has: participant_id, slice");
  EXPECT_REFUSED(table.at(0, "tracer"), "no column 'tracer'; it has: participant_id, slice");
  EXPECT_REFUSED(table.at(3, "slice"), "it has 3 rows");
  EXPECT_REFUSED(table.integer_at(0, "slice"),
                 "row 2, column 'slice': expected a whole number, found 'x'");
  EXPECT_REFUSED(table.number_at(1, "slice"),
                 "row 3, column 'slice': expected a number, found '1e999'");
  EXPECT_REFUSED(table.integer_at(2, "slice"), "found '12.5'");
  EXPECT_FALSE(table.find_column("age").has_value());
  Table other = table;
  EXPECT_REFUSED(other.add_row({"x"}), "a row of 1 cells; expected 2");
}

TEST(Table, WhatIsWrittenReadsBack) {
  TemporaryFolder folder;
  const std::string letters = "ab,\"\r\n\t 1";
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed, "table");
    const bool csv = seed % 2 == 0;
    Table table;
    const int64_t columns = random.integer(1, 4);
    for (int64_t c = 0; c < columns; ++c) table.columns.push_back("c" + std::to_string(c));
    for (int64_t r = random.integer(0, 5); r > 0; --r) {
      std::vector<std::string> row;
      for (int64_t c = 0; c < columns; ++c) {
        std::string cell = csv || columns > 1 ? "" : "x";
        for (int64_t i = random.integer(0, 4); i > 0; --i)
          cell += csv ? letters[static_cast<size_t>(random.integer(0, 8))] : '"';
        row.push_back(cell);
      }
      table.add_row(row);
    }
    const auto path = folder / (csv ? "t.csv" : "t.tsv");
    write_table(path, table);
    const Table back = read_table(path);
    EXPECT_EQ(back.columns, table.columns);
    EXPECT_EQ(back.rows, table.rows) << "seed " << seed << "\n" << bytes_of(path);
  }
}

TEST(Table, RefusesToWriteWhatWouldNotReadBack) {
  TemporaryFolder folder;
  Table table;
  table.columns = {"a", "b"};
  table.rows = {{"x\ty", ""}};
  EXPECT_REFUSED(write_table(folder / "t.tsv", table), "holds a tab or line break");
  table.rows = {{"x"}};
  EXPECT_REFUSED(write_table(folder / "t.tsv", table), "a row of 1 cells");
  table.columns = {"a"};
  table.rows = {{""}};
  EXPECT_REFUSED(write_table(folder / "t.tsv", table), "write n/a");
  table.columns = {"a", "a"};
  EXPECT_REFUSED(write_table(folder / "t.tsv", table), "there twice");
  EXPECT_FALSE(std::filesystem::exists(folder / "t.tsv"));
}

TEST(Words, NearestIsASlipOfTheFinger) {
  const std::vector<std::string> names = {"batch_size", "learning_rate", "epochs", "seed", "steps"};
  EXPECT_EQ(nearest_word("bath_size", names), "batch_size");
  EXPECT_EQ(nearest_word("batch-size", names), "batch_size");
  EXPECT_EQ(nearest_word("Seed", names), "seed");
  EXPECT_EQ(nearest_word("epcohs", names), "epochs");
  EXPECT_EQ(nearest_word("batch", names), "batch_size");  // the only one that begins so
  EXPECT_EQ(nearest_word("se", names), std::nullopt);
  EXPECT_EQ(nearest_word("momentum", names), std::nullopt);
  EXPECT_EQ(nearest_word("", names), std::nullopt);
  EXPECT_EQ(nearest_word(std::string(1 << 20, 'a'), names), std::nullopt);
}

TEST(Words, NumberTextReadsBackAndIsShort) {
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(-2), "-2");
  EXPECT_EQ(number_text(2e-4), "0.0002");
  EXPECT_EQ(number_text(1e300), "1e+300");
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed, "number");
    const double value = std::ldexp(random.normal(), static_cast<int>(random.integer(-300, 300)));
    EXPECT_EQ(std::stod(number_text(value)), value);
  }
}
