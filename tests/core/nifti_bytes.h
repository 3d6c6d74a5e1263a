// SPDX-License-Identifier: Apache-2.0
// NIfTI files written byte by byte from the standard, independent of the reader and of core/nifti.
#pragma once
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/volume.h"

namespace scintigen {

struct NiftiBytes {
  std::vector<int64_t> shape = {4, 4, 4};
  std::vector<double> values;  ///< i fastest; empty = 0, 1, 2, ...
  int version = 1;
  bool swapped = false;
  int datatype = 16;
  double slope = 1, intercept = 0;
  int units = 2;  ///< millimetres
  std::array<double, 4> pixdim = {1, 1, 1, 1};
  int qform_code = 0, sform_code = 0;
  std::array<double, 6> quaternion = {};  ///< b, c, d, offset
  Affine sform{};
  int64_t extension_bytes = 0;

  void set_sform(const Affine& affine, int code = 1) {
    sform = affine;
    sform_code = code;
    set_spacing(affine);
  }

  /// Axes must be orthogonal. Shepperd's method, by the largest of the four components.
  void set_qform(const Affine& affine, int code = 1) {
    qform_code = code;
    set_spacing(affine);
    double r[3][3];
    for (size_t row = 0; row < 3; ++row)
      for (size_t i = 0; i < 3; ++i) r[row][i] = affine[row][i] / pixdim[i + 1];
    const double handed = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1]) -
                          r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0]) +
                          r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    pixdim[0] = handed < 0 ? -1 : 1;
    for (auto& row : r) row[2] *= pixdim[0];
    const double squares[4] = {1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
                               1 - r[0][0] + r[1][1] - r[2][2], 1 - r[0][0] - r[1][1] + r[2][2]};
    const auto which = std::max_element(squares, squares + 4) - squares;
    const double s = 2 * std::sqrt(squares[which]);
    double a = 0, b = 0, c = 0, d = 0;
    if (which == 0) {
      a = s / 4, b = (r[2][1] - r[1][2]) / s, c = (r[0][2] - r[2][0]) / s,
      d = (r[1][0] - r[0][1]) / s;
    } else if (which == 1) {
      a = (r[2][1] - r[1][2]) / s, b = s / 4, c = (r[0][1] + r[1][0]) / s,
      d = (r[0][2] + r[2][0]) / s;
    } else if (which == 2) {
      a = (r[0][2] - r[2][0]) / s, b = (r[0][1] + r[1][0]) / s, c = s / 4,
      d = (r[1][2] + r[2][1]) / s;
    } else {
      a = (r[1][0] - r[0][1]) / s, b = (r[0][2] + r[2][0]) / s, c = (r[1][2] + r[2][1]) / s,
      d = s / 4;
    }
    const double sign = a < 0 ? -1 : 1;
    quaternion = {sign * b, sign * c, sign * d, affine[0][3], affine[1][3], affine[2][3]};
  }

  std::string header() const {
    const bool two = version == 2;
    std::string h(two ? 544 : 352, '\0');
    const auto real = [&](size_t one_at, size_t two_at, size_t index, double value) {
      if (two) {
        put(h, two_at + 8 * index, value);
      } else {
        put(h, one_at + 4 * index, static_cast<float>(value));
      }
    };
    put<int32_t>(h, 0, two ? 540 : 348);
    std::memcpy(&h[two ? 4 : 344], two ? "n+2\0\r\n\032\n" : "n+1\0", two ? 8 : 4);
    for (size_t i = 0; i < 8; ++i) {
      const int64_t value = i == 0              ? static_cast<int64_t>(shape.size())
                            : i <= shape.size() ? shape[i - 1]
                                                : 1;
      if (two) {
        put<int64_t>(h, 16 + 8 * i, value);
      } else {
        put<int16_t>(h, 40 + 2 * i, static_cast<int16_t>(value));
      }
    }
    put<int16_t>(h, two ? 12 : 70, static_cast<int16_t>(datatype));
    put<int16_t>(h, two ? 14 : 72, static_cast<int16_t>(8 * voxel_bytes()));
    for (size_t i = 0; i < 8; ++i) real(76, 104, i, i < 4 ? pixdim[i] : 1);
    const auto offset = static_cast<int64_t>(h.size()) + extension_bytes;
    if (two) {
      put<int64_t>(h, 168, offset);
    } else {
      put<float>(h, 108, static_cast<float>(offset));
    }
    real(112, 176, 0, slope);
    real(116, 184, 0, intercept);
    if (two) {
      put<int32_t>(h, 500, units), put<int32_t>(h, 344, qform_code),
          put<int32_t>(h, 348, sform_code);
    } else {
      h[123] = static_cast<char>(units);
      put<int16_t>(h, 252, static_cast<int16_t>(qform_code));
      put<int16_t>(h, 254, static_cast<int16_t>(sform_code));
    }
    for (size_t i = 0; i < 6; ++i) real(256, 352, i, quaternion[i]);
    for (size_t row = 0; row < 3; ++row)
      for (size_t i = 0; i < 4; ++i) real(280, 400, 4 * row + i, sform[row][i]);
    if (extension_bytes > 0) h[h.size() - 4] = 1;
    return h;
  }

  std::string bytes() const {
    auto text = header();
    text.append(static_cast<size_t>(extension_bytes), '\7');
    int64_t count = 1;
    for (const auto side : shape) count *= side;
    const size_t begin = text.size();
    text.resize(begin + static_cast<size_t>(count) * voxel_bytes());
    for (int64_t n = 0; n < count; ++n) {
      const double value = values.empty() ? static_cast<double>(n) : values[static_cast<size_t>(n)];
      const size_t at = begin + static_cast<size_t>(n) * voxel_bytes();
      switch (datatype) {
        case 2:
          put(text, at, static_cast<uint8_t>(value));
          break;
        case 4:
          put(text, at, static_cast<int16_t>(value));
          break;
        case 8:
          put(text, at, static_cast<int32_t>(value));
          break;
        case 16:
          put(text, at, static_cast<float>(value));
          break;
        case 64:
          put(text, at, value);
          break;
        case 256:
          put(text, at, static_cast<int8_t>(value));
          break;
        case 512:
          put(text, at, static_cast<uint16_t>(value));
          break;
        case 768:
          put(text, at, static_cast<uint32_t>(value));
          break;
        case 1024:
          put(text, at, static_cast<int64_t>(value));
          break;
        default:
          put(text, at, static_cast<uint64_t>(value));
          break;
      }
    }
    return text;
  }

  /// .nii or .nii.gz by the name.
  std::filesystem::path write(const std::filesystem::path& path) const {
    std::filesystem::create_directories(path.parent_path());
    const auto text = bytes();
    if (path.extension() == ".gz") {
      const gzFile file = gzopen(path.c_str(), "wb1");
      gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
      gzclose(file);
    } else {
      std::ofstream(path, std::ios::binary) << text;
    }
    return path;
  }

 private:
  template <class T>
  void put(std::string& text, size_t at, T value) const {
    char* into = &text[at];
    std::memcpy(into, &value, sizeof(T));
    if (swapped) std::reverse(into, into + sizeof(T));
  }
  size_t voxel_bytes() const {
    switch (datatype) {
      case 2:
      case 256:
        return 1;
      case 4:
      case 512:
        return 2;
      case 64:
      case 1024:
      case 1280:
        return 8;
      default:
        return 4;
    }
  }
  void set_spacing(const Affine& affine) {
    const auto length = spacing_mm(affine);
    std::copy(length.begin(), length.end(), pixdim.begin() + 1);
  }
};

/// Voxel axis v runs along patient axis order[v], backwards where bit v of `backwards` is set.
inline Affine signed_permutation(const std::array<size_t, 3>& order, int backwards,
                                 const std::array<double, 3>& spacing,
                                 const std::array<double, 3>& offset) {
  Affine affine{};
  for (size_t v = 0; v < 3; ++v) affine[order[v]][v] = (backwards >> v & 1 ? -1 : 1) * spacing[v];
  for (size_t row = 0; row < 3; ++row) affine[row][3] = offset[row];
  affine[3] = {0, 0, 0, 1};
  return affine;
}

}  // namespace scintigen
