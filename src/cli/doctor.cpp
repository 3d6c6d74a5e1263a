// SPDX-License-Identifier: Apache-2.0
// scintigen doctor: what this machine and this build are, and what will be slow.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>

#include "cli/command.h"
#include "core/device.h"
#include "core/error.h"
#include "core/run_record.h"

namespace scintigen {
namespace {

// Netlib's reference BLAS reaches 2 to 4 GFLOP/s on one thread and has only one; OpenBLAS on one
// thread of a processor of the last ten years reaches 20 and more.
constexpr double kSlowGigaflops = 10;

/// Billions of float32 operations a second in a 512 x 512 x 512 product: the best of several.
double matrix_gigaflops(torch::ScalarType type) {
  constexpr int64_t kSide = 512;
  constexpr double kOperations = 2.0 * kSide * kSide * kSide;
  const auto a = torch::full({kSide, kSide}, 0.5f).to(type), b = a.clone();
  double best_s = 1e9;
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(400);
  do {
    const auto begin = Clock::now();
    const auto product = torch::mm(a, b);
    best_s = std::min(best_s, std::chrono::duration<double>(Clock::now() - begin).count());
  } while (Clock::now() < end);
  return kOperations / best_s / 1e9;
}

/// The linear-algebra libraries that are loaded, by the names of their files.
std::string loaded_blas() {
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> found;
  for (std::string line; std::getline(maps, line);) {
    const auto path = line.find('/');
    if (path == std::string::npos) continue;
    const std::filesystem::path file(line.substr(path));
    const auto name = file.filename().string();
    for (const char* family : {"libopenblas", "libblas.", "libmkl_", "libblis", "libatlas"})
      if (name.rfind(family, 0) == 0) found.insert(file.parent_path().filename() / name);
  }
  return found.empty() ? "inside LibTorch" : fmt::format("{}", fmt::join(found, ", "));
}

double gibibytes(double bytes) { return bytes / (1 << 30); }

class Doctor : public Command {
 public:
  void visit(SettingsVisitor& visitor) override { device_.visit(visitor); }

  int run(const std::vector<std::string>&) override {
    const auto device = use_device(device_);
    line("scintigen",
         fmt::format("{}, {}", kVersion,
                     built_with_imaging() ? "reads scans (built with DCMTK)"
                                          : "core only: import, prepare and export are left out"));
    line("LibTorch", torch_version());
    line("processor", describe_device(torch::kCPU));
    line("device", describe_device(device));
    line("CUDA", torch::cuda::is_available()
                     ? fmt::format("{} device(s)", torch::cuda::device_count())
                     : "none");
    const double gigaflops = matrix_gigaflops(torch::kFloat);
    line("BLAS", fmt::format("{}: {:.0f} GFLOP/s in float32, {:.0f} in bfloat16", loaded_blas(),
                             gigaflops, matrix_gigaflops(torch::kBFloat16)));
    const double memory =
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
    line("memory", fmt::format("{:.1f} GiB", gibibytes(memory)));
    line("free disk", free_disk());
    if (gigaflops < kSlowGigaflops)
      fmt::print(
          "warning: matrix products are slow here. If BLAS is the reference library, install a "
          "fast "
          "one: apt-get install libopenblas0-openmp\n");
    return 0;
  }

 private:
  static void line(const std::string& what, const std::string& found) {
    fmt::print("{:<10} {}\n", what, found);
  }

  static std::string free_disk() {
    std::error_code trouble;
    const auto here = std::filesystem::current_path(trouble);
    const auto space = std::filesystem::space(here, trouble);
    if (trouble) return "not known: " + trouble.message();
    return fmt::format("{:.1f} GiB in this folder",
                       gibibytes(static_cast<double>(space.available)));
  }

  DeviceSettings device_;
};

}  // namespace

CommandEntry doctor_command() {
  return {"doctor",
          "Say what this build and this machine are",
          "Prints versions, processor, device, speed of matrix products, memory and free disk, and "
          "warns of what "
          "will make training slow. Writes nothing.",
          "scintigen doctor",
          [] { return std::unique_ptr<Command>(new Doctor); },
          false};
}

}  // namespace scintigen
