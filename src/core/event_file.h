// SPDX-License-Identifier: Apache-2.0
// TensorBoard event files: TFRecord framing with masked CRC-32C, three protobuf messages written by
// hand.
#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "core/picture.h"

namespace scintigen {

/// Appends to `folder`/events.out.tfevents.<seconds>.scintigen, flushed at every call.
/// Source  TensorFlow event.proto, summary.proto, record_writer
/// Checked tests/core/test_event_file.cpp (framing and CRC known answers)
class EventFile {
 public:
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  void scalar(const std::string& tag, int64_t step, double value);
  void image(const std::string& tag, int64_t step, const Picture& picture);

 private:
  void write_event(const std::string& event);
  std::FILE* file_ = nullptr;
  std::filesystem::path path_;
};

/// CRC-32C (Castagnoli). Known answer: "123456789" -> 0xE3069283.
uint32_t crc32c(const void* bytes, size_t count);

}  // namespace scintigen
