// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "core/temporary_folder.h"
#include "metrics/region_atlas.h"

namespace scintigen {
namespace {

using at::indexing::Slice;

/// A head of 24 x 20 pixels in a matrix of 40 x 40, columns patient right -> left: labels 1 front
/// left, 2 front right, 3 back left, 4 back right of four unlike sizes, 5 a middle pixel or two.
torch::Tensor drawn_plane(int64_t top = 6, int64_t left = 9) {
  auto plane = at::zeros({40, 40}, torch::kUInt8);
  const auto block = [&](int64_t row, int64_t rows, int64_t column, int64_t columns, int label) {
    plane.index_put_(
        {Slice(top + row, top + row + rows), Slice(left + column, left + column + columns)}, label);
  };
  block(0, 10, 10, 10, 1);
  block(0, 10, 0, 10, 2);
  block(10, 14, 12, 8, 3);
  block(10, 14, 0, 12, 4);
  block(8, 4, 8, 4, 5);
  return plane;
}

const std::vector<double>& uptake() {  // of labels 0, 1, ... 5
  static const std::vector<double> all = {0, 0.5, 0.75, 0.6, 1, 0.9};
  return all;
}

torch::Tensor drawn_slice(const torch::Tensor& plane) {
  auto slice = at::zeros(plane.sizes());
  for (size_t label = 1; label < uptake().size(); ++label)
    slice.masked_fill_(plane == static_cast<int64_t>(label), uptake()[label]);
  return slice;
}

RegionAtlas drawn_atlas() {
  RegionAtlas atlas;
  atlas.name = "drawn";
  atlas.column = "level";
  atlas.regions = {"front_left", "front_right", "back_left", "back_right", "middle", "elsewhere"};
  atlas.planes["cortex"] = drawn_plane();
  return atlas;
}

/// [R] of one slice of the plane "cortex".
torch::Tensor means_of(const torch::Tensor& slice, const RegionAtlas& atlas = drawn_atlas()) {
  return regional_means(slice.unsqueeze(0), atlas, {"cortex"})[0];
}

double brain_mean(const torch::Tensor& slice) {
  return slice.masked_select(slice > 0.2).mean().item<double>();
}

void expect_known(const torch::Tensor& slice, const torch::Tensor& found, double tolerance = 1e-6) {
  const double brain = brain_mean(slice.to(torch::kDouble));
  for (int64_t r = 0; r < 5; ++r)
    EXPECT_NEAR(found[r].item<double>(), uptake()[static_cast<size_t>(r) + 1] / brain, tolerance)
        << "region " << r;
  EXPECT_TRUE(std::isnan(found[5].item<double>()));  // no plane has it
}

TEST(RegionAtlas, KnownMeansOfADrawnHead) {
  const auto slice = drawn_slice(drawn_plane());
  expect_known(slice, means_of(slice));
  expect_known(slice, means_of(3000 * slice));  // counts as well as parts of a maximum
}

TEST(RegionAtlas, AMovedHeadHasTheSameMeans) {
  for (const int64_t top : {0, 3, 16})
    for (const int64_t left : {0, 5, 20}) {
      const auto slice = drawn_slice(drawn_plane(top, left));
      expect_known(slice, means_of(slice));
    }
}

TEST(RegionAtlas, AStretchedHeadAndAFinerMatrixHaveTheSameMeans) {
  const auto slice = drawn_slice(drawn_plane());
  for (const int64_t rows : {1, 2, 3})
    for (const int64_t columns : {1, 2, 5}) {
      const auto large = slice.repeat_interleave(rows, 0).repeat_interleave(columns, 1);
      expect_known(large, means_of(large));
    }
  // And smaller: every second pixel, so that a region's edge may move by one.
  const auto small = slice.index({Slice(0, 40, 2), Slice(1, 40, 2)});
  expect_known(small, means_of(small), 0.1);
}

TEST(RegionAtlas, AMirroredHeadExchangesLeftAndRight) {
  auto plane = drawn_plane().clone();
  plane.index_put_({Slice(16, 30), Slice(9, 19)}, 4);  // back halves of one size
  plane.index_put_({Slice(16, 30), Slice(19, 29)}, 3);
  plane.index_put_({Slice(14, 18), Slice(17, 21)}, 5);
  auto atlas = drawn_atlas();
  atlas.planes["cortex"] = plane;
  const auto slice = drawn_slice(plane);
  const auto plain = means_of(slice, atlas), mirrored = means_of(slice.flip(1), atlas);
  for (int64_t left = 0; left < 4; left += 2) {
    EXPECT_NEAR(mirrored[left].item<double>(), plain[left + 1].item<double>(), 1e-12);
    EXPECT_NEAR(mirrored[left + 1].item<double>(), plain[left].item<double>(), 1e-12);
  }
  // Columns run patient right -> left: what is hot on the right of the picture is hot on the left
  // of the patient.
  auto lit = slice.clone();
  lit.index_put_({Slice(), Slice(19, 40)}, lit.index({Slice(), Slice(19, 40)}) * 1.5);
  EXPECT_GT(means_of(lit, atlas)[0].item<double>(), plain[0].item<double>());
  EXPECT_LT(means_of(lit, atlas)[1].item<double>(), plain[1].item<double>());
}

TEST(RegionAtlas, StrayPixelsMoveNoBox) {
  auto slice = drawn_slice(drawn_plane());
  const auto plain = means_of(slice);
  slice[0][0] = 0.9;
  slice.index_put_({Slice(36, 39), Slice(37, 40)}, 0.7);
  EXPECT_TRUE(means_of(slice).slice(0, 0, 5).equal(plain.slice(0, 0, 5)));
  // A second part of a tenth and more is brain: temporal lobes beside a cerebellum.
  slice.index_put_({Slice(34, 40), Slice(30, 40)}, 0.7);
  EXPECT_FALSE(means_of(slice).slice(0, 0, 5).equal(plain.slice(0, 0, 5)));
}

TEST(RegionAtlas, AColdRegionInsideTheBoxStillCounts) {
  auto slice = drawn_slice(drawn_plane());
  slice.index_put_({Slice(14, 18), Slice(17, 21)}, 0.1);  // the middle, below the mask's threshold
  EXPECT_NEAR(means_of(slice)[4].item<double>(), 0.1 / brain_mean(slice.to(torch::kDouble)), 1e-6);
}

TEST(RegionAtlas, EachSliceTakesItsOwnPlane) {
  auto atlas = drawn_atlas();
  atlas.planes["front"] =
      at::where(drawn_plane() < 3, drawn_plane(), at::zeros_like(drawn_plane()));
  atlas.planes["nothing"] = at::zeros({8, 8}, torch::kUInt8);
  auto slices = drawn_slice(drawn_plane()).repeat({5, 1, 1});
  slices[3].zero_();
  const auto found =
      regional_means(slices, atlas, {"cortex", "front", "nothing", "cortex", "vertex"});
  EXPECT_EQ(found.scalar_type(), torch::kDouble);
  EXPECT_EQ(found.sizes(), (std::vector<int64_t>{5, 6}));
  EXPECT_FALSE(found[0].slice(0, 0, 5).isnan().any().item<bool>());
  EXPECT_FALSE(found[1].slice(0, 0, 2).isnan().any().item<bool>());
  EXPECT_TRUE(found[1].slice(0, 2, 6).isnan().all().item<bool>());
  EXPECT_TRUE(found.slice(0, 2, 5).isnan().all().item<bool>());  // no label; empty; no such plane
  EXPECT_EQ(regional_means(slices.slice(0, 0, 0), atlas, {}).sizes(), (std::vector<int64_t>{0, 6}));
}

TEST(RegionAtlas, MeansStayBetweenTheSlicesExtremesWhateverThePicture) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const auto slices = Random(seed, "slices").uniform_tensor({4, 9 + int64_t(seed), 37}).pow(8);
    const auto found = regional_means(slices, drawn_atlas(), {4, "cortex"}, 0.5);
    const auto known = found.slice(1, 0, 5);
    EXPECT_TRUE((known >= 0).logical_and(known <= 2.0).all().item<bool>());
  }
}

TEST(RegionAtlas, TwoThousandSlicesAtOnce) {
  const auto plane = at::constant_pad_nd(drawn_plane(), {12, 12, 12, 12});
  auto atlas = drawn_atlas();
  atlas.planes["cortex"] = plane;
  const auto slices = drawn_slice(plane).repeat({2000, 1, 1});
  const auto start = std::chrono::steady_clock::now();
  const auto found = regional_means(slices, atlas, {2000, "cortex"});
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  RecordProperty("milliseconds", static_cast<int>(1000 * seconds));
  EXPECT_TRUE(found[1999].slice(0, 0, 5).equal(found[0].slice(0, 0, 5)));
}

TEST(RegionAtlas, RefusesWhatIsNoSlice) {
  const auto atlas = drawn_atlas();
  EXPECT_REFUSED(regional_means(at::zeros({4, 4}), atlas, {}),
                 "regional means: expected slices [N,H,W] of floating point; found [4,4] of float");
  EXPECT_REFUSED(regional_means({}, atlas, {}), "found nothing");
  EXPECT_REFUSED(regional_means(at::zeros({2, 4, 4}), atlas, {"cortex"}),
                 "regional means: 2 slices and the planes of 1; expected as many");
  auto slices = at::ones({2, 4, 4});
  slices[1][2][2] = -1;
  EXPECT_REFUSED(regional_means(slices, atlas, {2, "cortex"}),
                 "regional means: slice 1 holds a value that is negative or not finite");
  slices[1][2][2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_REFUSED(regional_means(slices, atlas, {2, "cortex"}), "slice 1 holds");
  EXPECT_REFUSED(regional_means(at::ones({1, 4, 4}), atlas, {"cortex"}, 1.0),
                 "regional means: threshold must be in [0,1); found 1");
}

TEST(RegionAtlas, RefusesPlanesThatDoNotFitTheirRegions) {
  auto atlas = drawn_atlas();
  atlas.regions.resize(3);
  EXPECT_REFUSED(regional_means(at::ones({1, 4, 4}), atlas, {"cortex"}),
                 "regional means: plane 'cortex' of the atlas holds label 5; it names 3 regions");
  atlas.planes["cortex"] = at::zeros({4, 4});
  EXPECT_REFUSED(regional_means(at::ones({1, 4, 4}), atlas, {"cortex"}),
                 "regional means: plane 'cortex' of the atlas is not uint8 [H,W]");
  atlas.regions.resize(300);
  EXPECT_REFUSED(regional_means(at::ones({1, 4, 4}), atlas, {"cortex"}),
                 "the atlas has 300 regions; expected at most 255");
}

}  // namespace
}  // namespace scintigen
