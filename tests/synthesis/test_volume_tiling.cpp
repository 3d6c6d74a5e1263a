// SPDX-License-Identifier: Apache-2.0
// Triplets and patches: the identity gives every volume back bit for bit.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <array>
#include <cmath>

#include "core/random.h"
#include "core/temporary_folder.h"
#include "synthesis/tiling.h"

namespace scintigen {
namespace {

const std::vector<std::array<int64_t, 3>> kSizes = {
    {1, 1, 1},   {1, 5, 40},   {2, 33, 7},    {3, 16, 16},  {4, 15, 17},
    {7, 32, 32}, {8, 31, 29},  {16, 16, 16},  {17, 47, 9},  {31, 20, 33},
    {33, 8, 64}, {45, 21, 50}, {19, 100, 37}, {32, 32, 32}, {48, 65, 31}};

/// Any numbers, and their pixels as all pieces are scaled.
struct Example {
  MappedVolume volume;
  torch::Tensor pixels;
};
Example example(const std::array<int64_t, 3>& size, uint64_t seed) {
  Example made;
  made.volume = mapped_by(
      "volume", Random(seed, "volume").normal_tensor({size[0], size[1], size[2]}) * 37 + 11);
  made.pixels = torch::full_like(made.volume.voxels, -1);
  if (made.volume.high > made.volume.low) {
    const PixelScale scale(made.volume.low, made.volume.high);
    for (int64_t n = 0; n < made.pixels.numel(); ++n)
      made.pixels.data_ptr<float>()[n] = scale(made.volume.voxels.data_ptr<float>()[n]);
  }
  return made;
}

torch::Tensor identity(const torch::Tensor& pieces, int64_t) { return pieces; }

TEST(TripletTiling, TheIdentityGivesTheVolumeBackBitForBit) {
  uint64_t seed = 1;
  for (const auto& size : kSizes)
    for (const auto overlap : {Overlap::kNone, Overlap::kMean})
      for (const int64_t batch : {1, 5}) {
        const auto made = example(size, seed++);
        TripletTiling tiling(made.volume, 0, size[0], 32, overlap);
        ASSERT_TRUE(run_pieces(tiling, identity, batch));
        ASSERT_TRUE(torch::equal(tiling.volume(0), made.pixels))
            << size[0] << " x " << size[1] << " x " << size[2];
      }
}

TEST(PatchTiling, TheIdentityGivesTheVolumeBackBitForBit) {
  uint64_t seed = 1;
  for (const auto& size : kSizes)
    for (const auto overlap : {Overlap::kNone, Overlap::kMean})
      for (const int64_t side : {8, 32}) {
        const auto made = example(size, seed++);
        PatchTiling tiling(made.volume, side, overlap);
        ASSERT_TRUE(run_pieces(tiling, identity, 7));
        ASSERT_TRUE(torch::equal(tiling.volume(0), made.pixels))
            << size[0] << " x " << size[1] << " x " << size[2] << " by " << side;
      }
}

TEST(TripletTiling, IsAsManyAsThePaper) {
  const MappedVolume volume{torch::zeros({136, 4, 4}), 0, 1};
  EXPECT_EQ(TripletTiling(volume, 0, 136, 32, Overlap::kNone).size(), 46);
  EXPECT_EQ(TripletTiling(volume, 0, 136, 32, Overlap::kMean).size(), 134);
}

TEST(TripletTiling, StacksOrAverages) {
  // The network says which of the triplet's slices it made: 0, 1 and 2 tenths.
  const auto network = [](const torch::Tensor& pieces, int64_t) {
    return torch::zeros_like(pieces) + torch::tensor({0.0F, 0.1F, 0.2F}).view({1, 3, 1, 1});
  };
  const MappedVolume volume{torch::zeros({8, 4, 4}), 0, 1};
  const auto planes = [&](Overlap overlap) {
    TripletTiling tiling(volume, 1, 5, 4, overlap);
    EXPECT_TRUE(run_pieces(tiling, network, 2));
    return tiling.volume(0).select(1, 0).select(1, 0);
  };
  const auto stacked = planes(Overlap::kNone), averaged = planes(Overlap::kMean);
  // Planes 1 2 3, then 3 4 5 of which 3 is there already.
  EXPECT_TRUE(
      torch::allclose(stacked, torch::tensor({-1.0F, 0.0F, 0.1F, 0.2F, 0.1F, 0.2F, -1.0F, -1.0F})));
  EXPECT_TRUE(torch::allclose(
      averaged, torch::tensor({-1.0F, 0.0F, 0.05F, 0.1F, 0.15F, 0.2F, -1.0F, -1.0F})));
}

TEST(TripletTiling, KeepsChannelsOfSeveralOutputsApart) {
  const auto made = example({7, 9, 11}, 5);
  TripletTiling tiling(made.volume, 0, 7, 32, Overlap::kNone, 2);
  ASSERT_TRUE(run_pieces(
      tiling,
      [](const auto& pieces, int64_t) {
        return torch::cat({pieces, pieces * 2}, 1);
      },
      2));
  EXPECT_TRUE(torch::equal(tiling.volume(0), made.pixels));
  EXPECT_TRUE(torch::equal(tiling.volume(1), made.pixels * 2));
}

TEST(PatchTiling, KeepsTheMiddleOfEachPatch) {
  // The network marks what lies outside the middle half: none of it may come back.
  const auto network = [](const torch::Tensor& pieces, int64_t) {
    auto marked = pieces.clone();
    marked.slice(2, 0, 8).fill_(9), marked.slice(2, 24).fill_(9);
    marked.slice(3, 0, 8).fill_(9), marked.slice(3, 24).fill_(9);
    marked.slice(4, 0, 8).fill_(9), marked.slice(4, 24).fill_(9);
    return marked;
  };
  const auto made = example({40, 33, 20}, 2);
  PatchTiling tiling(made.volume, 32, Overlap::kNone);
  EXPECT_EQ(tiling.size(), 3 * 3 * 2);
  ASSERT_TRUE(run_pieces(tiling, network, 4));
  EXPECT_TRUE(torch::equal(tiling.volume(0), made.pixels));
}

TEST(PatchTiling, BlendsUnderHannsWindow) {
  // Piece n is the constant n: along one axis the mean follows the window.
  const MappedVolume volume{torch::zeros({1, 1, 64}), 0, 1};
  PatchTiling tiling(volume, 32, Overlap::kMean, 2);
  const int64_t pieces = tiling.size();
  ASSERT_EQ(pieces % 5, 0);  // starts at -16, 0, 16, 32, 48
  for (int64_t n = 0; n < pieces; ++n) {
    const auto constant = torch::full({1, 32, 32, 32}, static_cast<float>(n % 5));
    tiling.put(n, torch::cat({constant, constant + 1}));
  }
  for (int64_t i = 0; i < 64; ++i) {
    const double x = static_cast<double>(i % 16) + 0.5, sine = std::sin(x * M_PI / 32);
    const auto before = static_cast<double>(i / 16);  // the patch that began earlier
    const double expected = before + sine * sine;
    EXPECT_NEAR(tiling.volume(0)[0][0][i].item<double>(), expected, 1.0 / 256) << i;
    EXPECT_NEAR(tiling.volume(1)[0][0][i].item<double>(), expected + 1, 1.0 / 256) << i;
  }
}

TEST(VolumeTiling, RefusesWhatDoesNotFit) {
  const MappedVolume volume{torch::zeros({4, 4, 4}), 0, 1};
  EXPECT_REFUSED(TripletTiling(volume, 3, 2, 32, Overlap::kNone), "planes 3 to 4 of 4");
  EXPECT_REFUSED(TripletTiling(volume, 0, 0, 32, Overlap::kNone), "expected some of them");
  EXPECT_REFUSED(PatchTiling(volume, 30, Overlap::kNone), "expected a multiple of 4");
}

}  // namespace
}  // namespace scintigen
