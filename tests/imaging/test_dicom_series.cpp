// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpeg/djrploss.h>
#include <dcmtk/dcmjpls/djencode.h>

#include <cmath>

#include "core/same_grid.h"
#include "core/temporary_folder.h"
#include "imaging/dicom_maker.h"
#include "imaging/dicom_series.h"

namespace scintigen {
namespace {

/// 7 x 5 x 4, oblique, RAS; k along the normal.
Grid oblique_grid() {
  Grid grid{7, 5, 4, rigid_affine({0.1, -0.2, 0.3}, {-12, 8, 21})};
  const double size[3] = {2, 1.5, 3.25};
  for (size_t i = 0; i < 3; ++i)
    for (size_t axis = 0; axis < 3; ++axis) grid.voxel_to_world[i][axis] *= size[axis];
  return grid;
}

void expect_grid(const Volume& volume, const Grid& grid) {
  ASSERT_EQ(volume.voxels.sizes(), (torch::IntArrayRef{grid.nk, grid.nj, grid.ni}));
  EXPECT_LT(corner_distance_mm(volume.voxel_to_world, grid.voxel_to_world, volume.voxels.sizes()),
            1e-6);
}

/// voxel = slopes[k] * stored
void expect_values(const Volume& volume, const std::vector<double>& slopes = {}) {
  const auto voxels = volume.voxels.accessor<float, 3>();
  for (int64_t k = 0; k < volume.voxels.size(0); ++k)
    for (int64_t j = 0; j < volume.voxels.size(1); ++j)
      for (int64_t i = 0; i < volume.voxels.size(2); ++i) {
        const double slope = slopes.empty() ? 1 : slopes[static_cast<size_t>(k)];
        ASSERT_FLOAT_EQ(voxels[k][j][i], static_cast<float>(slope * made_value(i, j, k)))
            << i << " " << j << " " << k;
      }
}

class DicomSeriesTest : public ::testing::Test {
 protected:
  DicomSeries only_series() {
    int64_t ignored = 0;
    const auto found = find_dicom_series(folder_.path(), &ignored);
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? DicomSeries{} : found.front();
  }
  Volume read() { return read_dicom_series(only_series(), &notes_); }
  /// Slices saved in an order that says nothing.
  void save_slices(const std::string& modality, const Grid& grid,
                   const std::function<void(MadeDicom&, int64_t)>& change = {}) {
    for (int64_t k = 0; k < grid.nk; ++k) {
      auto made = made_slice(modality, grid, k, made_values(grid, k, 1));
      made.text(DCM_InstanceNumber, std::to_string((k * 7 + 3) % 5));
      if (change) change(made, k);
      made.save(folder_ / (std::to_string((k * 3 + 1) % 4) + "/" + std::to_string(9 - k) + ".dcm"));
    }
  }
  TemporaryFolder folder_;
  std::vector<std::string> notes_;
};

TEST_F(DicomSeriesTest, MrIsSortedByPosition) {
  const auto grid = oblique_grid();
  save_slices("MR", grid);
  const auto volume = read();
  expect_grid(volume, grid);
  expect_values(volume);
  EXPECT_TRUE(notes_.empty());
}

TEST_F(DicomSeriesTest, PetHasASlopeForEachSlice) {
  const auto grid = oblique_grid();
  const std::vector<double> slopes = {0.5, 2.25, 1, 7.125};
  save_slices("PT", grid, [&](MadeDicom& made, int64_t k) {
    made.text(DCM_RescaleSlope, ds(slopes[static_cast<size_t>(k)]));
    made.text(DCM_Manufacturer, "SIEMENS");
    DcmItem& drug = MadeDicom::in(made.item(), DCM_RadiopharmaceuticalInformationSequence);
    MadeDicom::put_text(drug, DCM_Radiopharmaceutical, "Fluorodeoxyglucose F^18^ for Mr Canary");
    MadeDicom::put_text(drug, DCM_RadiopharmaceuticalStartTime, "120000");
  });
  const auto series = only_series();
  EXPECT_EQ(series.technical.tracer, "FDG");
  EXPECT_EQ(series.technical.units, "BQML");
  EXPECT_EQ(series.technical.manufacturer, "Siemens");
  EXPECT_EQ(series.patient_key.size(), 64U);
  EXPECT_EQ(series.patient_key.find("made-up"), std::string::npos);
  const auto volume = read();
  expect_grid(volume, grid);
  expect_values(volume, slopes);
  EXPECT_EQ(volume.unit, "Bq/mL");
}

/// A grid whose k runs against row x column, as NM says by a negative spacing.
Grid turned(const Grid& grid) {
  Grid other = grid;
  for (size_t i = 0; i < 3; ++i) {
    other.voxel_to_world[i][3] += other.voxel_to_world[i][2] * static_cast<double>(grid.nk - 1);
    other.voxel_to_world[i][2] *= -1;
  }
  return other;
}

TEST_F(DicomSeriesTest, NmOfEitherSignAndOneOrTwoDetectors) {
  for (int detectors : {1, 2})
    for (bool negative : {false, true}) {
      const auto grid = negative ? turned(oblique_grid()) : oblique_grid();
      auto made = made_nm(grid, made_values(grid, 0, grid.nk), detectors);
      made.save(folder_ / "nm.dcm");
      const auto volume = read();
      expect_grid(volume, oblique_grid());  // k along the normal whatever the sign
      auto expected = volume;
      if (negative) expected.voxels = volume.voxels.flip(0).contiguous();
      expect_values(expected);
      EXPECT_EQ(volume.unit, "counts");
      EXPECT_TRUE(notes_.empty());
    }
}

TEST_F(DicomSeriesTest, NmSliceVectorOrdersFrames) {
  const auto grid = oblique_grid();
  std::vector<int64_t> values;
  for (int64_t k : {2, 0, 3, 1}) {
    const auto slice = made_values(grid, k, 1);
    values.insert(values.end(), slice.begin(), slice.end());
  }
  made_nm(grid, values).wholes(DCM_SliceVector, {3, 1, 4, 2}).save(folder_ / "nm.dcm");
  const auto volume = read();
  expect_grid(volume, grid);
  expect_values(volume);
}

TEST_F(DicomSeriesTest, NmSlopes) {
  const auto grid = oblique_grid();
  auto made = made_nm(grid, made_values(grid, 0, grid.nk));
  made.text(DCM_RescaleSlope, "0.5\\2\\3\\0.25").text(DCM_RescaleIntercept, "0");
  made.save(folder_ / "nm.dcm");
  expect_values(read(), {0.5, 2, 3, 0.25});
  made.remove(DCM_RescaleSlope).remove(DCM_RescaleIntercept);
  DcmItem& map = MadeDicom::in(made.item(), DCM_RealWorldValueMappingSequence);
  map.putAndInsertFloat64(DCM_RealWorldValueSlope, 12.5);
  map.putAndInsertFloat64(DCM_RealWorldValueIntercept, 0);
  MadeDicom::put_text(MadeDicom::in(map, DCM_MeasurementUnitsCodeSequence), DCM_CodeValue, "Bq/ml");
  made.save(folder_ / "nm.dcm");
  const auto volume = read();
  expect_values(volume, std::vector<double>(4, 12.5));
  EXPECT_EQ(volume.unit, "Bq/mL");
}

TEST_F(DicomSeriesTest, NmDetectorsThatDisagreeAreSaid) {
  const auto grid = oblique_grid();
  auto made = made_nm(grid, made_values(grid, 0, grid.nk), 2);
  MadeDicom::put_text(MadeDicom::in(made.item(), DCM_DetectorInformationSequence, 1),
                      DCM_ImagePositionPatient, "1\\2\\3");
  made.save(folder_ / "nm.dcm");
  expect_grid(read(), grid);
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_NE(notes_[0].find("detector 2 of 2 says another place"), std::string::npos);
  made.wholes(DCM_DetectorVector, {1, 1, 2, 2}).save(folder_ / "nm.dcm");
  EXPECT_REFUSED(read(), "frames of several detectors");
}

TEST_F(DicomSeriesTest, NmWithoutPositionIsCentredAndSaid) {
  const auto grid = oblique_grid();
  auto made = made_nm(grid, made_values(grid, 0, grid.nk));
  MadeDicom::in(made.item(), DCM_DetectorInformationSequence)
      .findAndDeleteElement(DCM_ImagePositionPatient);
  made.save(folder_ / "nm.dcm");
  const auto volume = read();
  const auto centre = transform_point(volume.voxel_to_world, {3, 2, 1.5});
  for (double x : centre) EXPECT_NEAR(x, 0, 1e-9);
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_NE(notes_[0].find("no Image Position"), std::string::npos);
}

TEST_F(DicomSeriesTest, NmProjectionsAreRefusedByName) {
  const auto grid = oblique_grid();
  for (const char* kind : {"TOMO", "WHOLE BODY", "STATIC", "DYNAMIC", "GATED", "GATED TOMO"}) {
    made_nm(grid, made_values(grid, 0, grid.nk))
        .text(DCM_ImageType, fmt::format("ORIGINAL\\PRIMARY\\{}\\EMISSION", kind))
        .save(folder_ / "nm.dcm");
    EXPECT_REFUSED(read(), fmt::format("NM image of kind {}: raw", kind));
  }
  const auto change = [&](const DcmTagKey& tag, const std::string& value, const char* text) {
    auto made = made_nm(grid, made_values(grid, 0, grid.nk));
    if (value.empty())
      made.remove(tag);
    else
      made.text(tag, value);
    made.save(folder_ / "nm.dcm");
    EXPECT_REFUSED(read(), text);
  };
  change(DCM_ImageType, "ORIGINAL\\PRIMARY\\RECON GATED TOMO\\EMISSION", "RECON GATED TOMO");
  change(DCM_ImageType, "ORIGINAL\\PRIMARY\\RECON TOMO\\TRANSMISSION", "attenuation map");
  change(DCM_ImageType, "ORIGINAL\\PRIMARY", "does not say what it is");
  change(DCM_SpacingBetweenSlices, "", "no Spacing Between Slices");
  change(DCM_SpacingBetweenSlices, "0", "Spacing Between Slices (0018,0088) 0 mm");
  change(DCM_DetectorInformationSequence, "", "left and right cannot be known");
}

TEST_F(DicomSeriesTest, TwoNmFilesOfASeriesAreTwoVolumes) {
  const auto grid = oblique_grid();
  made_nm(grid, made_values(grid, 0, grid.nk)).save(folder_ / "a.dcm");
  made_nm(grid, made_values(grid, 0, grid.nk))
      .text(DCM_SOPInstanceUID, "1.2.3.4.2")
      .save(folder_ / "b.dcm");
  const auto found = find_dicom_series(folder_.path(), nullptr);
  ASSERT_EQ(found.size(), 2U);
  for (const auto& series : found) expect_values(read_dicom_series(series));
}

TEST_F(DicomSeriesTest, EnhancedMrAndPet) {
  const auto grid = oblique_grid();
  const std::vector<double> slopes = {0.5, 2.25, 1, 7.125};
  for (const char* modality : {"MR", "PT"}) {
    made_enhanced(modality, grid, made_values(grid, 0, grid.nk), slopes).save(folder_ / "e.dcm");
    const auto volume = read();
    expect_grid(volume, grid);
    expect_values(volume, slopes);
  }
}

TEST_F(DicomSeriesTest, TransferSyntaxes) {
  DcmRLEEncoderRegistration::registerCodecs();
  DJEncoderRegistration::registerCodecs();
  // Large enough and smooth: the encoder of 3.6.7 writes past its buffer where a picture grows.
  DJLSEncoderRegistration::registerCodecs(0, 0, 0, 0, OFFalse);
  auto grid = oblique_grid();
  grid.ni = 32, grid.nj = 24;
  for (const auto syntax : {EXS_LittleEndianImplicit, EXS_BigEndianExplicit, EXS_RLELossless,
                            EXS_JPEGProcess14, EXS_JPEGProcess14SV1, EXS_JPEGLSLossless}) {
    SCOPED_TRACE(DcmXfer(syntax).getXferName());
    made_nm(grid, made_values(grid, 0, grid.nk)).save(folder_ / "nm.dcm", syntax);
    const auto volume = read();
    expect_grid(volume, grid);
    expect_values(volume);
  }
  EXPECT_TRUE(notes_.empty());
  std::vector<int64_t> ramp;
  for (int64_t n = 0; n < grid.voxels(); ++n) ramp.push_back(n % grid.ni * 255 / (grid.ni - 1));
  made_nm(grid, ramp).pixels(ramp, 8).save(folder_ / "nm.dcm", EXS_JPEGProcess1);
  const auto volume = read();
  for (int64_t n = 0; n < grid.voxels(); ++n)
    ASSERT_NEAR(volume.voxels.data_ptr<float>()[n],
                static_cast<float>(ramp[static_cast<size_t>(n)]), 8);
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_NE(notes_[0].find("compressed with loss"), std::string::npos);
}

TEST_F(DicomSeriesTest, PixelKinds) {
  const auto grid = oblique_grid();
  const auto count = static_cast<size_t>(grid.voxels());
  struct Kind {
    int bits;
    bool is_signed;
    int stored, high;
  };
  for (const Kind kind : {Kind{8, false, 8, 7}, Kind{8, true, 8, 7}, Kind{16, true, 16, 15},
                          Kind{16, true, 12, 11}, Kind{16, false, 12, 11}, Kind{16, true, 12, 14},
                          Kind{32, true, 32, 31}, Kind{32, false, 32, 31}}) {
    SCOPED_TRACE(
        fmt::format("{} bits, {} stored, signed {}", kind.bits, kind.stored, kind.is_signed));
    std::vector<int64_t> stored(count), values(count);
    const int64_t range = int64_t{1} << std::min(kind.stored, 20);
    for (size_t n = 0; n < count; ++n) {
      values[n] = static_cast<int64_t>(n) * 37 % range - (kind.is_signed ? range / 2 : 0);
      const int shift = kind.high + 1 - kind.stored;
      const int64_t mask = (int64_t{1} << kind.stored) - 1;
      stored[n] = (values[n] & mask) << shift;
      // overlay bits outside the stored ones must not matter
      if (kind.stored < kind.bits) stored[n] |= int64_t{1} << (kind.high == 11 ? 13 : 15);
    }
    made_nm(grid, stored)
        .pixels(stored, kind.bits, kind.is_signed, kind.stored, kind.high)
        .save(folder_ / "nm.dcm");
    const auto volume = read();
    for (size_t n = 0; n < count; ++n)
      ASSERT_EQ(volume.voxels.data_ptr<float>()[n], static_cast<float>(values[n])) << n;
  }
}

TEST_F(DicomSeriesTest, FloatPixels) {
  const auto grid = oblique_grid();
  const auto count = static_cast<size_t>(grid.voxels());
  std::vector<Float32> floats(count);
  std::vector<Float64> doubles(count);
  for (size_t n = 0; n < count; ++n) doubles[n] = floats[n] = static_cast<float>(n) * 0.37F - 5;
  for (bool twice : {false, true}) {
    auto made = made_nm(grid, made_values(grid, 0, grid.nk));
    made.remove(DCM_PixelData).whole(DCM_BitsAllocated, twice ? 64 : 32);
    if (twice)
      made.item().putAndInsertFloat64Array(DCM_DoubleFloatPixelData, doubles.data(), count);
    else
      made.item().putAndInsertFloat32Array(DCM_FloatPixelData, floats.data(), count);
    made.save(folder_ / "nm.dcm");
    const auto volume = read();
    for (size_t n = 0; n < count; ++n) ASSERT_EQ(volume.voxels.data_ptr<float>()[n], floats[n]);
  }
}

}  // namespace
}  // namespace scintigen
