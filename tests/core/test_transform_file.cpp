// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/affine.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/random.h"
#include "core/temporary_folder.h"
#include "core/transform_file.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

const std::string kItk =
    "#Insight Transform File V1.0\n#Transform 0\nTransform: AffineTransform_double_3_3\n"
    "Parameters: 0.93 -0.21 0.08 0.17 1.04 -0.11 -0.06 0.13 0.97 7.5 -12.25 3.125\n"
    "FixedParameters: -4 18 32\n";

/// Corners of a head and where transformix (elastix 5.0) puts them with those parameters; LPS.
const std::vector<std::array<Point, 2>> kTransformix = {
    {{{-90, -110, -70}, {-57.76, -130.77, -75.295}}},
    {{{90, -110, -70}, {109.64, -100.17, -86.095}}},
    {{{-90, 100, -70}, {-101.86, 87.63, -47.995}}},
    {{{90, 100, -70}, {65.54, 118.23, -58.795}}},
    {{{-90, -110, 90}, {-44.96, -148.37, 79.905}}},
    {{{90, -110, 90}, {122.44, -117.77, 69.105}}},
    {{{-90, 100, 90}, {-89.06, 70.03, 107.205}}},
    {{{90, 100, 90}, {78.34, 100.63, 96.405}}},
};

TEST(TransformFile, ItksConventionAtTheCornersOfAHead) {
  TemporaryFolder folder;
  const Affine map = read_transform(put_bytes(folder / "a.tfm", kItk));
  for (const auto& [from, to] : kTransformix) {
    const Point found = transform_point(map, {-from[0], -from[1], from[2]});
    EXPECT_NEAR(found[0], -to[0], 1e-3);
    EXPECT_NEAR(found[1], -to[1], 1e-3);
    EXPECT_NEAR(found[2], to[2], 1e-3);
  }
}

TEST(TransformFile, WhatIsWrittenIsReadBack) {
  TemporaryFolder folder;
  for (int seed = 0; seed < 20; ++seed) {
    const double s = seed;
    Affine map =
        rigid_affine({0.3 * s, -0.2 * s, 0.1 * s + 0.01}, {s / 3, -100 / (s + 1), 1e-3 * s});
    map[0][1] += 0.1;
    write_itk_transform(folder / "a.tfm", map);
    write_matrix(folder / "a.txt", map, "sub-01 T1\nx", "sub-01 PET");
    const Affine itk = read_transform(folder / "a.tfm"), text = read_transform(folder / "a.txt");
    EXPECT_EQ(text, map);
    for (size_t row = 0; row < 4; ++row)
      for (size_t col = 0; col < 4; ++col) EXPECT_DOUBLE_EQ(itk[row][col], map[row][col]);
  }
  const std::string text = bytes_of(folder / "a.txt");
  EXPECT_EQ(text.rfind("# world (mm, RAS+) of sub-01 T1 x -> world (mm, RAS+) of sub-01 PET\n", 0),
            0U);
  EXPECT_NE(bytes_of(folder / "a.tfm").find("FixedParameters: 0 0 0\n"), std::string::npos);
}

TEST(TransformFile, AShiftToTheLeftIsPositiveInItksFile) {
  TemporaryFolder folder;
  write_itk_transform(folder / "a.tfm", rigid_affine({}, {-5, -7, 9}));
  EXPECT_NE(bytes_of(folder / "a.tfm").find("Parameters: 1 0 0 0 1 0 0 0 1 5 7 9\n"),
            std::string::npos)
      << bytes_of(folder / "a.tfm");
}

std::string replaced(const std::string& what, const std::string& by) {
  std::string text = kItk;
  return text.replace(text.find(what), what.size(), by);
}

TEST(TransformFile, Refusals) {
  TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    return read_transform(put_bytes(folder / "a.tfm", text));
  };
  EXPECT_REFUSED(read_transform(folder / "none.tfm"), "none.tfm");
  EXPECT_REFUSED(read(replaced("AffineTransform_double_3_3", "BSplineTransform_double_3_3")),
                 "expected AffineTransform_double_3_3");
  EXPECT_REFUSED(read(kItk + kItk), "2 lines 'Transform:'");
  EXPECT_REFUSED(read(replaced("0.93", "nought")), "'nought' is not a number");
  EXPECT_REFUSED(read(replaced("0.93", "nan")), "not finite");
  EXPECT_REFUSED(read(replaced("0.93", "1e999")), "not a number");
  EXPECT_REFUSED(read(replaced(" 3.125", "")), "11 parameters and 3 fixed parameters");
  EXPECT_REFUSED(read(replaced("-0.21 0.08 0.17 1.04 -0.11", "0 0 0 0 0")), "singular");
  EXPECT_REFUSED(read("1 0 0 0\n0 1 0 0\n0 0 1 0\n"), "12 numbers; expected the 16");
  EXPECT_REFUSED(read("1 0 0 0 0 1 0 0 0 0 1 0 0 0 1 1"), "the last row is not 0 0 0 1");
  EXPECT_REFUSED(read(""), "0 numbers");
  EXPECT_REFUSED(read(std::string(70000, ' ')), "a.tfm");
  Affine broken = identity_affine();
  broken[1][1] = 0;
  EXPECT_REFUSED(write_itk_transform(folder / "b.tfm", broken), "singular");
  broken[1][1] = std::numeric_limits<double>::infinity();
  EXPECT_REFUSED(write_matrix(folder / "b.txt", broken, "a", "b"), "not finite");
  EXPECT_FALSE(std::filesystem::exists(folder / "b.tfm"));
}

TEST(TransformFile, DisplacementsAreStoredAlongLpsAndReadBack) {
  TemporaryFolder folder;
  Displacements field{torch::zeros({3, 5, 6, 7}), identity_affine()};
  field.voxel_to_world[0][3] = -20;
  Random random(4, "displacements");
  field.mm = random.normal_tensor({3, 5, 6, 7});
  for (const std::string name : {"a.nii", "a.nii.gz"}) {
    write_displacements(folder / name, field);
    // ITK takes the numbers of intent 1007 as they are, along left, posterior, superior.
    const auto stored = read_nifti_vectors(folder / name);
    EXPECT_TRUE(torch::equal(stored.vectors[0], -field.mm[0]));
    EXPECT_TRUE(torch::equal(stored.vectors[1], -field.mm[1]));
    EXPECT_TRUE(torch::equal(stored.vectors[2], field.mm[2]));
    const auto map = read_spatial_map(folder / name);
    EXPECT_FALSE(map.is_affine());
    for (const Point& at : {Point{-17, 3, 2}, Point{-15.5, 2.25, 1.5}, Point{90, 0, 0}})
      EXPECT_EQ(map(at), SpatialMap(field)(at));
  }
  write_itk_transform(folder / "b.tfm", identity_affine());
  EXPECT_TRUE(read_spatial_map(folder / "b.tfm").is_affine());
}

TEST(TransformFile, VectorsOfAnotherKindAreRefused) {
  TemporaryFolder folder;
  const auto text = [&](const std::string& name) -> std::string {
    try {
      read_spatial_map(folder / name);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto vectors = torch::zeros({3, 4, 4, 4});
  write_nifti_vectors(folder / "truth.nii.gz", vectors, identity_affine(), "mm, x y z, RAS");
  EXPECT_NE(text("truth.nii.gz").find("vectors along RAS ('mm, x y z, RAS'); expected"),
            std::string::npos);
  write_nifti(folder / "one.nii", {vectors[0], identity_affine(), "1"}, "one number a voxel");
  EXPECT_NE(text("one.nii").find("expected three numbers a voxel, [i,j,k,1,3]"), std::string::npos);
  // Another intent, as of a file whose vectors may point elsewhere.
  write_displacements(folder / "a.nii", {vectors, identity_affine()});
  auto bytes = bytes_of(folder / "a.nii");
  bytes[68] = static_cast<char>(1006 & 0xff);
  put_bytes(folder / "other.nii", bytes);
  EXPECT_NE(text("other.nii").find("NIfTI intent 1006; expected 1007"), std::string::npos);
  auto infinite = vectors.clone();
  infinite[1][2][2][2] = std::numeric_limits<float>::infinity();
  write_nifti_vectors(folder / "inf.nii", infinite, identity_affine(), "displacements");
  EXPECT_NE(text("inf.nii").find("displacements that are not finite"), std::string::npos);
  EXPECT_THROW(read_volume(folder / "truth.nii.gz"), Error);  // five dimensions
}

}  // namespace
}  // namespace scintigen
