// SPDX-License-Identifier: Apache-2.0
#include "core/volume_io.h"

#include <ATen/ATen.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>

#include "core/affine.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/progress.h"

namespace scintigen {
namespace {

constexpr int64_t kLargestVolume_bytes = int64_t{4}
                                         << 30;  // as float32: a brain at 1 mm needs 30 MB
constexpr double kFormTolerance_mm = 1e-3;
constexpr double kHalfTurn = 1e-7;
constexpr double kRounding = 1.2e-7;           // of a float32 quaternion
constexpr double kFlat = 1e-3;                 // volume of a voxel over that of a right-angled one
constexpr double kOrthogonalTolerance = 1e-3;  // cosine between axes

/// Bytes of .nii and .nii.gz alike.
class ByteStream {
 public:
  explicit ByteStream(const std::filesystem::path& path)
      : name_(path.string()), file_(gzopen(path.c_str(), "rb"), gzclose) {
    require(file_ != nullptr, "{}: cannot be opened", name_);
  }
  void read(void* into, size_t count) {
    const int got = gzread(file_.get(), into, static_cast<unsigned>(count));
    require(got == static_cast<int>(count), "{}: ends {} bytes early", name_,
            count - static_cast<size_t>(std::max(got, 0)));
  }
  void skip_to(int64_t offset) {
    require(gzseek(file_.get(), offset, SEEK_SET) == offset, "{}: ends before its voxels", name_);
  }

 private:
  std::string name_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

template <class T>
T load(const uint8_t* bytes, bool swapped) {
  std::array<uint8_t, sizeof(T)> ordered;
  std::copy(bytes, bytes + sizeof(T), ordered.begin());
  if (swapped) std::reverse(ordered.begin(), ordered.end());
  T value;
  std::memcpy(&value, ordered.data(), sizeof(T));
  return value;
}

/// The fields of the header that place and scale the voxels.
struct Placement {
  int64_t voxel_offset;
  double slope, intercept, length_mm;  // length_mm: of the header's unit of length
  std::array<double, 4> pixdim;        // [0] is qfac
  int qform_code, sform_code;
  std::array<double, 6> quaternion;  // b, c, d, offset x, y, z
  std::array<std::array<double, 4>, 3> sform;
};

/// Offsets: nifti1.h and nifti2.h of nifti.nimh.nih.gov.
Placement read_placement(const uint8_t* header, const NiftiHeader& judged) {
  const bool two = judged.version == 2;
  const auto real = [&](size_t offset_1, size_t offset_2, size_t index) {
    return two ? load<double>(header + offset_2 + 8 * index, judged.swapped)
               : static_cast<double>(load<float>(header + offset_1 + 4 * index, judged.swapped));
  };
  Placement found;
  found.voxel_offset = two ? load<int64_t>(header + 168, judged.swapped)
                           : static_cast<int64_t>(load<float>(header + 108, judged.swapped));
  found.slope = real(112, 176, 0);
  found.intercept = real(116, 184, 0);
  if (found.slope == 0) {  // the standard: 0 means not scaled
    found.slope = 1;
    found.intercept = 0;
  }
  const int units = two ? load<int32_t>(header + 500, judged.swapped) : header[123];
  found.length_mm = (units & 7) == 1 ? 1000 : (units & 7) == 3 ? 0.001 : 1;
  for (size_t i = 0; i < 4; ++i) found.pixdim[i] = real(76, 104, i);
  found.qform_code = two ? load<int32_t>(header + 344, judged.swapped)
                         : load<int16_t>(header + 252, judged.swapped);
  found.sform_code = two ? load<int32_t>(header + 348, judged.swapped)
                         : load<int16_t>(header + 254, judged.swapped);
  for (size_t i = 0; i < 6; ++i) found.quaternion[i] = real(256, 352, i);
  for (size_t row = 0; row < 3; ++row) {
    for (size_t i = 0; i < 4; ++i) found.sform[row][i] = real(280, 400, 4 * row + i);
  }
  return found;
}

Affine affine_of_sform(const Placement& placement) {
  Affine affine{};
  for (size_t row = 0; row < 3; ++row) affine[row] = placement.sform[row];
  affine[3] = {0, 0, 0, 1};
  return affine;
}

/// The quaternion's a is not stored. Near half a turn it is the root of what rounding left, so that
/// the reference library takes it as 0 there and scales the others (nifti_quatern_to_mat44).
std::array<double, 4> unit_quaternion(const Placement& placement) {
  auto [b, c, d, x, y, z] = placement.quaternion;
  const double square = 1 - (b * b + c * c + d * d);
  if (square >= kHalfTurn) return {std::sqrt(square), b, c, d};
  const double length = std::sqrt(b * b + c * c + d * d);
  return {0, b / length, c / length, d / length};
}

/// nifti1.h, method 2.
Affine affine_of_qform(const Placement& placement) {
  const auto [a, b, c, d] = unit_quaternion(placement);
  const double x = placement.quaternion[3], y = placement.quaternion[4],
               z = placement.quaternion[5];
  const double turn[3][3] = {
      {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
      {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
      {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c}};
  const double third = placement.pixdim[0] < 0 ? -1 : 1;
  const double offset[3] = {x, y, z};
  Affine affine{};
  for (size_t row = 0; row < 3; ++row) {
    for (size_t i = 0; i < 3; ++i) {
      affine[row][i] = turn[row][i] * placement.pixdim[i + 1] * (i == 2 ? third : 1);
    }
    affine[row][3] = offset[row];
  }
  affine[3] = {0, 0, 0, 1};
  return affine;
}

/// Largest distance between two affines over the corners of the volume.
double largest_corner_distance(const Affine& a, const Affine& b,
                               const std::vector<int64_t>& shape) {
  double largest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double square = 0;
    for (size_t row = 0; row < 3; ++row) {
      double difference = a[row][3] - b[row][3];
      for (size_t i = 0; i < 3; ++i) {
        const double index = (corner >> i) & 1 ? static_cast<double>(shape[i] - 1) : 0;
        difference += (a[row][i] - b[row][i]) * index;
      }
      square += difference * difference;
    }
    largest = std::max(largest, std::sqrt(square));
  }
  return largest;
}

/// How far the rounding of the quaternion alone can move the last corner.
double qform_rounding_mm(const Placement& placement, const std::vector<int64_t>& shape) {
  double square = 0;
  for (size_t i = 0; i < 3; ++i) {
    const double edge_mm =
        placement.length_mm * placement.pixdim[i + 1] * static_cast<double>(shape[i] - 1);
    square += edge_mm * edge_mm;
  }
  const double a = unit_quaternion(placement)[0];
  return std::sqrt(square) * kRounding / std::max(a, std::sqrt(kHalfTurn));
}

void check_axes(const Affine& affine, const std::string& where, std::vector<std::string>& notes) {
  const auto length = spacing_mm(affine);
  double worst = 0;
  for (size_t i = 0; i < 3; ++i) {
    require(std::isfinite(length[i]) && length[i] > 0 && std::isfinite(affine[i][3]),
            "{}: its orientation matrix is not usable: voxel axis {} is {} mm long", where, i + 1,
            length[i]);
    for (size_t j = 0; j < i; ++j) {
      double cosine = 0;
      for (size_t row = 0; row < 3; ++row) cosine += affine[row][i] * affine[row][j];
      worst = std::max(worst, std::abs(cosine) / (length[i] * length[j]));
    }
  }
  require(worst < 0.99, "{}: its orientation matrix is not usable: two voxel axes are parallel",
          where);
  require(std::abs(determinant(affine)) > kFlat * length[0] * length[1] * length[2],
          "{}: its orientation matrix is not usable: its three voxel axes lie in one plane", where);
  if (worst > kOrthogonalTolerance) {
    notes.push_back(fmt::format(
        "{}: voxel axes are {:.2f} degrees from orthogonal; slices are taken as they are stored",
        where, std::asin(worst) * 57.29577951308232));
  }
}

Affine choose_affine(const Placement& placement, const std::vector<int64_t>& shape,
                     const std::string& where, std::vector<std::string>& notes) {
  Affine affine{};
  if (placement.sform_code > 0) {
    affine = affine_of_sform(placement);
    if (placement.qform_code > 0) {
      const double apart =
          placement.length_mm * largest_corner_distance(affine, affine_of_qform(placement), shape);
      if (!(apart <= kFormTolerance_mm + qform_rounding_mm(placement, shape))) {
        notes.push_back(
            fmt::format("{}: sform and qform are {:.3g} mm apart at a corner; the sform is used",
                        where, apart));
      }
    }
  } else if (placement.qform_code > 0) {
    affine = affine_of_qform(placement);
  } else {
    for (size_t i = 0; i < 3; ++i) affine[i][i] = std::abs(placement.pixdim[i + 1]);
    affine[3] = {0, 0, 0, 1};
    notes.push_back(fmt::format(
        "{}: no orientation in the header (sform and qform codes are 0); taken as left to right, "
        "posterior to anterior, inferior to superior; check left and right",
        where));
  }
  for (size_t row = 0; row < 3; ++row) {
    for (auto& element : affine[row]) element *= placement.length_mm;
  }
  check_axes(affine, where, notes);
  return affine;
}

template <class T>
void convert(const uint8_t* bytes, int64_t count, const Placement& placement, bool swapped,
             float* out) {
  const bool scaled = placement.slope != 1 || placement.intercept != 0;
  for (int64_t i = 0; i < count; ++i) {
    const auto value =
        static_cast<double>(load<T>(bytes + static_cast<size_t>(i) * sizeof(T), swapped));
    out[i] = static_cast<float>(scaled ? value * placement.slope + placement.intercept : value);
  }
}

using Converter = void (*)(const uint8_t*, int64_t, const Placement&, bool, float*);

Converter converter_of(int datatype, const std::string& where) {
  switch (datatype) {  // DT_ codes of nifti1.h
    case 2:
      return convert<uint8_t>;
    case 4:
      return convert<int16_t>;
    case 8:
      return convert<int32_t>;
    case 16:
      return convert<float>;
    case 64:
      return convert<double>;
    case 256:
      return convert<int8_t>;
    case 512:
      return convert<uint16_t>;
    case 768:
      return convert<uint32_t>;
    case 1024:
      return convert<int64_t>;
    case 1280:
      return convert<uint64_t>;
    default:
      throw Error("{}: voxels of NIfTI type {} cannot be read; save as float32", where, datatype);
  }
}

/// What the header says; the stream stands behind it.
struct Opened {
  NiftiHeader judged;
  Placement placement;
  std::vector<int64_t> shape;  // i, j, k
  Affine voxel_to_world;
  std::string description;
  int intent = 0;
  int64_t voxels() const { return shape[0] * shape[1] * shape[2]; }
};

Opened open_header(const std::filesystem::path& path, NiftiHeader judged, ByteStream& stream,
                   std::vector<std::string>* notes, bool vectors = false) {
  const auto where = path.string();
  Opened opened;
  opened.judged = std::move(judged);
  auto& shape = opened.shape = opened.judged.shape;
  if (vectors) {
    require(shape.size() == 5 && shape[3] == 1 && shape[4] == 3,
            "{}: shape [{}]; expected three numbers a voxel, [i,j,k,1,3]", where,
            fmt::join(shape, ","));
    shape.resize(3);
  }
  require(shape.size() <= 3, "{}: volume is {}-D [{}]; expected 3-D; extract one frame first",
          where, shape.size(), fmt::join(shape, ","));
  shape.resize(3, 1);
  require(opened.voxels() <= kLargestVolume_bytes / 4, "{}: {} voxels; at most {} are read", where,
          opened.voxels(), kLargestVolume_bytes / 4);
  std::array<uint8_t, 540> header{};
  stream.read(header.data(), opened.judged.version == 2 ? 540 : 348);
  opened.placement = read_placement(header.data(), opened.judged);
  const auto* const words =
      reinterpret_cast<const char*>(header.data()) + (opened.judged.version == 2 ? 240 : 148);
  opened.description = std::string(words, strnlen(words, 80));
  opened.intent = opened.judged.version == 2
                      ? load<int32_t>(header.data() + 504, opened.judged.swapped)
                      : load<int16_t>(header.data() + 68, opened.judged.swapped);
  std::vector<std::string> strange;
  opened.voxel_to_world = choose_affine(opened.placement, shape, where, strange);
  for (const auto& note : strange) {
    if (!notes) warn(note);
  }
  if (notes) notes->insert(notes->end(), strange.begin(), strange.end());
  return opened;
}

/// `count` numbers from where the header says that they begin.
void read_numbers(ByteStream& stream, const Opened& opened, int64_t count, float* out,
                  const std::string& where) {
  const auto convert_voxels = converter_of(opened.judged.datatype, where);
  stream.skip_to(opened.placement.voxel_offset);
  const int64_t chunk = (1 << 20) / opened.judged.voxel_bytes;
  std::vector<uint8_t> bytes(static_cast<size_t>(chunk * opened.judged.voxel_bytes));
  for (int64_t done = 0; done < count; done += chunk) {
    const int64_t now = std::min(chunk, count - done);
    stream.read(bytes.data(), static_cast<size_t>(now * opened.judged.voxel_bytes));
    convert_voxels(bytes.data(), now, opened.placement, opened.judged.swapped, out + done);
  }
}

}  // namespace

Volume read_volume(const std::filesystem::path& path, std::vector<std::string>* notes) {
  auto header = check_nifti(path);  // before any other reader touches the file
  ByteStream stream(path);
  const auto opened = open_header(path, std::move(header), stream, notes);
  const auto& shape = opened.shape;
  Volume volume;
  volume.voxel_to_world = opened.voxel_to_world;
  volume.voxels = torch::empty({shape[2], shape[1], shape[0]}, torch::kFloat);
  read_numbers(stream, opened, opened.voxels(), volume.voxels.data_ptr<float>(), path.string());
  return volume;
}

VectorVolume read_nifti_vectors(const std::filesystem::path& path) {
  auto header = check_nifti(path);
  ByteStream stream(path);
  const auto opened = open_header(path, std::move(header), stream, nullptr, /*vectors=*/true);
  const auto& shape = opened.shape;
  VectorVolume read;
  read.voxel_to_world = opened.voxel_to_world;
  read.description = opened.description;
  read.intent = opened.intent;
  read.vectors = torch::empty({3, shape[2], shape[1], shape[0]}, torch::kFloat);
  read_numbers(stream, opened, 3 * opened.voxels(), read.vectors.data_ptr<float>(), path.string());
  return read;
}

Grid read_grid(const std::filesystem::path& path, std::vector<std::string>* notes) {
  auto header = check_nifti(path);
  ByteStream stream(path);
  const auto opened = open_header(path, std::move(header), stream, notes);
  return {opened.shape[0], opened.shape[1], opened.shape[2], opened.voxel_to_world};
}

Volume map_volume(const std::filesystem::path& path) {
  auto header = check_nifti(path);
  ByteStream stream(path);
  const auto opened = open_header(path, std::move(header), stream, nullptr);
  const auto& judged = opened.judged;
  const auto& placement = opened.placement;
  const auto& shape = opened.shape;
  constexpr int kFloat32 = 16;
  require(judged.datatype == kFloat32 && !judged.swapped && placement.slope == 1 &&
              placement.intercept == 0 && placement.voxel_offset % 4 == 0 &&
              path.extension() == ".nii",
          "{}: cannot be mapped into memory; expected uncompressed float32 (.nii) without scaling, "
          "as prepare writes it",
          path.string());
  const int64_t before = placement.voxel_offset / 4;
  Volume volume;
  volume.voxel_to_world = opened.voxel_to_world;
  volume.voxels =
      at::from_file(path.string(), /*shared=*/false, before + opened.voxels(), torch::kFloat)
          .narrow(0, before, opened.voxels())
          .view({shape[2], shape[1], shape[0]});
  return volume;
}

}  // namespace scintigen
