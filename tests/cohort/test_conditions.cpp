// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include "cohort/conditions.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

Table level_pattern_table() {
  return {"slices.tsv",
          {"level", "pattern", "age", "dose"},
          {{"cerebellum", "normal", "50", "1"},
           {"cortex", "normal", "70", "2"},
           {"cortex", "bilateral", "60", "1"},
           {"cortex", "bilateral", "45.5", "2"}}};
}

Table ages(int count) {
  Table table{"slices.tsv", {"age"}, {}};
  for (int i = 0; i < count; ++i) table.add_row({std::to_string(20 + 2 * i)});
  return table;
}

TEST(Conditions, TextColumnsAreOneHotInOrderOfAppearance) {
  const ConditionEncoder encoder(level_pattern_table(), {"level", "pattern"});
  EXPECT_EQ(encoder.size(), 4);
  const auto y = encoder.encode(level_pattern_table());
  EXPECT_TRUE(torch::equal(y, torch::tensor({{1.f, 0.f, 1.f, 0.f},
                                             {0.f, 1.f, 1.f, 0.f},
                                             {0.f, 1.f, 0.f, 1.f},
                                             {0.f, 1.f, 0.f, 1.f}})));
  EXPECT_TRUE(torch::equal(encoder.encode("pattern=bilateral,level=cortex"), y[2]));
  EXPECT_EQ(encoder.describe(level_pattern_table(), 1), "level=cortex,pattern=normal");
  EXPECT_TRUE(torch::equal(encoder.encode(encoder.describe(level_pattern_table(), 0)), y[0]));
}

TEST(Conditions, CountsCombinations) {
  const ConditionEncoder encoder(level_pattern_table(), {"level", "pattern"});
  EXPECT_EQ(encoder.training_count("level=cortex,pattern=bilateral"), 2);
  EXPECT_EQ(encoder.training_count("level=cerebellum,pattern=bilateral"), 0);
  const std::vector<std::pair<std::string, int64_t>> expected = {
      {"level=cerebellum,pattern=normal", 1},
      {"level=cerebellum,pattern=bilateral", 0},
      {"level=cortex,pattern=normal", 1},
      {"level=cortex,pattern=bilateral", 2}};
  EXPECT_EQ(encoder.combinations(), expected);
}

TEST(Conditions, NumericColumnsAreScaled) {
  const ConditionEncoder encoder(ages(11), {"age"});
  ASSERT_EQ(encoder.size(), 1);
  EXPECT_TRUE(encoder.columns()[0].values.empty());
  const auto y = encoder.encode(ages(11));
  EXPECT_EQ(y[0].item<float>(), 0.f);
  EXPECT_EQ(y[5].item<float>(), 0.5f);
  EXPECT_EQ(y[10].item<float>(), 1.f);
  EXPECT_EQ(encoder.encode("age=22")[0].item<float>(), 0.1f);
  EXPECT_EQ(encoder.encode("age=60")[0].item<float>(), 2.f);  // warns, does not clamp
  EXPECT_EQ(encoder.combinations(), (std::vector<std::pair<std::string, int64_t>>{{"", 11}}));
  EXPECT_EQ(encoder.training_count("age=33"), 11);
}

TEST(Conditions, AFewNumbersAreTexts) {
  EXPECT_EQ(ConditionEncoder(ages(8), {"age"}).size(), 8);
  EXPECT_EQ(ConditionEncoder(ages(9), {"age"}).size(), 1);
  EXPECT_EQ(ConditionEncoder(ages(9), {"age"}, 9).size(), 9);
  EXPECT_EQ(ConditionEncoder(level_pattern_table(), {"dose"}).size(), 2);
}

TEST(Conditions, MixOfTextAndNumber) {
  Table table{"slices.tsv", {"age", "level"}, {}};
  for (int i = 0; i < 20; ++i) table.add_row({std::to_string(i), i % 2 ? "high" : "low"});
  const ConditionEncoder encoder(table, {"age", "level"});
  EXPECT_EQ(encoder.size(), 3);
  EXPECT_EQ(encoder.text_values(table, 3), "level=high");
  EXPECT_EQ(encoder.describe(table, 3), "age=3,level=high");
  EXPECT_EQ(encoder.training_count("level=low,age=7"), 10);
}

TEST(Conditions, NoColumnsIsUnconditional) {
  const ConditionEncoder encoder(level_pattern_table(), {});
  EXPECT_EQ(encoder.size(), 0);
  EXPECT_EQ(encoder.encode(level_pattern_table()).sizes(), (std::vector<int64_t>{4, 0}));
  EXPECT_EQ(encoder.encode("").numel(), 0);
  EXPECT_EQ(encoder.training_count(""), 4);
}

TEST(Conditions, RefusesByText) {
  auto missing = level_pattern_table();
  missing.rows[1][0] = "n/a";
  EXPECT_REFUSED(
      ConditionEncoder(missing, {"level"}),
      "column level is n/a in 1 of 4 rows; a condition needs a value; leave them out with "
      "--where level=cerebellum,cortex");
  EXPECT_REFUSED(ConditionEncoder(level_pattern_table(), {"levle"}), "level");
  EXPECT_REFUSED(ConditionEncoder(level_pattern_table(), {"level", "level"}), "named twice");
  EXPECT_REFUSED(ConditionEncoder({"slices.tsv", {"level"}, {}}, {"level"}), "no rows");
  auto comma = level_pattern_table();
  comma.rows[0][0] = "left,right";
  EXPECT_REFUSED(ConditionEncoder(comma, {"level"}), "the value \"left,right\" holds a comma");
  Table many{"slices.tsv", {"who"}, {}};
  for (int i = 0; i < 65; ++i) many.add_row({"sub-" + std::to_string(i)});
  EXPECT_REFUSED(ConditionEncoder(many, {"who"}), "65 different texts; a condition may have 64");

  const ConditionEncoder encoder(level_pattern_table(), {"level", "pattern"});
  auto unseen = level_pattern_table();
  unseen.rows[2][0] = "thalamus";
  EXPECT_REFUSED(
      encoder.encode(unseen),
      "row 4: level=thalamus was not in the training data; there were cerebellum, cortex");
  EXPECT_REFUSED(encoder.encode("level=cortex"), "no value for pattern");
  EXPECT_REFUSED(encoder.encode("level=cortex,pattern=normal,level=cortex"), "column level twice");
  EXPECT_REFUSED(encoder.encode("level=cortex,patern=normal"), "did you mean pattern?");
  EXPECT_REFUSED(encoder.encode("level=cortex,"), "no value for pattern");
  EXPECT_REFUSED(encoder.encode("level,pattern"), "expected column=value");
  EXPECT_REFUSED(encoder.encode("level=,pattern=normal"), "expected column=value");
  EXPECT_REFUSED(ConditionEncoder(ages(11), {"age"}).encode("age=old"), "age must be a number");
  EXPECT_REFUSED(ConditionEncoder(ages(11), {"age"}).encode("age=inf"), "age must be a number");
}

TEST(Conditions, JsonKeepsEverything) {
  Table table{"slices.tsv", {"age", "level"}, {}};
  for (int i = 0; i < 20; ++i) table.add_row({std::to_string(i) + ".25", i % 3 ? "high" : "low"});
  const ConditionEncoder encoder(table, {"level", "age"});
  const auto again = ConditionEncoder::from_json(encoder.to_json(), "checkpoint");
  EXPECT_TRUE(torch::equal(again.encode(table), encoder.encode(table)));
  EXPECT_EQ(again.combinations(), encoder.combinations());
  EXPECT_EQ(again.to_json(), encoder.to_json());
}

TEST(Conditions, DamagedJsonIsAnError) {
  for (const char* text :
       {"", "[]", "{}", "{\"columns\": 3, \"training_rows\": {}}",
        "{\"columns\": [{}], \"training_rows\": {}}",
        "{\"columns\": [{\"name\": \"a\", \"values\": []}], \"training_rows\": {}}",
        "{\"columns\": [{\"name\": \"a\", \"values\": [1]}], \"training_rows\": {}}",
        "{\"columns\": [{\"name\": \"a\", \"minimum\": 1, \"maximum\": 1}], \"training_rows\": {}}",
        "{\"columns\": [{\"name\": \"\", \"values\": [\"x\"]}], \"training_rows\": {}}",
        "{\"columns\": [], \"training_rows\": {\"a\": \"b\"}}",
        "{\"columns\": [1], \"training_rows\": {}}"}) {
    EXPECT_REFUSED(ConditionEncoder::from_json(text, "checkpoint"), "checkpoint: conditions: ");
  }
}

}  // namespace
}  // namespace scintigen
