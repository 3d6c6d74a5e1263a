// SPDX-License-Identifier: Apache-2.0
// Where and how arithmetic is done. The only file that asks which LibTorch this is.
#pragma once
#include <torch/types.h>

#include <cstdint>
#include <string>

#include "core/settings.h"

namespace scintigen {

struct DeviceSettings {
  std::string device = "auto";        ///< auto, cpu, cuda, cuda:N
  std::string precision = "float32";  ///< float32, bfloat16
  int64_t threads = 0;                ///< 0 = all processors
  void visit(SettingsVisitor& visitor);
};

/// Sets LibTorch's thread count and answers the device.
/// throws  Error: cuda asked for but this build or machine has none; unknown name.
torch::Device use_device(const DeviceSettings& settings);

/// torch::kFloat or torch::kBFloat16.
/// throws  Error: unknown precision.
torch::ScalarType compute_type(const DeviceSettings& settings);

/// Processors this process may use: affinity (taskset, cpusets), then the quota of its container.
int64_t available_processors();

/// "cpu, 2 threads, AVX-512 with bfloat16" or "NVIDIA H200 (cuda:0)".
std::string describe_device(const torch::Device& device);
std::string torch_version();

}  // namespace scintigen
