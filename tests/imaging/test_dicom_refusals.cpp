// SPDX-License-Identifier: Apache-2.0
// What makes a series of sound files unusable, each by its text.
#include <functional>

#include "core/temporary_folder.h"
#include "imaging/dicom_maker.h"
#include "imaging/dicom_series.h"

namespace scintigen {
namespace {

Grid small_grid() { return centred_grid(6, 5, 4, 2); }

class DicomRefusalTest : public ::testing::Test {
 protected:
  using Change = std::function<void(MadeDicom&, int64_t)>;
  /// The refusal of the one series, with slice k changed by `change`; "" if none.
  std::string refusal_of(const std::string& modality, const Change& change,
                         const Grid& grid = small_grid()) {
    std::filesystem::remove_all(folder_.path());
    for (int64_t k = 0; k < grid.nk; ++k) {
      auto made = made_slice(modality, grid, k, made_values(grid, k, 1));
      change(made, k);
      made.save(folder_ / (std::to_string(k) + ".dcm"));
    }
    const auto found = find_dicom_series(folder_.path(), nullptr);
    EXPECT_EQ(found.size(), 1U);
    const auto text = refusal([&] { read_dicom_series(found.front(), &notes_); });
    EXPECT_EQ(text, found.front().refusal);
    return text;
  }
  void expect(const std::string& modality, const char* text, const Change& change) {
    const auto found = refusal_of(modality, change);
    EXPECT_NE(found.find(text), std::string::npos) << "'" << found << "', expected " << text;
  }
  /// Slice `which` alone is changed.
  static Change one(int64_t which, const DcmTagKey& tag, const std::string& value) {
    return [=](MadeDicom& made, int64_t k) {
      if (k == which) made.text(tag, value);
    };
  }
  static Change all(const DcmTagKey& tag, const std::string& value) {
    return [=](MadeDicom& made, int64_t) { made.text(tag, value); };
  }
  TemporaryFolder folder_;
  std::vector<std::string> notes_;
};

TEST_F(DicomRefusalTest, Stacks) {
  expect("MR", "a gap of 4 mm where slices are 2 mm apart: 1 missing",
         [&](MadeDicom& made, int64_t k) {
           if (k == 3)
             made.text(DCM_ImagePositionPatient, ds_list(made_place(small_grid(), 4).position));
         });
  expect("MR", "2.5 mm apart where other slices are 2 mm apart", [&](MadeDicom& made, int64_t k) {
    auto position = made_place(small_grid(), k).position;
    if (k == 3) position[2] += 0.5;
    made.text(DCM_ImagePositionPatient, ds_list(position));
  });
  expect("MR", "2 slices at one place; expected each once",
         one(3, DCM_ImagePositionPatient, ds_list(made_place(small_grid(), 2).position)));
  expect("MR", "the same slice twice", [&](MadeDicom& made, int64_t k) {
    if (k != 3) return;
    made.text(DCM_SOPInstanceUID, "1.2.3.4.3");
    made.text(DCM_ImagePositionPatient, ds_list(made_place(small_grid(), 2).position));
  });
  expect("MR", "a sheared volume: slices shift sideways by 1.2 mm over 6 mm (gantry tilt of 11.3",
         [&](MadeDicom& made, int64_t k) {
           auto position = made_place(small_grid(), k).position;
           position[1] += 0.4 * static_cast<double>(k);
           made.text(DCM_ImagePositionPatient, ds_list(position));
         });
  EXPECT_EQ(refusal_of("MR",
                       [&](MadeDicom& made, int64_t k) {
                         auto position = made_place(small_grid(), k).position;
                         position[1] += 0.02 * static_cast<double>(k);
                         made.text(DCM_ImagePositionPatient, ds_list(position));
                       }),
            "");
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_NE(notes_[0].find("slices shift sideways by up to 0.06 mm"), std::string::npos);
}

TEST_F(DicomRefusalTest, OneSliceAlone) {
  auto grid = small_grid();
  grid.nk = 1;
  EXPECT_NE(refusal_of(
                "MR", [](MadeDicom&, int64_t) {}, grid)
                .find("one slice alone"),
            std::string::npos);
}

TEST_F(DicomRefusalTest, MixedSeries) {
  expect("MR", "slices of two orientations (0020,0037): a localiser",
         one(2, DCM_ImageOrientationPatient, "0\\1\\0\\0\\0\\-1"));
  expect("MR", "slices of two pixel spacings", one(2, DCM_PixelSpacing, "2\\2.1"));
  expect("MR", "two frames of reference", one(2, DCM_FrameOfReferenceUID, "1.2.3.9"));
  expect("MR", "one series of two patients", one(2, DCM_PatientID, "another"));
  expect("PT", "slices in two units", one(2, DCM_Units, "CNTS"));
  expect("MR", "slices of 6 x 5 and 5 x 5 pixels", [](MadeDicom& made, int64_t k) {
    if (k == 2) made.whole(DCM_Rows, 5).whole(DCM_Columns, 5);
    if (k != 2) made.whole(DCM_Columns, 5).whole(DCM_Rows, 6);
  });
}

TEST_F(DicomRefusalTest, SeriesInTime) {
  const auto twice = [](MadeDicom& made, int64_t k) {
    made.text(DCM_ImagePositionPatient, ds_list(made_place(small_grid(), k / 2).position));
  };
  expect("PT", "a dynamic or gated series: 2 frames in time at one place",
         [&](MadeDicom& made, int64_t k) {
           twice(made, k);
           made.text(DCM_SeriesType, "DYNAMIC\\IMAGE");
         });
  expect("PT", "a dynamic or gated series: 2 frames in time", [&](MadeDicom& made, int64_t k) {
    twice(made, k);
    made.text(DCM_FrameReferenceTime, std::to_string(1000 * (k % 2)));
  });
  expect("MR", "2 slices of different moments or echoes at one place",
         [&](MadeDicom& made, int64_t k) {
           twice(made, k);
           made.text(DCM_EchoTime, std::to_string(10 * (k % 2 + 1)));
         });
  // one time slice of a dynamic acquisition is a volume
  EXPECT_EQ(refusal_of("PT", all(DCM_SeriesType, "DYNAMIC\\IMAGE")), "");
}

TEST_F(DicomRefusalTest, OtherKinds) {
  expect("MR", "Image Type (0008,0008) says LOCALIZER",
         all(DCM_ImageType, "ORIGINAL\\PRIMARY\\LOCALIZER"));
  expect("MR", "Image Type (0008,0008) says MOSAIC",
         all(DCM_ImageType, "ORIGINAL\\PRIMARY\\M\\ND\\MOSAIC"));
  expect("PT", "PET reprojections", all(DCM_SeriesType, "STATIC\\REPROJECTION"));
  expect("MR", "Modality (0008,0060) is CT", all(DCM_Modality, "CT"));
  expect("MR", "Modality (0008,0060) is another one", all(DCM_Modality, "CANARY"));
  expect("MR", "SOP class is SecondaryCaptureImageStorage",
         all(DCM_SOPClassUID, UID_SecondaryCaptureImageStorage));
  expect("MR", "SOP class is CTImageStorage", all(DCM_SOPClassUID, UID_CTImageStorage));
  expect("MR", "a picture in colour", all(DCM_PhotometricInterpretation, "RGB"));
  expect("MR", "3 samples per pixel (a picture in colour)",
         [](MadeDicom& made, int64_t) { made.whole(DCM_SamplesPerPixel, 3); });
}

TEST_F(DicomRefusalTest, FoldersAndOtherFiles) {
  EXPECT_REFUSED(find_dicom_series(folder_ / "missing", nullptr), "not a folder");
  EXPECT_EQ(refusal_of("MR", [](MadeDicom&, int64_t) {}), "");
  put_bytes(folder_ / "note.txt", "not DICOM");
  put_bytes(folder_ / "empty", "");
  put_bytes(folder_ / "like_a_data_set", std::string("\x08\x00\x05\x00\xff\xff\xff\x7f", 8));
  MadeDicom directory;
  directory.text(DCM_SOPClassUID, UID_MediaStorageDirectoryStorage).text(DCM_SOPInstanceUID, "1.2");
  directory.save(folder_ / "DICOMDIR");
  int64_t ignored = 0;
  const auto found = find_dicom_series(folder_.path(), &ignored);
  EXPECT_EQ(found.size(), 1U);
  EXPECT_EQ(ignored, 4);
}

TEST_F(DicomRefusalTest, OrderDoesNotDependOnNames) {
  const auto grid = small_grid();
  std::vector<std::string> orders[2];
  for (int turn = 0; turn < 2; ++turn) {
    std::filesystem::remove_all(folder_.path());
    for (int s = 0; s < 5; ++s)
      for (int64_t k = 0; k < grid.nk; ++k) {
        auto made = made_slice("MR", grid, k, made_values(grid, k, 1));
        made.text(DCM_SeriesInstanceUID, fmt::format("1.2.3.{}", s));
        made.text(DCM_SOPInstanceUID, fmt::format("1.2.3.{}.{}", s, k + 1));
        made.save(folder_ / fmt::format("{}/{}", turn == 0 ? s : 9 - s, turn == 0 ? k : 9 - k));
      }
    for (const auto& series : find_dicom_series(folder_.path(), nullptr)) {
      orders[turn].push_back(series.series_uid);
      EXPECT_EQ(series.files.size(), 4U);
      EXPECT_EQ(series.refusal, "");
    }
  }
  EXPECT_EQ(orders[0], orders[1]);
}

TEST_F(DicomRefusalTest, ABareDataSetIsRead) {
  const auto grid = small_grid();
  for (int64_t k = 0; k < grid.nk; ++k) {
    made_slice("MR", grid, k, made_values(grid, k, 1))
        .save(folder_ / "whole.dcm", EXS_LittleEndianImplicit);
    const auto bytes = bytes_of(folder_ / "whole.dcm");
    put_bytes(folder_ / fmt::format("{}.bare", k),
              bytes.substr(bytes.find(std::string("\x08\x00\x08\x00", 4))));
  }
  std::filesystem::remove(folder_ / "whole.dcm");
  const auto found = find_dicom_series(folder_.path(), nullptr);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(read_dicom_series(found[0]).voxels[3][4][5].item<float>(), made_value(5, 4, 3));
}

}  // namespace
}  // namespace scintigen
