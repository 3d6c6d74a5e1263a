// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/nifti.h"
#include "synthesis/synthetic_set.h"
#include "synthesis/tiny_checkpoint.h"

namespace scintigen {
namespace {

constexpr const char* kNormal = "level=cortex,pattern=normal";
constexpr const char* kUnseen = "level=basal_ganglia,pattern=bilateral";

class SyntheticSetTest : public ::testing::Test {
 protected:
  TestFolder folder;  // before what is read from it
  SliceGenerator generator = [this] {
    tiny_checkpoint().write(folder.path / "c.safetensors");
    return SliceGenerator(folder.path / "c.safetensors", torch::kCPU);
  }();
};

Table like(std::vector<std::vector<std::string>> rows) {
  Table table;
  table.name = "like.tsv";
  table.columns = {"participant_id", "pattern", "age", "level"};
  table.rows = std::move(rows);
  return table;
}

TEST_F(SyntheticSetTest, CountsImagesOfEachCondition) {
  const auto plan = plan_conditions(generator, {kNormal, kUnseen}, 3, 9);
  EXPECT_EQ(plan.table.columns,
            (std::vector<std::string>{"participant_id", "slice", "file", "original_slice", "level",
                                      "pattern", "training_count", "seed", "latent"}));
  ASSERT_EQ(plan.table.rows.size(), 6u);
  EXPECT_EQ(plan.table.rows[0],
            (std::vector<std::string>{"syn-0001", "0", "synthetic.nii.gz", "n/a", "cortex",
                                      "normal", "2", "9", "0"}));
  EXPECT_EQ(plan.table.rows[5],
            (std::vector<std::string>{"syn-0006", "5", "synthetic.nii.gz", "n/a", "basal_ganglia",
                                      "bilateral", "0", "9", "5"}));
  EXPECT_TRUE(plan.latents.equal(generator.latents(9, 0, 6)));
  EXPECT_TRUE(plan.conditions[0].equal(generator.encoder().encode(kNormal)));
  EXPECT_TRUE(plan.conditions[3].equal(generator.encoder().encode(kUnseen)));
  const auto groups = by_condition(plan);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].first, kUnseen);
  EXPECT_EQ(groups[1].second, (std::vector<int64_t>{3, 4, 5}));
}

TEST_F(SyntheticSetTest, FollowsATableButCopiesConditionsOnly) {
  const auto table = like({{"sub-07", "normal", "61", "basal_ganglia"},
                           {"sub-09", "bilateral", "70", "cortex"},
                           {"sub-09", "normal", "70", "basal_ganglia"}});
  const auto plan = plan_like(generator, table, {0, 1, 2}, 4);
  ASSERT_EQ(plan.table.rows.size(), 3u);
  EXPECT_EQ(plan.table.columns.back(), "like_row");
  EXPECT_EQ(plan.table.rows[1],
            (std::vector<std::string>{"syn-0002", "1", "synthetic.nii.gz", "n/a", "cortex",
                                      "bilateral", "1", "4", "1", "3"}));
  EXPECT_FALSE(plan.table.find_column("age"));
  EXPECT_EQ(by_condition(plan).size(), 2u);
  EXPECT_TRUE(plan.conditions.equal(generator.encoder().encode(table)));
  const auto some = plan_like(generator, table, {2}, 4);
  EXPECT_EQ(some.table.at(0, "like_row"), "4");
  EXPECT_EQ(some.table.at(0, "level"), "basal_ganglia");
  for (const auto& row : plan.table.rows)
    for (const auto& cell : row) EXPECT_EQ(cell.find("sub-"), std::string::npos);
}

TEST_F(SyntheticSetTest, InterpolatesEachConditionAlongTheSamePath) {
  const auto plan = plan_interpolation(generator, {kNormal, kUnseen}, 5, 2);
  ASSERT_EQ(plan.table.rows.size(), 10u);
  EXPECT_EQ(plan.table.at(0, "fraction"), "0");
  EXPECT_EQ(plan.table.at(6, "fraction"), "0.25");
  EXPECT_EQ(plan.table.at(9, "fraction"), "1");
  EXPECT_TRUE(plan.latents[2].equal(plan.latents[7]));
  EXPECT_TRUE(plan.latents[0].allclose(generator.latents(2, 0, 1)[0]));
  EXPECT_TRUE(plan.latents[4].allclose(generator.latents(2, 1, 1)[0], 1e-6, 1e-6));
}

TEST_F(SyntheticSetTest, WritesAStackThatSaysWhatItIs) {
  const auto plan = plan_conditions(generator, {kNormal}, 4, 1);
  const auto images = generator.generate(plan.latents, plan.conditions);
  write_synthetic_set(folder.path / "out", plan, images, 1000, 3.5, {{"Seed", 1}});
  const auto header = check_nifti(folder.path / "out" / "synthetic.nii.gz");
  EXPECT_EQ(header.shape, (std::vector<int64_t>{64, 64, 4}));
  const auto table = read_table(folder.path / "out" / "slices.tsv");
  EXPECT_EQ(table.rows, plan.table.rows);
  const auto json = nlohmann::json::parse(read_file(folder.path / "out" / "synthetic.json"));
  EXPECT_EQ(json["SyntheticData"], true);
  EXPECT_EQ(json["PixelSizeMm"], 3.5);
  EXPECT_EQ(json["Scale"], 1000);
  EXPECT_EQ(json["Seed"], 1);
  EXPECT_EQ(json["Conditions"][0]["TrainingSlices"], 2);
  EXPECT_NE(json["Warning"].get<std::string>().find("not for diagnosis"), std::string::npos);
  EXPECT_NE(json["Content"].get<std::string>().find("unrelated"), std::string::npos);
}

TEST_F(SyntheticSetTest, SaysSoWhereThePixelSizeIsNotKnown) {
  const auto plan = plan_conditions(generator, {kNormal}, 1, 1);
  write_synthetic_set(folder.path / "out", plan, torch::zeros({1, 64, 64}), 1, 0, {});
  const auto json = nlohmann::json::parse(read_file(folder.path / "out" / "synthetic.json"));
  EXPECT_TRUE(json["PixelSizeMm"].is_null());
  EXPECT_NE(json["PixelSizeNote"].get<std::string>().find("nominal"), std::string::npos);
}

TEST_F(SyntheticSetTest, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(refusal([&] {
              plan_conditions(generator, {"level=cortex,patern=normal"}, 1, 1);
            }).find("did you mean pattern?"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              plan_conditions(generator, {"level=thalamus,pattern=normal"}, 1, 1);
            }).find("was not in the training data; there were cortex, basal_ganglia"),
            std::string::npos);
  EXPECT_NE(refusal([&] {
              plan_conditions(generator, {"level=cortex"}, 1, 1);
            }).find("no value for pattern"),
            std::string::npos);
  EXPECT_EQ(refusal([&] { plan_conditions(generator, {kNormal}, 0, 1); }),
            "0 images of each condition; expected at least 1");
  EXPECT_EQ(refusal([&] { plan_conditions(generator, {}, 3, 1); }),
            "no condition to make images of");
  EXPECT_EQ(refusal([&] {
              plan_conditions(generator, {kNormal, kUnseen}, 20000, 1);
            }),
            "40000 images; one NIfTI volume holds at most 32767 slices; make several sets with "
            "other seeds");
  EXPECT_EQ(refusal([&] { plan_like(generator, like({}), {}, 1); }),
            "no image to make: the table has no row");
  const auto unknown = like({{"a", "normal", "1", "cortex"}, {"a", "cold", "1", "cortex"}});
  EXPECT_NE(refusal([&] {
              plan_like(generator, unknown, {0, 1}, 1);
            }).find("like.tsv: row 3: pattern=cold"),
            std::string::npos);
}

}  // namespace
}  // namespace scintigen
