// SPDX-License-Identifier: Apache-2.0
// A folder for one test, and the check that a refusal says what it should.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "core/error.h"

/// Removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static std::atomic<int> count{0};
    path_ = std::filesystem::temp_directory_path() /
            ("scintigen-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::filesystem::path put_bytes(const std::filesystem::path& path,
                                       const std::string& bytes) {
  std::filesystem::remove(
      path);  // ext4 syncs a file that is cut and written again: a thousand times slower
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

inline std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// The text of the Error that `work` throws; "" if none.
template <class Work>
std::string refusal(Work&& work) {
  try {
    work();
  } catch (const scintigen::Error& error) {
    return error.what();
  }
  return "";
}

/// `statement` throws an Error of one line whose text holds `part`.
#define EXPECT_REFUSED(statement, part)                                                \
  do {                                                                                 \
    const std::string text_ = refusal([&] { statement; });                             \
    EXPECT_NE(text_.find(part), std::string::npos) << "refusal: '" << text_ << "'";    \
    EXPECT_EQ(text_.find('\n'), std::string::npos) << "more than one line: " << text_; \
  } while (false)
