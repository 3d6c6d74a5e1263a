// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/temporary_folder.h"
#include "metrics/golden_images.h"
#include "metrics/image_metrics.h"
#include "metrics/perceptual_distance.h"

namespace scintigen {
namespace {

/// As scrambled() of tools/make_golden_image_metrics.py: [-0.5, 0.5) in steps of 2^-24.
torch::Tensor scrambled(std::vector<int64_t> shape, uint64_t salt, float scale, float shift = 0) {
  auto tensor = at::empty(shape, torch::kFloat);
  float* to = tensor.data_ptr<float>();
  for (int64_t n = 0; n < tensor.numel(); ++n) {
    uint64_t x = (static_cast<uint64_t>(n) + 1) * 6364136223846793005u + salt;
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    const auto value = static_cast<float>(static_cast<double>(x >> 40) / (1 << 24) - 0.5);
    to[n] = value * scale + shift;
  }
  return tensor;
}

struct Layer {
  int64_t number, out, in, side;
};
const std::vector<Layer> kAlex = {
    {0, 64, 3, 11}, {3, 192, 64, 5}, {6, 384, 192, 3}, {8, 256, 384, 3}, {10, 256, 256, 3}};
const std::vector<Layer> kVgg = {
    {0, 64, 3, 3},     {2, 64, 64, 3},    {5, 128, 64, 3},   {7, 128, 128, 3},  {10, 256, 128, 3},
    {12, 256, 256, 3}, {14, 256, 256, 3}, {17, 512, 256, 3}, {19, 512, 512, 3}, {21, 512, 512, 3},
    {24, 512, 512, 3}, {26, 512, 512, 3}, {28, 512, 512, 3}};

TensorFile made_up_weights(const std::vector<Layer>& layers, const std::vector<int64_t>& channels) {
  TensorFile file;
  file.source = "made-up.safetensors";
  uint64_t salt = 0;
  for (const auto& layer : layers) {
    const auto name = fmt::format("features.{}.", layer.number);
    const auto fan_in = static_cast<double>(layer.in * layer.side * layer.side);
    file.tensors[name + "weight"] = scrambled({layer.out, layer.in, layer.side, layer.side}, salt++,
                                              static_cast<float>(std::sqrt(24 / fan_in)));
    file.tensors[name + "bias"] = scrambled({layer.out}, salt++, 0.1f);
  }
  for (size_t l = 0; l < channels.size(); ++l)
    file.tensors[fmt::format("lin{}.model.1.weight", l)] =
        scrambled({1, channels[l], 1, 1}, 100 + l, 1.0f, 0.5f);
  return file;
}

TensorFile alex_weights() { return made_up_weights(kAlex, {64, 192, 384, 256, 256}); }
TensorFile vgg_weights() { return made_up_weights(kVgg, {64, 128, 256, 512, 512}); }

void expect_golden(const TensorFile& weights, PerceptualNetwork network, const char* name) {
  const auto golden = read_tensors(SCINTIGEN_TEST_GOLDEN "/metrics/lpips.safetensors");
  const PerceptualDistance distance(weights, network);
  const auto found = distance(golden.at("a"), golden.at("b"));
  ASSERT_EQ(found.numel(), 2);
  for (int64_t n = 0; n < 2; ++n) {
    const double expected = number(golden, name, n);
    EXPECT_NEAR(found[n].item<double>(), expected, 1e-5 * expected) << name;
  }
}

TEST(PerceptualDistance, AlexNetAgreesWithPyTorch) {
  expect_golden(alex_weights(), PerceptualNetwork::kAlex, "alex");
}

TEST(PerceptualDistance, Vgg16AgreesWithPyTorch) {
  expect_golden(vgg_weights(), PerceptualNetwork::kVgg, "vgg");
}

TEST(PerceptualDistance, IsZeroBetweenTheSameAndSymmetric) {
  const PerceptualDistance distance(alex_weights(), PerceptualNetwork::kAlex);
  const auto a = random_image(1, 2, 31, 40), b = random_image(2, 2, 31, 40);
  EXPECT_EQ(distance(a, a).abs().max().item<double>(), 0);
  EXPECT_TRUE(at::allclose(distance(a, b), distance(b, a), 1e-6));
  EXPECT_GT(distance(a, b).min().item<double>(), 0);
}

TEST(PerceptualDistance, OfAVolumeIsTheMeanOverSlicesWithContent) {
  const PerceptualDistance distance(alex_weights(), PerceptualNetwork::kAlex);
  auto a = random_image(1, 3, 33, 32), b = random_image(2, 3, 33, 32);
  a[1].fill_(0);
  b[1].fill_(0);
  const auto pair = image_pair(a, b);
  int64_t slices = 0;
  const auto row = perceptual_metric(pair, {4, -1}, distance, [&] { ++slices; });
  const auto expected = distance((a + 1) / 2 - 1, (b + 1) / 2 - 1);
  EXPECT_NEAR(row.whole, (expected[0] + expected[2]).item<double>() / 2, 1e-6);
  EXPECT_EQ(slices, 2);
  EXPECT_EQ(row.parameters["slices"], 2);
  EXPECT_EQ(row.parameters["range_low"], -1.0);
}

TEST(PerceptualDistance, RefusesOtherWeights) {
  const auto make = [](const TensorFile& file, PerceptualNetwork network) {
    return PerceptualDistance(file, network);
  };
  auto file = alex_weights();
  EXPECT_REFUSED(
      make(file, PerceptualNetwork::kVgg),
      "made-up.safetensors: tensor 'features.0.weight' is [64,3,11,11] of float; expected "
      "[64,3,3,3] of floating point; is it the other network?");
  file.tensors["features.3.bias"][7] = NAN;
  EXPECT_REFUSED(make(file, PerceptualNetwork::kAlex),
                 "tensor 'features.3.bias' holds values that are not finite");
  file = alex_weights();
  file.tensors.erase("lin4.model.1.weight");
  EXPECT_REFUSED(make(file, PerceptualNetwork::kAlex), "no tensor 'lin4.model.1.weight'");
}

TEST(PerceptualDistance, RefusesSmallOrUnlikeImages) {
  const PerceptualDistance distance(alex_weights(), PerceptualNetwork::kAlex);
  EXPECT_REFUSED(distance(random_image(1, 1, 30, 40), random_image(1, 1, 30, 40)),
                 "LPIPS: the image is 30 x 40 pixels; this network needs at least 31 x 31");
  EXPECT_REFUSED(distance(random_image(1, 1, 40, 40), random_image(1, 1, 40, 41)),
                 "LPIPS: images are [1,40,40] and [1,40,41]");
}

TEST(PerceptualDistance, Vgg16TakesImagesOfSixteenPixels) {
  const PerceptualDistance distance(vgg_weights(), PerceptualNetwork::kVgg);
  EXPECT_GT(distance(random_image(1, 1, 16, 16), random_image(2, 1, 16, 16)).item<double>(), 0);
  EXPECT_REFUSED(distance(random_image(1, 1, 16, 15), random_image(2, 1, 16, 15)),
                 "needs at least 16 x 16");
}

}  // namespace
}  // namespace scintigen
