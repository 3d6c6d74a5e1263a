// SPDX-License-Identifier: Apache-2.0
// bench_detector FOLDER CONTROLS THREADS [SHARD] [SURROUND_MM]: a detector of a whole brain at 1 mm
// (157 x 189 x 136 voxels, the paper's grid; about 1.8 million in the mask), fitted into FOLDER and
// applied to one person. Volumes are smooth noise around a common image, features those of an
// encoder with random weights. SHARD, such as 1/8: these planes alone, as a grid of their own (1/1:
// all). SURROUND_MM: images smoothed by 8 mm relative to the uptake around, the time of which
// counts. Last line: detector fit_s=T score_s=T voxels=V supports=S peak_gb=M file_gb=F
#include "detection/detector.h"

#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "bench.h"
#include "core/error.h"
#include "core/random.h"

namespace scintigen {
namespace {

constexpr int64_t kDepth = 136, kHeight = 189, kWidth = 157;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Noise with a correlation of some 8 voxels, from a coarse grid.
torch::Tensor smooth_noise(uint64_t person) {
  const auto coarse = Random(7, "noise", person)
                          .normal_tensor({1, 1, kDepth / 8 + 1, kHeight / 8 + 1, kWidth / 8 + 1});
  const auto fine = torch::upsample_trilinear3d(coarse, {kDepth, kHeight, kWidth}, false);
  return fine[0][0].contiguous();
}

/// An ellipsoid with semi-axes of 49 % of the grid, cut to some 1.8 million voxels.
torch::Tensor ellipsoid() {
  const auto axis = [](int64_t size) {
    return (torch::arange(size) + 0.5 - static_cast<double>(size) / 2) /
           (0.475 * static_cast<double>(size));
  };
  const auto z = axis(kDepth).view({-1, 1, 1}), y = axis(kHeight).view({1, -1, 1}),
             x = axis(kWidth).view({1, 1, -1});
  return (z.square() + y.square() + x.square() < 1).contiguous();
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  if (words.size() < 4 || words.size() > 6)
    throw Error("usage: bench_detector FOLDER CONTROLS THREADS [SHARD] [SURROUND_MM]");
  at::set_num_threads(std::stoi(words[3]));
  const std::filesystem::path folder(words[1]);
  std::filesystem::remove_all(folder);
  const auto shard = parse_shard(words.size() >= 5 ? words[4] : "");
  PatchSettings images;
  if (words.size() == 6) images.surround_mm = std::stod(words[5]);
  if (images.surround_mm > 0) images.smooth_mm = 8;
  const auto common = smooth_noise(0);
  auto mask = ellipsoid();
  for (int64_t plane = 0; plane < kDepth; ++plane)
    if (!shard.has(plane)) mask[plane].fill_(false);
  const auto brain = ellipsoid();
  PatchPeople controls;
  controls.mask = mask;
  controls.grid = centred_grid(kWidth, kHeight, kDepth, 1);
  const int64_t count = std::stoi(words[2]);
  double relative = 0;  // seconds
  const auto scan = [&](int64_t person) {
    const auto voxels = (10 + 2 * common + smooth_noise(static_cast<uint64_t>(person))) * brain;
    auto scans = scale_scans({voxels.contiguous()}, 1, "bench");
    if (images.surround_mm == 0) return scans;
    const auto begun = std::chrono::steady_clock::now();
    make_focal(scans, 0, brain, images.smooth_mm, images.surround_mm, 1,
               controls.grid.voxel_to_world);
    scans.shown.clear();  // a mapped file otherwise
    relative += seconds_since(begun);
    return scans;
  };
  for (int64_t p = 1; p <= count; ++p) {
    controls.participants.push_back(std::to_string(p));
    controls.scans.push_back(scan(p));
  }
  torch::manual_seed(1);
  const PatchAutoencoder network(1);
  const VoxelMachineSettings settings;
  std::fprintf(stderr, "%ld controls are there\n", static_cast<long>(count));
  const double relative_controls = relative;
  auto begun = std::chrono::steady_clock::now();
  const auto detector = begin_detector(folder, network, controls, images, settings, {});
  const double beginning = seconds_since(begun);
  const auto outcome = fit_detector(detector, controls, settings, {}, [] {});
  const double fit = relative_controls + seconds_since(begun);
  const auto person = scan(count + 1);
  begun = std::chrono::steady_clock::now();
  const auto maps = score_people(detector, {person}, [] {}).maps;
  detector.uptake.of(person, mask, brain, detector.grid);
  const double score = relative - relative_controls + seconds_since(begun);
  uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "surroundings of the controls %.1f s, their hash and uptake %.1f s; mean score of the person "
      "%.4f, largest gap %.2g\n",
      relative_controls, beginning,
      maps[0].score.sum().item<double>() / static_cast<double>(outcome.voxels),
      outcome.largest_gap);
  std::printf(
      "detector fit_s=%.1f score_s=%.2f voxels=%ld supports=%.1f peak_gb=%.2f file_gb=%.2f\n", fit,
      score, static_cast<long>(outcome.voxels),
      static_cast<double>(outcome.supports) / static_cast<double>(outcome.voxels),
      static_cast<double>(usage.ru_maxrss) / 1048576, static_cast<double>(bytes) / 1073741824);
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace scintigen
