// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/error.h"
#include "synthesis/generate.h"
#include "synthesis/tiny_checkpoint.h"

namespace scintigen {
namespace {

class SliceGeneratorTest : public ::testing::Test {
 protected:
  SliceGeneratorTest() : file(folder.path / "best.safetensors") {}
  SliceGenerator read(bool average = true) {
    checkpoint.write(file);
    return SliceGenerator(file, torch::kCPU, torch::kFloat, average);
  }
  /// The refusal, without the file's name.
  std::string refused() {
    checkpoint.write(file);
    const auto text = refusal([&] { SliceGenerator(file, torch::kCPU); });
    const auto name = file.string() + ": ";
    return text.rfind(name, 0) == 0 ? text.substr(name.size()) : "no file name: " + text;
  }
  TestFolder folder;
  std::filesystem::path file;
  TinyCheckpoint checkpoint = tiny_checkpoint();
};

torch::Tensor conditions(const SliceGenerator& generator, int64_t count) {
  return generator.encoder().encode("level=cortex,pattern=normal").expand({count, -1});
}

TEST_F(SliceGeneratorTest, MakesWhatTheNetworkMakesInEvalMode) {
  for (const bool average : {false, true}) {
    auto generator = read(average);
    EXPECT_EQ(generator.averaged(), average);
    const auto z = generator.latents(7, 0, 5);
    const auto y = conditions(generator, 5);
    auto plain = tiny_generator(average ? 2 : 1, 4);
    plain->eval();
    const torch::NoGradGuard no_gradients;
    const auto expected = (plain->forward(z, y).squeeze(1) + 1) / 2;
    const auto found = generator.generate(z, y);
    EXPECT_EQ(found.sizes(), (std::vector<int64_t>{5, 64, 64}));
    EXPECT_LE((found - expected).abs().max().item<double>(), 2e-6);
    EXPECT_GT(found.std().item<double>(), 0.01);  // the tiny network does make something
    EXPECT_GT((found[0] - found[1]).abs().max().item<double>(), 0.01);
  }
}

TEST_F(SliceGeneratorTest, WithoutAnAverageTakesTheLastWeights) {
  for (auto entry = checkpoint.tensors.begin(); entry != checkpoint.tensors.end();)
    entry = entry->first.rfind("average.", 0) == 0 ? checkpoint.tensors.erase(entry) : ++entry;
  EXPECT_FALSE(read().averaged());
}

TEST_F(SliceGeneratorTest, AnImageDoesNotDependOnHowManyAreAskedFor) {
  auto generator = read();
  const auto all = generator.generate(generator.latents(3, 0, 21), conditions(generator, 21), 8);
  for (const int64_t first : {0, 5, 20}) {
    for (const int64_t count : {1, 3, 9}) {
      if (first + count > 21) continue;
      const auto z = generator.latents(3, first, count);
      const auto some = generator.generate(z, conditions(generator, count), 8);
      EXPECT_TRUE(some.equal(all.narrow(0, first, count))) << first << " " << count;
    }
  }
  EXPECT_FALSE(generator.latents(3, 0, 1).equal(generator.latents(4, 0, 1)));
}

TEST_F(SliceGeneratorTest, LatentsAreStandardNormal) {
  const auto z = read().latents(11, 0, 2000).to(torch::kDouble);
  EXPECT_NEAR(z.mean().item<double>(), 0, 0.04);
  EXPECT_NEAR(z.std().item<double>(), 1, 0.04);
  const auto correlation = z.t().matmul(z) / 2000 - torch::eye(8, torch::kDouble);
  EXPECT_LT(correlation.abs().max().item<double>(), 0.15);
}

TEST_F(SliceGeneratorTest, BrainFloatMakesNearlyTheSameImages) {
  checkpoint.write(file);
  SliceGenerator exact(file, torch::kCPU), rough(file, torch::kCPU, torch::kBFloat16);
  const auto z = exact.latents(1, 0, 4);
  const auto y = conditions(exact, 4);
  const auto difference = (exact.generate(z, y) - rough.generate(z, y)).abs();
  EXPECT_LT(difference.mean().item<double>(), 0.02);
  EXPECT_GT(difference.max().item<double>(), 0);
}

TEST_F(SliceGeneratorTest, SpectralNormIsTakenFromTheFile) {
  auto settings = tiny_network();
  settings.spectral_norm = true;
  checkpoint = tiny_checkpoint(settings);
  auto generator = read();
  auto plain = tiny_generator(2, 4, settings);
  plain->eval();
  const torch::NoGradGuard no_gradients;
  const auto z = generator.latents(7, 0, 3);
  const auto y = conditions(generator, 3);
  const auto expected = (plain->forward(z, y).squeeze(1) + 1) / 2;
  EXPECT_LE((generator.generate(z, y) - expected).abs().max().item<double>(), 5e-6);
}

TEST_F(SliceGeneratorTest, RefusesAFileThatIsNoCheckpointOfThisMethod) {
  const auto good = checkpoint.metadata;
  for (const auto* key : {"format", "method", "network", "conditions"}) {
    checkpoint.metadata = good;
    checkpoint.metadata.erase(key);
    EXPECT_EQ(refused(), fmt::format("metadata has no \"{}\"; expected a checkpoint of `scintigen "
                                     "train fastgan`",
                                     key));
  }
  checkpoint.metadata = good;
  checkpoint.metadata["method"] = "pix2pix";
  EXPECT_EQ(refused(), "is a checkpoint of method \"pix2pix\"; expected \"fastgan\"");
  checkpoint.metadata = good;
  checkpoint.metadata["format"] = "scintigen-checkpoint-9";
  EXPECT_EQ(refused(),
            "format is \"scintigen-checkpoint-9\"; expected \"scintigen-checkpoint-1\"; was it "
            "written by another version of scintigen?");
  checkpoint.metadata = good;
  checkpoint.metadata["network"] = "{";
  EXPECT_EQ(refused(), "network: is not a JSON object; the file is damaged");
  checkpoint.metadata = good;
  checkpoint.metadata["network"] = R"({"latnet": 8})";
  EXPECT_NE(refused().find("latent"), std::string::npos) << refused();
  checkpoint.metadata = good;
  checkpoint.metadata["conditions"] = "[]";
  EXPECT_NE(refused().find("conditions: "), std::string::npos) << refused();
  EXPECT_NE(refusal([&] {
              SliceGenerator(folder.path / "none.safetensors", torch::kCPU);
            }).find("none.safetensors"),
            std::string::npos);
}

TEST_F(SliceGeneratorTest, RefusesTensorsThatDoNotFitTheSettings) {
  const auto good = checkpoint.tensors;
  checkpoint.tensors["average.output.bias"] = torch::zeros({2});
  EXPECT_EQ(refused(), "tensor average.output.bias is [2]; expected [1]");
  checkpoint.tensors = good;
  checkpoint.tensors["average.up128.conv.weight"] = torch::zeros({2});
  EXPECT_EQ(refused(),
            "holds tensor average.up128.conv.weight, which its network settings do not have");
  checkpoint.tensors = good;
  checkpoint.tensors.erase("average.embed.bias");
  EXPECT_NE(refused().find("average.embed.bias"), std::string::npos) << refused();
  checkpoint.tensors = good;
  checkpoint.tensors["average.output.bias"] =
      torch::full({1}, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(refused(),
            "tensor average.output.bias holds values that are not finite numbers; the "
            "training went wrong");
}

TEST_F(SliceGeneratorTest, RefusesSettingsThatWouldAllocateWhatTheFileDoesNotHold) {
  auto json = nlohmann::ordered_json::parse(checkpoint.metadata["network"]);
  json["generator_widths"] = {8192, 8192, 8192, 8192, 8192};
  checkpoint.metadata["network"] = json.dump();
  const auto text = refused();
  EXPECT_NE(text.find("network asks for"), std::string::npos) << text;
  EXPECT_NE(text.find("it is damaged"), std::string::npos) << text;
}

TEST_F(SliceGeneratorTest, RefusesInputsOfAnotherShape) {
  auto generator = read();
  EXPECT_EQ(refusal([&] {
              generator.generate(torch::zeros({2, 9}), torch::zeros({2, 4}));
            }),
            "generate: latents are [2,9]; expected [N,8]");
  EXPECT_EQ(refusal([&] {
              generator.generate(torch::zeros({2, 8}), torch::zeros({3, 4}));
            }),
            "generate: conditions are [3,4]; expected [2,4]");
  EXPECT_EQ(refusal([&] {
              generator.generate(torch::zeros({2, 8}), torch::zeros({2, 4}), 0);
            }),
            "generate: batch size is 0; expected at least 1");
}

TEST(InterpolateLatents, RunsAlongTheGreatCircle) {
  const auto a = torch::tensor({1.f, 0.f, 0.f}), b = torch::tensor({0.f, 1.f, 0.f});
  const auto path = interpolate_latents(a, b, 3);
  EXPECT_TRUE(path[0].allclose(a, 0, 1e-7));
  EXPECT_TRUE(path[1].allclose(torch::tensor({std::sqrt(.5f), std::sqrt(.5f), 0.f}), 0, 1e-6));
  EXPECT_TRUE(path[2].allclose(b, 0, 1e-7));
}

TEST(InterpolateLatents, KeepsTheLengthAndEqualSteps) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const auto a = Random(seed, "a").normal_tensor({256}),
               b = Random(seed, "b").normal_tensor({256});
    const auto path = interpolate_latents(a / a.norm(), b / b.norm(), 9);
    EXPECT_TRUE(path.norm(2, 1).allclose(torch::ones({9}), 0, 1e-5));
    const auto steps = (path.slice(0, 1) - path.slice(0, 0, 8)).norm(2, 1);
    EXPECT_TRUE(steps.allclose(steps[0].expand({8}), 0, 1e-5));
    const auto whole = interpolate_latents(a, b, 5);
    EXPECT_TRUE(whole[0].equal(a));
    EXPECT_TRUE(whole[4].allclose(b, 1e-6, 1e-6));
  }
}

TEST(InterpolateLatents, RefusesWhatHasNoPath) {
  const auto a = torch::ones({4});
  EXPECT_TRUE(interpolate_latents(a, a, 3)[1].allclose(a));
  EXPECT_EQ(refusal([&] { interpolate_latents(a, a, 1); }),
            "interpolation: 1 steps; expected at least 2 (both ends are included)");
  EXPECT_EQ(
      refusal([&] { interpolate_latents(a, -a, 3); }),
      "interpolation: the latents are opposite; no great circle between them is the shortest");
  EXPECT_EQ(refusal([&] { interpolate_latents(a, a * 0, 3); }),
            "interpolation: a latent is zero; expected two directions");
  EXPECT_EQ(refusal([&] { interpolate_latents(a, torch::ones({5}), 3); }),
            "interpolation: latents are [4] and [5]; expected two vectors of one length");
}

}  // namespace
}  // namespace scintigen
