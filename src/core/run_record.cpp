// SPDX-License-Identifier: Apache-2.0
#include "core/run_record.h"

#include <ATen/Parallel.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/atomic_file.h"
#include "core/device.h"
#include "core/error.h"

namespace scintigen {

const char* const kVersion = "0.1.0";

namespace {

using Clock = std::chrono::steady_clock;

std::string time_text() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

struct RunRecord::State {
  std::filesystem::path file;
  nlohmann::ordered_json record;
  Clock::time_point begun = Clock::now(), written;
  bool finished = false;

  void write(const std::string& status) {
    record["status"] = status;
    record["threads"] = at::get_num_threads();
    record["duration_s"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun).count() /
        1000.0;
    // A file name may hold bytes that are not UTF-8.
    write_file(file,
               record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    written = Clock::now();
  }

  /// So that the record of a killed run holds what it knew, without a sync for each of a thousand
  /// inputs.
  void write_now_and_then() {
    if (!finished && Clock::now() - written > std::chrono::seconds(1)) write("running");
  }
};

RunRecord::RunRecord(std::filesystem::path folder, std::string command,
                     std::vector<std::string> arguments, Settings& settings)
    : state_(std::make_unique<State>()) {
  state_->file = std::move(folder) / "run.json";
  nlohmann::ordered_json& record = state_->record;
  record["program"] = "scintigen";
  record["version"] = kVersion;
  record["torch"] = torch_version();
  record["command"] = std::move(command);
  record["arguments"] = std::move(arguments);
  record["settings"] = settings_to_json(settings);
  record["status"] = "running";
  record["started"] = time_text();
  record["duration_s"] = 0.0;
  record["threads"] = at::get_num_threads();
  record["inputs"] = nlohmann::ordered_json::array();
  state_->write("running");
}

RunRecord::~RunRecord() {
  if (state_->finished) return;
  try {
    state_->write("failed");
  } catch (
      const std::exception&) {  // the reason it failed (a full disk, say) is on its way already
  }
}

std::string RunRecord::add_input(const std::filesystem::path& file) {
  const std::string hash = sha256_of_file(file);
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  state_->record["inputs"].push_back(
      {{"path", file.string()}, {"bytes", error ? 0 : bytes}, {"sha256", hash}});
  state_->write_now_and_then();
  return hash;
}

void RunRecord::set(const std::string& key, const nlohmann::ordered_json& value) {
  state_->record[key] = value;
  state_->write_now_and_then();
}

void RunRecord::finish(const std::string& status) {
  state_->record["ended"] = time_text();
  state_->write(status);
  state_->finished = true;
}

}  // namespace scintigen
