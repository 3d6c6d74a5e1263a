// SPDX-License-Identifier: Apache-2.0
// DICOM files of known content, made for tests. Geometry is computed here from RAS, on its own, so
// that the reader is held to the standard and not to itself.
#pragma once
#include <dcmtk/config/osconfig.h>
// after osconfig.h
#include <dcmtk/dcmdata/dctk.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/grid.h"

namespace scintigen {

/// A DS of at most 16 characters.
inline std::string ds(double number) {
  for (int digits = 14; digits > 3; --digits) {
    const std::string text = fmt::format("{:.{}g}", number, digits);
    if (text.size() <= 16) return text;
  }
  return "0";
}

template <class Numbers>
std::string ds_list(const Numbers& numbers) {
  std::string text;
  for (double number : numbers) text += (text.empty() ? "" : "\\") + ds(number);
  return text;
}

/// One file under construction.
class MadeDicom {
 public:
  DcmItem& item() { return *file_.getDataset(); }
  MadeDicom& text(const DcmTagKey& tag, const std::string& value) {
    put_text(item(), tag, value);
    return *this;
  }
  MadeDicom& whole(const DcmTagKey& tag, int value) {
    EXPECT_TRUE(item().putAndInsertUint16(tag, static_cast<Uint16>(value)).good());
    return *this;
  }
  MadeDicom& wholes(const DcmTagKey& tag, const std::vector<Uint16>& values) {
    EXPECT_TRUE(item().putAndInsertUint16Array(tag, values.data(), values.size()).good());
    return *this;
  }
  MadeDicom& remove(const DcmTagKey& tag) {
    item().findAndDeleteElement(tag);
    return *this;
  }
  static void put_text(DcmItem& item, const DcmTagKey& tag, const std::string& value) {
    EXPECT_TRUE(item.putAndInsertString(tag, value.c_str()).good()) << value;
  }
  /// Item `index` of a sequence, made if need be.
  static DcmItem& in(DcmItem& item, const DcmTagKey& sequence, int index = 0) {
    DcmItem* found = nullptr;
    for (int n = 0; n <= index; ++n) item.findOrCreateSequenceItem(sequence, found, n);
    return *found;
  }
  /// Stored integers; as many bits as `bits`.
  MadeDicom& pixels(const std::vector<int64_t>& values, int bits = 16, bool is_signed = false,
                    int stored = 0, int high = -1) {
    whole(DCM_SamplesPerPixel, 1).text(DCM_PhotometricInterpretation, "MONOCHROME2");
    whole(DCM_BitsAllocated, bits).whole(DCM_BitsStored, stored == 0 ? bits : stored);
    whole(DCM_HighBit, high >= 0 ? high : (stored == 0 ? bits : stored) - 1);
    whole(DCM_PixelRepresentation, is_signed ? 1 : 0);
    std::vector<Uint8> bytes;
    for (int64_t value : values)
      for (int b = 0; b < bits; b += 8) bytes.push_back(static_cast<Uint8>(value >> b));
    if (bytes.size() % 2 == 1) bytes.push_back(0);
    if (bits == 8) {
      EXPECT_TRUE(item().putAndInsertUint8Array(DCM_PixelData, bytes.data(), bytes.size()).good());
    } else {
      EXPECT_TRUE(item()
                      .putAndInsertUint16Array(
                          DCM_PixelData, reinterpret_cast<Uint16*>(bytes.data()), bytes.size() / 2)
                      .good());
    }
    return *this;
  }
  std::filesystem::path save(const std::filesystem::path& path,
                             E_TransferSyntax syntax = EXS_LittleEndianExplicit,
                             const DcmRepresentationParameter* parameter = nullptr) {
    std::filesystem::create_directories(path.parent_path());
    EXPECT_TRUE(file_.getDataset()->chooseRepresentation(syntax, parameter).good());
    EXPECT_TRUE(file_.saveFile(path.c_str(), syntax).good());
    return path;
  }

 private:
  DcmFileFormat file_;
};

/// Cosines, position and spacing of slice k of a RAS grid, as DICOM says them.
struct MadePlace {
  std::vector<double> orientation, position, pixel_spacing;
  double slice_spacing = 0;  ///< along row x column; negative where k runs against it
};

inline MadePlace made_place(const Grid& grid, int64_t k) {
  MadePlace place;
  const Affine& a = grid.voxel_to_world;
  const auto size = spacing_mm(a);
  const double lps[3] = {-1, -1, 1};
  for (size_t axis = 0; axis < 2; ++axis)
    for (size_t i = 0; i < 3; ++i) place.orientation.push_back(lps[i] * a[i][axis] / size[axis]);
  for (size_t i = 0; i < 3; ++i)
    place.position.push_back(lps[i] * (a[i][3] + a[i][2] * static_cast<double>(k)));
  place.pixel_spacing = {size[1], size[0]};
  place.slice_spacing = determinant(a) > 0 ? size[2] : -size[2];  // LPS is RAS turned: same sign
  return place;
}

inline void put_identity(MadeDicom& made, const std::string& modality, const char* sop_class,
                         const std::string& instance) {
  made.text(DCM_SOPClassUID, sop_class).text(DCM_SOPInstanceUID, "1.2.3.4." + instance);
  made.text(DCM_StudyInstanceUID, "1.2.3.1").text(DCM_SeriesInstanceUID, "1.2.3.2");
  made.text(DCM_FrameOfReferenceUID, "1.2.3.3").text(DCM_Modality, modality);
  made.text(DCM_PatientID, "made-up").text(DCM_PatientName, "Made^Up");
}

/// Slice k of `grid` with pixels `values`.
inline MadeDicom made_slice(const std::string& modality, const Grid& grid, int64_t k,
                            const std::vector<int64_t>& values) {
  MadeDicom made;
  put_identity(made, modality,
               modality == "PT" ? UID_PositronEmissionTomographyImageStorage : UID_MRImageStorage,
               std::to_string(k + 1));
  const auto place = made_place(grid, k);
  made.text(DCM_ImageType, "ORIGINAL\\PRIMARY");
  made.text(DCM_ImageOrientationPatient, ds_list(place.orientation));
  made.text(DCM_ImagePositionPatient, ds_list(place.position));
  made.text(DCM_PixelSpacing, ds_list(place.pixel_spacing));
  made.whole(DCM_Rows, static_cast<int>(grid.nj)).whole(DCM_Columns, static_cast<int>(grid.ni));
  if (modality == "PT") {
    made.text(DCM_Units, "BQML").text(DCM_SeriesType, "STATIC\\IMAGE");
    made.text(DCM_RescaleIntercept, "0").text(DCM_RescaleSlope, "1");
  }
  made.pixels(values);
  return made;
}

/// All frames in one NM file.
inline MadeDicom made_nm(const Grid& grid, const std::vector<int64_t>& values, int detectors = 1) {
  MadeDicom made;
  put_identity(made, "NM", UID_NuclearMedicineImageStorage, "1");
  const auto place = made_place(grid, 0);
  made.text(DCM_ImageType, "ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION");
  for (int d = 0; d < detectors; ++d) {
    DcmItem& detector = MadeDicom::in(made.item(), DCM_DetectorInformationSequence, d);
    MadeDicom::put_text(detector, DCM_ImageOrientationPatient, ds_list(place.orientation));
    MadeDicom::put_text(detector, DCM_ImagePositionPatient, ds_list(place.position));
  }
  made.text(DCM_PixelSpacing, ds_list(place.pixel_spacing));
  made.text(DCM_SpacingBetweenSlices, ds(place.slice_spacing));
  made.text(DCM_SliceThickness, ds(std::abs(place.slice_spacing)));
  made.text(DCM_NumberOfFrames, std::to_string(grid.nk));
  made.whole(DCM_NumberOfDetectors, detectors);
  std::vector<Uint16> slices;
  for (int64_t k = 0; k < grid.nk; ++k) slices.push_back(static_cast<Uint16>(k + 1));
  made.wholes(DCM_SliceVector, slices);
  made.whole(DCM_Rows, static_cast<int>(grid.nj)).whole(DCM_Columns, static_cast<int>(grid.ni));
  made.pixels(values);
  return made;
}

/// All frames in one enhanced file; slopes by frame.
inline MadeDicom made_enhanced(const std::string& modality, const Grid& grid,
                               const std::vector<int64_t>& values,
                               const std::vector<double>& slopes) {
  MadeDicom made;
  put_identity(made, modality,
               modality == "PT" ? UID_EnhancedPETImageStorage : UID_EnhancedMRImageStorage, "1");
  made.text(DCM_ImageType, "ORIGINAL\\PRIMARY\\VOLUME\\NONE");
  made.text(DCM_NumberOfFrames, std::to_string(grid.nk));
  DcmItem& shared = MadeDicom::in(made.item(), DCM_SharedFunctionalGroupsSequence);
  const auto first = made_place(grid, 0);
  MadeDicom::put_text(MadeDicom::in(shared, DCM_PlaneOrientationSequence),
                      DCM_ImageOrientationPatient, ds_list(first.orientation));
  MadeDicom::put_text(MadeDicom::in(shared, DCM_PixelMeasuresSequence), DCM_PixelSpacing,
                      ds_list(first.pixel_spacing));
  for (int64_t k = 0; k < grid.nk; ++k) {
    DcmItem& own =
        MadeDicom::in(made.item(), DCM_PerFrameFunctionalGroupsSequence, static_cast<int>(k));
    MadeDicom::put_text(MadeDicom::in(own, DCM_PlanePositionSequence), DCM_ImagePositionPatient,
                        ds_list(made_place(grid, k).position));
    DcmItem& scale = MadeDicom::in(own, DCM_PixelValueTransformationSequence);
    MadeDicom::put_text(scale, DCM_RescaleSlope, ds(slopes[static_cast<size_t>(k)]));
    MadeDicom::put_text(scale, DCM_RescaleIntercept, "0");
  }
  made.whole(DCM_Rows, static_cast<int>(grid.nj)).whole(DCM_Columns, static_cast<int>(grid.ni));
  made.pixels(values);
  return made;
}

/// A number that differs at every voxel, in 0..30000.
inline int64_t made_value(int64_t i, int64_t j, int64_t k) {
  return (i * 37 + j * 101 + k * 1009) % 30000;
}

inline std::vector<int64_t> made_values(const Grid& grid, int64_t first, int64_t count) {
  std::vector<int64_t> values;
  for (int64_t k = first; k < first + count; ++k)
    for (int64_t j = 0; j < grid.nj; ++j)
      for (int64_t i = 0; i < grid.ni; ++i) values.push_back(made_value(i, j, k));
  return values;
}

}  // namespace scintigen
