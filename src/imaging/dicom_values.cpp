// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_values.h"

#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "core/error.h"

namespace scintigen {

std::string dicom_tag_text(const DcmTagKey& tag) {
  return fmt::format("({:04x},{:04x})", tag.getGroup(), tag.getElement());
}

std::string dicom_text(DcmItem& item, const DcmTagKey& tag, unsigned long position) {
  OFString value;
  if (item.findAndGetOFString(tag, value, position).bad()) return "";
  std::string text(value.c_str(), value.length());
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.pop_back();
  return text;
}

std::vector<double> dicom_numbers(DcmItem& item, const DcmTagKey& tag, size_t limit) {
  DcmElement* element = nullptr;
  if (item.findAndGetElement(tag, element).bad() || element == nullptr) return {};
  const unsigned long count = element->isEmpty() ? 0 : element->getVM();
  // The n-th number of a text is found by reading the n - 1 before it.
  const bool is_text = element->getVR() == EVR_DS || element->getVR() == EVR_IS;
  const size_t most = is_text ? std::min<size_t>(limit, 4096) : limit;
  require(count <= most, "{}: {} values; expected at most {}", dicom_tag_text(tag), count, most);
  std::vector<double> numbers(count);
  for (unsigned long i = 0; i < count; ++i) {
    Uint16 small = 0;
    Float64 number = 0;
    Float32 narrow = 0;
    Sint32 whole = 0;
    OFCondition condition;
    switch (element->getVR()) {
      case EVR_US:
        condition = element->getUint16(small, i), number = small;
        break;
      case EVR_FL:
        condition = element->getFloat32(narrow, i), number = narrow;
        break;
      case EVR_IS:
      case EVR_SL:
        condition = element->getSint32(whole, i), number = whole;
        break;
      default:
        condition = element->getFloat64(number, i);
    }
    require(condition.good() && std::isfinite(number), "{}: not a number; expected a finite one",
            dicom_tag_text(tag));
    numbers[i] = number;
  }
  return numbers;
}

std::optional<double> dicom_number(DcmItem& item, const DcmTagKey& tag) {
  const auto numbers = dicom_numbers(item, tag);
  return numbers.empty() ? std::nullopt : std::optional<double>(numbers.front());
}

int64_t dicom_whole(DcmItem& item, const DcmTagKey& tag, int64_t low, int64_t high) {
  const auto number = dicom_number(item, tag);
  require(number.has_value(), "{}: missing; expected a whole number", dicom_tag_text(tag));
  require(*number >= static_cast<double>(low) && *number <= static_cast<double>(high),
          "{}: {}; expected {} to {}", dicom_tag_text(tag), *number, low, high);
  return static_cast<int64_t>(*number);
}

DcmItem* dicom_item(DcmItem& item, const DcmTagKey& sequence, unsigned long index) {
  DcmSequenceOfItems* items = nullptr;
  if (item.findAndGetSequence(sequence, items).bad() || items == nullptr || index >= items->card())
    return nullptr;
  return items->getItem(index);
}

int64_t dicom_item_count(DcmItem& item, const DcmTagKey& sequence) {
  DcmSequenceOfItems* items = nullptr;
  if (item.findAndGetSequence(sequence, items).bad() || items == nullptr) return 0;
  return static_cast<int64_t>(items->card());
}

void prepare_dcmtk() {
  static std::once_flag once;
  std::call_once(once, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
  });
  require(dcmDataDict.isDictionaryLoaded() != OFFalse,
          "DCMTK's data dictionary is missing; install the package that holds dicom.dic "
          "(libdcmtk17), or name the file in DCMDICTPATH");
}

}  // namespace scintigen
