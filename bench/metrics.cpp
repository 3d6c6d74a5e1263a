// SPDX-License-Identifier: Apache-2.0
// bench_metrics A.nii B.nii RANGE THREADS: our side of `bench/run ssim`. First line: SSIM Gaussian
// and uniform, by slice and in 3-D. Then for each line on stdin, the milliseconds that those four
// took, and that all of image_metrics() took.
#include <ATen/Parallel.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "bench.h"
#include "core/error.h"
#include "core/volume_io.h"
#include "metrics/image_metrics.h"
#include "metrics/structural_similarity.h"

namespace scintigen {
namespace {

constexpr SimilarityWindow kWindows[] = {SimilarityWindow::kGaussian, SimilarityWindow::kUniform};
constexpr SimilarityExtent kExtents[] = {SimilarityExtent::kSlice, SimilarityExtent::kVolume};

template <class Work>
double milliseconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  if (words.size() != 5) throw Error("usage: bench_metrics A.nii B.nii RANGE THREADS");
  at::set_num_threads(std::stoi(words[4]));
  const auto pair = image_pair(read_volume(words[1]).voxels, read_volume(words[2]).voxels);
  const DataRange range{std::stod(words[3]), 0};
  for (const auto window : kWindows)
    for (const auto extent : kExtents)
      std::printf("%.12g ", structural_similarity(pair, range, window, extent).value);
  std::printf("\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const double similarity = milliseconds([&] {
      for (const auto window : kWindows)
        for (const auto extent : kExtents) structural_similarity(pair, range, window, extent);
    });
    const double all = milliseconds([&] { image_metrics(pair, range); });
    std::printf("%.6g %.6g\n", similarity, all);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace scintigen
