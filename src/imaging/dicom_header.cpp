// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_header.h"

#include <algorithm>
#include <array>

#include "core/atomic_file.h"
#include "core/error.h"
#include "imaging/dicom_frames.h"
#include "imaging/dicom_values.h"
#include "imaging/dicom_words.h"

namespace scintigen {
namespace {

constexpr int64_t kLargestSide = 8192;  // brain scans have 64 to 1024
constexpr int64_t kMostFrames = 100000;
constexpr int64_t kMostVoxels = int64_t{1} << 30;  // 4 GiB as float32

/// Transfer syntaxes whose pixels can be had (PS3.5 annex A).
bool is_native(const std::string& uid) {
  return uid == UID_LittleEndianImplicitTransferSyntax ||
         uid == UID_LittleEndianExplicitTransferSyntax ||
         uid == UID_BigEndianExplicitTransferSyntax;
}

bool is_jpeg(const std::string& uid) {
  static const char* const all[] = {
      UID_JPEGProcess1TransferSyntax,   UID_JPEGProcess2_4TransferSyntax,
      UID_JPEGProcess14TransferSyntax,  UID_JPEGProcess14SV1TransferSyntax,
      UID_JPEGLSLosslessTransferSyntax, UID_JPEGLSLossyTransferSyntax};
  return std::find(std::begin(all), std::end(all), uid) != std::end(all);
}

void describe_identity(DcmItem& data_set, DicomImage& image) {
  image.study_uid = dicom_text(data_set, DCM_StudyInstanceUID);
  const std::string id = dicom_text(data_set, DCM_PatientID);
  if (!id.empty())
    image.patient_key = sha256_of_bytes(dicom_text(data_set, DCM_IssuerOfPatientID) + '\n' + id);
  else if (!image.study_uid.empty())
    image.patient_key = sha256_of_bytes("study\n" + image.study_uid);
  image.series_uid = dicom_text(data_set, DCM_SeriesInstanceUID);
  image.frame_of_reference_uid = dicom_text(data_set, DCM_FrameOfReferenceUID);
  image.instance_uid = dicom_text(data_set, DCM_SOPInstanceUID);
}

/// Rows, columns, bits (PS3.3 C.7.6.3); returns the number of frames.
int64_t describe_pixels(DcmItem& data_set, DicomImage& image) {
  require(image.scan.pixel_element != 0, "no pixel data; expected an image");
  image.rows = dicom_whole(data_set, DCM_Rows, 1, kLargestSide);
  image.columns = dicom_whole(data_set, DCM_Columns, 1, kLargestSide);
  const int64_t samples = dicom_whole(data_set, DCM_SamplesPerPixel, 1, 4);
  require(samples == 1, "{} samples per pixel (a picture in colour); expected 1", samples);
  image.bits_allocated = static_cast<int>(dicom_whole(data_set, DCM_BitsAllocated, 1, 64));
  const int bits = image.bits_allocated;
  if (image.scan.pixel_element == 0x0010) {
    require(bits == 8 || bits == 16 || bits == 32,
            "Bits Allocated (0028,0100) {}; expected 8, 16 or 32", bits);
    image.bits_stored = static_cast<int>(dicom_whole(data_set, DCM_BitsStored, 1, bits));
    image.high_bit = static_cast<int>(data_set.tagExists(DCM_HighBit)
                                          ? dicom_whole(data_set, DCM_HighBit, 0, bits - 1)
                                          : image.bits_stored - 1);
    require(image.high_bit >= image.bits_stored - 1,
            "High Bit (0028,0102) {} with {} bits stored; expected at least {}", image.high_bit,
            image.bits_stored, image.bits_stored - 1);
    image.is_signed = dicom_whole(data_set, DCM_PixelRepresentation, 0, 1) == 1;
  } else {
    const int needed = image.scan.pixel_element == 0x0008 ? 32 : 64;
    require(bits == needed, "float pixel data with Bits Allocated (0028,0100) {}; expected {}",
            bits, needed);
  }
  const int64_t frames = dicom_number(data_set, DCM_NumberOfFrames).has_value()
                             ? dicom_whole(data_set, DCM_NumberOfFrames, 1, kMostFrames)
                             : 1;
  require(image.rows * image.columns <= kMostVoxels / frames,
          "{} frames of {} x {} pixels; expected at most {} voxels", frames, image.rows,
          image.columns, kMostVoxels);
  return frames;
}

void check_compressed(const DicomImage& image, int64_t frames) {
  const auto& scan = image.scan;
  require(scan.pixel_element == 0x0010, "compressed float pixel data; expected them uncompressed");
  require(scan.fragments >= frames,
          "compressed pixel data of {} fragments; expected one or more for "
          "each of {} frames; the file is damaged",
          std::max<int64_t>(scan.fragments, 0), frames);
  if (!is_jpeg(scan.transfer_syntax_uid)) {
    // A run of RLE is two bytes for at most 128 (PS3.5 annex G.3.1).
    const int64_t needed = image.rows * image.columns * (image.bits_allocated / 8) * frames / 64;
    require(scan.pixel_bytes >= needed,
            "compressed pixel data of {} bytes; expected at least {} for {} "
            "frames of {} x {} pixels; the file is damaged",
            scan.pixel_bytes, needed, frames, image.rows, image.columns);
    return;
  }
  require(scan.coded_bits > 0,
          "compressed pixel data are not JPEG although the Transfer Syntax is {}; "
          "the file is damaged",
          dicom_uid_name(scan.transfer_syntax_uid));
  require(scan.coded_rows == image.rows && scan.coded_columns == image.columns,
          "compressed picture of {} x {} pixels, Rows and Columns say {} x {}; the file is damaged",
          scan.coded_rows, scan.coded_columns, image.rows, image.columns);
  require(
      (scan.coded_bits <= 8) == (image.bits_allocated == 8) &&
          scan.coded_bits <= image.bits_allocated,
      "compressed picture of {} bits with Bits Allocated (0028,0100) {}; expected them to agree",
      scan.coded_bits, image.bits_allocated);
}

/// Whether the file can hold what the header claims, before anything of that size is made.
void check_size(const DicomImage& image, int64_t frames) {
  const auto& scan = image.scan;
  const std::string& syntax = scan.transfer_syntax_uid;
  if (!is_native(syntax)) {
    require(
        is_jpeg(syntax) || syntax == UID_RLELosslessTransferSyntax,
        "Transfer Syntax is {}, which is not read; convert the file to Explicit VR Little Endian",
        dicom_uid_name(syntax));
    check_compressed(image, frames);
    return;
  }
  require(scan.fragments < 0,
          "pixel data in fragments although the Transfer Syntax is {}; the file is "
          "damaged",
          dicom_uid_name(syntax));
  const int64_t needed = image.rows * image.columns * (image.bits_allocated / 8) * frames;
  require(scan.pixel_bytes >= needed,
          "pixel data of {} bytes; expected {} for {} frame{} of {} x {} pixels of {} bits; the "
          "file is "
          "damaged",
          scan.pixel_bytes, needed, frames, frames == 1 ? "" : "s", image.rows, image.columns,
          image.bits_allocated);
}

void describe(DcmItem& data_set, DicomImage& image) {
  image.technical = dicom_technical(data_set);
  const std::string kind = dicom_kind_refusal(data_set);
  if (!kind.empty()) throw Error(kind);
  const int64_t frames = describe_pixels(data_set, image);
  check_size(image, frames);
  require(!image.series_uid.empty(), "no Series Instance UID (0020,000e); expected one");
  image.unit = volume_unit(image.technical.units, image.technical.modality);
  if (dicom_text(data_set, DCM_LossyImageCompression) == "01")
    image.notes.push_back("was compressed with loss: values are not those of the scanner");
  const std::string series_type = dicom_text(data_set, DCM_SeriesType);
  image.is_dynamic = series_type == "DYNAMIC" || series_type == "GATED" ||
                     dicom_number(data_set, DCM_NumberOfTimeSlices).value_or(1) > 1;
  describe_frames(data_set, frames, image);
}

}  // namespace

DicomImage read_dicom_header(const std::filesystem::path& path, const DicomScan& scan) {
  prepare_dcmtk();
  DicomImage image;
  image.path = path;
  image.scan = scan;
  image.series_uid = scan.series_uid;
  try {
    if (!scan.problem.empty()) throw Error(scan.problem);
    DcmFileFormat file;
    const OFCondition loaded = file.loadFile(OFFilename(path.c_str()));
    require(loaded.good(), "DICOM that cannot be parsed ({}); the file is damaged", loaded.text());
    describe_identity(*file.getDataset(), image);
    describe(*file.getDataset(), image);
  } catch (const Error& error) {
    image.refusal = path.string() + ": " + error.what();
    image.frames.clear();
  }
  return image;
}

}  // namespace scintigen
