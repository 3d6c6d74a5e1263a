// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/random.h"
#include "metrics/comparison.h"
#include "metrics/grouped_rows.h"
#include "metrics/statistics_golden.h"

namespace scintigen {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Table table_of(Rows rows, std::vector<std::string> columns = {"id", "group", "value"}) {
  Table table;
  table.name = "t.csv";
  table.columns = std::move(columns);
  table.rows = std::move(rows);
  return table;
}

ComparisonSettings settings_of(const std::string& pair = "", const std::string& cluster = "") {
  ComparisonSettings settings;
  settings.value = "value";
  settings.group = "group";
  settings.pair = pair;
  settings.cluster = cluster;
  settings.resamples = 200;
  return settings;
}

nlohmann::ordered_json compared(const Rows& rows, const ComparisonSettings& settings) {
  return comparison_to_json(compare_groups(table_of(rows), settings));
}

std::string refused(const Rows& rows, const ComparisonSettings& settings = settings_of()) {
  return refusal_of([&] { compare_groups(table_of(rows), settings); });
}

const Rows kSmallTable = {{"1", "a", "1"},   {"2", "a", "2"},   {"3", "a", "4"},
                          {"1", "b", "2.5"}, {"2", "b", "3.5"}, {"3", "b", "4.5"}};

TEST(Comparison, TwoGroupsHaveEveryKey) {
  auto settings = settings_of("id");
  settings.margin = 1;
  const auto json = compared(kSmallTable, settings);
  for (const auto* name : {"anova", "welch_anova"})
    for (const auto* key : {"F", "df1", "df2", "p", "n"}) EXPECT_TRUE(json[name][key].is_number());
  for (const auto* name : {"tukey", "dunnett", "games_howell"}) {
    ASSERT_EQ(json[name].size(), 1u);
    for (const auto* key : {"difference", "p", "n"})
      EXPECT_TRUE(json[name][0][key].is_number()) << name << key;
  }
  for (const auto* name : {"paired_t", "welch_t"})
    for (const auto* key : {"t", "df", "p", "n"}) EXPECT_TRUE(json[name][key].is_number());
  EXPECT_TRUE(json["wilcoxon"]["W"].is_number() && json["mann_whitney"]["U"].is_number());
  EXPECT_TRUE(json["kruskal"]["H"].is_number() && json["ks"]["D"].is_number());
  EXPECT_TRUE(json["tost_welch"]["p"].is_number() && json["tost_paired"]["p"].is_number());
  EXPECT_EQ(json["tukey"][0]["a"], "a");
  EXPECT_EQ(json["dunnett"][0]["b"], "a");  // the control: the first group
  EXPECT_EQ(json["paired_t"]["n"], 3);
  EXPECT_EQ(json["welch_t"]["n"], 6);
}

TEST(Comparison, ThreeGroupsStandInPairwiseWithAdjustedP) {
  auto rows = kSmallTable;
  rows.insert(rows.end(), {{"4", "c", "9"}, {"5", "c", "8"}});
  auto settings = settings_of();
  settings.control = "b";
  const auto json = compared(rows, settings);
  EXPECT_TRUE(json["welch_t"]["p"].is_null());
  EXPECT_EQ(json["welch_t"]["not_computed"], "a test of two groups; here are 3: see pairwise");
  ASSERT_EQ(json["pairwise"].size(), 3u);
  for (const auto& pair : json["pairwise"])
    EXPECT_GE(pair["welch_t"]["p_adjusted"], pair["welch_t"]["p"]);
  EXPECT_EQ(json["dunnett"].size(), 2u);
  EXPECT_EQ(json["dunnett"][0]["b"], "b");
}

TEST(Comparison, MissingCellsEmptyGroupsAndUnpairedRowsAreCounted) {
  auto rows = kSmallTable;
  rows.insert(rows.end(), {{"4", "a", "n/a"},
                           {"5", "a", ""},
                           {"6", "n/a", "3"},
                           {"7", "b", " 3 "},
                           {"", "b", "3"},
                           {"1", "void", "NaN"}});
  const auto json = compared(rows, settings_of("id"));
  EXPECT_EQ(json["dropped"]["missing_value"], 3);
  EXPECT_EQ(json["dropped"]["missing_group"], 1);
  EXPECT_EQ(json["dropped"]["missing_pair"], 1);
  EXPECT_EQ(json["paired_t"]["n"], 3);
  EXPECT_EQ(json["paired_t"]["dropped"]["unpaired"], 2);
  EXPECT_EQ(json["groups"].size(), 2u);
  const auto& warnings = json["warnings"];
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const auto& warning) {
    return warning == "left out, without a value: 1 group ('void')";
  }));
}

TEST(Comparison, ClusterRepeatsEveryTestOnPatientsMeans) {
  Rows rows, means;
  Random random(1, "patients");
  for (int patient = 0; patient < 8; ++patient) {
    const auto id = std::to_string(patient), group = std::string(patient < 4 ? "a" : "b");
    const double value = random.normal();
    for (int slice = 0; slice < 10; ++slice) rows.push_back({id, group, number_text(value)});
    means.push_back({id, group, number_text(value)});
  }
  const auto json = compared(rows, settings_of("", "id"));
  const auto expected = compared(means, settings_of());
  EXPECT_EQ(json["by_cluster"]["anova"], expected["anova"]);
  EXPECT_EQ(json["by_cluster"]["welch_t"], expected["welch_t"]);
  EXPECT_EQ(json["by_cluster"]["unit"], "id");
  EXPECT_EQ(json["groups"][0]["units"], 4);
  EXPECT_LT(json["welch_t"]["p"], json["by_cluster"]["welch_t"]["p"]);
  EXPECT_NE(json["bootstrap"].get<std::string>().find("8 units (id) within each group"),
            std::string::npos);
}

TEST(Comparison, PatientsInBothGroupsArePaired) {
  Rows rows;
  for (int patient = 0; patient < 5; ++patient)
    for (int slice = 0; slice < 3; ++slice) {
      rows.push_back({std::to_string(patient), "a", std::to_string(patient + slice)});
      rows.push_back({std::to_string(patient), "b", std::to_string(patient * patient + slice)});
    }
  const auto json = compared(rows, settings_of("", "id"));
  EXPECT_EQ(json["by_cluster"]["paired_t"]["n"], 5);
  EXPECT_TRUE(json["by_cluster"]["paired_t"]["p"].is_number());
}

TEST(Comparison, RowsThatStandForPatientsAreWarnedAbout) {
  const auto table = table_of({{"1", "a", "1"}, {"1", "a", "2"}, {"2", "b", "4"}, {"3", "b", "5"}},
                              {"participant_id", "group", "value"});
  const auto warned = compare_groups(table, settings_of()).warnings;
  EXPECT_EQ(
      warned.back(),
      "rows stand for patients: somebody in 'participant_id' has several rows in a group, and "
      "the tests take each row as a patient; name the column with --cluster participant_id");
  EXPECT_EQ(warned.front().rfind("few values ('a' 2, 'b' 2): below 10", 0), 0u);
  for (const auto& warning : compare_groups(table, settings_of("", "participant_id")).warnings)
    EXPECT_EQ(warning.find("rows stand for patients"), std::string::npos);
}

TEST(Comparison, ThousandsOfGroupsAreBounded) {
  Rows rows;
  for (int i = 0; i < 8000; ++i)
    rows.push_back({"1", std::to_string(i % 4000), std::to_string(i % 7)});
  const auto json = compared(rows, settings_of());
  EXPECT_TRUE(json["anova"]["p"].is_number());
  EXPECT_TRUE(json["tukey"].empty() && json["pairwise"].empty());
  EXPECT_NE(json["not_computed"]["tukey"].get<std::string>().find("at most 50 groups"),
            std::string::npos);
}

TEST(Comparison, NamesFromFilesDoNotSteerTheTerminal) {
  auto rows = kSmallTable;
  for (auto& row : rows)
    if (row[1] == "a") row[1] = "a\x1b[2J\n";
  const auto text = comparison_to_text(compare_groups(table_of(rows), settings_of("id")));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("one-way ANOVA"), std::string::npos);
}

TEST(Comparison, Refusals) {
  EXPECT_EQ(refused({{"1", "a", "1"}, {"2", "b", "x"}}),
            "t.csv: row 3, column 'value': expected a number or n/a, found 'x'");
  EXPECT_EQ(refused({{"1", "a", "inf"}, {"2", "b", "1"}}),
            "t.csv: row 2, column 'value': expected a finite number of at most 1e+100, found "
            "'inf'; write n/a where there is no value");
  EXPECT_EQ(refused({{"1", "a", "1e400"}, {"2", "b", "1"}}),
            "t.csv: row 2, column 'value': expected a number or n/a, found '1e400'");
  EXPECT_EQ(
      refused({{"1", "a", "1"}, {"2", "a", "2"}}),
      "t.csv: column 'group' has one group with values, 'a'; expected two or more to compare");
  EXPECT_EQ(refused({{"1", "a", "n/a"}}),
            "t.csv: no row has a value in 'value' and a group in 'group'");
  EXPECT_EQ(refused({}), "t.csv: no row has a value in 'value' and a group in 'group'");
  EXPECT_EQ(refused({{"1", "a", "1"}, {"1", "a", "2"}, {"1", "b", "2"}}, settings_of("id")),
            "t.csv: pair '1' is twice in group 'a' (rows 2 and 3); expected one row a pair and "
            "group: average first, or name the column with --cluster");
  EXPECT_EQ(refused(kSmallTable, settings_of("ids")),
            "t.csv: no column 'ids'; did you mean 'id'?; it has: id, group, value");
  EXPECT_EQ(refused(kSmallTable, settings_of("value")),
            "t.csv: column 'value' is named for the values and for something else; expected a "
            "column of its own");
  EXPECT_EQ(refused(kSmallTable, settings_of("", "group")),
            "t.csv: column 'group' is named for the groups and for something else; expected a "
            "column of its own");
  auto settings = settings_of();
  settings.control = "real";
  EXPECT_EQ(refused(kSmallTable, settings),
            "t.csv: no group 'real' with values for the control; there are: a, b");
  settings = settings_of();
  settings.resamples = 50;
  EXPECT_EQ(refused(kSmallTable, settings), "bootstrap: 50 resamples; expected 100 to 1000000");
}

}  // namespace
}  // namespace scintigen
