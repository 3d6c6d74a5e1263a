// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cohort/input_likeness.h"
#include "cohort/paired_people.h"
#include "core/affine.h"

namespace scintigen {
namespace {

Affine spaced(double mm) { return {{{mm, 0, 0, 0}, {0, mm, 0, 0}, {0, 0, mm, 0}, {0, 0, 0, 1}}}; }

/// PET-like: bright rim.
torch::Tensor pet(double wobble, double level = 100) {
  return made_up_head(level, 0.35 * level, 1 + 0.01 * wobble, wobble);
}

InputLikeness trained(int people = 6) {
  std::vector<InputPicture> pictures;
  for (int p = 0; p < people; ++p)
    pictures.push_back(picture_of(pet(p - 3, 90 + 5 * p), spaced(4)));
  return learn_likeness("pet", pictures);
}

std::vector<std::string> said_of(const torch::Tensor& voxels, double mm = 4) {
  return differences(trained(), picture_of(voxels.contiguous(), spaced(mm)), "scan");
}

testing::AssertionResult says(const std::vector<std::string>& lines, const std::string& text) {
  std::string all;
  for (const auto& line : lines) {
    if (line.find(text) != std::string::npos) return testing::AssertionSuccess();
    all += line + "\n";
  }
  return testing::AssertionFailure() << "no '" << text << "' in:\n" << all;
}

TEST(InputLikeness, MeasuresWhatItSays) {
  // A cube of 5 x 5 x 5 voxels of 8 mm of value 10 in the middle.
  auto voxels = torch::zeros({20, 20, 20}, torch::kFloat);
  voxels.slice(0, 7, 12).slice(1, 7, 12).slice(2, 7, 12).fill_(10);
  const auto picture = picture_of(voxels, spaced(8));
  EXPECT_EQ(picture.high, 10);
  EXPECT_EQ(picture.floor, 0);
  EXPECT_NEAR(picture.bright_ml, 125 * 0.512, 1e-9);
  for (const double extent : picture.extent_mm) EXPECT_NEAR(extent, 8 * std::sqrt(2.0), 1e-9);
  EXPECT_EQ(picture.histogram[14], 0);  // below 0.9375 of high
  EXPECT_EQ(picture.histogram[16], 1);
  EXPECT_NEAR(picture.coarse.sum().item<double>(), 125, 1e-3);
}

TEST(InputLikeness, SaysNothingOfSomebodyNewOrTurnedLeftToRight) {
  for (const double wobble : {-2.5, 0.5, 2.5, 4.0})
    for (const double level : {80.0, 120.0}) {
      const auto head = pet(wobble, level);
      EXPECT_TRUE(said_of(head).empty()) << said_of(head).front();
      EXPECT_TRUE(said_of(head.flip({2})).empty());
    }
}

TEST(InputLikeness, SeesATurnedHead) {
  EXPECT_TRUE(says(said_of(pet(0.5).flip({0})), "upside down it is more alike"));
  EXPECT_TRUE(says(said_of(pet(0.5).flip({1})), "front to back it is more alike"));
  EXPECT_TRUE(says(said_of(pet(0.5).flip({0, 1})), "upside down and front to back"));
  EXPECT_TRUE(says(said_of(pet(0.5).transpose(0, 1)), "with its axes exchanged"));
}

TEST(InputLikeness, SeesAnotherModalityUnitBackgroundAndField) {
  EXPECT_TRUE(says(said_of(made_up_head(60, 100)), "is it another modality?"));
  EXPECT_TRUE(says(said_of(pet(0.5) * 250), "is it in another unit"));
  EXPECT_TRUE(says(said_of(pet(0.5) + 40), "its background is at"));
  EXPECT_TRUE(says(said_of(pet(0.5), 5), "voxels of 5 x 5 x 5 mm; trained on 4 x 4 x 4"));
  auto cut = pet(0.5);
  cut.slice(0, 36).zero_();  // the upper half of the cerebrum
  EXPECT_TRUE(says(said_of(cut), "from foot to head it spreads over"));
  EXPECT_TRUE(says(said_of(torch::zeros({60, 60, 60}, torch::kFloat)), "nothing brighter than 0"));
}

TEST(InputLikeness, ComesBackFromACheckpoint) {
  const auto before = trained();
  const auto after = input_likeness_from_json(to_json(before), before.coarse, "file");
  const auto other = picture_of(made_up_head(60, 100), spaced(4));
  EXPECT_EQ(differences(before, other, "scan"), differences(after, other, "scan"));
  auto damaged = to_json(before);
  damaged.erase("pattern");
  EXPECT_REFUSED(input_likeness_from_json(damaged, before.coarse, "file"),
                 "file: what the training inputs looked like is incomplete");
}

}  // namespace
}  // namespace scintigen
