// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <regex>
#include <thread>
#include <vector>

#include "core/progress.h"
#include "core/temporary_folder.h"

using namespace scintigen;

namespace {

/// What `work` writes to stderr when that is a terminal of `columns`.
template <class Work>
std::string on_a_terminal(unsigned short columns, Work&& work) {
  int terminal = -1;
  winsize size{25, columns, 0, 0};
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child == 0) {
    setenv("TERM", "xterm", 1);
    work();
    _exit(0);
  }
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(terminal, buffer, sizeof buffer)) > 0;) text.append(buffer, got);
  waitpid(child, nullptr, 0);
  close(terminal);
  return text;
}

void short_run() {
  Progress progress("train", 4, "step");
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(110));
    progress.advance(1, "d 1.93 g 0.41");
    if (i == 1) say("saved");
  }
}

}  // namespace

TEST(Progress, LinesElsewhereAndInTheLog) {
  TemporaryFolder folder;
  log_to(folder / "log.txt");
  testing::internal::CaptureStderr();
  {
    Progress progress("generate", 200, "image", 100, 0);  // a line at every call
    progress.advance(50, "seed 7\n");
    say("half\nway");
    warn("slow");
    progress.advance(50);
  }
  const std::string shown = testing::internal::GetCapturedStderr();
  log_to({});
  say("after the log");
  const std::regex lines(
      "generate  75 %  150 of 200 images  .* image/s  .* left  seed 7 \n"
      "half way\n"
      "warning: slow\n"
      "generate  100 %  200 of 200 images  .* image/s  0:00  seed 7 \n"
      "generate  100 %  200 of 200 images  .* image/s  0:00  seed 7 \n");
  EXPECT_TRUE(std::regex_match(shown, lines)) << shown;
  const std::string stamp = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z ";
  const std::string log = bytes_of(folder / "log.txt");
  EXPECT_TRUE(std::regex_search(log, std::regex("^" + stamp + "generate  75 %"))) << log;
  EXPECT_TRUE(std::regex_search(log, std::regex("\n" + stamp + "warning: slow\n"))) << log;
  EXPECT_EQ(log.find("after the log"), std::string::npos);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 5);
}

TEST(Progress, UnknownTotalAndNoStep) {
  testing::internal::CaptureStderr();
  {
    Progress progress("scan", 0, "file");
    progress.advance();
  }
  { Progress progress("scan", 0, "file"); }
  { Progress progress("scan", 5, "file"); }
  const std::string shown = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(std::regex_match(
      shown, std::regex("scan  1 file  .* file/s  0:00\nscan  0 files\nscan  0 %  0 of 5 files\n")))
      << shown;
}

TEST(Progress, BarOnATerminal) {
  const std::string shown = on_a_terminal(100, short_run);
  if (shown.empty()) GTEST_SKIP() << "no pseudo-terminal here (is /dev/pts mounted?)";
  EXPECT_TRUE(std::regex_search(
      shown,
      std::regex(
          R"(train  \[#####---------------\]  25 %  [0-9.]+ (step/s|s/step)  0:0[0-9] left  d 1\.93 g 0\.41)")))
      << shown;
  EXPECT_NE(shown.find("\r\x1b[Ksaved\r\ntrain  ["), std::string::npos)
      << shown;  // the bar goes and comes back
  EXPECT_NE(shown.find("[####################]  100 %"), std::string::npos) << shown;
  EXPECT_EQ(shown.substr(shown.size() - 2), "\r\n");
}

TEST(Progress, BarNeverWraps) {
  const std::string shown = on_a_terminal(30, short_run);
  if (shown.empty()) GTEST_SKIP() << "no pseudo-terminal here (is /dev/pts mounted?)";
  size_t column = 0;
  for (size_t i = 0; i < shown.size(); ++i) {
    if (shown[i] == '\r') column = 0;
    if (shown[i] >= ' ') ++column;
    if (shown.compare(i, 3, "\x1b[K") == 0) column = 0, i += 2;
    ASSERT_LT(column, 30u) << shown;
  }
}

TEST(Progress, ThreadsMayAdvanceAndSpeak) {
  TemporaryFolder folder;
  log_to(folder / "log.txt");
  testing::internal::CaptureStderr();
  {
    Progress progress("x", 4000, "step", 0, 1000);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) {
          progress.advance(1, "note " + std::to_string(i));
          if (i % 100 == 0) say("line");
        }
      });
    for (auto& thread : threads) thread.join();
  }
  testing::internal::GetCapturedStderr();
  log_to({});
  const std::string log = bytes_of(folder / "log.txt");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 41);
  EXPECT_NE(log.find("4000 of 4000 steps"), std::string::npos);
}

TEST(Progress, LogFileThatCannotBeOpened) {
  EXPECT_REFUSED(log_to("/nowhere/log.txt"),
                 "/nowhere/log.txt: log file cannot be opened: No such file");
}

TEST(Progress, DurationText) {
  EXPECT_EQ(duration_text(0.4), "0:00");
  EXPECT_EQ(duration_text(723), "12:03");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(duration_text(273600), "3 d 04 h");
  EXPECT_EQ(duration_text(-1), "?");
  EXPECT_EQ(duration_text(1e300), "?");
}

TEST(Signals, FirstStopsPolitelySecondEnds) {
  EXPECT_FALSE(stop_requested());
  request_stop();
  EXPECT_TRUE(stop_requested());
  request_stop(false);
  EXPECT_FALSE(stop_requested());
  const auto after = [](std::initializer_list<int> signals) {
    const pid_t child = fork();
    if (child == 0) {
      if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(9);
      watch_signals();
      for (int number : signals) raise(number);
      _exit(stop_requested() ? 7 : 8);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  };
  EXPECT_EQ(after({}), 8);
  EXPECT_EQ(after({SIGINT}), 7);
  EXPECT_EQ(after({SIGTERM}), 7);
  EXPECT_EQ(after({SIGINT, SIGINT}), -SIGINT);
  EXPECT_EQ(after({SIGINT, SIGTERM}), -SIGTERM);
}
