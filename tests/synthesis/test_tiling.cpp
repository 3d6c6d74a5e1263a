// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "core/error.h"
#include "core/random.h"
#include "core/temporary_folder.h"
#include "synthesis/tiling.h"

namespace scintigen {
namespace {

/// Multiples of 1/128 in [-1,1]: scaling from and to [-1,1] is exact in float32.
torch::Tensor exact_volume(int64_t depth, int64_t rows, int64_t columns) {
  return (Random(9, "volume").uniform_tensor({depth, rows, columns}) * 256).floor() / 128 - 1;
}

std::vector<int64_t> all_planes(int64_t depth) {
  std::vector<int64_t> planes;
  for (int64_t k = 0; k < depth; ++k) planes.push_back(k);
  return planes;
}

torch::Tensor first_channel(const torch::Tensor& pieces, int64_t) { return pieces.narrow(1, 0, 1); }

TEST(SliceTiling, TheIdentityGivesTheVolumeBackBitForBit) {
  constexpr int64_t kSide = 32;
  for (const int64_t depth : {1, 2, 7, 8, 9, 16, 19})
    for (const auto& [rows, columns] : {std::pair{32, 32}, std::pair{31, 29}, std::pair{20, 32},
                                        std::pair{1, 5}, std::pair{33, 40}, std::pair{45, 21}})
      for (const int64_t batch : {1, 3, 8}) {
        const auto volume = exact_volume(depth, rows, columns);
        SliceTiling tiling({{volume, -1, 1}}, all_planes(depth), kSide);
        ASSERT_TRUE(run_pieces(tiling, first_channel, batch));
        // What a square cannot hold is the lower end of the scale.
        auto expected = torch::full_like(volume, -1);
        const int64_t high = std::min<int64_t>(rows, kSide),
                      wide = std::min<int64_t>(columns, kSide);
        const int64_t down = rows - std::max<int64_t>((rows - kSide) / 2, 0) - high;
        const int64_t across = columns - std::max<int64_t>((columns - kSide) / 2, 0) - wide;
        expected.narrow(1, down, high)
            .narrow(2, across, wide)
            .copy_(volume.narrow(1, down, high).narrow(2, across, wide));
        ASSERT_TRUE(torch::equal(tiling.volume(0), expected))
            << depth << " planes of " << rows << " x " << columns << " by " << batch;
      }
}

TEST(SliceTiling, ShowsTheNetworkRadiologicalSlices) {
  // One bright voxel: patient's left (first i of RAS is left), front (last j).
  auto volume = torch::full({3, 32, 32}, -1, torch::kFloat);
  volume[1][31][0] = 1;
  const SliceTiling tiling({{volume, -1, 1}}, {1}, 32);
  const auto piece = tiling.cut(0);
  EXPECT_EQ(piece[0].argmax().item<int64_t>(), 31) << "first row, last column";
}

TEST(SliceTiling, PutsBackOnlyThePlanesItCut) {
  const auto volume = exact_volume(9, 32, 32);
  SliceTiling tiling({{volume, -1, 1}}, {2, 3, 7}, 32, 2);
  ASSERT_TRUE(run_pieces(
      tiling,
      [](const auto& pieces, int64_t) {
        return torch::cat({pieces, pieces + 5}, 1);
      },
      2));
  for (int64_t k = 0; k < 9; ++k) {
    const bool cut = k == 2 || k == 3 || k == 7;
    EXPECT_TRUE(
        torch::equal(tiling.volume(0)[k], cut ? volume[k] : torch::full_like(volume[k], -1)));
    EXPECT_TRUE(
        torch::equal(tiling.volume(1)[k], cut ? volume[k] + 5 : torch::zeros_like(volume[k])));
  }
}

TEST(SliceTiling, RefusesWhatDoesNotFit) {
  const auto volume = exact_volume(4, 32, 32);
  EXPECT_REFUSED(SliceTiling({}, {0}, 32), "no volume to cut");
  EXPECT_REFUSED(SliceTiling({{volume, 0, 0}, {exact_volume(4, 31, 32), 0, 0}}, {0}, 32),
                 "expected one grid");
  EXPECT_REFUSED(SliceTiling({{volume, 0, 0}}, {4}, 32), "plane 4 of 4");
  SliceTiling tiling({{volume, -1, 1}}, all_planes(4), 32);
  EXPECT_REFUSED(run_pieces(tiling, first_channel, 0), "batches of 0 pieces");
  EXPECT_REFUSED(run_pieces(
                     tiling, [](const auto& pieces, int64_t) { return pieces.narrow(0, 0, 1); }, 2),
                 "made 1 pieces of 2");
}

/// Overlapping windows of a line: what a tiling of patches does.
class LineTiling : public Tiling {
 public:
  explicit LineTiling(torch::Tensor line)
      : line_(std::move(line)), sum_(torch::zeros_like(line_)), count_(sum_.clone()) {}
  int64_t size() const override { return line_.size(0) - 3; }
  torch::Tensor cut(int64_t piece) const override { return line_.narrow(0, piece, 4).unsqueeze(0); }
  void put(int64_t piece, const torch::Tensor& made) override {
    sum_.narrow(0, piece, 4) += made[0];
    count_.narrow(0, piece, 4) += 1;
  }
  torch::Tensor together() const { return sum_ / count_; }

 private:
  torch::Tensor line_, sum_, count_;
};

TEST(Tiling, TakesOtherPiecesThanSlicesAndMeetsEachOnce) {
  const auto line = Random(4, "line").uniform_tensor({21});
  for (const int64_t batch : {1, 4, 5, 18, 30}) {
    LineTiling tiling(line);
    std::vector<int64_t> told;
    ASSERT_TRUE(run_pieces(
        tiling,
        [&](const torch::Tensor& pieces, int64_t number) {
          EXPECT_EQ(number, static_cast<int64_t>(told.size()));
          EXPECT_EQ(pieces.sizes(), torch::IntArrayRef({batch, 1, 4})) << "batches are whole";
          return pieces;
        },
        batch,
        [&](int64_t more) {
          told.push_back(more);
          return true;
        }));
    EXPECT_LT((tiling.together() - line).abs().max().item<double>(), 1e-6);
    int64_t sum = 0;
    for (const int64_t more : told) sum += more;
    EXPECT_EQ(sum, 18);
  }
}

TEST(Tiling, StopsWhenTold) {
  LineTiling tiling(torch::rand({21}));
  int64_t batches = 0;
  EXPECT_FALSE(run_pieces(
      tiling, [](const auto& pieces, int64_t) { return pieces; }, 4,
      [&](int64_t) { return ++batches < 2; }));
  EXPECT_EQ(batches, 2);
}

}  // namespace
}  // namespace scintigen
