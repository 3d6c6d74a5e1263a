// SPDX-License-Identifier: Apache-2.0
// run.json: what happened. Written at the start of a command and again at its end.
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/settings.h"

namespace scintigen {

extern const char* const kVersion;  ///< "0.1.0"

/// The record of one run of one command: command line, resolved settings, version, LibTorch's
/// version, device, threads, seeds, SHA-256 of what it read, start, duration, how it ended.
class RunRecord {
 public:
  /// Writes `folder`/run.json with "status": "running". Nothing of the environment, user or host
  /// name goes in.
  RunRecord(std::filesystem::path folder, std::string command, std::vector<std::string> arguments,
            Settings& settings);
  ~RunRecord();  ///< "failed" if finish() was not called
  RunRecord(const RunRecord&) = delete;
  RunRecord& operator=(const RunRecord&) = delete;

  /// Records path as given, bytes and SHA-256; returns the last.
  std::string add_input(const std::filesystem::path& file);
  void set(const std::string& key, const nlohmann::ordered_json& value);
  void finish(const std::string& status = "finished");  ///< or "interrupted"

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace scintigen
