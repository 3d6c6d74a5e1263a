// SPDX-License-Identifier: Apache-2.0
// A hot sphere at a known place stays there: 48 orientations of the voxel axes, NIfTI with every
// combination of forms, DICOM of every kind.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/nifti.h"
#include "core/nifti_bytes.h"
#include "core/resample.h"
#include "core/same_grid.h"
#include "core/temporary_folder.h"
#include "core/volume_io.h"
#include "imaging/dicom_maker.h"
#include "imaging/dicom_series.h"
#include "imaging/export.h"

namespace scintigen {
namespace {

constexpr Point kSphere = {40, 20, 10};  // RAS mm: right, front, up
constexpr double kRadius_mm = 9;
constexpr std::array<double, 3> kSpacing = {5.5, 4.5, 6.5};
constexpr std::array<int64_t, 3> kShape = {20, 23, 15};

/// All 48 ways to lay the axes i, j, k along x, y, z.
std::vector<std::array<int, 3>> orientations() {
  std::vector<std::array<int, 3>> all;
  std::array<int, 3> axes = {1, 2, 3};
  do {
    for (int signs = 0; signs < 8; ++signs)
      all.push_back({signs & 1 ? -axes[0] : axes[0], signs & 2 ? -axes[1] : axes[1],
                     signs & 4 ? -axes[2] : axes[2]});
  } while (std::next_permutation(axes.begin(), axes.end()));
  return all;
}

/// Not centred, spacing by axis.
Grid oriented_grid(const std::array<int, 3>& directions) {
  Grid grid{kShape[0], kShape[1], kShape[2], {}};
  grid.voxel_to_world[3][3] = 1;
  const Point centre = {3, -5, 8};
  for (size_t axis = 0; axis < 3; ++axis) {
    const auto row = static_cast<size_t>(std::abs(directions[axis]) - 1);
    const double step = directions[axis] > 0 ? kSpacing[axis] : -kSpacing[axis];
    grid.voxel_to_world[row][axis] = step;
    grid.voxel_to_world[row][3] = centre[row] - step * static_cast<double>(kShape[axis] - 1) / 2;
  }
  return grid;
}

std::vector<int64_t> sphere_on(const Grid& grid) {
  std::vector<int64_t> values;
  for (int64_t k = 0; k < grid.nk; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i) {
        const auto p = transform_point(grid.voxel_to_world, {double(i), double(j), double(k)});
        const double r = std::hypot(p[0] - kSphere[0], p[1] - kSphere[1], p[2] - kSphere[2]);
        values.push_back(std::lround(1000 / (1 + std::exp((r - kRadius_mm) / 1.5))));
      }
  return values;
}

/// The centre of gravity in world mm.
Point centre_of(const Volume& volume) {
  Point sum{};
  double weight = 0;
  const auto voxels = volume.voxels.accessor<float, 3>();
  for (int64_t k = 0; k < voxels.size(0); ++k)
    for (int64_t j = 0; j < voxels.size(1); ++j)
      for (int64_t i = 0; i < voxels.size(2); ++i) {
        const double w = voxels[k][j][i];
        const auto p = transform_point(volume.voxel_to_world, {double(i), double(j), double(k)});
        for (size_t axis = 0; axis < 3; ++axis) sum[axis] += w * p[axis];
        weight += w;
      }
  for (double& x : sum) x /= weight;
  return sum;
}

/// Half of the smallest voxel side would be 2.25 mm.
void expect_sphere(const Volume& volume) {
  const auto centre = centre_of(volume);
  for (size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(centre[axis], kSphere[axis], 1);
}

class GeometryTest : public ::testing::TestWithParam<std::array<int, 3>> {
 protected:
  Grid grid_ = oriented_grid(GetParam());
  std::vector<int64_t> values_ = sphere_on(grid_);
  TemporaryFolder folder_;

  Volume read_dicom() {
    const auto found = find_dicom_series(folder_.path(), nullptr);
    EXPECT_EQ(found.size(), 1U);
    return read_dicom_series(found.at(0));
  }
  void expect_dicom() {
    const auto volume = read_dicom();
    expect_sphere(volume);
    EXPECT_EQ(volume.voxels.sum(torch::kDouble).item<double>(),
              static_cast<double>(std::accumulate(values_.begin(), values_.end(), int64_t{0})));
  }
  std::vector<int64_t> slice(int64_t k) const {
    const auto plane = grid_.ni * grid_.nj;
    return {values_.begin() + k * plane, values_.begin() + (k + 1) * plane};
  }
  NiftiBytes nifti_with_both() const {
    auto file = nifti();
    file.set_qform(grid_.voxel_to_world);
    file.set_sform(grid_.voxel_to_world);
    return file;
  }
  NiftiBytes nifti() const {
    NiftiBytes file;
    file.shape = {grid_.ni, grid_.nj, grid_.nk};
    for (int64_t value : values_) file.values.push_back(static_cast<double>(value));
    return file;
  }
};

TEST_P(GeometryTest, Slices) {
  for (int64_t k = 0; k < grid_.nk; ++k)
    made_slice("MR", grid_, k, slice(k)).save(folder_ / std::to_string(k));
  expect_dicom();
}

TEST_P(GeometryTest, NmOfOneAndTwoDetectors) {
  for (int detectors : {1, 2}) {
    auto made = made_nm(grid_, values_, detectors);
    EXPECT_EQ(made_place(grid_, 0).slice_spacing > 0, determinant(grid_.voxel_to_world) > 0);
    made.save(folder_ / "nm");
    expect_dicom();
  }
}

TEST_P(GeometryTest, Enhanced) {
  made_enhanced("PT", grid_, values_, std::vector<double>(static_cast<size_t>(grid_.nk), 1))
      .save(folder_ / "e");
  expect_dicom();
}

/// What reads a form: the sform where there is one, whatever the qform says.
TEST_P(GeometryTest, NiftiReadResampledAndWritten) {
  const auto target = centred_grid(50, 54, 40, 3.5, {-1, 3, -2});
  for (const std::string form : {"sform", "qform", "both", "disagreeing"}) {
    SCOPED_TRACE(form);
    auto file = nifti();
    auto moved = grid_.voxel_to_world;
    moved[0][3] += 30, moved[1][3] -= 20;
    if (form == "disagreeing") file.set_qform(moved);
    if (form == "qform" || form == "both") file.set_qform(grid_.voxel_to_world);
    if (form != "qform") file.set_sform(grid_.voxel_to_world);
    std::vector<std::string> notes;
    const auto volume = read_volume(file.write(folder_ / "a.nii"), &notes);
    EXPECT_EQ(notes.size(), form == "disagreeing" ? 1U : 0U);
    expect_sphere(volume);
    for (const auto method : {Interpolation::kLinear, Interpolation::kCubicSpline})
      expect_sphere(resample(volume, target, identity_affine(), method));
    write_nifti(folder_ / "b.nii", volume, "");
    const auto again = read_volume(folder_ / "b.nii", &notes);
    EXPECT_EQ(notes.size(), form == "disagreeing" ? 1U : 0U);
    EXPECT_LT(corner_distance_mm(again.voxel_to_world, volume.voxel_to_world, again.voxels.sizes()),
              1e-4);
    expect_sphere(again);
  }
}

TEST_P(GeometryTest, ExportedToDicomAndReadAgain) {
  ExportSettings settings;
  settings.volume = nifti_with_both().write(folder_ / "volume.nii").string();
  settings.format = "dicom";
  settings.like = (folder_ / "like").string();
  settings.unit = "counts";
  const auto like = centred_grid(4, 4, 3, 9);
  made_nm(like, made_values(like, 0, 3)).save(folder_ / "like/nm");
  for (const char* modality : {"PT", "NM"}) {
    settings.modality = modality;
    settings.out = (folder_ / modality).string();
    std::vector<std::string> notes;
    export_volume(settings, notes);
    const auto found = find_dicom_series(settings.out, nullptr);
    ASSERT_EQ(found.size(), 1U);
    const auto volume = read_dicom_series(found[0]);
    expect_sphere(volume);
    // every corner of the grid is a corner of the grid that was exported
    for (double k : {0.0, static_cast<double>(grid_.nk - 1)}) {
      const auto corner = transform_point(volume.voxel_to_world, {0, 0, k});
      const double other = static_cast<double>(grid_.nk - 1) - k;
      const bool flipped = determinant(grid_.voxel_to_world) < 0;
      const auto expected = transform_point(grid_.voxel_to_world, {0, 0, flipped ? other : k});
      for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(corner[i], expected[i], 1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Orientations, GeometryTest, ::testing::ValuesIn(orientations()));

}  // namespace
}  // namespace scintigen
