// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "core/atomic_file.h"
#include "core/temporary_folder.h"

using namespace scintigen;
namespace fs = std::filesystem;

namespace {

size_t files_in(const fs::path& folder) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) count += entry.is_regular_file();
  return count;
}

/// The next bytes beyond `bytes` of any file fail, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

/// A process number that nobody has now.
pid_t ended_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

}  // namespace

TEST(AtomicFile, WritesWholeFilesAndMakesFolders) {
  TemporaryFolder folder;
  write_file(folder / "a/b/c.txt", "hello");
  EXPECT_EQ(read_file(folder / "a/b/c.txt"), "hello");
  write_file(folder / "a/b/c.txt", "");
  EXPECT_EQ(read_file(folder / "a/b/c.txt"), "");
  EXPECT_EQ(files_in(folder / "a/b"), 1u);
}

TEST(AtomicFile, NothingAppearsBeforeCommit) {
  TemporaryFolder folder;
  write_file(folder / "x", "old");
  {
    AtomicFile file(folder / "x");
    file.write("new and longer");
    EXPECT_EQ(read_file(folder / "x"), "old");
  }
  EXPECT_EQ(read_file(folder / "x"), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);  // the temporary file is gone
  AtomicFile file(folder / "x");
  file.write("new");
  file.commit();
  EXPECT_EQ(read_file(folder / "x"), "new");
  EXPECT_REFUSED(file.write("more"), "after it was finished");
  EXPECT_REFUSED(file.commit(), "finished twice");
}

TEST(AtomicFile, FullDiskLeavesTheOldFile) {
  TemporaryFolder folder;
  write_file(folder / "x", "old");
  const std::string large(1 << 16, 'x');
  std::string text;
  {
    FullDisk full(4096);
    text = refusal([&] { write_file(folder / "x", large); });
  }
  EXPECT_NE(text.find("x: cannot be written: "), std::string::npos) << text;
  EXPECT_EQ(read_file(folder / "x"), "old");
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, RefusalsNameTheFileAndTheReason) {
  TemporaryFolder folder;
  write_file(folder / "file", "x");
  EXPECT_REFUSED(write_file(folder / "file/inside", "x"), "file/inside: its folder cannot be made");
  EXPECT_REFUSED(AtomicFile(folder / "none/inside"), "No such file or directory");
  EXPECT_REFUSED(AtomicFile(fs::path("")), "not a file name");
  fs::create_directory(folder / "folder");
  EXPECT_REFUSED(write_file(folder / "folder", "x"), "folder: cannot be written");
  EXPECT_EQ(files_in(folder.path()), 1u);
  EXPECT_REFUSED(read_file(folder / "missing"), "missing: cannot be opened: No such file");
  EXPECT_REFUSED(read_file(folder / "folder"), "expected a file, found a folder");
  EXPECT_REFUSED(read_file("/dev/null"), "expected a file, found a device or pipe");
  EXPECT_REFUSED(read_file(folder / "file", 0), "expected at most 0 bytes, found 1");
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_REFUSED(read_file(folder / "pipe"), "device or pipe");  // and does not wait for a writer
}

TEST(AtomicFile, FolderWithoutPermission) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_REFUSED(write_file(folder / "x", "x"), "Permission denied");
  fs::permissions(folder.path(), fs::perms::owner_all);
}

TEST(AtomicFile, ThreadsWritingOneNameLeaveOneOfTheirTexts) {
  TemporaryFolder folder;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3; ++i) write_file(folder / "x", std::string(10000, 'a' + t));
    });
  for (auto& thread : threads) thread.join();
  const std::string text = read_file(folder / "x");
  EXPECT_EQ(text, std::string(10000, text.at(0)));
  EXPECT_EQ(files_in(folder.path()), 1u);
}

TEST(AtomicFile, SweepRemovesWhatDeadProcessesLeft) {
  TemporaryFolder folder;
  const std::string dead = std::to_string(ended_process()), living = std::to_string(getpid());
  const std::vector<std::string> stay = {"a.tmp-" + living + "-0", "a.tmp-old", "tmp-" + dead,
                                         "b.tmp-" + dead + ".txt"};
  for (const auto& name : stay) put_bytes(folder / name, "x");
  put_bytes(folder / ("a.json.tmp-" + dead + "-3"), "x");
  put_bytes(folder / ("a.json.tmp-" + dead), "x");
  sweep_temporary_files(folder.path());
  EXPECT_EQ(files_in(folder.path()), stay.size());
  for (const auto& name : stay) EXPECT_TRUE(fs::exists(folder / name)) << name;
  EXPECT_NO_THROW(sweep_temporary_files(folder / "missing"));
}

TEST(Sha256, KnownAnswers) {  // FIPS 180-4 examples; NESSIE: a million times 'a'
  TemporaryFolder folder;
  const auto hash = [&](const std::string& bytes) {
    return sha256_of_file(put_bytes(folder / "x", bytes));
  };
  EXPECT_EQ(hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_REFUSED(sha256_of_file(folder / "missing"), "No such file");
  EXPECT_REFUSED(sha256_of_file(folder.path()), "a folder");
}
