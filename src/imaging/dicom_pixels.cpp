// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_pixels.h"

#include <cstring>

#include "core/error.h"
#include "imaging/dicom_values.h"
#include "imaging/dicom_words.h"

namespace scintigen {
namespace {

/// Stored integers of one frame; `Word` is as wide as the bits allocated.
template <class Word>
void convert(const std::vector<uint8_t>& bytes, const DicomImage& image, const DicomFrame& frame,
             float* to) {
  const int shift = image.high_bit + 1 - image.bits_stored;
  const uint64_t mask =
      image.bits_stored == 64 ? ~uint64_t{0} : (uint64_t{1} << image.bits_stored) - 1;
  const int64_t sign = int64_t{1} << (image.bits_stored - 1);
  const int64_t count = image.rows * image.columns;
  for (int64_t i = 0; i < count; ++i) {
    Word word;
    std::memcpy(&word, bytes.data() + static_cast<size_t>(i) * sizeof word, sizeof word);
    auto value = static_cast<int64_t>(uint64_t{word} >> shift & mask);
    if (image.is_signed && (value & sign) != 0) value -= 2 * sign;
    to[i] = static_cast<float>(static_cast<double>(value) * frame.slope + frame.intercept);
  }
}

template <class Real>
void convert_real(const std::vector<uint8_t>& bytes, const DicomImage& image,
                  const DicomFrame& frame, float* to) {
  const int64_t count = image.rows * image.columns;
  for (int64_t i = 0; i < count; ++i) {
    Real number;
    std::memcpy(&number, bytes.data() + static_cast<size_t>(i) * sizeof number, sizeof number);
    to[i] = static_cast<float>(static_cast<double>(number) * frame.slope + frame.intercept);
  }
}

void convert_frame(const std::vector<uint8_t>& bytes, const DicomImage& image,
                   const DicomFrame& frame, float* to) {
  if (image.scan.pixel_element == 0x0008) return convert_real<float>(bytes, image, frame, to);
  if (image.scan.pixel_element == 0x0009) return convert_real<double>(bytes, image, frame, to);
  if (image.bits_allocated == 8) return convert<uint8_t>(bytes, image, frame, to);
  if (image.bits_allocated == 16) return convert<uint16_t>(bytes, image, frame, to);
  convert<uint32_t>(bytes, image, frame, to);
}

}  // namespace

void read_dicom_frames(const DicomImage& image, const std::vector<float*>& targets) {
  prepare_dcmtk();
  const std::string name = image.path.string();
  DcmFileFormat file;
  const OFCondition loaded = file.loadFile(OFFilename(image.path.c_str()));
  require(loaded.good(), "{}: DICOM that cannot be parsed ({}); the file is damaged", name,
          loaded.text());
  DcmDataset& data_set = *file.getDataset();
  const DcmTagKey tag(0x7fe0, static_cast<Uint16>(image.scan.pixel_element));
  DcmElement* element = nullptr;
  require(data_set.findAndGetElement(tag, element).good() && element != nullptr,
          "{}: no pixel data", name);
  const auto frame_bytes = static_cast<size_t>(image.rows * image.columns) *
                           static_cast<size_t>(image.bits_allocated / 8);
  std::vector<uint8_t> bytes(frame_bytes + frame_bytes % 2);  // DCMTK pads to even
  DcmFileCache cache;
  Uint32 fragment = 0;
  const bool compressed = image.scan.fragments >= 0;
  for (size_t f = 0; f < targets.size(); ++f) {
    OFCondition got;
    if (compressed) {
      OFString colour;
      got = element->getUncompressedFrame(&data_set, static_cast<Uint32>(f), fragment, bytes.data(),
                                          static_cast<Uint32>(bytes.size()), colour, &cache);
    } else if (targets[f] != nullptr) {
      got = element->getPartialValue(bytes.data(), static_cast<Uint32>(f * frame_bytes),
                                     static_cast<Uint32>(frame_bytes), &cache, gLocalByteOrder);
    }
    require(got.good(), "{}: frame {} of {} cannot be decoded as {} ({}); the file is damaged",
            name, f + 1, targets.size(), dicom_uid_name(image.scan.transfer_syntax_uid),
            got.text());
    if (targets[f] != nullptr) convert_frame(bytes, image, image.frames[f], targets[f]);
  }
}

}  // namespace scintigen
