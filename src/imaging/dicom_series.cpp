// SPDX-License-Identifier: Apache-2.0
#include "imaging/dicom_series.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <tuple>

#include "core/error.h"
#include "imaging/dicom_header.h"
#include "imaging/dicom_pixels.h"
#include "imaging/dicom_stack.h"

namespace scintigen {
namespace {

constexpr const char* kDirectory = "1.2.840.10008.1.3.10";  // DICOMDIR

std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
  std::error_code error;
  require(std::filesystem::is_directory(folder, error),
          "{}: not a folder; expected one with DICOM files", folder.string());
  std::vector<std::filesystem::path> files;
  using Walk = std::filesystem::recursive_directory_iterator;
  Walk walk(folder, std::filesystem::directory_options::skip_permission_denied, error), end;
  for (; !error && walk != end; walk.increment(error)) {
    std::error_code file_error;
    if (walk->is_regular_file(file_error)) files.push_back(walk->path());
  }
  require(!error, "{}: cannot be listed: {}", folder.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

/// Files of one volume: a series, but each NM multi-frame file by itself.
std::string volume_key(const DicomImage& image) {
  const std::string& series = image.series_uid;
  if (series.empty()) return "\x7f" + image.path.string();  // a broken file, after all series
  return image.is_whole_volume ? series + "/" + image.instance_uid : series;
}

DicomSeries series_of(std::vector<DicomImage> images) {
  std::sort(images.begin(), images.end(), [](const DicomImage& a, const DicomImage& b) {
    return a.instance_uid != b.instance_uid ? a.instance_uid < b.instance_uid : a.path < b.path;
  });
  DicomSeries series;
  std::vector<std::string> notes;
  try {
    const auto stack = stack_dicom(images, notes);
    series.slices = stack.grid.nk;
    std::vector<bool> listed(images.size(), false);
    for (const auto& slice : stack.slices) {
      if (!listed[slice.image]) series.files.push_back(images[slice.image].path);
      listed[slice.image] = true;
    }
  } catch (const Error& error) {
    series.refusal = error.what();
    for (const auto& image : images) series.files.push_back(image.path);
  }
  for (const auto& image : images) {  // a broken file may lack them
    if (series.patient_key.empty()) series.patient_key = image.patient_key;
    if (series.study_uid.empty()) series.study_uid = image.study_uid;
    if (series.series_uid.empty()) series.series_uid = image.series_uid;
    if (series.frame_of_reference_uid.empty())
      series.frame_of_reference_uid = image.frame_of_reference_uid;
    if (series.technical.modality.empty()) series.technical = image.technical;
  }
  return series;
}

}  // namespace

std::vector<DicomSeries> find_dicom_series(const std::filesystem::path& folder, int64_t* ignored) {
  std::map<std::string, std::vector<DicomImage>> volumes;
  int64_t others = 0;
  for (const auto& path : files_below(folder)) {
    const auto scan = scan_dicom(path);
    if (!scan.is_dicom || scan.sop_class_uid == kDirectory) {
      ++others;
      continue;
    }
    auto image = read_dicom_header(path, scan);
    volumes[volume_key(image)].push_back(std::move(image));
  }
  if (ignored != nullptr) *ignored = others;
  std::vector<DicomSeries> found;
  for (auto& [key, images] : volumes) found.push_back(series_of(std::move(images)));
  std::stable_sort(found.begin(), found.end(), [](const DicomSeries& a, const DicomSeries& b) {
    return std::tie(a.patient_key, a.study_uid) < std::tie(b.patient_key, b.study_uid);
  });
  return found;
}

Volume read_dicom_series(const DicomSeries& series, std::vector<std::string>* notes) {
  if (!series.refusal.empty()) throw Error(series.refusal);
  std::vector<DicomImage> images;
  for (const auto& path : series.files) {
    const auto scan = scan_dicom(path);
    require(scan.is_dicom, "{}: not a DICOM file any more", path.string());
    images.push_back(read_dicom_header(path, scan));
  }
  std::vector<std::string> said;
  const auto stack = stack_dicom(images, said);
  const int64_t plane = stack.grid.ni * stack.grid.nj;
  require(stack.grid.voxels() <= int64_t{1} << 30, "{}: {}; expected at most 2^30 voxels",
          series.files.front().string(), describe_grid(stack.grid));
  Volume volume;
  volume.voxel_to_world = stack.grid.voxel_to_world;
  volume.unit = images.front().unit;
  volume.voxels = torch::empty({stack.grid.nk, stack.grid.nj, stack.grid.ni}, torch::kFloat);
  auto* const voxels = volume.voxels.data_ptr<float>();
  std::vector<std::vector<float*>> targets;
  for (const auto& image : images) targets.emplace_back(image.frames.size(), nullptr);
  for (size_t k = 0; k < stack.slices.size(); ++k)
    targets[stack.slices[k].image][stack.slices[k].frame] =
        voxels + static_cast<int64_t>(k) * plane;
  for (size_t n = 0; n < images.size(); ++n) read_dicom_frames(images[n], targets[n]);
  for (int64_t k = 0; k < stack.grid.nk; ++k) {  // slice by slice: isfinite() makes copies
    if (at::isfinite(volume.voxels[k]).all().item<bool>()) continue;
    said.push_back(fmt::format("{}: voxels that are not finite", series.files.front().string()));
    break;
  }
  if (notes != nullptr) notes->insert(notes->end(), said.begin(), said.end());
  return volume;
}

}  // namespace scintigen
