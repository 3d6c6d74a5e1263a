// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <limits>

#include "cohort/prepared_cohort.h"
#include "cohort/small_cohort.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/safetensors.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

TEST(PreparedCohort, WritesAndReadsBack) {
  TemporaryFolder folder;
  auto cohort = small_cohort(3, 4);
  cohort.neighbours = cohort.slices.slice(0, 0, 2).clone();
  cohort.table.rows[0][6] = "n1";
  write_cohort(folder / "c", cohort, R"({"command": "test"})");
  const auto again = read_cohort(folder / "c");
  EXPECT_TRUE(torch::equal(again.slices, cohort.slices));
  EXPECT_TRUE(torch::equal(again.neighbours, cohort.neighbours));
  EXPECT_EQ(again.table.columns, cohort.table.columns);
  EXPECT_EQ(again.table.rows, cohort.table.rows);
  EXPECT_EQ(again.name, "small");
  EXPECT_EQ(again.unit, "counts");
  EXPECT_EQ(again.pixel_mm, 4);
  EXPECT_EQ(again.scale(2), 102);
  EXPECT_TRUE(torch::equal(again.below(0), cohort.slices[1]));
  EXPECT_TRUE(torch::equal(again.above(0), cohort.slices[1]));
  EXPECT_FALSE(again.below(4).defined());
  EXPECT_FALSE(again.above(3).defined());
  EXPECT_EQ(again.participants(), (std::vector<std::string>{"sub-0", "sub-1", "sub-2"}));
  const auto description = read_file(folder / "c" / "cohort.json");
  EXPECT_NE(description.find("\"command\": \"test\""), std::string::npos);
}

TEST(PreparedCohort, ReplacesAnOlderOne) {
  TemporaryFolder folder;
  write_cohort(folder / "c", small_cohort(3, 4));
  write_cohort(folder / "c", small_cohort(2, 2, 16, 9));
  EXPECT_EQ(read_cohort(folder / "c").size(), 4);
}

TEST(PreparedCohort, WhereKeepsNeighboursReachable) {
  const auto cohort = small_cohort(4, 6);
  const auto mid = cohort.where("level=mid");
  ASSERT_EQ(mid.size(), 8);
  EXPECT_EQ(mid.neighbours.size(0), 8);  // one below and one above in each patient
  for (int64_t row = 0; row < mid.size(); ++row) {
    const int64_t before = (row / 2) * 6 + 2 + row % 2;
    EXPECT_TRUE(torch::equal(mid.slices[row], cohort.slices[before]));
    EXPECT_TRUE(torch::equal(mid.below(row), cohort.slices[before - 1]));
    EXPECT_TRUE(torch::equal(mid.above(row), cohort.slices[before + 1]));
    EXPECT_EQ(mid.scale(row), cohort.scale(before));
  }
  const auto twice = cohort.where("level=mid,high;pattern=normal,bilateral").where("level=high");
  EXPECT_EQ(twice.size(), 6);  // patients 0, 2, 3
  for (int64_t row = 0; row < twice.size(); ++row) {
    EXPECT_EQ(owner_of(twice.below(row)), owner_of(twice.slices[row]));
  }
}

TEST(PreparedCohort, AllRowsInOrderShareTheMemory) {
  const auto cohort = small_cohort(2, 3);
  EXPECT_EQ(cohort.rows({0, 1, 2, 3, 4, 5}).slices.data_ptr<float>(),
            cohort.slices.data_ptr<float>());
  const auto turned = cohort.rows({2, 1, 0});
  EXPECT_TRUE(torch::equal(turned.slices[0], cohort.slices[2]));
  EXPECT_TRUE(torch::equal(turned.below(0), cohort.slices[1]));
  EXPECT_EQ(turned.table.at(0, "below"), "s1");
  EXPECT_EQ(turned.neighbours.size(0), 0);
  EXPECT_REFUSED(cohort.rows({0, 6}), "row 6 asked for; there are 0 to 5");
}

TEST(PreparedCohort, FiltersAreRefusedByTheirText) {
  const auto cohort = small_cohort(3, 6);
  EXPECT_REFUSED(cohort.where("levle=mid"), "level");
  EXPECT_REFUSED(cohort.where("level=middle"), "no row has level=middle; there are low, mid, high");
  EXPECT_REFUSED(cohort.where("level=mod"), "did you mean mid?");
  EXPECT_REFUSED(cohort.where("level"), "expected column=value");
  EXPECT_REFUSED(cohort.where(""), "expected column=value");
  EXPECT_REFUSED(cohort.where("=mid"), "expected column=value");
  EXPECT_REFUSED(cohort.where("level="), "no value after \"level=\"");
  EXPECT_REFUSED(cohort.where("level=mid,,high"), "no value after \"level=\"");
  EXPECT_REFUSED(cohort.where("level=mid,pattern=normal"), "put ; between columns");
  EXPECT_REFUSED(cohort.where("level=mid;level=low"), "column \"level\" twice");
  EXPECT_REFUSED(cohort.where("participant_id=sub-0;pattern=bilateral"), "no row has all of");
  EXPECT_EQ(cohort.where(" level = mid , low ; pattern=normal").size(), 4);
}

/// A written cohort with one thing wrong.
class DamagedCohort : public ::testing::Test {
 protected:
  void write(const PreparedCohort& cohort) { write_cohort(folder_ / "c", cohort); }
  void replace(const std::string& file, const std::string& from, const std::string& to) {
    auto text = read_file(folder_ / "c" / file);
    const auto at = text.find(from);
    ASSERT_NE(at, std::string::npos) << text;
    write_file(folder_ / "c" / file, text.replace(at, from.size(), to));
  }
  std::string refused() {
    return refusal([&] { read_cohort(folder_ / "c"); });
  }
  TemporaryFolder folder_;
};

#define EXPECT_HAS(found, text)                            \
  do {                                                     \
    const auto line = found;                               \
    EXPECT_NE(line.find(text), std::string::npos) << line; \
    EXPECT_EQ(line.find('\n'), std::string::npos) << line; \
  } while (false)

TEST_F(DamagedCohort, Folder) {
  EXPECT_HAS(refused(), "no such folder; expected a prepared cohort");
  std::filesystem::create_directories(folder_ / "c");
  EXPECT_HAS(refused(), "no cohort.json in it");
  write_file(folder_ / "c" / "cohort.json", "<html>");
  EXPECT_HAS(refused(), "not the description of a prepared cohort");
  write_file(folder_ / "c" / "cohort.json", "{\"format\": 3}");
  EXPECT_HAS(refused(), "not the description of a prepared cohort");
}

TEST_F(DamagedCohort, Description) {
  write(small_cohort(2, 3));
  replace("cohort.json", "\"format_version\": 1", "\"format_version\": 2");
  EXPECT_HAS(refused(), "format version 2; this program reads 1");
  replace("cohort.json", "\"format_version\": 2", "\"format_version\": 1");
  replace("cohort.json", "\"pixel_mm\": 4.0", "\"pixel_mm\": -4.0");
  EXPECT_HAS(refused(), "pixel_mm must be 0 (not known) or more");
}

TEST_F(DamagedCohort, MissingFiles) {
  write(small_cohort(2, 3));
  std::filesystem::remove(folder_ / "c" / "slices.safetensors");
  EXPECT_HAS(refused(), "slices.safetensors");
  write(small_cohort(2, 3));
  std::filesystem::remove(folder_ / "c" / "slices.tsv");
  EXPECT_HAS(refused(), "slices.tsv");
  write(small_cohort(2, 3));
  std::filesystem::resize_file(folder_ / "c" / "slices.safetensors", 200);
  EXPECT_HAS(refused(), "slices.safetensors");
  write(small_cohort(2, 3));
  write_tensors(folder_ / "c" / "slices.safetensors", {{"slices", torch::zeros({6, 16, 16})}});
  EXPECT_HAS(refused(), "neighbours");
}

TEST_F(DamagedCohort, Table) {
  const auto cohort = small_cohort(2, 3);
  write(cohort);
  replace("slices.tsv", "sub-1\t2\thigh\tunilateral\t41.5\t105\ts4\tn/a\n", "");
  EXPECT_HAS(refused(), "6 slices but 5 rows");
  write(cohort);
  replace("slices.tsv", "\tscale\t", "\tscales\t");
  EXPECT_HAS(refused(), "scale");
  write(cohort);
  replace("slices.tsv", "\t102\t", "\t0\t");
  EXPECT_HAS(refused(), "row 4: scale must be above 0; found 0");
  write(cohort);
  replace("slices.tsv", "sub-1\t0", "n/a\t0");
  EXPECT_HAS(refused(), "row 5: no participant_id");
  write(cohort);
  replace("slices.tsv", "\ts1\tn/a\nsub-1", "\tx1\tn/a\nsub-1");
  EXPECT_HAS(refused(), "row 4, column below: expected s<row>, n<row> or n/a; found \"x1\"");
  for (const char* reference : {"s", "s-1", "s1x", "", "s99999999999999999999"}) {
    write(cohort);
    replace("slices.tsv", "\ts1\tn/a\nsub-1", std::string("\t") + reference + "\tn/a\nsub-1");
    EXPECT_HAS(refused(), "expected s<row>, n<row> or n/a");
  }
  write(cohort);
  replace("slices.tsv", "\ts1\tn/a\nsub-1", "\ts6\tn/a\nsub-1");
  EXPECT_HAS(refused(), "\"s6\" points past the last of 6");
  write(cohort);
  replace("slices.tsv", "\ts1\tn/a\nsub-1", "\tn0\tn/a\nsub-1");
  EXPECT_HAS(refused(), "\"n0\" points past the last of 0");
  write(cohort);
  replace("slices.tsv", "\ts1\tn/a\nsub-1", "\ts1\ts3\nsub-1");
  EXPECT_HAS(refused(), "\"s3\" belongs to participant sub-1, the row to sub-0");
}

TEST_F(DamagedCohort, OneNeighbourOfTwoParticipants) {
  auto cohort = small_cohort(2, 3);
  cohort.neighbours = cohort.slices.slice(0, 0, 1).clone();
  cohort.table.rows[0][6] = "n0";
  cohort.table.rows[5][7] = "n0";
  EXPECT_HAS(refusal([&] { write(cohort); }),
             "\"n0\" belongs to participant sub-0, the row to sub-1");
}

TEST_F(DamagedCohort, Pixels) {
  const auto damaged = [&](double value, const char* name) {
    const auto cohort = small_cohort(2, 3);
    write(cohort);
    auto slices = cohort.slices.clone(), neighbours = torch::zeros({2, 16, 16});
    auto& which = std::string(name) == "slices" ? slices : neighbours;
    which.index_put_({1, 3, 5}, value);
    write_tensors(folder_ / "c" / "slices.safetensors",
                  {{"slices", slices}, {"neighbours", neighbours}});
    return refused();
  };
  EXPECT_HAS(damaged(1.5, "slices"), "\"slices\", row 1: pixel [3,5] is 1.5; expected 0 to 1");
  EXPECT_HAS(damaged(-0.25, "slices"), "\"slices\", row 1: pixel [3,5] is -0.25");
  EXPECT_HAS(damaged(std::nan(""), "slices"), "\"slices\", row 1: pixel [3,5] is nan");
  EXPECT_HAS(damaged(std::numeric_limits<double>::infinity(), "neighbours"),
             "\"neighbours\", row 1: pixel [3,5] is inf");
}

TEST_F(DamagedCohort, Shapes) {
  const auto cohort = small_cohort(2, 3);
  const auto with = [&](torch::Tensor slices, torch::Tensor neighbours) {
    write(cohort);
    write_tensors(folder_ / "c" / "slices.safetensors",
                  {{"slices", slices}, {"neighbours", neighbours}});
    return refused();
  };
  const auto none = torch::zeros({0, 16, 16});
  EXPECT_HAS(with(cohort.slices.to(torch::kDouble), none), "must be float32");
  EXPECT_HAS(with(cohort.slices[0], none), "3 dimensions");
  EXPECT_HAS(with(cohort.slices, torch::zeros({1, 8, 16})), "differ in height or width");
  EXPECT_HAS(with(torch::zeros({6, 0, 16}), none), "no pixels");
}

}  // namespace
}  // namespace scintigen
