// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "cohort/volume_pieces.h"
#include "core/random.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

MappedVolume volume_of(int64_t depth, int64_t rows, int64_t columns, uint64_t seed = 1) {
  return mapped_by("volume", Random(seed, "volume").uniform_tensor({depth, rows, columns}) * 40);
}

PieceSettings patches(int64_t side = 32, int64_t stride = 8) {
  PieceSettings settings;
  settings.pieces = "patches";
  settings.patch_side = side;
  settings.patch_stride = stride;
  return settings;
}

TEST(VolumePieces, AreAsManyAsThePapers) {
  EXPECT_EQ(triplet_places(0, 136).size(), 46U);
  EXPECT_EQ(patch_places({136, 189, 157}, 32, 8).size(), 6069U);
}

TEST(VolumePieces, TripletsHoldEveryPlaneAndNoneBeyond) {
  for (const int64_t first : {0, 5})
    for (const int64_t count : {1, 2, 3, 4, 5, 6, 7, 136}) {
      std::set<int64_t> seen;
      for (const auto& place : triplet_places(first, count))
        for (int64_t n = 0; n < std::min(count, kTriplet); ++n) seen.insert(place.k + n);
      EXPECT_EQ(static_cast<int64_t>(seen.size()), count);
      EXPECT_EQ(*seen.begin(), first);
      EXPECT_EQ(*seen.rbegin(), first + count - 1);
    }
  EXPECT_EQ(triplet_places(0, 7, 1).size(), 5U);
}

TEST(VolumePieces, TripletsAreThreeScaledSlices) {
  const auto volume = volume_of(5, 20, 24);
  auto triplet = torch::empty({3, 32, 32});
  cut_triplet(volume, 1, 32, triplet.data_ptr<float>());
  for (int64_t n = 0; n < 3; ++n)
    EXPECT_TRUE(torch::equal(
        triplet[n], scaled_slice(volume.voxels, 1 + n, 32, volume.low, volume.high).pixels));
  cut_triplet(volume, 3, 32, triplet.data_ptr<float>());
  EXPECT_TRUE(torch::equal(triplet[1], triplet[2])) << "beyond the last plane, that one again";
}

TEST(VolumePieces, PatchesAreBoxesOfTheScaledVolume) {
  auto volume = volume_of(20, 45, 33);
  volume.voxels[0][0][0] = -10;  // what is beyond the volume is the value 0, not the minimum
  volume.low = -10;
  const PixelScale scale(volume.low, volume.high);
  const auto padded = torch::full({20 + 64, 45 + 64, 33 + 64}, scale.padding());
  auto inside = padded.slice(0, 32, 52).slice(1, 32, 77).slice(2, 32, 65);
  for (int64_t k = 0; k < 20; ++k)
    for (int64_t j = 0; j < 45; ++j)
      for (int64_t i = 0; i < 33; ++i)
        inside[k][j][i] = scale(volume.voxels[k][j][i].item<float>());
  EXPECT_GT(scale.padding(), -1);
  auto patch = torch::empty({32, 32, 32});
  for (const auto& place : {PiecePlace{0, 0, 0}, PiecePlace{-6, 13, 1}, PiecePlace{-31, 44, -9},
                            PiecePlace{15, -20, 30}}) {
    cut_patch(volume, place, 32, patch.data_ptr<float>());
    EXPECT_TRUE(torch::equal(patch, padded.slice(0, place.k + 32, place.k + 64)
                                        .slice(1, place.j + 32, place.j + 64)
                                        .slice(2, place.i + 32, place.i + 64)));
  }
  const MappedVolume constant{torch::full({3, 3, 3}, 7), 7, 7};
  cut_patch(constant, {0, 0, 0}, 32, patch.data_ptr<float>());
  EXPECT_EQ(patch.max().item<float>(), -1);
}

TEST(VolumePieces, PatchesCoverThePaddedVolumeAroundItsMiddle) {
  const auto places = patch_places({20, 64, 33}, 32, 16);
  // 32 - 20 = 12 planes are added, half of them before; 64 fits; 33 becomes 64.
  ASSERT_EQ(places.size(), 1U * 3 * 3);
  EXPECT_EQ(places.front().k, -6);
  EXPECT_EQ(places.front().j, 0);
  EXPECT_EQ(places.front().i, -15);
  EXPECT_EQ(places.back().j, 32);
}

/// Which piece of `list` each of a batch is.
std::vector<int64_t> recognised(const torch::Tensor& batch, const torch::Tensor& list) {
  std::vector<int64_t> found;
  for (int64_t n = 0; n < batch.size(0); ++n) {
    const auto distance = (list - batch[n]).abs().flatten(1).sum(1);
    found.push_back(distance.argmin().item<int64_t>());
    EXPECT_EQ(distance.min().item<float>(), 0);
  }
  return found;
}

std::vector<int64_t> counted(int64_t count) {
  std::vector<int64_t> all;
  for (int64_t n = 0; n < count; ++n) all.push_back(n);
  return all;
}

TEST(VolumePieces, PairsAreOfOnePlaceAndComeOnceAnEpoch) {
  for (const auto& settings : {PieceSettings{}, patches(32, 16)}) {
    PieceList sources(settings, 16), targets(settings, 16);
    for (const uint64_t person : {1, 2}) {
      sources.add(volume_of(11, 40, 16, person), 0, 11);
      targets.add(volume_of(11, 40, 16, person + 10), 0, 11);
    }
    const int64_t size = sources.size();
    EXPECT_EQ(size, settings.patches() ? 2 * 1 * 3 : 2 * 4);
    const VolumePieces pieces(sources, targets, true);
    EXPECT_EQ(pieces.steps_per_epoch(3), size / 3);
    const auto all = pieces.gather(counted(size), counted(size));
    for (int64_t epoch = 0; epoch < 3; ++epoch) {
      std::multiset<int64_t> seen;
      for (int64_t step = 0; step < size / 2; ++step) {
        const auto batch = pieces.batch(epoch * (size / 2) + step, 2, 7);
        const auto from = recognised(batch.sources, all.sources);
        EXPECT_EQ(from, recognised(batch.targets, all.targets));
        seen.insert(from.begin(), from.end());
      }
      EXPECT_EQ(static_cast<int64_t>(std::set<int64_t>(seen.begin(), seen.end()).size()), size);
    }
    EXPECT_TRUE(torch::equal(pieces.batch(4, 2, 7).sources, pieces.batch(4, 2, 7).sources));
    EXPECT_FALSE(torch::equal(pieces.batch(4, 2, 7).sources, pieces.batch(4, 2, 8).sources));
  }
}

TEST(VolumePieces, UnpairedDomainsAreDrawnIndependently) {
  PieceList sources(PieceSettings{}, 16), targets(PieceSettings{}, 16);
  for (const uint64_t person : {1, 2, 3}) sources.add(volume_of(24, 16, 16, person), 0, 24);
  targets.add(volume_of(15, 16, 16, 9), 0, 15);
  const VolumePieces pieces(sources, targets, false);
  ASSERT_EQ(pieces.size(), 24) << "of the longer list";
  std::set<int64_t> seen;
  std::multiset<int64_t> seen_targets;
  int64_t together = 0;
  for (int64_t step = 0; step < 12; ++step) {
    const auto batch = pieces.batch(step, 2, 3);
    const auto a = recognised(batch.sources, sources.gather(counted(24)));
    const auto b = recognised(batch.targets, targets.gather(counted(5)));
    seen.insert(a.begin(), a.end());
    seen_targets.insert(b.begin(), b.end());
    together += a[0] % 5 == b[0] ? 1 : 0;
  }
  EXPECT_EQ(seen.size(), 24U);
  EXPECT_LT(together, 9);
  for (int64_t n = 0; n < 5; ++n) EXPECT_GE(seen_targets.count(n), 4U);  // 24 of 5: 4 or 5 times
  EXPECT_REFUSED(VolumePieces(sources, targets, true), "pairs of 24 pieces and 5");
  EXPECT_REFUSED(pieces.batch(0, 30, 1), "batches of 30 from 24 pieces");
}

}  // namespace
}  // namespace scintigen
