// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>

#include "core/grid.h"
#include "core/label_image.h"
#include "core/nifti.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

TEST(LabelImage, NamesTheRegionAtAPointAndTheNearest) {
  const TemporaryFolder folder;
  std::ofstream(folder / "names.txt") << "# AAL\n1 Precentral_L 2001\n2 Insula_R\n\n";
  Volume labels = empty_volume(centred_grid(20, 20, 20, 2), "1");
  labels.voxels[10][10][4] = 1;
  labels.voxels[10][10][15] = 2;
  labels.voxels[2][2][2] = 9;
  write_nifti(folder / "labels.nii.gz", labels, "", 4);
  const auto atlas = read_label_image(folder / "labels.nii.gz", folder / "names.txt");
  const auto world = [&](double i, double j, double k) {
    return transform_point(labels.voxel_to_world, {i, j, k});
  };
  EXPECT_EQ(atlas.region_near(world(4, 10, 10), 0), "Precentral_L");
  EXPECT_EQ(atlas.region_near(world(4.4, 10.4, 9.6), 0), "Precentral_L");
  EXPECT_EQ(atlas.region_near(world(4.6, 10, 10), 0), "");
  EXPECT_EQ(atlas.region_near(world(8, 10, 10), 8), "Precentral_L");  // 8 mm away
  EXPECT_EQ(atlas.region_near(world(8, 10, 10), 7.9), "");
  EXPECT_EQ(atlas.region_near(world(10, 10, 10), 30), "Insula_R");  // 10 mm against 12
  EXPECT_EQ(atlas.region_near(world(2, 2, 2), 1), "label 9");
  EXPECT_EQ(atlas.region_near({1e300, 0, 0}, 8), "");
  EXPECT_EQ(atlas.region_near({NAN, 0, 0}, 8), "");
}

TEST(LabelImage, Refusals) {
  const TemporaryFolder folder;
  std::ofstream(folder / "names.txt") << "1 A\n";
  std::ofstream(folder / "empty.txt") << "nothing here\n";
  Volume labels = empty_volume(centred_grid(4, 4, 4, 2), "1");
  write_nifti(folder / "labels.nii", labels, "", 4);
  labels.voxels[0][0][0] = 1.5;
  write_nifti(folder / "t1.nii", labels, "", 4);
  EXPECT_REFUSED(read_label_image(folder / "t1.nii", folder / "names.txt"),
                 "expected a label image");
  EXPECT_REFUSED(read_label_image(folder / "labels.nii", folder / "empty.txt"),
                 "no line '1 Name_L'");
}

}  // namespace
}  // namespace scintigen
