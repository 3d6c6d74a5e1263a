// SPDX-License-Identifier: Apache-2.0
// run.json and the device it names.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <torch/cuda.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/device.h"
#include "core/run_record.h"
#include "core/temporary_folder.h"

using namespace scintigen;

namespace {

struct Seeded : Settings {
  int64_t seed = 7;
  void visit(SettingsVisitor& v) override { v.visit(number("seed", "of all randomness"), seed); }
};

nlohmann::json record_in(const TemporaryFolder& folder) {
  return nlohmann::json::parse(bytes_of(folder / "run/run.json"));
}

}  // namespace

TEST(RunRecord, RunningThenFinished) {
  TemporaryFolder folder;
  put_bytes(folder / "in.tsv", "abc");
  Seeded settings;
  {
    RunRecord record(folder / "run", "generate", {"--seed", "7"}, settings);
    EXPECT_EQ(record_in(folder)["status"], "running");
    record.add_input(folder / "in.tsv");
    record.set("device", "cpu");
    record.finish();
  }
  const auto record = record_in(folder);
  EXPECT_EQ(record["status"], "finished");
  EXPECT_EQ(record["command"], "generate");
  EXPECT_EQ(record["arguments"], (std::vector<std::string>{"--seed", "7"}));
  EXPECT_EQ(record["settings"]["seed"], 7);
  EXPECT_EQ(record["version"], kVersion);
  EXPECT_EQ(record["torch"], torch_version());
  EXPECT_EQ(record["device"], "cpu");
  EXPECT_EQ(record["threads"], at::get_num_threads());
  EXPECT_GE(record["duration_s"].get<double>(), 0);
  EXPECT_EQ(record["inputs"][0]["path"], (folder / "in.tsv").string());
  EXPECT_EQ(record["inputs"][0]["bytes"], 3);
  EXPECT_EQ(record["inputs"][0]["sha256"],
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(RunRecord, SaysHowItEnded) {
  TemporaryFolder folder;
  Seeded settings;
  try {
    RunRecord record(folder / "run", "train", {}, settings);
    throw Error("stopped");
  } catch (const Error&) {
  }
  EXPECT_EQ(record_in(folder)["status"], "failed");
  { RunRecord(folder / "run", "train", {}, settings).finish("interrupted"); }
  EXPECT_EQ(record_in(folder)["status"], "interrupted");
}

TEST(RunRecord, NamesNeitherUserNorHost) {
  TemporaryFolder folder;
  Seeded settings;
  RunRecord(folder / "run", "train", {"\xFF is not UTF-8"}, settings).finish();
  const std::string text = bytes_of(folder / "run/run.json");
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  if (std::string(host).size() > 3) {
    EXPECT_EQ(text.find(host), std::string::npos);
  }
  for (const char* name : {"HOME", "PWD"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && std::string(value).size() > 1) {
      EXPECT_EQ(text.find(value), std::string::npos) << name;
    }
  }
}

TEST(RunRecord, RefusesInputsThatCannotBeRead) {
  TemporaryFolder folder;
  Seeded settings;
  RunRecord record(folder / "run", "train", {}, settings);
  EXPECT_REFUSED(record.add_input(folder / "none"), "none: cannot be opened");
  put_bytes(folder / "file", "");
  EXPECT_REFUSED(RunRecord(folder / "file", "train", {}, settings), "its folder cannot be made");
}

TEST(Device, SetsThreads) {
  DeviceSettings settings;
  settings.device = "cpu";
  settings.threads = 1;
  EXPECT_TRUE(use_device(settings).is_cpu());
  EXPECT_EQ(at::get_num_threads(), 1);
  EXPECT_EQ(describe_device(torch::kCPU).rfind("cpu, 1 thread", 0), 0u)
      << describe_device(torch::kCPU);
  settings.threads = 0;
  use_device(settings);
  cpu_set_t set;
  CPU_ZERO(&set);
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_GE(at::get_num_threads(), 1);
  EXPECT_LE(at::get_num_threads(), CPU_COUNT(&set));  // less where a container's quota says so
  settings.threads = 5000;
  EXPECT_REFUSED(use_device(settings), "threads: expected 0 (all) to 1024, found 5000");
}

TEST(Device, FlushesDenormalsInEveryThread) {
  DeviceSettings settings;
  settings.device = "cpu";
  use_device(settings);
  volatile float tiny = 1e-30f;
  EXPECT_EQ(tiny * 1e-10f, 0.0f);
  float elsewhere = 1;
  std::thread([&] { elsewhere = tiny * 1e-10f; }).join();
  EXPECT_EQ(elsewhere, 0.0f);
}

TEST(Device, RefusesWhatIsNotThere) {
  DeviceSettings settings;
  for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "", "CPU"}) {
    settings.device = name;
    EXPECT_REFUSED(use_device(settings), "device: expected auto, cpu, cuda or cuda:N, found '");
  }
  settings.device = torch::cuda::is_available() ? "cuda:99" : "cuda";
  EXPECT_REFUSED(use_device(settings), "device: cuda");
}

TEST(Device, ComputeType) {
  DeviceSettings settings;
  EXPECT_EQ(compute_type(settings), torch::kFloat);
  settings.precision = "bfloat16";
  EXPECT_EQ(compute_type(settings), torch::kBFloat16);
  settings.precision = "half";
  EXPECT_REFUSED(compute_type(settings), "precision: expected float32 or bfloat16, found 'half'");
}
