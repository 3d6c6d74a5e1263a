// SPDX-License-Identifier: Apache-2.0
#include "core/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <system_error>

#include "core/error.h"

namespace scintigen {
namespace {

std::string reason(int number) { return std::generic_category().message(number); }

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

/// A read-only descriptor that closes itself.
class ReadDescriptor {
 public:
  explicit ReadDescriptor(const std::filesystem::path& path) : path_(path) {
    // O_NONBLOCK: opening a named pipe must not wait for a writer; it is refused below.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    require(descriptor_ >= 0, "{}: cannot be opened: {}", path.string(), reason(errno));
    struct stat status {};
    const bool known = ::fstat(descriptor_, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
      ::close(descriptor_);
      throw Error("{}: not a regular file; expected a file, found {}", path.string(),
                  known && S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe");
    }
    size_ = static_cast<uint64_t>(status.st_size);
  }
  ~ReadDescriptor() { ::close(descriptor_); }
  ReadDescriptor(const ReadDescriptor&) = delete;
  ReadDescriptor& operator=(const ReadDescriptor&) = delete;

  uint64_t size() const { return size_; }
  size_t read(void* bytes, size_t count) {
    for (;;) {
      const ssize_t got = ::read(descriptor_, bytes, count);
      if (got >= 0) return static_cast<size_t>(got);
      require(errno == EINTR, "{}: cannot be read: {}", path_.string(), reason(errno));
    }
  }

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  uint64_t size_ = 0;
};

/// SHA-256, FIPS 180-4.
class Sha256 {
 public:
  void add(const uint8_t* bytes, size_t count) {
    length_ += count;
    while (count > 0) {
      const size_t part = std::min(count, block_.size() - used_);
      std::memcpy(block_.data() + used_, bytes, part);
      used_ += part;
      bytes += part;
      count -= part;
      if (used_ == block_.size()) mix();
    }
  }

  std::string hex() {
    const uint64_t bits = length_ * 8;
    const uint8_t one = 0x80, zero = 0;
    add(&one, 1);
    while (used_ != 56) add(&zero, 1);
    std::array<uint8_t, 8> end{};
    for (int i = 0; i < 8; ++i) end[i] = static_cast<uint8_t>(bits >> (56 - 8 * i));
    add(end.data(), end.size());
    std::string text;
    for (uint32_t word : state_) text += fmt::format("{:08x}", word);
    return text;
  }

 private:
  static uint32_t rotate(uint32_t word, int by) { return (word >> by) | (word << (32 - by)); }

  void mix() {
    static constexpr std::array<uint32_t, 64> constants = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    std::array<uint32_t, 64> w{};
    for (int i = 0; i < 16; ++i)
      w[i] = uint32_t{block_[4 * i]} << 24 | uint32_t{block_[4 * i + 1]} << 16 |
             uint32_t{block_[4 * i + 2]} << 8 | block_[4 * i + 3];
    for (int i = 16; i < 64; ++i)
      w[i] = w[i - 16] + w[i - 7] +
             (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3)) +
             (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10));
    auto [a, b, c, d, e, f, g, h] = state_;
    for (int i = 0; i < 64; ++i) {
      const uint32_t first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                             ((e & f) ^ (~e & g)) + constants[i] + w[i];
      const uint32_t second =
          (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + first;
      d = c, c = b, b = a, a = first + second;
    }
    const std::array<uint32_t, 8> mixed = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; ++i) state_[i] += mixed[i];
    used_ = 0;
  }

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};
  size_t used_ = 0;
  uint64_t length_ = 0;
};

/// The process number in "NAME.tmp-PID" or "NAME.tmp-PID-COUNT"; 0 for any other name.
pid_t writer_of(const std::string& name) {
  static const std::string mark = ".tmp-";
  const size_t place = name.rfind(mark);
  if (place == std::string::npos || place == 0) return 0;
  const char* const end = name.data() + name.size();
  pid_t writer = 0;
  const auto process = std::from_chars(name.data() + place + mark.size(), end, writer);
  if (process.ec != std::errc() || writer <= 0) return 0;
  const char* rest = process.ptr;
  if (rest != end && *rest++ != '-') return 0;
  const bool digits = std::all_of(rest, end, [](unsigned char c) { return std::isdigit(c) != 0; });
  return digits && (rest != end || process.ptr == end) ? writer : 0;
}

/// The file system may lack fsync of folders (EINVAL): then the rename is as durable as it gets.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> count{0};  // two threads may write files of one name
  require(path_.has_filename(), "'{}': not a file name", path_.string());
  temporary_ = path_;
  temporary_ += fmt::format(".tmp-{}-{}", ::getpid(), count++);
  descriptor_ =
      ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) {
    const int number = errno;
    throw Error("{}: cannot be written: {}: folder '{}'", path_.string(), reason(number),
                folder_of(path_).string());
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, size_t count) {
  require(descriptor_ >= 0, "{}: written to after it was finished", path_.string());
  const char* from = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t put = ::write(descriptor_, from, std::min(count, size_t{1} << 30));
    if (put < 0 && errno == EINTR) continue;
    require(put >= 0, "{}: cannot be written: {}", path_.string(), reason(errno));
    from += put;
    count -= static_cast<size_t>(put);
  }
}

void AtomicFile::commit() {
  require(descriptor_ >= 0, "{}: finished twice", path_.string());
  require(::fsync(descriptor_) == 0 || errno == EINVAL, "{}: cannot be written: {}", path_.string(),
          reason(errno));
  const int closed = ::close(descriptor_);
  const int number = errno;
  descriptor_ = -1;
  if (closed != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int why = closed != 0 ? number : errno;
    ::unlink(temporary_.c_str());
    throw Error("{}: cannot be written: {}", path_.string(), reason(why));
  }
  sync_folder(folder_of(path_));
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  std::error_code error;
  std::filesystem::create_directories(folder_of(path), error);
  require(!error, "{}: its folder cannot be made: {}", path.string(), error.message());
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

std::string read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  ReadDescriptor file(path);
  require(file.size() <= limit_bytes, "{}: too large; expected at most {} bytes, found {}",
          path.string(), limit_bytes, file.size());
  std::string text(file.size(), '\0');
  size_t done = 0;
  while (done < text.size()) {
    const size_t got = file.read(text.data() + done, text.size() - done);
    if (got == 0) break;  // it shrank meanwhile
    done += got;
  }
  text.resize(done);
  return text;
}

void sweep_temporary_files(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    const pid_t writer = writer_of(it->path().filename().string());
    // A living process may still be writing it.
    if (writer <= 0 || ::kill(writer, 0) == 0 || errno == EPERM) continue;
    std::error_code file_error;
    if (it->is_regular_file(file_error)) std::filesystem::remove(it->path(), file_error);
  }
}

std::string sha256_of_file(const std::filesystem::path& path) {
  ReadDescriptor file(path);
  Sha256 hash;
  std::vector<uint8_t> buffer(size_t{1} << 18);
  while (const size_t got = file.read(buffer.data(), buffer.size())) hash.add(buffer.data(), got);
  return hash.hex();
}

std::string sha256_of_bytes(std::string_view bytes) {
  Sha256 hash;
  hash.add(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  return hash.hex();
}

}  // namespace scintigen
