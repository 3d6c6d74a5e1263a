// SPDX-License-Identifier: Apache-2.0
#include "core/nifti.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/error.h"

namespace scintigen {
namespace {

constexpr size_t kHeader1 = 348, kHeader2 = 540;
constexpr double kMostOffset = 1 << 30;   // header extensions larger than this are nonsense
constexpr int64_t kMostExcess = 1 << 20;  // padding after the voxels that is let pass
constexpr unsigned kBuffer = 128 * 1024;

/// Bytes of a file, gunzipped if it is gzip.
class Stream {
 public:
  explicit Stream(const std::filesystem::path& path) : name_(path.string()) {
    file_ = gzopen(path.c_str(), "rbe");
    require(file_ != nullptr, "{}: cannot be opened: {}", name_, std::strerror(errno));
    gzbuffer(file_, kBuffer);
  }
  ~Stream() { gzclose(file_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  bool zipped() { return gzdirect(file_) == 0; }

  /// As many of `count` bytes as there are. throws Error if the compressed data are damaged (but
  /// not if cut short).
  size_t read(void* bytes, size_t count) {
    const int got = gzread(file_, bytes, static_cast<unsigned>(count));
    int code = Z_OK;
    const char* const message = gzerror(file_, &code);
    if (got > 0 || code == Z_OK) return static_cast<size_t>(std::max(got, 0));
    cut_short_ = cut_short_ || code == Z_BUF_ERROR;
    if (cut_short_) return 0;
    throw Error("{}: compressed data are damaged after {} bytes ({}); get the file again", name_,
                gztell(file_), code == Z_ERRNO ? std::strerror(errno) : message);
  }

  /// The gzip stream ended before its end mark.
  bool cut_short() {
    int code = Z_OK;
    gzerror(file_, &code);
    return cut_short_ || code == Z_BUF_ERROR;
  }

 private:
  std::string name_;
  gzFile file_ = nullptr;
  bool cut_short_ = false;
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// What the first bytes of a file that is not NIfTI look like; "" = nothing known.
std::string looks_like(const std::string& head) {
  static const std::vector<std::pair<std::string, const char*>> beginnings = {
      {std::string("\x89PNG", 4), "a PNG picture"},
      {"\xFF\xD8\xFF", "a JPEG picture"},
      {"%PDF", "a PDF document"},
      {"PK\x03\x04", "a ZIP archive"},
      {"\x1F\x8B", "gzip inside gzip"},
      {"\x89HDF", "an HDF5 or MINC-2 file"},
      {"CDF", "a NetCDF or MINC-1 file"},
      {"NRRD", "an NRRD file"},
      {"MATRIX7", "an ECAT 7 file"},
      {"version https://git-lfs", "a Git LFS pointer; fetch the file it stands for"},
      {"/annex/objects", "a git-annex pointer; fetch the file it stands for"}};
  if (head.size() >= 132 && head.compare(128, 4, "DICM") == 0) return "DICOM";
  for (const auto& [beginning, kind] : beginnings)
    if (head.compare(0, beginning.size(), beginning) == 0) return kind;
  const std::string text = lower(head);
  const size_t start = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (start == std::string::npos) return "";
  if (text.compare(start, 5, "<html") == 0 || text.compare(start, 9, "<!doctype") == 0 ||
      text.find("<html") != std::string::npos)
    return "a web page; the download went wrong";
  const bool printable = std::all_of(head.begin(), head.end(), [](unsigned char c) {
    return c >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
  return printable ? "a text file" : "";
}

/// Numbers of a header in either byte order.
class Fields {
 public:
  Fields(const std::string& bytes, bool swapped) : bytes_(bytes), swapped_(swapped) {}

  template <class Number>
  Number at(size_t place) const {
    std::array<char, sizeof(Number)> raw{};
    std::copy_n(bytes_.data() + place, raw.size(), raw.data());
    if (swapped_) std::reverse(raw.begin(), raw.end());
    Number number{};
    std::memcpy(&number, raw.data(), raw.size());
    return number;
  }

 private:
  const std::string& bytes_;
  bool swapped_;
};

/// The fields that are judged, of either version.
struct RawHeader {
  std::array<int64_t, 8> dim{};
  std::array<double, 8> pixdim{};
  int datatype = 0, bitpix = 0, qform_code = 0, sform_code = 0;
  double vox_offset = 0, scl_slope = 0, scl_inter = 0;
  std::array<double, 6> qform{};  // quatern_b, c, d, qoffset_x, y, z
  std::array<double, 12> sform{};
};

RawHeader raw_header_1(const Fields& f) {
  RawHeader raw;
  for (size_t i = 0; i < 8; ++i) {
    raw.dim[i] = f.at<int16_t>(40 + 2 * i);
    raw.pixdim[i] = f.at<float>(76 + 4 * i);
  }
  raw.datatype = f.at<int16_t>(70);
  raw.bitpix = f.at<int16_t>(72);
  raw.vox_offset = f.at<float>(108);
  raw.scl_slope = f.at<float>(112);
  raw.scl_inter = f.at<float>(116);
  raw.qform_code = f.at<int16_t>(252);
  raw.sform_code = f.at<int16_t>(254);
  for (size_t i = 0; i < 6; ++i) raw.qform[i] = f.at<float>(256 + 4 * i);
  for (size_t i = 0; i < 12; ++i) raw.sform[i] = f.at<float>(280 + 4 * i);
  return raw;
}

RawHeader raw_header_2(const Fields& f) {
  RawHeader raw;
  for (size_t i = 0; i < 8; ++i) {
    raw.dim[i] = f.at<int64_t>(16 + 8 * i);
    raw.pixdim[i] = f.at<double>(104 + 8 * i);
  }
  raw.datatype = f.at<int16_t>(12);
  raw.bitpix = f.at<int16_t>(14);
  raw.vox_offset = static_cast<double>(f.at<int64_t>(168));
  raw.scl_slope = f.at<double>(176);
  raw.scl_inter = f.at<double>(184);
  raw.qform_code = f.at<int32_t>(344);
  raw.sform_code = f.at<int32_t>(348);
  for (size_t i = 0; i < 6; ++i) raw.qform[i] = f.at<double>(352 + 8 * i);
  for (size_t i = 0; i < 12; ++i) raw.sform[i] = f.at<double>(400 + 8 * i);
  return raw;
}

struct Datatype {
  int code;
  int64_t bytes;
  const char* name;  // of those that are refused
};

int64_t voxel_bytes_of(int code, const std::string& name) {
  static constexpr Datatype known[] = {{2, 1, nullptr},         {4, 2, nullptr},
                                       {8, 4, nullptr},         {16, 4, nullptr},
                                       {64, 8, nullptr},        {256, 1, nullptr},
                                       {512, 2, nullptr},       {768, 4, nullptr},
                                       {1024, 8, nullptr},      {1280, 8, nullptr},
                                       {1, 0, "single bits"},   {32, 8, "complex"},
                                       {128, 3, "RGB colour"},  {1536, 16, "128-bit float"},
                                       {1792, 16, "complex"},   {2048, 32, "complex"},
                                       {2304, 4, "RGBA colour"}};
  for (const Datatype& type : known)
    if (type.code == code) {
      require(type.name == nullptr,
              "{}: voxels are {} (NIfTI datatype {}); expected integers or float of 8 to 64 bits",
              name, type.name == nullptr ? "" : type.name, code);
      return type.bytes;
    }
  throw Error("{}: NIfTI datatype {} is not known; the header is damaged", name, code);
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text;
  for (int64_t side : shape) text += (text.empty() ? "" : " x ") + std::to_string(side);
  return text;
}

/// Which NIfTI it is: sizeof_hdr tells version and byte order, the magic that it is NIfTI and one
/// file.
void read_kind(NiftiHeader& header, const std::string& head, bool zipped, const std::string& name) {
  const auto size = head.size() >= 4 ? Fields(head, false).at<uint32_t>(0) : 0;
  const uint32_t swapped_size = __builtin_bswap32(size);
  const bool one = size == kHeader1 || swapped_size == kHeader1;
  const bool two = size == kHeader2 || swapped_size == kHeader2;
  header.swapped = swapped_size == kHeader1 || swapped_size == kHeader2;
  header.version = two ? 2 : 1;
  if (!one && !two) {
    const std::string kind = looks_like(head);
    throw Error("{}: not NIfTI{}; expected a .nii or .nii.gz scan", name,
                kind.empty() ? (zipped ? ": gzip of something else" : "")
                             : (zipped ? ": gzip of what looks like " : ": looks like ") + kind);
  }
  const size_t length = two ? kHeader2 : kHeader1;
  require(head.size() >= length, "{}: cut short inside its header; expected {} bytes, found {}",
          name, length, head.size());
  const std::string magic = head.substr(two ? 4 : 344, 4);
  const char* const single = two ? "n+2" : "n+1";
  require(magic.compare(0, 3, two ? "ni2" : "ni1") != 0,
          "{}: header of a .hdr/.img pair; convert it to one .nii file", name);
  require(magic.compare(0, 3, single) == 0,
          "{}: {}; expected the mark '{}' of a NIfTI file; convert it to .nii", name,
          magic == std::string(4, '\0') ? "an ANALYZE 7.5 header" : "no NIfTI mark in its header",
          single);
}

void judge_shape(NiftiHeader& header, const RawHeader& raw, int64_t limit_bytes,
                 const std::string& name) {
  const int64_t dimensions = raw.dim[0];
  require(dimensions >= 1 && dimensions <= 7,
          "{}: header says {} dimensions; expected 1 to 7: it is damaged", name, dimensions);
  header.shape.assign(raw.dim.begin() + 1, raw.dim.begin() + 1 + dimensions);
  while (header.shape.size() > 3 && header.shape.back() == 1) header.shape.pop_back();
  header.datatype = raw.datatype;
  header.voxel_bytes = voxel_bytes_of(raw.datatype, name);
  require(raw.bitpix == 0 || raw.bitpix == 8 * header.voxel_bytes,
          "{}: header says {} bits a voxel; datatype {} has {}: it is damaged", name, raw.bitpix,
          raw.datatype, 8 * header.voxel_bytes);
  int64_t bytes = header.voxel_bytes;
  bool overflows = false;
  for (int64_t side : header.shape) {
    require(side >= 1, "{}: header claims {} voxels; every side must be at least 1", name,
            shape_text(header.shape));
    overflows = overflows || __builtin_mul_overflow(bytes, side, &bytes);
  }
  require(!overflows && bytes <= limit_bytes,
          "{}: header claims {} voxels of {} bytes; expected at most {} bytes in all", name,
          shape_text(header.shape), header.voxel_bytes, limit_bytes);
  header.data_bytes = bytes;
}

void judge_numbers(const NiftiHeader& header, const RawHeader& raw, const std::string& name) {
  const auto finite = [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  };
  const double least = header.version == 2 ? kHeader2 : kHeader1;
  require(raw.vox_offset >= least && raw.vox_offset <= kMostOffset &&
              raw.vox_offset == std::floor(raw.vox_offset),
          "{}: header says voxels start at byte {}; expected a whole number from {}: it is damaged",
          name, raw.vox_offset, least);
  for (size_t i = 0; i < header.shape.size(); ++i) {
    const double size = raw.pixdim[i + 1];
    const bool sensible = i >= 3 || header.shape[i] == 1 || (size > 0 && size < 1e4);
    require(std::isfinite(size) && sensible,
            "{}: header says voxels of size {} along axis {}; expected a size in mm above 0", name,
            size, i + 1);
  }
  require(std::isfinite(raw.scl_slope) && std::isfinite(raw.scl_inter),
          "{}: header scales voxels by {} and adds {}; expected finite numbers", name,
          raw.scl_slope, raw.scl_inter);
  require(raw.qform_code <= 0 || finite(raw.qform),
          "{}: qform (place in the world) is not finite; the header is damaged", name);
  require(raw.sform_code <= 0 || finite(raw.sform),
          "{}: sform (place in the world) is not finite; the header is damaged", name);
}

/// Reads on to the end of the voxels and a little beyond (where gzip keeps its check sum). `done`
/// bytes are read already.
void judge_data(Stream& stream, int64_t done, int64_t expected, const std::string& name) {
  std::vector<char> buffer(kBuffer);
  while (done <= expected + kMostExcess) {
    const size_t got = stream.read(buffer.data(), buffer.size());
    if (got == 0) break;
    done += static_cast<int64_t>(got);
  }
  require(done >= expected, "{}: cut short; expected {} bytes, found {}; get the file again", name,
          expected, done);
  require(done <= expected + kMostExcess,
          "{}: its header describes {} bytes, but at least {} are there; the header is damaged",
          name, expected, done);
  require(!stream.cut_short(),
          "{}: cut short; all {} bytes are there but not the end of the gzip data; get it again",
          name, expected);
}

void check_regular(const std::filesystem::path& path, const std::string& name) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  require(std::filesystem::exists(status), "{}: no such file", name);
  require(!std::filesystem::is_directory(status), "{}: a folder; expected a .nii or .nii.gz file",
          name);
  require(std::filesystem::is_regular_file(status), "{}: not a regular file", name);
  const auto size = std::filesystem::file_size(path, error);
  require(error || size > 0, "{}: empty file; expected a .nii or .nii.gz scan", name);
}

}  // namespace

NiftiHeader check_nifti(const std::filesystem::path& path, int64_t limit_bytes) {
  const std::string name = path.string();
  check_regular(path, name);
  Stream stream(path);
  std::string head(kHeader2, '\0');
  head.resize(stream.read(head.data(), head.size()));
  NiftiHeader header;
  read_kind(header, head, stream.zipped(), name);
  const std::string file_name = lower(path.filename().string());
  require(ends_with(file_name, ".nii") || ends_with(file_name, ".nii.gz"),
          "{}: NIfTI under another name; rename it to .nii{}", name, stream.zipped() ? ".gz" : "");
  // Readers go by the name: the NIfTI library would take compressed bytes for voxels.
  require(!stream.zipped() || ends_with(file_name, ".gz"),
          "{}: gzip data under the name .nii; rename it to .nii.gz", name);
  const Fields fields(head, header.swapped);
  const RawHeader raw = header.version == 2 ? raw_header_2(fields) : raw_header_1(fields);
  judge_shape(header, raw, limit_bytes, name);
  judge_numbers(header, raw, name);
  judge_data(stream, static_cast<int64_t>(head.size()),
             static_cast<int64_t>(raw.vox_offset) + header.data_bytes, name);
  return header;
}

}  // namespace scintigen
