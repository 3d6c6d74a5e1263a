// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/affine.h"
#include "core/nifti.h"
#include "core/temporary_folder.h"
#include "metrics/region_atlas.h"

namespace scintigen {
namespace {

/// Two planes of 4 rows x 6 columns, labels with a gap, and their table.
class RegionAtlasFile : public testing::Test {
 protected:
  RegionAtlasFile() {
    stack.voxel_to_world = identity_affine();  // i to the right, j to the front
    stack.voxels = at::zeros({2, 4, 6});
    stack.voxels[0][3][5] = 7;     // front, right
    stack.voxels[0][0][0] = 2001;  // back, left
    stack.voxels[1][1][2] = 7;
  }
  RegionAtlas read(const std::string& table = kTable) {
    write_nifti(folder / "lobes.nii.gz", stack, "");
    put_bytes(folder / "lobes.tsv", table);
    return read_region_atlas(folder / "lobes.nii.gz");
  }
  static constexpr const char* kTable =
      "kind\tlabel\tname\n"
      "level\t1\tcortex\n"
      "level\t0\tcerebellum\n"
      "region\t2001\tback_left\n"
      "region\t7\tfront_right\n";
  TemporaryFolder folder;
  Volume stack;
};

TEST_F(RegionAtlasFile, IsReadAsItSays) {
  const auto atlas = read();
  EXPECT_EQ(atlas.name, "lobes.nii.gz");
  EXPECT_EQ(atlas.column, "level");
  EXPECT_EQ(atlas.regions, (std::vector<std::string>{"back_left", "front_right"}));
  ASSERT_EQ(atlas.planes.size(), 2U);
  const auto& plane = atlas.planes.at("cerebellum");
  EXPECT_EQ(plane.scalar_type(), torch::kUInt8);
  EXPECT_EQ(plane.sizes(), (std::vector<int64_t>{4, 6}));
  EXPECT_EQ(plane[0][0].item<int>(), 2);  // rows front -> back, columns right -> left
  EXPECT_EQ(plane[3][5].item<int>(), 1);
  EXPECT_EQ(plane.gt(0).sum().item<int>(), 2);
  EXPECT_EQ(atlas.planes.at("cortex")[2][3].item<int>(), 2);
}

TEST_F(RegionAtlasFile, TheAffineSaysWhereLeftIs) {
  stack.voxel_to_world[0][0] = -1;  // i to the left, j to the back: as it is shown
  stack.voxel_to_world[1][1] = -1;
  const auto plane = read().planes.at("cerebellum");
  EXPECT_EQ(plane[3][5].item<int>(), 2);
  EXPECT_EQ(plane[0][0].item<int>(), 1);
  stack.voxel_to_world = {{{0, 1, 0, 0}, {1, 0, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};  // i to front
  const auto turned = read().planes.at("cerebellum");
  EXPECT_EQ(turned.sizes(), (std::vector<int64_t>{6, 4}));
  EXPECT_EQ(turned[0][0].item<int>(), 2);
  EXPECT_EQ(turned[5][3].item<int>(), 1);
}

TEST_F(RegionAtlasFile, AnyColumnChoosesAPlaneAndOnePlaneIsEnough) {
  stack.voxels = stack.voxels.slice(0, 0, 1).clone();
  const auto atlas =
      read("kind\tlabel\tname\nregion\t7\ta\nregion\t2001\tb\nregion\t9\tnowhere\nview\t0\ttop\n");
  EXPECT_EQ(atlas.column, "view");
  EXPECT_EQ(atlas.regions.size(), 3U);  // a region may be in no plane
  EXPECT_EQ(atlas.planes.count("top"), 1U);
}

TEST_F(RegionAtlasFile, RefusesTablesThatSayTooLittle) {
  read();
  std::filesystem::remove(folder / "lobes.tsv");
  EXPECT_REFUSED(read_region_atlas(folder / "lobes.nii.gz"),
                 "lobes.nii.gz: no lobes.tsv beside it; expected a table with the columns kind, "
                 "label, name");
  EXPECT_REFUSED(read("kind\tlabel\nlevel\t0\nlevel\t1\n"), "name");
  EXPECT_REFUSED(read("kind\tlabel\tname\nlevel\t0\tcortex\n"),
                 "lobes.tsv: 1 rows for a stack of 2 planes");
  EXPECT_REFUSED(read("kind\tlabel\tname\nlevel\t0\tcortex\nregion\t7\ta\nregion\t2001\tb\n"),
                 "lobes.tsv: plane 1 of the stack has no row; expected one such as 'level  1");
  EXPECT_REFUSED(read("kind\tlabel\tname\nlevel\t0\ta\nlevel\t1\tb\n"),
                 "lobes.tsv: no row of kind 'region'");
  EXPECT_REFUSED(read("kind\tlabel\tname\nlevel\t0\tcortex\nlevel\t1\tn/a\n"),
                 "lobes.tsv row 3: plane without a name");
  EXPECT_REFUSED(read("kind\tlabel\tname\nlevel\t0\tcortex\nregion\t1\tn/a\n"),
                 "lobes.tsv row 3: region without a name");
  EXPECT_REFUSED(read("kind\tlabel\tname\nlevel\t0\tcortex\nn/a\t1\ta\n"),
                 "lobes.tsv row 3: no kind; expected 'region', or the column");
}

TEST_F(RegionAtlasFile, RefusesTablesThatContradictThemselves) {
  const std::string both = "kind\tlabel\tname\nlevel\t0\tcortex\nlevel\t1\tcerebellum\n";
  EXPECT_REFUSED(read(both + "level\t1\tbasal_ganglia\n"),
                 "row 4: plane 1 is 'cerebellum' and 'basal_ganglia'; expected one row a plane");
  EXPECT_REFUSED(read(both + "level\t0\tcortex\n"), "row 4: plane 'cortex' is there twice");
  EXPECT_REFUSED(read(both + "level\t2\ttop\n"), "row 4: plane 2; the stack has planes 0 to 1");
  EXPECT_REFUSED(read(both + "Level\t2\ttop\n"),
                 "row 4: planes by 'level' and by 'Level'; expected one column");
  EXPECT_REFUSED(read(both + "region\t7\ta\nregion\t7\tb\n"), "row 5: label 7 has two names");
  EXPECT_REFUSED(read(both + "region\t7\ta\nregion\t8\ta\n"), "row 5: region 'a' is there twice");
  EXPECT_REFUSED(read(both + "region\t0\tair\n"), "row 4: label 0 of region 'air'; expected");
  EXPECT_REFUSED(read(both + "region\t7.5\ta\n"), "7.5");
  std::string many = both;
  for (int label = 1; label <= 256; ++label)
    many += "region\t" + std::to_string(label) + "\tr" + std::to_string(label) + "\n";
  EXPECT_REFUSED(read(many), "row 259: more than 255 regions; join some");
}

TEST_F(RegionAtlasFile, RefusesStacksThatTheTableDoesNotExplain) {
  stack.voxels[1][2][4] = 12;
  EXPECT_REFUSED(read(),
                 "lobes.nii.gz: label 12 at [4,2] of plane 1 has no name; add a row "
                 "'region  12  NAME' to");
  for (const float value : {1.5F, -1.0F, 3e9F, std::numeric_limits<float>::infinity()}) {
    stack.voxels[1][2][4] = value;
    EXPECT_REFUSED(read(), "at [4,2] of plane 1; expected whole numbers from 0");
  }
  stack.voxels[1].zero_();
  EXPECT_REFUSED(read(), "lobes.nii.gz: plane 1 (cortex) holds no label above 0");
  stack.voxel_to_world = {{{1, 0, 0, 0}, {0, 0, 1, 0}, {0, 1, 0, 0}, {0, 0, 0, 1}}};
  EXPECT_REFUSED(read(), "slices are coronal");
  EXPECT_REFUSED(read_region_atlas(folder / "none.nii"), "none.nii");
}

}  // namespace
}  // namespace scintigen
