// SPDX-License-Identifier: Apache-2.0
// What every `train` command does around its recipe: the run's record, the loop, the last words.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/settings.h"
#include "training/train_loop.h"

namespace scintigen {

/// Trains; returns the command's exit status. `inputs` go into run.json with their SHA-256. A
/// resumed run keeps the records of its earlier sessions.
int run_training(Recipe& recipe, const LoopSettings& loop, const DeviceSettings& device,
                 Settings& settings, const std::string& command,
                 const std::vector<std::string>& command_line,
                 const std::vector<std::filesystem::path>& inputs);

}  // namespace scintigen
