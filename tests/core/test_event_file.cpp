// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <ctime>
#include <map>
#include <vector>

#include "core/event_file.h"
#include "core/temporary_folder.h"

using namespace scintigen;

namespace {

uint64_t little_endian(const std::string& bytes, size_t place, int count) {
  uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i)
    value = value << 8 | static_cast<uint8_t>(bytes.at(place + i));
  return value;
}

/// Checks the frames by a bitwise CRC of its own.
std::vector<std::string> records_of(const std::string& file) {
  const auto masked = [](const std::string& bytes) {
    uint32_t crc = ~0u;
    for (unsigned char byte : bytes) {
      crc ^= byte;
      for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
    }
    crc = ~crc;
    return static_cast<uint32_t>((crc >> 15 | crc << 17) + 0xA282EAD8u);
  };
  std::vector<std::string> records;
  for (size_t place = 0; place < file.size();) {
    const size_t length = little_endian(file, place, 8);
    EXPECT_EQ(little_endian(file, place + 8, 4), masked(file.substr(place, 8)));
    records.push_back(file.substr(place + 12, length));
    EXPECT_EQ(little_endian(file, place + 12 + length, 4), masked(records.back()));
    place += 16 + length;
  }
  return records;
}

/// Field number -> raw value (of a varint or fixed width: its bytes as a number in `numbers`).
struct Message {
  std::map<int, std::string> bytes;
  std::map<int, uint64_t> numbers;
  explicit Message(const std::string& raw) {
    size_t place = 0;
    const auto varint = [&] {
      uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<uint8_t>(raw.at(place++));
        value |= uint64_t{byte & 0x7Fu} << shift;
        if (byte < 0x80) return value;
      }
    };
    while (place < raw.size()) {
      const uint64_t key = varint();
      const int field = static_cast<int>(key >> 3), type = static_cast<int>(key & 7);
      if (type == 0) numbers[field] = varint();
      if (type == 1) numbers[field] = little_endian(raw, place, 8), place += 8;
      if (type == 5) numbers[field] = little_endian(raw, place, 4), place += 4;
      if (type == 2) {
        const size_t length = varint();
        bytes[field] = raw.substr(place, length);
        place += length;
      }
    }
  }
};

template <class Number, class Bits>
Number as(Bits bits) {
  Number number{};
  static_assert(sizeof(Number) == sizeof(Bits), "");
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

}  // namespace

TEST(EventFile, Crc32cKnownAnswers) {  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c("123456789", 9), 0xE3069283u);
  EXPECT_EQ(crc32c("", 0), 0u);
  EXPECT_EQ(crc32c(std::string(32, '\0').data(), 32), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF').data(), 32), 0x62A8AB43u);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising += static_cast<char>(i);
  EXPECT_EQ(crc32c(rising.data(), 32), 0x46DD794Eu);
}

TEST(EventFile, FramesAndMessages) {
  TemporaryFolder folder;
  const Picture picture(3, 2, {1, 2, 3});
  {
    EventFile events(folder / "run");
    events.scalar("loss/d", 300, 1.25);
    events.scalar("loss/g", 1LL << 40, std::nan(""));
    events.image("sheet", 0, picture);
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run"))
    files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].filename().string().rfind("events.out.tfevents.", 0), 0u);
  const auto records = records_of(bytes_of(files[0]));
  ASSERT_EQ(records.size(), 4u);

  EXPECT_EQ(Message(records[0]).bytes.at(3), "brain.Event:2");
  const Message event(records[1]);
  EXPECT_NEAR(as<double>(event.numbers.at(1)), static_cast<double>(std::time(nullptr)), 60);
  EXPECT_EQ(event.numbers.at(2), 300u);
  const Message value(Message(event.bytes.at(5)).bytes.at(1));
  EXPECT_EQ(value.bytes.at(1), "loss/d");
  EXPECT_EQ(as<float>(static_cast<uint32_t>(value.numbers.at(2))), 1.25f);
  EXPECT_EQ(Message(records[2]).numbers.at(2), 1ull << 40);

  const Message drawn(Message(Message(records[3]).bytes.at(5)).bytes.at(1));
  EXPECT_EQ(drawn.bytes.at(1), "sheet");
  const Message image(drawn.bytes.at(4));
  EXPECT_EQ(image.numbers.at(1), 2u);  // height
  EXPECT_EQ(image.numbers.at(2), 3u);
  EXPECT_EQ(image.numbers.at(3), 3u);
  EXPECT_EQ(image.bytes.at(4), png_bytes(picture));
}

TEST(EventFile, FlushesEachCallAndAppends) {
  TemporaryFolder folder;
  EventFile one(folder.path());
  one.scalar("a", 1, 1);
  EventFile two(
      folder.path());  // a resumed run within the second: same name or another, nothing is lost
  two.scalar("a", 2, 2);
  size_t records = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    records += records_of(bytes_of(entry.path())).size();
  EXPECT_EQ(records, 4u);
}

TEST(EventFile, RefusesAFolderThatCannotBe) {
  TemporaryFolder folder;
  put_bytes(folder / "file", "");
  EXPECT_REFUSED(EventFile(folder / "file/inside"), "file/inside: folder cannot be made");
}
