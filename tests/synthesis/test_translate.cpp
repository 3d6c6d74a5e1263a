// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "core/error.h"
#include "synthesis/tiny_translator.h"
#include "synthesis/translate.h"

namespace scintigen {
namespace {

class TranslateTest : public testing::Test {
 protected:
  TranslateTest() : file(people.folder() / "best.safetensors") {
    add_tiny_people(people);
    training = std::make_unique<PairedSlices>(people.cohort(), std::vector<std::string>{"a", "b"},
                                              tiny_data());
    checkpoint = tiny_translator(*training);
  }
  PairedTranslator read(const Inference& inference = {}) {
    checkpoint.write(file);
    return PairedTranslator(file, torch::kCPU, torch::kFloat, inference);
  }
  std::string refused(const Inference& inference = {}) {
    try {
      read(inference);
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing was refused";
  }
  TranslatedPixels translated(const Inference& inference) {
    std::vector<PairedTranslator> ensemble;
    ensemble.push_back(read(inference));
    return translate(ensemble, person(), {1, 2, 3, 4, 5, 6, 7, 8}, inference);
  }
  const PairedPerson& person() const { return training->people()[0]; }

  MadeUpCohort people;
  std::filesystem::path file;
  std::unique_ptr<PairedSlices> training;
  TinyTranslator checkpoint;
};

double farthest(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST_F(TranslateTest, PutsEachSliceWhereItsInputWas) {
  Inference inference;
  inference.batch_size = 3;
  const auto pixels = translated(inference);
  EXPECT_FALSE(pixels.deviation.defined());
  auto plain = tiny_unet_with_weights(1, tiny_unet());
  plain->eval();
  const torch::NoGradGuard no_gradients;
  for (int64_t k = 0; k < 10; ++k) {
    auto expected = torch::full({10, 20, 24}, -1.0F);
    if (k >= 1 && k <= 8) {
      const auto slice = scaled_slice(person().inputs[0].voxels, k, 32).pixels;
      put_slice(plain->forward(slice.view({1, 1, 32, 32}))[0][0], k, expected);
    }
    EXPECT_LT(farthest(pixels.mean[k], expected[k]), 1e-5) << k;
  }
  EXPECT_GT(pixels.mean[4].std().item<double>(), 0.01) << "the tiny network does make something";
}

TEST_F(TranslateTest, RunsTheAveragedWeightsWhereThereAreSuch) {
  const auto before = translated({}).mean;
  const auto averaged = tiny_unet_with_weights(2, tiny_unet());
  for (const auto& entry : averaged->named_parameters())
    checkpoint.tensors["average." + entry.key()] = entry.value().detach();
  for (const auto& entry : averaged->named_buffers())
    checkpoint.tensors["average." + entry.key()] = entry.value();
  const auto after = translated({}).mean;
  EXPECT_GT(farthest(before, after), 1e-3);
  for (auto& [name, tensor] : tiny_translator(*training, 2).tensors)
    if (name.rfind("generator.", 0) == 0) checkpoint.tensors[name] = tensor;
  for (const auto& entry : averaged->named_parameters())
    checkpoint.tensors.erase("average." + entry.key());
  for (const auto& entry : averaged->named_buffers())
    checkpoint.tensors.erase("average." + entry.key());
  EXPECT_EQ(farthest(translated({}).mean, after), 0);
}

TEST_F(TranslateTest, RunsByBatchStatisticsWhereAsked) {
  Inference inference;
  inference.batch_statistics = true;
  inference.batch_size = 8;
  const auto pixels = translated(inference);
  auto network = tiny_unet();
  network.dropout = 0;
  auto plain = tiny_unet_with_weights(1, network);
  plain->train();
  const torch::NoGradGuard no_gradients;
  std::vector<torch::Tensor> slices;
  for (int64_t k = 1; k <= 8; ++k)
    slices.push_back(scaled_slice(person().inputs[0].voxels, k, 32).pixels.unsqueeze(0));
  const auto made = plain->forward(torch::stack(slices));
  for (int64_t k = 1; k <= 8; ++k) {
    auto expected = torch::full({10, 20, 24}, -1.0F);
    put_slice(made[k - 1][0], k, expected);
    EXPECT_LT(farthest(pixels.mean[k], expected[k]), 1e-5) << k;
  }
  EXPECT_GT(farthest(pixels.mean, translated({}).mean), 0.01);
}

/// Six levels: the fifth is the first with dropout.
class DropoutTest : public TranslateTest {
 protected:
  DropoutTest() {
    auto data = tiny_data();
    data.side = 64;
    training =
        std::make_unique<PairedSlices>(people.cohort(), std::vector<std::string>{"a", "b"}, data);
    auto network = tiny_unet();
    network.levels = 6;
    checkpoint = tiny_translator(*training, 1, network);
  }
};

TEST_F(DropoutTest, SamplesGiveMeanAndDeviation) {
  Inference inference;
  inference.dropout = true;
  inference.samples = 5;
  const auto pixels = translated(inference);
  ASSERT_TRUE(pixels.deviation.defined());
  // The same from five translations of one sample: sample s has the stream of s.
  std::vector<torch::Tensor> samples;
  auto translator = read(inference);
  for (uint64_t s = 0; s < 5; ++s) {
    SCOPED_TRACE(s);
    std::vector<torch::Tensor> slices;
    for (int64_t k = 1; k <= 8; ++k)
      slices.push_back(scaled_slice(person().inputs[0].voxels, k, 64).pixels.unsqueeze(0));
    const auto made = translator(
        torch::stack(slices), stream_seed(stream_seed(inference.seed, "dropout", s), "batch", 0));
    auto volume = torch::full({10, 20, 24}, -1.0F);
    for (int64_t k = 1; k <= 8; ++k) put_slice(made[k - 1][0], k, volume);
    samples.push_back(volume);
  }
  const auto all = torch::stack(samples);
  EXPECT_LT(farthest(pixels.mean, all.mean(0)), 1e-5);
  EXPECT_LT(farthest(pixels.deviation, all.std(0)), 1e-5);
  EXPECT_GT(pixels.deviation.max().item<double>(), 1e-3);
  EXPECT_TRUE(torch::equal(pixels.mean, translated(inference).mean)) << "a function of the seed";
  inference.seed = 2;
  EXPECT_FALSE(torch::equal(pixels.mean, translated(inference).mean));
}

TEST_F(TranslateTest, EnsemblesGiveMeanAndDeviation) {
  std::vector<PairedTranslator> ensemble;
  ensemble.push_back(read());
  const auto one = translated({});
  checkpoint = tiny_translator(*training, 2);
  ensemble.push_back(read());
  const auto two = translated({});
  require_alike(ensemble);
  const auto both = translate(ensemble, person(), one.planes, {});
  EXPECT_LT(farthest(both.mean, (one.mean + two.mean) / 2), 1e-6);
  EXPECT_LT(farthest(both.deviation, (one.mean - two.mean).abs() / std::sqrt(2.0)), 1e-5);

  auto data = tiny_data();
  data.slices = 5;
  checkpoint = tiny_translator(PairedSlices(people.cohort(), {"a", "b"}, data));
  ensemble.push_back(read());
  EXPECT_REFUSED(require_alike(ensemble), "the runs do not fit together: T1w to spect (6 slices");
}

TEST_F(TranslateTest, RefusesWhatIsNoTranslator) {
  auto dropout = Inference();
  dropout.dropout = true;
  auto network = tiny_unet();
  network.dropout = 0;
  checkpoint = tiny_translator(*training, 1, network);
  EXPECT_NE(refused(dropout).find("was trained without dropout"), std::string::npos);
  const auto good = tiny_translator(*training);
  const auto refusal_of = [&](const std::string& key, const std::string& value) {
    checkpoint = good;
    if (value.empty())
      checkpoint.metadata.erase(key);
    else
      checkpoint.metadata[key] = value;
    return refused();
  };
  const auto says = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos ? testing::AssertionSuccess()
                                                : testing::AssertionFailure() << text;
  };
  EXPECT_TRUE(says(refusal_of("method", "fastgan"), "method \"fastgan\"; expected \"pix2pix\""));
  EXPECT_TRUE(says(refusal_of("summary", ""), "says nothing of its training data"));
  EXPECT_TRUE(says(refusal_of("summary", "{}"), "the profile of the targets is incomplete"));
  EXPECT_TRUE(says(refusal_of("training", "[1]"), "\"training\" is not a JSON object"));
  EXPECT_TRUE(says(refusal_of("training", R"({"inputs": ["T1w"]})"), "settings have no"));
  EXPECT_TRUE(says(refusal_of("network", R"({"levels": 9})"), "do not fit a network of 9 levels"));
  auto settings = nlohmann::ordered_json::parse(good.metadata.at("training"));
  settings["width"] = 512;
  EXPECT_TRUE(says(refusal_of("training", settings.dump()), "it is damaged"));
  checkpoint = good;
  checkpoint.tensors.erase("summary.level_mean");
  EXPECT_TRUE(says(refused(), "tensor summary.level_mean is missing"));
}

TEST_F(TranslateTest, ChoosesPlanes) {
  auto someone = person();
  ASSERT_EQ(someone.first, 2);
  EXPECT_EQ(planes_to_translate(someone, "trained"), (std::vector<int64_t>{2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(planes_to_translate(someone, "all").size(), 10U);
  someone.mask = torch::zeros({10, 20, 24});
  someone.mask[9][3][3] = 1;
  EXPECT_EQ(planes_to_translate(someone, "brain"), (std::vector<int64_t>{2, 3, 4, 5, 6, 7, 9}));
}

TEST(Counts, ComeBackByTheRange) {
  TranslatedPixels pixels;
  pixels.mean = torch::full({3, 2, 2}, -1.0F);
  pixels.mean[1].fill_(0.5);
  pixels.deviation = torch::zeros({3, 2, 2});
  pixels.deviation[1].fill_(0.1);
  pixels.planes = {1};
  const std::vector<PlaneRange> ranges = {{5, 9}, {10, 50}, {5, 9}};
  auto brain = torch::ones({3, 2, 2});
  brain[1][0][0] = 0;
  const auto counts = to_counts(pixels, ranges, brain);
  EXPECT_FLOAT_EQ(counts[1][1][1].item<float>(), 40);
  EXPECT_EQ(counts[1][0][0].item<float>(), 0);
  EXPECT_EQ(counts[0].abs().max().item<float>(), 0) << "no slice was translated there";
  EXPECT_FLOAT_EQ(to_counts(pixels, ranges)[1][0][0].item<float>(), 40);
  EXPECT_FLOAT_EQ(deviation_in_counts(pixels, ranges, brain)[1][1][0].item<float>(), 2);
}

TEST(EvenSlices, TakeFlickerAwayAndLeaveTheSumAndASmoothCourse) {
  const int64_t depth = 24;
  auto smooth = torch::zeros({depth, 6, 6}), inside = torch::ones({depth, 6, 6});
  for (int64_t k = 0; k < depth; ++k)
    smooth[k] = 100 * std::exp(0.03 * static_cast<double>(k)) *
                Random(1, "pixel").uniform_tensor({6, 6}).add(0.5);
  auto same = smooth.clone();
  even_slices(same, inside, 2);
  EXPECT_LT(farthest(same / smooth, torch::ones_like(smooth)), 1e-4) << "an exponential course";
  auto flicker = smooth.clone();
  for (int64_t k = 0; k < depth; ++k) flicker[k] *= k % 2 == 0 ? 1.15 : 0.85;
  const double before = neighbour_difference(flicker, inside);
  auto evened = flicker.clone();
  even_slices(evened, inside, 2);
  EXPECT_LT(neighbour_difference(evened, inside), 0.35 * before);
  EXPECT_NEAR(evened.sum().item<double>() / flicker.sum().item<double>(), 1, 1e-5);
  auto untouched = flicker.clone();
  even_slices(untouched, inside, 0);
  EXPECT_TRUE(torch::equal(untouched, flicker));
}

TEST(NeighbourDifference, IsAPartOfTheMean) {
  auto volume = torch::zeros({3, 2, 2}), inside = torch::ones({3, 2, 2});
  volume[0].fill_(10);
  volume[1].fill_(20);
  volume[2].fill_(30);
  EXPECT_NEAR(neighbour_difference(volume, inside), 10.0 / 20, 1e-9);
  inside[2].zero_();
  EXPECT_NEAR(neighbour_difference(volume, inside), 10.0 / 15, 1e-9);
  inside[1].zero_();
  EXPECT_EQ(neighbour_difference(volume, inside), 0) << "no neighbours";
}

}  // namespace
}  // namespace scintigen
