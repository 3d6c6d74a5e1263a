// SPDX-License-Identifier: Apache-2.0
// bench_simulate THREADS ROUNDS
// Each round, every thread makes one SPECT scan (90 views, 64 x 64 x 48, the default protocol) of
// an ellipsoid head; then one PET scan (128 x 128 x 84) is timed on one thread. Last line: scans a
// second of the median round.
#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "bench.h"
#include "core/error.h"
#include "simulate/pet_scan.h"
#include "simulate/spect_scan.h"

namespace scintigen {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// A head of 150 x 190 x 170 mm: scalp, brain with a rim of cortex, deep grey matter, ventricles.
Volume head(int64_t side, int64_t slices, double pixel_mm, bool attenuation, double mu) {
  Volume volume{torch::zeros({slices, side, side}, torch::kFloat), {}, attenuation ? "1/mm" : "1"};
  for (size_t axis = 0; axis < 3; ++axis) {
    volume.voxel_to_world[axis][axis] = pixel_mm;
    volume.voxel_to_world[axis][3] =
        -0.5 * pixel_mm * static_cast<double>((axis == 2 ? slices : side) - 1);
  }
  volume.voxel_to_world[3][3] = 1;
  float* to = volume.voxels.data_ptr<float>();
  const auto& m = volume.voxel_to_world;
  for (int64_t k = 0; k < slices; ++k) {
    for (int64_t j = 0; j < side; ++j) {
      for (int64_t i = 0; i < side; ++i, ++to) {
        const double x = m[0][0] * static_cast<double>(i) + m[0][3],
                     y = m[1][1] * static_cast<double>(j) + m[1][3],
                     z = m[2][2] * static_cast<double>(k) + m[2][3];
        const auto within = [&](double a, double b, double c) {
          return std::hypot(x / a, y / b, z / c) <= 1;
        };
        if (attenuation) {
          *to = within(75, 95, 85) ? static_cast<float>(mu) : 0.0f;
        } else if (within(75, 95, 85)) {
          const bool brain = within(66, 86, 76), white = within(58, 78, 68);
          const bool deep = std::hypot((std::fabs(x) - 22) / 10, y / 18, z / 15) <= 1;
          const bool ventricle = std::hypot((std::fabs(x) - 8) / 5, y / 30, z / 10) <= 1;
          *to = !brain ? 10.0f : ventricle ? 2.0f : deep || !white ? 100.0f : 30.0f;
        }
      }
    }
  }
  return volume;
}

}  // namespace

int bench(const std::vector<std::string>& words) {
  if (words.size() != 3) throw Error("usage: bench_simulate THREADS ROUNDS");
  const int threads = std::stoi(words[1]), rounds = std::stoi(words[2]);
  at::set_num_threads(1);
  const SpectProtocol spect;
  const auto activity = head(2 * spect.matrix, 2 * spect.slices, spect.pixel_mm / 2, false, 0);
  const auto mu = head(2 * spect.matrix, 2 * spect.slices, spect.pixel_mm / 2, true, 0.0147);
  std::vector<double> rates;
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> working;
    for (int thread = 0; thread < threads; ++thread)
      working.emplace_back([&, thread] {
        simulate_spect(activity, mu, mu, spect,
                       Random(1, "bench", static_cast<uint64_t>(round * threads + thread)));
      });
    for (auto& thread : working) thread.join();
    rates.push_back(threads / seconds_since(begin));
  }
  std::sort(rates.begin(), rates.end());

  const PetProtocol pet;
  const auto pet_activity = head(pet.matrix, pet.slices, pet.pixel_mm, false, 0);
  const auto pet_mu = head(pet.matrix, pet.slices, pet.pixel_mm, true, 0.0096);
  const auto begin = std::chrono::steady_clock::now();
  simulate_pet(pet_activity, pet_mu, pet, Random(1, "bench"));
  const double pet_s = seconds_since(begin);

  std::cout << "simulate scans_per_s=" << rates[rates.size() / 2] << " slowest=" << rates.front()
            << " threads=" << threads << " spect_s_per_thread=" << threads / rates[rates.size() / 2]
            << " pet_s=" << pet_s << std::endl;
  return 0;
}

}  // namespace scintigen
