// SPDX-License-Identifier: Apache-2.0
#include "core/transform_file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <sstream>
#include <vector>

#include "core/affine.h"
#include "core/atomic_file.h"
#include "core/error.h"
#include "core/nifti.h"
#include "core/volume_io.h"

namespace scintigen {
namespace {

constexpr uint64_t kLargestFile = 65536;
constexpr int kNiftiVectors = 1007;
constexpr const char* kItkFirstLine = "#Insight Transform File V1.0";

/// RAS+ to LPS+ and back: the signs of x and y change.
Affine other_convention(Affine map) {
  for (size_t row = 0; row < 3; ++row)
    for (size_t col = 0; col < 4; ++col)
      if ((row < 2) != (col < 2)) map[row][col] = 0 - map[row][col];  // never -0
  return map;
}

torch::Tensor other_convention(const torch::Tensor& vectors) {
  return torch::stack({0 - vectors[0], 0 - vectors[1], vectors[2]}).contiguous();
}

void check(const Affine& map, const std::string& where) {
  for (const auto& row : map)
    for (double number : row)
      require(std::isfinite(number), "{}: the map has numbers that are not finite", where);
  require(map[3] == std::array<double, 4>{0, 0, 0, 1},
          "{}: the last row is not 0 0 0 1: not an affine map", where);
  require(std::fabs(determinant(map)) > 1e-9, "{}: the map is singular", where);
}

std::vector<double> numbers_of(const std::string& text, const std::string& where) {
  std::vector<double> numbers;
  std::istringstream words(text);
  std::string word;
  while (words >> word) {
    size_t used = 0;
    double number = 0;
    try {
      number = std::stod(word, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    require(used == word.size(), "{}: '{}' is not a number", where, word.substr(0, 40));
    numbers.push_back(number);
  }
  return numbers;
}

/// What follows "NAME:" on its line.
std::string field(const std::vector<std::string>& lines, const std::string& name,
                  const std::string& where) {
  std::string found;
  int times = 0;
  for (const auto& line : lines)
    if (line.rfind(name + ":", 0) == 0) {
      found = line.substr(name.size() + 1);
      ++times;
    }
  require(times == 1, "{}: {} lines '{}:'; expected one (composite transforms are not read)", where,
          times, name);
  return found;
}

Affine read_itk(const std::vector<std::string>& lines, const std::string& where) {
  std::istringstream kind_text(field(lines, "Transform", where));
  std::string kind;
  kind_text >> kind;
  require(kind == "AffineTransform_double_3_3" || kind == "AffineTransform_float_3_3" ||
              kind == "MatrixOffsetTransformBase_double_3_3" ||
              kind == "MatrixOffsetTransformBase_float_3_3",
          "{}: a transform of kind {}; expected AffineTransform_double_3_3; convert it first",
          where, kind.substr(0, 60));
  const auto numbers = numbers_of(field(lines, "Parameters", where), where);
  const auto centre = numbers_of(field(lines, "FixedParameters", where), where);
  require(numbers.size() == 12 && centre.size() == 3,
          "{}: {} parameters and {} fixed parameters; expected 12 and 3", where, numbers.size(),
          centre.size());
  // ITK: y = A (x - centre) + translation + centre
  Affine map{};
  for (size_t row = 0; row < 3; ++row) {
    map[row][3] = numbers[9 + row] + centre[row];
    for (size_t col = 0; col < 3; ++col) {
      map[row][col] = numbers[3 * row + col];
      map[row][3] -= map[row][col] * centre[col];
    }
  }
  map[3][3] = 1;
  return other_convention(map);
}

Affine read_matrix(const std::vector<std::string>& lines, const std::string& where) {
  std::string text;
  for (const auto& line : lines)
    if (line.empty() || line[0] != '#') text += line + " ";
  const auto numbers = numbers_of(text, where);
  require(numbers.size() == 16, "{}: {} numbers; expected the 16 of a 4 x 4 matrix", where,
          numbers.size());
  Affine map{};
  for (size_t n = 0; n < 16; ++n) map[n / 4][n % 4] = numbers[n];
  return map;
}

}  // namespace

void write_itk_transform(const std::filesystem::path& path, const Affine& fixed_to_moving) {
  check(fixed_to_moving, path.string());
  const Affine map = other_convention(fixed_to_moving);
  std::string text = fmt::format(
      "{}\n#Transform 0\nTransform: AffineTransform_double_3_3\nParameters:", kItkFirstLine);
  for (size_t row = 0; row < 3; ++row)
    for (size_t col = 0; col < 3; ++col) text += fmt::format(" {:.17g}", map[row][col]);
  for (size_t row = 0; row < 3; ++row) text += fmt::format(" {:.17g}", map[row][3]);
  write_file(path, text + "\nFixedParameters: 0 0 0\n");
}

void write_matrix(const std::filesystem::path& path, const Affine& fixed_to_moving,
                  const std::string& fixed, const std::string& moving) {
  check(fixed_to_moving, path.string());
  std::string text = fmt::format(
      "# world (mm, RAS+) of {} -> world (mm, RAS+) of {}\n# the point that column (x, y, z, 1) of "
      "the first has in the second is matrix * column\n",
      Error::one_line(fixed), Error::one_line(moving));
  for (const auto& row : fixed_to_moving)
    text += fmt::format("{:.17g} {:.17g} {:.17g} {:.17g}\n", row[0], row[1], row[2], row[3]);
  write_file(path, text);
}

Affine read_transform(const std::filesystem::path& path) {
  const std::string where = path.string();
  std::istringstream file(read_file(path, kLargestFile));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  const bool itk = !lines.empty() && lines[0].rfind(kItkFirstLine, 0) == 0;
  const Affine map = itk ? read_itk(lines, where) : read_matrix(lines, where);
  check(map, where);
  return map;
}

void write_displacements(const std::filesystem::path& path, const Displacements& field) {
  write_nifti_vectors(path, other_convention(field.mm), field.voxel_to_world,
                      "displacements, mm, LPS (ITK)", 4);
}

SpatialMap read_spatial_map(const std::filesystem::path& path) {
  const auto name = path.filename().string();
  const auto ends = [&](const std::string& end) {
    return name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
  };
  if (!ends(".nii") && !ends(".nii.gz")) return read_transform(path);
  const auto read = read_nifti_vectors(path);
  require(read.intent == kNiftiVectors,
          "{}: NIfTI intent {}; expected {} (vectors along LPS, as ITK and `prepare` write them)",
          path.string(), read.intent, kNiftiVectors);
  require(read.description.find("RAS") == std::string::npos,
          "{}: vectors along RAS ('{}'); expected displacements along LPS, as ITK and `prepare` "
          "write them",
          path.string(), read.description);
  require(torch::isfinite(read.vectors).all().item<bool>(), "{}: displacements that are not finite",
          path.string());
  return SpatialMap(Displacements{other_convention(read.vectors), read.voxel_to_world});
}

}  // namespace scintigen
