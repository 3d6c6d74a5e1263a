// SPDX-License-Identifier: Apache-2.0
#include "core/event_file.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include "core/error.h"

namespace scintigen {
namespace {

// Protobuf wire format: field number * 8 + type; type 0 varint, 1 eight bytes, 2 length and bytes,
// 5 four bytes.

void put_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

void put_integer(std::string& to, int field, int64_t value) {
  put_varint(to, static_cast<uint64_t>(field) * 8);
  put_varint(to, static_cast<uint64_t>(value));
}

void put_little_endian(std::string& to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i));
}

void put_double(std::string& to, int field, double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  put_varint(to, static_cast<uint64_t>(field) * 8 + 1);
  put_little_endian(to, bits, 8);
}

void put_float(std::string& to, int field, float value) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  put_varint(to, static_cast<uint64_t>(field) * 8 + 5);
  put_little_endian(to, bits, 4);
}

void put_bytes(std::string& to, int field, const std::string& bytes) {
  put_varint(to, static_cast<uint64_t>(field) * 8 + 2);
  put_varint(to, bytes.size());
  to += bytes;
}

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Event { double wall_time = 1; int64 step = 2; Summary summary = 5; }, Summary { repeated Value
/// value = 1; }
std::string summary_event(int64_t step, const std::string& value) {
  std::string summary, event;
  put_bytes(summary, 1, value);
  put_double(event, 1, wall_time());
  put_integer(event, 2, step);
  put_bytes(event, 5, summary);
  return event;
}

/// As TFRecord stores it: rotated and shifted, so that the sum of data that hold sums stays good.
uint32_t masked_crc(const std::string& bytes) {
  const uint32_t crc = crc32c(bytes.data(), bytes.size());
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

}  // namespace

uint32_t crc32c(const void* bytes, size_t count) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78u : 0);
      entries[i] = crc;
    }
    return entries;
  }();
  uint32_t crc = 0xFFFFFFFFu;
  const auto* from = static_cast<const uint8_t*>(bytes);
  for (size_t i = 0; i < count; ++i) crc = (crc >> 8) ^ table[(crc ^ from[i]) & 0xFF];
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, "{}: folder cannot be made: {}", folder.string(), error.message());
  path_ = folder /
          fmt::format("events.out.tfevents.{}.scintigen", static_cast<int64_t>(std::time(nullptr)));
  file_ = std::fopen(path_.c_str(), "abe");
  require(file_ != nullptr, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
  std::string event;
  put_double(event, 1, wall_time());
  put_bytes(event, 3, "brain.Event:2");  // file_version
  write_event(event);
}

EventFile::~EventFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void EventFile::scalar(const std::string& tag, int64_t step, double value) {
  std::string message;  // Value { string tag = 1; float simple_value = 2; }
  put_bytes(message, 1, tag);
  put_float(message, 2, static_cast<float>(value));
  write_event(summary_event(step, message));
}

void EventFile::image(const std::string& tag, int64_t step, const Picture& picture) {
  std::string image,
      message;  // Image { height = 1; width = 2; colorspace = 3; encoded_image_string = 4; }
  put_integer(image, 1, picture.height);
  put_integer(image, 2, picture.width);
  put_integer(image, 3, 3);  // RGB
  put_bytes(image, 4, png_bytes(picture));
  put_bytes(message, 1, tag);
  put_bytes(message, 4, image);
  write_event(summary_event(step, message));
}

void EventFile::write_event(const std::string& event) {
  std::string record;
  put_little_endian(record, event.size(), 8);
  put_little_endian(record, masked_crc(record), 4);
  record += event;
  put_little_endian(record, masked_crc(event), 4);
  const bool written = std::fwrite(record.data(), 1, record.size(), file_) == record.size() &&
                       std::fflush(file_) == 0;
  require(written, "{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

}  // namespace scintigen
