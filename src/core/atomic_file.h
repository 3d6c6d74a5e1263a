// SPDX-License-Identifier: Apache-2.0
// Files that are either whole or not there.
// Does: temporary name in the same folder, fsync, rename, fsync of the folder.  Does not: format
// anything.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace scintigen {

/// A file under construction. Bytes go to "NAME.tmp-PID-COUNT"; commit() makes them appear as NAME
/// at once. Without commit() (an exception, say) the temporary file is removed and an old NAME
/// stays as it was. throws  Error naming the file and the system's reason (no space left,
/// permission, ...) from every call
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, size_t count);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// write, fsync, close, rename, fsync of the folder.
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

/// Writes `text` as the whole of `path`, atomically. Makes missing parent folders.
void write_file(const std::filesystem::path& path, std::string_view text);

/// The whole of `path`. throws Error if missing, not a regular file, or larger than `limit_bytes`.
std::string read_file(const std::filesystem::path& path, uint64_t limit_bytes = 1ull << 30);

/// Removes "*.tmp-PID-COUNT" left in `folder` (not in its sub-folders) by processes that are no
/// more.
void sweep_temporary_files(const std::filesystem::path& folder);

/// SHA-256 of a file's bytes, lower-case hex. Recorded in run.json for everything a command reads.
std::string sha256_of_file(const std::filesystem::path& path);
std::string sha256_of_bytes(std::string_view bytes);

}  // namespace scintigen
