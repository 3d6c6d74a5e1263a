// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "core/nifti_bytes.h"
#include "core/temporary_folder.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

using Point = std::array<double, 3>;

Point to_world(const Affine& affine, const Point& voxel) {
  Point world{};
  for (size_t row = 0; row < 3; ++row) {
    world[row] = affine[row][3];
    for (size_t v = 0; v < 3; ++v) world[row] += affine[row][v] * voxel[v];
  }
  return world;
}

Point hottest_world(const Volume& volume) {
  const auto index = volume.voxels.argmax().item<int64_t>();
  const int64_t nj = volume.voxels.size(1), ni = volume.voxels.size(2);
  return to_world(volume.voxel_to_world,
                  {static_cast<double>(index % ni), static_cast<double>(index / ni % nj),
                   static_cast<double>(index / ni / nj)});
}

/// One hot voxel at +40 mm right, +20 mm anterior, +10 mm superior in every orientation a file can
/// have.
TEST(VolumeIo, AHotVoxelStaysWhereItIsInAll48Orientations) {
  TemporaryFolder folder;
  const Point spacing = {2, 3, 4.5}, hot = {1, 4, 2};
  int orientations = 0;
  std::array<size_t, 3> order{0, 1, 2};
  do {
    for (int backwards = 0; backwards < 8; ++backwards) {
      auto affine = signed_permutation(order, backwards, spacing, {0, 0, 0});
      const auto shift = to_world(affine, hot);
      for (size_t row = 0; row < 3; ++row)
        affine[row][3] = std::array<double, 3>{40, 20, 10}[row] - shift[row];
      for (const char* form : {"sform", "qform", "both"}) {
        NiftiBytes file;
        file.shape = {5, 6, 7};
        file.values.assign(210, 1);
        file.values[2 * 30 + 4 * 5 + 1] = 9;
        if (*form != 'q') file.set_sform(affine);
        if (*form != 's') file.set_qform(affine);
        std::vector<std::string> notes;
        const auto volume = read_volume(file.write(folder / "v.nii"), &notes);
        EXPECT_TRUE(notes.empty()) << notes[0];
        EXPECT_EQ(volume.voxels.sizes(), (std::vector<int64_t>{7, 6, 5}));
        const auto world = hottest_world(volume);
        EXPECT_NEAR(world[0], 40, 1e-4) << form << backwards;
        EXPECT_NEAR(world[1], 20, 1e-4) << form << backwards;
        EXPECT_NEAR(world[2], 10, 1e-4) << form << backwards;
        for (size_t row = 0; row < 3; ++row)
          for (size_t v = 0; v < 4; ++v)
            EXPECT_NEAR(volume.voxel_to_world[row][v], affine[row][v], 1e-4);
      }
      ++orientations;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orientations, 48);
}

TEST(VolumeIo, ObliqueQform) {
  TemporaryFolder folder;
  const double c = std::cos(0.3), s = std::sin(0.3);
  Affine affine{{{2 * c, -3 * s, 0, -7}, {2 * s, 3 * c, 0, 8}, {0, 0, -4, 9}, {0, 0, 0, 1}}};
  NiftiBytes file;
  file.set_qform(affine);
  const auto volume = read_volume(file.write(folder / "v.nii"));
  for (size_t row = 0; row < 3; ++row)
    for (size_t v = 0; v < 4; ++v) EXPECT_NEAR(volume.voxel_to_world[row][v], affine[row][v], 1e-5);
}

TEST(VolumeIo, EveryNumberTypeOrderVersionAndPacking) {
  TemporaryFolder folder;
  const auto expected = torch::arange(24, torch::kFloat).reshape({4, 3, 2}) * 0.5 + 3;
  for (const int datatype : {2, 4, 8, 16, 64, 256, 512, 768, 1024, 1280}) {
    for (const bool swapped : {false, true}) {
      for (const int version : {1, 2}) {
        for (const char* name : {"v.nii", "v.nii.gz"}) {
          NiftiBytes file;
          file.shape = {2, 3, 4};
          file.datatype = datatype;
          file.swapped = swapped;
          file.version = version;
          file.slope = 0.5;
          file.intercept = 3;
          file.set_sform(signed_permutation({0, 1, 2}, 3, {2, 2, 3}, {1, 2, 3}));
          const auto volume = read_volume(file.write(folder / name));
          EXPECT_TRUE(torch::equal(volume.voxels, expected))
              << datatype << swapped << version << name;
          EXPECT_EQ(volume.voxel_to_world[0][0], -2);
          EXPECT_EQ(volume.voxel_to_world[2][3], 3);
        }
      }
    }
  }
}

TEST(VolumeIo, SlopeZeroMeansNotScaled) {
  TemporaryFolder folder;
  NiftiBytes file;
  file.slope = 0;
  file.intercept = 5;
  file.set_sform(signed_permutation({0, 1, 2}, 0, {1, 1, 1}, {0, 0, 0}));
  EXPECT_EQ(read_volume(file.write(folder / "v.nii")).voxels.max().item<float>(), 63.f);
}

TEST(VolumeIo, NegativeNumbersExtensionsAndSingleFrames) {
  TemporaryFolder folder;
  NiftiBytes file;
  file.shape = {2, 2, 2, 1, 1};
  file.datatype = 4;
  file.values = {-3, 2, 1, 0, -300, 5, 6, 7};
  file.extension_bytes = 32;
  file.set_sform(signed_permutation({0, 1, 2}, 0, {1, 1, 1}, {0, 0, 0}));
  const auto volume = read_volume(file.write(folder / "v.nii"));
  EXPECT_EQ(volume.voxels.sizes(), (std::vector<int64_t>{2, 2, 2}));
  EXPECT_EQ(volume.voxels[1][0][0].item<float>(), -300.f);
}

TEST(VolumeIo, UnitsOfLength) {
  TemporaryFolder folder;
  NiftiBytes file;
  file.set_sform(signed_permutation({0, 1, 2}, 0, {0.002, 0.002, 0.003}, {0.01, 0, 0}));
  file.units = 1;
  const auto metres = read_volume(file.write(folder / "m.nii"));
  EXPECT_NEAR(spacing_mm(metres.voxel_to_world)[2], 3, 1e-6);
  EXPECT_NEAR(metres.voxel_to_world[0][3], 10, 1e-6);
  file.set_sform(signed_permutation({0, 1, 2}, 0, {2000, 2000, 3000}, {0, 0, 0}));
  file.units = 3 + 8;  // micrometres and seconds
  EXPECT_NEAR(spacing_mm(read_volume(file.write(folder / "u.nii")).voxel_to_world)[2], 3, 1e-6);
}

TEST(VolumeIo, SaysWhatIsStrange) {
  TemporaryFolder folder;
  const auto straight = signed_permutation({0, 1, 2}, 0, {2, 2, 2}, {0, 0, 0});
  const auto note_of = [&](const NiftiBytes& file) {
    std::vector<std::string> notes;
    read_volume(file.write(folder / "v.nii"), &notes);
    return notes.size() == 1 ? notes[0] : std::to_string(notes.size()) + " notes";
  };
  NiftiBytes file;
  EXPECT_NE(note_of(file).find("no orientation in the header"), std::string::npos);

  file.set_sform(straight);
  auto moved = straight;
  moved[0][3] = 5;
  file.set_qform(moved);
  EXPECT_NE(note_of(file).find("sform and qform are 5 mm apart at a corner; the sform is used"),
            std::string::npos);
  moved[0][3] = 5e-4;
  file.set_qform(moved);
  EXPECT_EQ(note_of(file), "0 notes");

  NiftiBytes sheared;
  auto shear = straight;
  shear[0][1] = 0.2;  // what ITK 5.2 refuses without a qform
  sheared.set_sform(shear);
  EXPECT_NE(note_of(sheared).find("voxel axes are 5.71 degrees from orthogonal"),
            std::string::npos);
  EXPECT_NEAR(read_volume(folder / "v.nii").voxel_to_world[0][1], 0.2, 1e-6);
}

TEST(VolumeIo, RefusesByText) {
  TemporaryFolder folder;
  NiftiBytes file;
  file.shape = {4, 4, 4, 7};
  EXPECT_REFUSED(read_volume(file.write(folder / "v.nii")),
                 "volume is 4-D [4,4,4,7]; expected 3-D; extract one frame first");
  file.shape = {4, 4, 4};
  file.sform_code = 1;  // all zero
  EXPECT_REFUSED(read_volume(file.write(folder / "v.nii")), "orientation matrix is not usable");
  Affine parallel{{{2, 2, 0, 0}, {0, 0.01, 0, 0}, {0, 0, 2, 0}, {0, 0, 0, 1}}};
  file.set_sform(parallel);
  EXPECT_REFUSED(read_volume(file.write(folder / "v.nii")), "two voxel axes are parallel");
  const Affine flat{{{2, 0, 1.4, 0}, {0, 2, 1.4, 0}, {0, 0, 0, 0}, {0, 0, 0, 1}}};
  file.set_sform(flat);
  EXPECT_REFUSED(read_volume(file.write(folder / "v.nii")), "axes lie in one plane");
  EXPECT_REFUSED(read_volume(folder / "missing.nii"), "missing.nii");
  EXPECT_REFUSED(read_volume(folder.path()), "folder");
}

}  // namespace
}  // namespace scintigen
