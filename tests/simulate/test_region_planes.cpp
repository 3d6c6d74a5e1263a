// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/temporary_folder.h"
#include "simulate/colin.h"
#include "simulate/region_planes.h"
#include "simulate/slice_truth.h"

namespace scintigen {
namespace {

/// Name of the region at a place (mm) of a plane of 64 x 64 over 256 mm; "" = none.
std::string name_at(const RegionPlanes& found, const std::string& level, double x, double y) {
  const auto column = static_cast<int64_t>((128 - x) / 4);
  const auto row = static_cast<int64_t>((128 - (y + 20)) / 4);
  const auto label = found.planes.at(level)[row][column].item<int64_t>();
  return label == 0 ? "" : found.regions.at(static_cast<size_t>(label - 1));
}

TEST(RegionPlanes, ColinsLobesAreWhereAnatomyHasThem) {
  const auto found = region_planes(colin());
  ASSERT_EQ(found.planes.size(), levels().size());
  for (const auto& level : levels()) ASSERT_EQ(found.planes.count(level.name), 1U);
  const struct {
    const char* level;
    double x, y;  // +x is the patient's right
    const char* region;
  } known[] = {{"basal_ganglia", -26, 4, "striatum_left"},
               {"basal_ganglia", 26, 4, "striatum_right"},
               {"basal_ganglia", 10, -18, "thalamus_right"},
               {"basal_ganglia", -10, -18, "thalamus_left"},
               {"basal_ganglia", -38, 6, "insula_left"},
               {"basal_ganglia", 10, -78, "occipital_right"},
               {"basal_ganglia", -58, -30, "temporal_left"},
               {"basal_ganglia", 20, 58, "frontal_right"},
               {"basal_ganglia", 70, 70, ""},
               {"cerebellum", 26, -65, "cerebellum_right"},
               {"cerebellum", -26, -65, "cerebellum_left"},
               {"cerebellum", 0, -28, "brain_stem"},
               {"cerebellum", 46, 6, "temporal_right"},
               {"cortex", -42, 20, "frontal_left"},
               {"cortex", 54, -38, "parietal_right"},
               {"cortex", -4, -30, "cingulate_left"},
               {"cortex", -26, -20, ""}};  // white matter
  for (const auto& one : known)
    EXPECT_EQ(name_at(found, one.level, one.x, one.y), one.region)
        << one.level << " " << one.x << " " << one.y;
}

TEST(RegionPlanes, EveryRegionIsSomewhereLargeEnoughAndHasItsOtherSide) {
  for (const int64_t fewest : {1, 12, 60}) {
    const auto found = region_planes(colin(), 64, 256, fewest);
    std::set<std::string> names(found.regions.begin(), found.regions.end());
    EXPECT_EQ(names.size(), found.regions.size());
    for (size_t r = 0; r < found.regions.size(); ++r) {
      int64_t most = 0;
      for (const auto& [level, plane] : found.planes) {
        EXPECT_EQ(plane.scalar_type(), torch::kUInt8);
        const auto pixels = (plane == static_cast<int64_t>(r + 1)).sum().item<int64_t>();
        EXPECT_TRUE(pixels == 0 || pixels >= fewest) << found.regions[r] << " in " << level;
        most = std::max(most, pixels);
      }
      EXPECT_GE(most, fewest) << found.regions[r];
      const auto& name = found.regions[r];
      const auto left = name.find("_left");
      if (fewest != 12 || left == std::string::npos) continue;
      EXPECT_EQ(names.count(name.substr(0, left) + "_right"), 1U) << name;
    }
  }
}

TEST(RegionPlanes, AnotherMatrixShowsTheSameAnatomy) {
  const auto coarse = region_planes(colin()), fine = region_planes(colin(), 128, 256, 48);
  ASSERT_EQ(coarse.regions, fine.regions);
  for (const auto& [level, plane] : coarse.planes) {
    const auto shown = fine.planes.at(level).slice(0, 0, 128, 2).slice(1, 0, 128, 2);
    const double alike = shown.eq(plane).to(torch::kDouble).mean().item<double>();
    EXPECT_GT(alike, 0.93) << level;
    // Both boxes are the brain's: within a pixel.
    for (const int64_t axis : {0, 1}) {
      const auto filled = plane.to(torch::kInt).sum(axis).nonzero();
      const auto filled_fine = fine.planes.at(level).to(torch::kInt).sum(axis).nonzero();
      EXPECT_NEAR(filled.min().item<double>(), filled_fine.min().item<double>() / 2, 1);
      EXPECT_NEAR(filled.max().item<double>(), filled_fine.max().item<double>() / 2, 1);
    }
  }
}

TEST(RegionPlanes, RefusesWhatGivesNoPlanes) {
  EXPECT_REFUSED(region_planes(colin(), 8), "region planes: matrix 8; expected 16 to 512");
  EXPECT_REFUSED(region_planes(colin(), 64, 10), "field of view 10 mm; expected 100 to 1000");
  EXPECT_REFUSED(region_planes(colin(), 64, 256, 0), "fewest pixels 0; expected at least 1");
  TemplateHead unnamed;
  unnamed.regions.resize(3);
  EXPECT_REFUSED(region_planes(unnamed), "none of the label names is AAL's");
}

}  // namespace
}  // namespace scintigen
