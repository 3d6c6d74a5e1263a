// SPDX-License-Identifier: Apache-2.0
// bench_registration THREADS
// For each line "rigid|affine|spect|pet FIXED MOVING [MASK]" of standard input: registers as
// `scintigen prepare` does and prints one line: milliseconds (files read, brain found, registered),
// how many of these to find the brain (spect and pet alone need it), score, doubtful, flip check,
// margin, information, then rows 1 to 3 of fixed_to_moving.
#include <ATen/Parallel.h>

#include <chrono>
#include <iostream>
#include <sstream>

#include "bench.h"
#include "core/error.h"
#include "core/volume_io.h"
#include "imaging/brain_extraction.h"
#include "imaging/registration_emission.h"

namespace scintigen {

int bench(const std::vector<std::string>& words) {
  if (words.size() != 2) throw Error("usage: bench_registration THREADS");
  at::set_num_threads(std::stoi(words[1]));
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream parts(line);
    std::string motion, fixed, moving, mask;
    parts >> motion >> fixed >> moving >> mask;
    const auto begin = std::chrono::steady_clock::now();
    RegistrationSettings settings;
    settings.motion = motion == "affine" ? Motion::kAffine : Motion::kRigid;
    std::optional<Volume> fixed_mask;
    if (!mask.empty()) fixed_mask = read_volume(mask);
    const Volume still = read_volume(fixed), moved = read_volume(moving);
    Volume brain;
    const auto before = std::chrono::steady_clock::now();
    const bool emission = motion == "spect" || motion == "pet";
    if (emission) brain = extract_brain_surface(still).mask;
    const auto between = std::chrono::steady_clock::now();
    const auto kind = motion == "pet" ? Emission::kPet : Emission::kSpect;
    const Registration found = emission ? register_emission(still, brain, moved, kind, settings)
                                        : register_volumes(still, moved, settings, fixed_mask);
    const auto end = std::chrono::steady_clock::now();
    const auto ms = [](auto spent) {
      return std::chrono::duration<double, std::milli>(spent).count();
    };
    std::cout << ms(end - begin) << ' ' << ms(between - before) << ' ' << found.score << ' '
              << found.doubtful << ' ' << static_cast<int>(found.flip) << ' ' << found.flip_margin
              << ' ' << found.mutual_information;
    std::cout.precision(12);
    for (size_t row = 0; row < 3; ++row)
      for (double number : found.fixed_to_moving[row]) std::cout << ' ' << number;
    std::cout.precision(6);
    std::cout << std::endl;
  }
  return 0;
}

}  // namespace scintigen
