// SPDX-License-Identifier: Apache-2.0
#include "cli/train_run.h"

#include <nlohmann/json.hpp>

#include "core/atomic_file.h"
#include "core/progress.h"
#include "core/run_record.h"

namespace scintigen {
namespace {

constexpr int kInterrupted = 130;

std::unique_ptr<RunRecord> begin_record(const LoopSettings& loop, const DeviceSettings& device,
                                        Settings& settings, const std::string& command,
                                        const std::vector<std::string>& command_line,
                                        const std::vector<std::filesystem::path>& inputs) {
  const auto path = std::filesystem::path(loop.out) / "run.json";
  nlohmann::ordered_json earlier = nlohmann::ordered_json::array();
  if (loop.resume && std::filesystem::exists(path)) {
    auto before = nlohmann::ordered_json::parse(read_file(path), nullptr, false);
    if (before.is_object()) {
      if (before.contains("earlier")) earlier = before["earlier"];
      before.erase("earlier");
      earlier.push_back(before);
    }
  }
  auto record = std::make_unique<RunRecord>(loop.out, command, command_line, settings);
  for (const auto& input : inputs) record->add_input(input);
  record->set("device", describe_device(use_device(device)));
  if (!earlier.empty()) record->set("earlier", earlier);
  return record;
}

}  // namespace

int run_training(Recipe& recipe, const LoopSettings& loop, const DeviceSettings& device,
                 Settings& settings, const std::string& command,
                 const std::vector<std::string>& command_line,
                 const std::vector<std::filesystem::path>& inputs) {
  std::unique_ptr<RunRecord> record;
  const auto end = train(recipe, loop, [&] {
    record = begin_record(loop, device, settings, command, command_line, inputs);
  });
  if (end == TrainEnd::kFinished) {
    record->finish();
    say("finished: " + loop.out);
    return 0;
  }
  record->finish("interrupted");
  say("stopped with a checkpoint; the same command with --resume goes on: " + loop.out);
  return end == TrainEnd::kInterrupted ? kInterrupted : 0;
}

}  // namespace scintigen
