// SPDX-License-Identifier: Apache-2.0
#include "core/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <malloc.h>
#include <sched.h>
#include <torch/cuda.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/progress.h"

namespace scintigen {
namespace {

/// Instruction sets that processor and kernel both support, in Linux' words ("avx512_bf16", ARM:
/// "bf16").
const std::set<std::string>& instruction_sets() {
  static const std::set<std::string> sets = [] {
    std::set<std::string> found;
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
      std::istringstream words(line.substr(line.find(':') + 1));
      for (std::string word; words >> word;) found.insert(word);
      break;
    }
    return found;
  }();
  return sets;
}

bool has_bfloat16_instructions() {
  const auto& sets = instruction_sets();
  return sets.count("avx512_bf16") + sets.count("amx_bf16") + sets.count("bf16") > 0;
}

/// Name from the driver; LibTorch's own way needs CUDA's headers, which a CPU build lacks.
std::string cuda_name(int index) {
  void* const driver = dlopen("libcuda.so.1", RTLD_LAZY);
  if (driver == nullptr) return "CUDA device";
  using Initialise = int (*)(unsigned);
  using GetDevice = int (*)(int*, int);
  using GetName = int (*)(char*, int, int);
  const auto initialise = reinterpret_cast<Initialise>(dlsym(driver, "cuInit"));
  const auto get_device = reinterpret_cast<GetDevice>(dlsym(driver, "cuDeviceGet"));
  const auto get_name = reinterpret_cast<GetName>(dlsym(driver, "cuDeviceGetName"));
  int device = 0;
  char name[256] = "";
  const bool known = initialise && get_device && get_name && initialise(0) == 0 &&
                     get_device(&device, index) == 0 && get_name(name, sizeof name, device) == 0;
  return known && name[0] != '\0' ? std::string(name) : std::string("CUDA device");
}

/// "cuda" -> 0, "cuda:3" -> 3, anything else -> -1.
int cuda_index(const std::string& name) {
  if (name == "cuda") return 0;
  if (name.rfind("cuda:", 0) != 0) return -1;
  int index = -1;
  const char* const end = name.data() + name.size();
  const auto result = std::from_chars(name.data() + 5, end, index);
  return result.ec == std::errc() && result.ptr == end && index >= 0 && index < 128 ? index : -1;
}

torch::Device choose_device(const std::string& name) {
  if (name == "cpu") return torch::Device(torch::kCPU);
  const bool cuda = torch::cuda::is_available();
  if (name == "auto") return cuda ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
  const int index = cuda_index(name);
  require(index >= 0, "device: expected auto, cpu, cuda or cuda:N, found '{}'", name);
  require(cuda,
          "device: {} asked for, but this LibTorch ({}) finds no CUDA device; use --device cpu",
          name, torch_version());
  const auto count = static_cast<int>(torch::cuda::device_count());
  require(index < count, "device: {} asked for, but there are {} (cuda:0 to cuda:{})", name, count,
          count - 1);
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace

int64_t available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int64_t count =
      sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
  std::ifstream quota_file("/sys/fs/cgroup/cpu.max");  // "200000 100000" or "max 100000"
  double quota = 0, period = 0;
  if (quota_file >> quota >> period && quota > 0 && period > 0)
    count = std::min(count, static_cast<int64_t>(std::ceil(quota / period)));
  return std::max<int64_t>(count, 1);
}

void DeviceSettings::visit(SettingsVisitor& visitor) {
  visitor.visit(text("device", "where to compute: auto, cpu, cuda, cuda:N"), device);
  visitor.visit(
      choice(
          "precision",
          "arithmetic of the convolutions; weights stay float32. bfloat16: what layers hand on is "
          "rounded to it; a CPU that multiplies it no faster than float32 multiplies in float32",
          {"float32", "bfloat16"}),
      precision);
  visitor.visit(number("threads", "CPU threads; 0 = all processors this process may use", 0, 1024),
                threads);
}

torch::Device use_device(const DeviceSettings& settings) {
  const torch::Device device = choose_device(settings.device);
  require(settings.threads >= 0 && settings.threads <= 1024,
          "threads: expected 0 (all) to 1024, found {}", settings.threads);
  // Numbers below 1e-38 cost a hundred times the others, and GANs produce them: gradients of
  // saturated sigmoids, Adam's second moments. Set before the first parallel loop: threads inherit
  // it from the one that starts them.
  at::globalContext().setFlushDenormal(true);
  // Debian's LibTorch starts with one thread on some virtual machines.
  at::set_num_threads(
      static_cast<int>(settings.threads > 0 ? settings.threads : available_processors()));
#ifdef __GLIBC__
  // Maps of tens of megabytes come and go each step. By default each is mapped anew, and the kernel
  // zeroes its pages: a tenth of a training step. Keep them.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
  // Nothing here runs independent operators side by side; a second pool would only compete.
  // LibTorch takes this once.
  static std::atomic<bool> inter_op_set{false};
  if (!inter_op_set.exchange(true)) {
    try {
      at::set_num_interop_threads(1);
    } catch (const c10::Error&) {  // an embedding program chose already
    }
  }
  return device;
}

torch::ScalarType compute_type(const DeviceSettings& settings) {
  if (settings.precision == "float32") return torch::kFloat;
  require(settings.precision == "bfloat16", "precision: expected float32 or bfloat16, found '{}'",
          settings.precision);
  return torch::kBFloat16;
}

std::string describe_device(const torch::Device& device) {
  if (device.is_cuda()) {
    const int index = device.has_index() ? device.index() : 0;
    return fmt::format("{} (cuda:{})", cuda_name(index), index);
  }
  const auto& sets = instruction_sets();
  std::string text =
      fmt::format("cpu, {} thread{}", at::get_num_threads(), at::get_num_threads() == 1 ? "" : "s");
  if (sets.count("avx512f") > 0)
    text += ", AVX-512";
  else if (sets.count("avx2") > 0)
    text += ", AVX2";
  else if (sets.count("asimd") > 0)
    text += ", NEON";
  if (has_bfloat16_instructions()) text += " with bfloat16";
  return text;
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace scintigen
