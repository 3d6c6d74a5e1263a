// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/nifti.h"

namespace scintigen {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are stored as they are");

constexpr size_t kHeaderBytes = 348;
constexpr unsigned kBuffer = 128 * 1024;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

template <class Number>
void put(std::string& header, size_t place, Number number) {
  std::memcpy(header.data() + place, &number, sizeof number);
}

struct Quaternion {
  double b = 0, c = 0, d = 0, handedness = 1;
};

/// Rotation part of `affine` (columns over their lengths) as NIfTI's unit quaternion with a >= 0;
/// source nifti1.h, "METHOD 2". A left-handed matrix has its third column turned and says so in
/// pixdim[0].
Quaternion quaternion_of(const Affine& affine, const std::array<double, 3>& spacing) {
  double r[3][3];
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 3; ++j) r[i][j] = affine[i][j] / spacing[j];
  const double determinant = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) -
                             r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) +
                             r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
  Quaternion q;
  if (determinant < 0) {
    q.handedness = -1;
    for (auto& row : r) row[2] = -row[2];
  }
  // Four times the product of each pair of components; the row with the largest diagonal is the
  // most exact.
  const double products[4][4] = {
      {1 + r[0][0] + r[1][1] + r[2][2], r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]},
      {r[2][1] - r[1][2], 1 + r[0][0] - r[1][1] - r[2][2], r[0][1] + r[1][0], r[0][2] + r[2][0]},
      {r[0][2] - r[2][0], r[0][1] + r[1][0], 1 - r[0][0] + r[1][1] - r[2][2], r[1][2] + r[2][1]},
      {r[1][0] - r[0][1], r[0][2] + r[2][0], r[1][2] + r[2][1], 1 - r[0][0] - r[1][1] + r[2][2]}};
  int best = 0;
  for (int i = 1; i < 4; ++i)
    if (products[i][i] > products[best][best]) best = i;
  const double* const p = products[best];
  const double length = std::sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2] + p[3] * p[3]);
  const double sign = p[0] < 0 ? -1 : 1;
  q.b = sign * p[1] / length;
  q.c = sign * p[2] / length;
  q.d = sign * p[3] / length;
  return q;
}

void check_affine(const Affine& affine, const std::array<double, 3>& spacing,
                  const std::string& name) {
  for (const auto& row : affine)
    for (double value : row)
      require(std::isfinite(value), "{}: voxel_to_world is not finite", name);
  for (size_t i = 0; i < 3; ++i)
    require(spacing[i] > 0, "{}: voxel axis {} has no length", name, i + 1);
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = i + 1; j < 3; ++j) {
      double cosine = 0;
      for (size_t k = 0; k < 3; ++k) cosine += affine[k][i] * affine[k][j];
      cosine /= spacing[i] * spacing[j];
      require(std::abs(cosine) <= 1e-3,
              "{}: voxel axes {} and {} are not orthogonal (cosine {:.2g}); NIfTI's qform needs "
              "that; resample first",
              name, i + 1, j + 1, cosine);
    }
}

/// What a header says beside the place of the voxels.
struct Stored {
  int16_t datatype = 16, bits = 32;  // float32
  float slope = 1;
  bool vectors = false;
};

std::string header_bytes(torch::IntArrayRef sides, const Affine& voxel_to_world,
                         const Stored& stored, const std::string& description, int form_code,
                         const std::string& name) {
  const auto spacing = spacing_mm(voxel_to_world);
  check_affine(voxel_to_world, spacing, name);
  std::string header(kHeaderBytes + 4, '\0');  // four zero bytes: no extensions
  put<int32_t>(header, 0, kHeaderBytes);
  put<int16_t>(header, 40, stored.vectors ? 5 : 3);
  for (size_t i = 0; i < 7; ++i)
    put<int16_t>(header, 42 + 2 * i, i < 3 ? static_cast<int16_t>(sides[2 - i]) : 1);
  if (stored.vectors) {
    put<int16_t>(header, 50, 3);
    put<int16_t>(header, 68, 1007);
  }
  put<int16_t>(header, 70, stored.datatype);
  put<int16_t>(header, 72, stored.bits);
  const Quaternion q = quaternion_of(voxel_to_world, spacing);
  put<float>(header, 76, static_cast<float>(q.handedness));
  for (size_t i = 0; i < 3; ++i) put<float>(header, 80 + 4 * i, static_cast<float>(spacing[i]));
  put<float>(header, 108, static_cast<float>(header.size()));
  put<float>(header, 112, stored.slope);
  header[123] = 2;  // mm
  std::copy(description.begin(), description.end(), header.begin() + 148);
  put<int16_t>(header, 252, static_cast<int16_t>(form_code));
  put<int16_t>(header, 254, static_cast<int16_t>(form_code));
  const double form[3] = {q.b, q.c, q.d};
  for (size_t i = 0; i < 3; ++i) {
    put<float>(header, 256 + 4 * i, static_cast<float>(form[i]));
    put<float>(header, 268 + 4 * i, static_cast<float>(voxel_to_world[i][3]));
    for (size_t j = 0; j < 4; ++j)
      put<float>(header, 280 + 16 * i + 4 * j, static_cast<float>(voxel_to_world[i][j]));
  }
  std::memcpy(header.data() + 344, "n+1", 4);
  return header;
}

/// gzip with neither name nor time in its header: the same volume gives the same bytes.
class GzipWriter {
 public:
  explicit GzipWriter(AtomicFile& file) : file_(file), buffer_(kBuffer) {
    // 16 + 15: gzip frame, largest window. Level 4 is twice as fast as 6 at float32 voxels and 1 %
    // larger.
    require(deflateInit2(&stream_, 4, Z_DEFLATED, 16 + 15, 9, Z_DEFAULT_STRATEGY) == Z_OK,
            "gzip: no memory");
  }
  ~GzipWriter() { deflateEnd(&stream_); }
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  void write(const void* bytes, size_t count, bool last) {
    const auto* from = static_cast<const Bytef*>(bytes);
    do {  // zlib counts in 32 bits
      const size_t part = std::min(count, size_t{1} << 30);
      stream_.next_in = const_cast<Bytef*>(from);
      stream_.avail_in = static_cast<uInt>(part);
      from += part;
      count -= part;
      do {
        stream_.next_out = buffer_.data();
        stream_.avail_out = kBuffer;
        deflate(&stream_, last && count == 0 ? Z_FINISH : Z_NO_FLUSH);
        file_.write(buffer_.data(), kBuffer - stream_.avail_out);
      } while (stream_.avail_out == 0);
    } while (count > 0);
  }

 private:
  AtomicFile& file_;
  std::vector<Bytef> buffer_;
  z_stream stream_{};
};

void check_arguments(const std::filesystem::path& path, torch::IntArrayRef sides,
                     const std::string& description, int form_code) {
  const std::string name = path.string(), file_name = path.filename().string();
  require(ends_with(file_name, ".nii.gz") || ends_with(file_name, ".nii"),
          "{}: expected a name ending in .nii or .nii.gz", name);
  for (int64_t side : sides)
    require(side <= std::numeric_limits<int16_t>::max(),
            "{}: a side of {} voxels; NIfTI-1 holds at most 32767", name, side);
  require(description.size() <= 79, "{}: description of {} bytes; NIfTI holds 79", name,
          description.size());
  require(form_code >= 1 && form_code <= 5, "{}: form code {}; expected 1 to 5", name, form_code);
}

/// `voxels` as they are stored, and the header's word about it.
torch::Tensor converted(const torch::Tensor& voxels, NiftiNumber number, Stored& stored,
                        const std::string& name) {
  if (number == NiftiNumber::kFloat32) return voxels;
  const double least = voxels.min().item<double>(), most = voxels.max().item<double>();
  require(std::isfinite(least) && std::isfinite(most),
          "{}: voxels that are not finite; expected finite ones for whole numbers", name);
  const bool whole = voxels.equal(voxels.round());
  if (number == NiftiNumber::kUint8) {
    require(whole && least >= 0 && most <= 255,
            "{}: voxels from {} to {}; expected whole numbers from 0 to 255", name, least, most);
    stored.datatype = 2, stored.bits = 8;
    return voxels.to(torch::kUInt8);
  }
  stored.datatype = 4, stored.bits = 16;
  constexpr double kMost = std::numeric_limits<int16_t>::max();
  const double magnitude = std::max(std::abs(least), std::abs(most));
  if (whole && magnitude <= kMost) return voxels.to(torch::kInt16);
  stored.slope = static_cast<float>(magnitude / kMost);
  return (voxels / stored.slope).round().to(torch::kInt16);
}

void write_bytes(const std::filesystem::path& path, const std::string& header,
                 const torch::Tensor& numbers) {
  const auto bytes = static_cast<size_t>(numbers.numel()) * numbers.element_size();
  if (path.has_parent_path()) {
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    require(!error, "{}: its folder cannot be made: {}", path.string(), error.message());
  }
  AtomicFile file(path);
  if (ends_with(path.filename().string(), ".nii.gz")) {
    GzipWriter writer(file);
    writer.write(header.data(), header.size(), false);
    writer.write(numbers.data_ptr(), bytes, true);
  } else {
    file.write(header);
    file.write(numbers.data_ptr(), bytes);
  }
  file.commit();
}

}  // namespace

void write_nifti(const std::filesystem::path& path, const Volume& volume,
                 const std::string& description, int form_code, NiftiNumber number) {
  const std::string name = path.string();
  require(volume.voxels.defined() && volume.voxels.dim() == 3 &&
              volume.voxels.scalar_type() == torch::kFloat && volume.voxels.numel() > 0,
          "{}: voxels are not float32 [D,H,W]", name);
  check_arguments(path, volume.voxels.sizes(), description, form_code);
  Stored stored;
  const torch::Tensor numbers =
      converted(volume.voxels.detach().to(torch::kCPU), number, stored, name).contiguous();
  write_bytes(
      path,
      header_bytes(numbers.sizes(), volume.voxel_to_world, stored, description, form_code, name),
      numbers);
}

void write_nifti_vectors(const std::filesystem::path& path, const torch::Tensor& vectors,
                         const Affine& voxel_to_world, const std::string& description,
                         int form_code) {
  const std::string name = path.string();
  require(vectors.defined() && vectors.dim() == 4 && vectors.size(0) == 3 &&
              vectors.scalar_type() == torch::kFloat && vectors.numel() > 0,
          "{}: vectors are not float32 [3,D,H,W]", name);
  const auto sides = vectors.sizes().slice(1);
  check_arguments(path, sides, description, form_code);
  Stored stored;
  stored.vectors = true;
  write_bytes(path, header_bytes(sides, voxel_to_world, stored, description, form_code, name),
              vectors.detach().to(torch::kCPU).contiguous());
}

}  // namespace scintigen
