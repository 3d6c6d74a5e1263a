// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_scan.h"

#include <dcmtk/config/osconfig.h>
// after osconfig.h
#include <dcmtk/dcmdata/dctag.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "imaging/dicom_words.h"

namespace scintigen {
namespace {

constexpr uint32_t kUndefined = 0xffffffff;
constexpr uint32_t kItem = 0xfffee000, kItemEnd = 0xfffee00d, kSequenceEnd = 0xfffee0dd;
constexpr size_t kWindow = 1 << 16;
constexpr int64_t kPreamble = 128;

/// A file read through a small window.
class ByteFile {
 public:
  explicit ByteFile(const std::filesystem::path& path) : path_(path), window_(kWindow) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    require(descriptor_ >= 0, "{}: cannot be opened: {}", path.string(),
            std::generic_category().message(errno));
    struct stat status {};
    const bool regular = ::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode);
    size_ = regular ? status.st_size : 0;
  }
  ~ByteFile() { ::close(descriptor_); }
  ByteFile(const ByteFile&) = delete;
  ByteFile& operator=(const ByteFile&) = delete;

  int64_t size() const { return size_; }

  /// `count` (at most kWindow) bytes at `at`; nullptr where the file is shorter.
  const uint8_t* bytes(int64_t at, int64_t count) {
    if (at < 0 || count > static_cast<int64_t>(kWindow) || at > size_ - count) return nullptr;
    if (at < begin_ || at + count > begin_ + held_) {
      begin_ = at, held_ = 0;
      while (held_ < count) {
        const ssize_t got = ::pread(descriptor_, window_.data() + held_,
                                    kWindow - static_cast<size_t>(held_), begin_ + held_);
        if (got < 0 && errno == EINTR) continue;
        require(got >= 0, "{}: cannot be read: {}", path_.string(),
                std::generic_category().message(errno));
        if (got == 0) return nullptr;  // it shrank meanwhile
        held_ += got;
      }
    }
    return window_.data() + (at - begin_);
  }

 private:
  std::filesystem::path path_;
  std::vector<uint8_t> window_;
  int descriptor_ = -1;
  int64_t size_ = 0, begin_ = 0, held_ = 0;
};

bool is_vr(const char* letters) {
  static const char* const all =
      "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN "
      "UR US UT UV";
  for (const char* vr = all;; vr += 3) {
    if (vr[0] == letters[0] && vr[1] == letters[1]) return true;
    if (vr[2] == '\0') return false;
  }
}

/// VRs whose length takes four bytes (PS3.5 table 7.1-1).
bool is_long_vr(const char* letters) {
  static const char* const all = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
  for (const char* vr = all;; vr += 3) {
    if (vr[0] == letters[0] && vr[1] == letters[1]) return true;
    if (vr[2] == '\0') return false;
  }
}

std::string tag_text(uint32_t tag) {
  return fmt::format("({:04x},{:04x})", tag >> 16, tag & 0xffff);
}

/// Problems of structure travel as Error within this file.
[[noreturn]] void wrong(const std::string& text) { throw Error(text); }

class TooDeep : public Error {
 public:
  using Error::Error;
};

struct Encoding {
  bool explicit_vr = true, big_endian = false;
};

class Walker {
 public:
  Walker(ByteFile& file, Encoding encoding, DicomScan& scan)
      : file_(file), encoding_(encoding), scan_(scan) {}

  struct Element {
    uint32_t tag = 0, length = 0;
    std::array<char, 3> vr{};
    int64_t value = 0;  ///< where it begins
  };

  Element header(int64_t at, int64_t end, const Encoding& encoding, bool item = false) {
    Element element;
    const uint8_t* bytes = at + 8 <= end ? file_.bytes(at, 8) : nullptr;
    if (bytes == nullptr)
      wrong(fmt::format("ends within an element at byte {}; expected a whole file", at));
    element.tag =
        static_cast<uint32_t>(number(bytes, 2, encoding) << 16 | number(bytes + 2, 2, encoding));
    const bool delimiter = element.tag >> 16 == 0xfffe;
    if (item && !delimiter)
      wrong(
          fmt::format("{} at byte {} where an item or a fragment of pixel data should begin; the "
                      "file is damaged",
                      tag_text(element.tag), at));
    element.value = at + 8;
    if (!encoding.explicit_vr || delimiter) {
      element.length = static_cast<uint32_t>(number(bytes + 4, 4, encoding));
    } else {
      std::memcpy(element.vr.data(), bytes + 4, 2);
      if (!is_vr(element.vr.data()))
        wrong(
            fmt::format("{} at byte {} has no VR of DICOM; the file is damaged or its Transfer "
                        "Syntax UID (0002,0010) is wrong",
                        tag_text(element.tag), at));
      if (is_long_vr(element.vr.data())) {
        bytes = at + 12 <= end ? file_.bytes(at + 8, 4) : nullptr;
        if (bytes == nullptr)
          wrong(fmt::format("ends within an element at byte {}; expected a whole file", at));
        element.length = static_cast<uint32_t>(number(bytes, 4, encoding));
        element.value = at + 12;
      } else {
        element.length = static_cast<uint32_t>(number(bytes + 6, 2, encoding));
      }
    }
    if (element.length != kUndefined && element.length > end - element.value)
      wrong(fmt::format("{} claims {} bytes at byte {}, {} are there; expected a whole file",
                        tag_text(element.tag), element.length, element.value, end - element.value));
    if (++elements_ > kDicomElements)
      wrong(fmt::format("more than {} elements; expected an image", kDicomElements));
    return element;
  }

  /// Elements from `at` to `end`, or to an item's end where `open`; returns where they end.
  int64_t data_set(int64_t at, int64_t end, bool open, int depth, const Encoding& encoding) {
    while (at < end) {
      const Element element = header(at, end, encoding);
      if (element.tag == kItemEnd && open) return element.value;
      if (element.tag >> 16 == 0xfffe)
        wrong(fmt::format("{} at byte {} outside a sequence; the file is damaged",
                          tag_text(element.tag), at));
      at = step(element, end, depth, encoding);
    }
    if (open) wrong("ends within a sequence; expected a whole file");
    return at;
  }

 private:
  static uint64_t number(const uint8_t* bytes, int count, const Encoding& encoding) {
    uint64_t value = 0;
    for (int i = 0; i < count; ++i)
      value |= uint64_t{bytes[i]} << 8 * (encoding.big_endian ? count - 1 - i : i);
    return value;
  }

  int64_t step(const Element& element, int64_t end, int depth, const Encoding& encoding) {
    const bool open = element.length == kUndefined;
    const std::string vr = element.vr.data();
    if (depth == 0) note(element);
    const bool pixels = element.tag == 0x7fe00010;
    if (pixels && open) return fragments(element, end, depth);
    if (open && !vr.empty() && vr != "SQ" && vr != "UN")
      wrong(fmt::format("{} has no length; only sequences and compressed pixel data may",
                        tag_text(element.tag)));
    Encoding inside = encoding;
    if (vr == "UN") inside = {false, false};  // PS3.5 section 6.2.2 note 2
    bool sequence = open || vr == "SQ";
    if (!encoding.explicit_vr && !open)
      sequence = DcmTag(static_cast<Uint16>(element.tag >> 16), static_cast<Uint16>(element.tag))
                     .getEVR() == EVR_SQ;
    if (!sequence && !encoding.explicit_vr && (element.tag >> 16) % 2 == 1)
      try_private(element, depth, encoding);
    if (!sequence) return element.value + element.length;
    return items(element.value, open ? end : element.value + element.length, open, depth + 1,
                 inside);
  }

  /// A private element of implicit VR may be a sequence to a parser that knows its creator: only
  /// its depth matters here.
  void try_private(const Element& element, int depth, const Encoding& encoding) {
    const uint8_t* const bytes = element.length >= 8 ? file_.bytes(element.value, 4) : nullptr;
    if (bytes == nullptr || number(bytes, 2, encoding) != 0xfffe) return;
    try {
      items(element.value, element.value + element.length, false, depth + 1, encoding);
    } catch (const TooDeep&) {
      throw;
    } catch (const Error&) {  // not a sequence then
    }
  }

  int64_t items(int64_t at, int64_t end, bool open, int depth, const Encoding& encoding) {
    if (depth > kDicomDepth)
      throw TooDeep(fmt::format(
          "sequences nested more than {} deep at byte {}; the file is damaged", kDicomDepth, at));
    while (at < end) {
      const Element item = header(at, end, encoding, true);
      if (item.tag == kSequenceEnd && open) return item.value;
      if (item.tag != kItem)
        wrong(fmt::format("{} at byte {} where an item should begin; the file is damaged",
                          tag_text(item.tag), at));
      const bool open_item = item.length == kUndefined;
      at = data_set(item.value, open_item ? end : item.value + item.length, open_item, depth,
                    encoding);
    }
    if (open) wrong("ends within a sequence; expected a whole file");
    return at;
  }

  int64_t fragments(const Element& element, int64_t end, int depth) {
    int64_t at = element.value, count = -1;  // the first is the offset table
    for (;;) {
      if (at >= end) wrong("ends within the compressed pixel data; expected a whole file");
      const Element item = header(at, end, encoding_, true);
      if (item.tag == kSequenceEnd) break;
      if (item.tag != kItem || item.length == kUndefined)
        wrong(fmt::format("{} at byte {} where a fragment should begin; the file is damaged",
                          tag_text(item.tag), at));
      if (++count > 0 && depth == 0) scan_.pixel_bytes += item.length;
      if (count == 1 && depth == 0) look_at_jpeg(item.value, item.length);
      at = item.value + item.length;
    }
    if (depth == 0) scan_.fragments = std::max<int64_t>(count, 0);
    return at + 8;
  }

  /// Start-of-frame marker of JPEG (ITU-T T.81 B.2.2) and JPEG-LS (T.87 C.2.2).
  void look_at_jpeg(int64_t at, int64_t length) {
    const int64_t end = at + length;
    const uint8_t* bytes = file_.bytes(at, std::min<int64_t>(2, length));
    if (bytes == nullptr || length < 4 || bytes[0] != 0xff || bytes[1] != 0xd8) return;
    for (at += 2; at + 10 <= end;) {
      bytes = file_.bytes(at, 10);
      if (bytes == nullptr || bytes[0] != 0xff) return;
      const int marker = bytes[1];
      if (marker == 0xff) {
        ++at;
        continue;
      }
      const bool frame = marker == 0xf7 || (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 &&
                                            marker != 0xc8 && marker != 0xcc);
      if (frame) {
        scan_.coded_bits = bytes[4];
        scan_.coded_rows = bytes[5] << 8 | bytes[6];
        scan_.coded_columns = bytes[7] << 8 | bytes[8];
        return;
      }
      at += 2 + (bytes[2] << 8 | bytes[3]);
    }
  }

  void note(const Element& element) {
    if (element.tag == 0x00080016) scan_.sop_class_uid = uid(element);
    if (element.tag == 0x0020000e) scan_.series_uid = uid(element);
    const uint32_t pixel = element.tag & 0xffff;
    if (element.tag >> 16 != 0x7fe0 || pixel < 8 || pixel > 16) return;
    if (pixel != 0x0008 && pixel != 0x0009 && pixel != 0x0010) return;
    if (scan_.pixel_element != 0) wrong("pixel data twice; expected them once");
    scan_.pixel_element = static_cast<int>(pixel);
    scan_.pixel_bytes = element.length == kUndefined ? 0 : element.length;
  }

 public:
  std::string uid(const Element& element) {
    const uint8_t* const bytes =
        element.length <= 64 ? file_.bytes(element.value, element.length) : nullptr;
    if (bytes == nullptr) return "";
    std::string text(reinterpret_cast<const char*>(bytes), element.length);
    while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
    const bool valid = std::all_of(text.begin(), text.end(),
                                   [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
    return valid ? text : "";
  }

 private:
  ByteFile& file_;
  Encoding encoding_;
  DicomScan& scan_;
  int64_t elements_ = 0;
};

/// Group 0002 from `at` (PS3.10 section 7.1); returns where the data set begins.
int64_t read_meta(ByteFile& file, int64_t at, DicomScan& scan) {
  Walker walker(file, {}, scan);
  for (;;) {
    const uint8_t* const group = file.bytes(at, 2);
    if (group == nullptr || group[0] != 2 || group[1] != 0) return at;
    const auto element = walker.header(at, file.size(), {});
    if (element.length == kUndefined)
      wrong("a file meta element has no length; the file is damaged");
    if (element.tag == 0x00020010) scan.transfer_syntax_uid = walker.uid(element);
    at = element.value + element.length;
  }
}

Encoding encoding_of(const std::string& uid) {
  if (uid.empty()) wrong("no Transfer Syntax UID (0002,0010); expected one");
  if (uid == "1.2.840.10008.1.2") return {false, false};
  if (uid == "1.2.840.10008.1.2.2") return {true, true};
  if (uid == "1.2.840.10008.1.2.1.99")
    wrong(
        "Transfer Syntax is Deflated Explicit VR Little Endian, which is not read; convert it to "
        "Explicit VR Little Endian");
  if (uid.rfind("1.2.840.10008.1.2.", 0) != 0)
    wrong("Transfer Syntax is private or unknown; convert the file to Explicit VR Little Endian");
  return {true, false};
}

void walk_marked(ByteFile& file, DicomScan& scan) {
  const int64_t begin = read_meta(file, kPreamble + 4, scan);
  const Encoding encoding = encoding_of(scan.transfer_syntax_uid);
  if (begin >= file.size()) wrong("ends after its file meta information; expected a data set");
  Walker(file, encoding, scan).data_set(begin, file.size(), false, 0, encoding);
  const bool compressed = scan.transfer_syntax_uid.rfind("1.2.840.10008.1.2.4", 0) == 0 ||
                          scan.transfer_syntax_uid == "1.2.840.10008.1.2.5";
  if (compressed && scan.pixel_element == 0x0010 && scan.fragments < 0)
    wrong(
        fmt::format("pixel data are not in fragments although the Transfer Syntax is {}; the file "
                    "is damaged",
                    dicom_uid_name(scan.transfer_syntax_uid)));
}

/// Data sets that were stored without preamble and meta information, as older cameras do.
void walk_bare(ByteFile& file, DicomScan& scan) {
  const uint8_t* const bytes = file.bytes(0, 8);
  if (bytes == nullptr || bytes[0] != 8 || bytes[1] != 0) return;
  const bool explicit_vr = is_vr(reinterpret_cast<const char*>(bytes + 4));
  const Encoding encoding{explicit_vr, false};
  try {
    Walker(file, encoding, scan).data_set(0, file.size(), false, 0, encoding);
  } catch (const Error&) {
    scan = {};
    return;
  }
  scan.is_dicom = !scan.sop_class_uid.empty();
  scan.transfer_syntax_uid = explicit_vr ? "1.2.840.10008.1.2.1" : "1.2.840.10008.1.2";
}

}  // namespace

DicomScan scan_dicom(const std::filesystem::path& path) {
  DicomScan scan;
  ByteFile file(path);
  const uint8_t* const mark = file.bytes(kPreamble, 4);
  if (mark == nullptr || std::memcmp(mark, "DICM", 4) != 0) {
    walk_bare(file, scan);
    return scan;
  }
  scan.is_dicom = true;
  try {
    walk_marked(file, scan);
  } catch (const Error& error) {
    scan.problem = error.what();
  }
  return scan;
}

}  // namespace scintigen
