// SPDX-License-Identifier: Apache-2.0
#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <utility>

#include "core/error.h"

namespace scintigen {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kDrawEvery_s = 0.1;

double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

/// Where lines go; the one state of the process that is shared by threads.
struct Output {
  std::mutex mutex;
  std::FILE* log = nullptr;
  std::string bar;  // on the terminal's last line now, "" = none
};

Output& output() {
  static Output* const one = new Output;  // never destroyed: lines may come from other destructors
  return *one;
}

bool on_terminal() {
  const char* const kind = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
}

size_t terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

void log_line(Output& out, const std::string& line) {
  if (out.log == nullptr) return;
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &parts);
  std::fprintf(out.log, "%s %s\n", stamp, line.c_str());
  std::fflush(out.log);
}

void erase_bar(Output& out) {
  if (!out.bar.empty()) std::fputs("\r\x1b[K", stderr);
}

void print_line(Output& out, const std::string& line) {
  erase_bar(out);
  std::fprintf(stderr, "%s\n", line.c_str());
  std::fputs(out.bar.c_str(), stderr);
  std::fflush(stderr);
}

void emit(const std::string& text) {
  Output& out = output();
  const std::lock_guard<std::mutex> lock(out.mutex);
  const std::string line = Error::one_line(text);
  print_line(out, line);
  log_line(out, line);
}

std::string rate_text(double rate, const std::string& unit) {
  if (rate >= 1 || rate <= 0) return fmt::format("{:.{}f} {}/s", rate, rate < 100 ? 1 : 0, unit);
  return fmt::format("{:.1f} s/{}", 1 / rate, unit);
}

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may use it");

extern "C" void on_stop_signal(int signal_number) {
  const int saved_errno = errno;
  if (stop.exchange(true)) {
    std::signal(signal_number, SIG_DFL);
    ::raise(signal_number);  // delivered when this handler returns
  } else {
    static const char text[] = "\nstopping after this step; once more ends at once\n";
    (void)!::write(STDERR_FILENO, text, sizeof text - 1);
  }
  errno = saved_errno;
}

}  // namespace

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s >= 86400) return fmt::format("{} d {:02} h", s / 86400, s / 3600 % 24);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

Progress::Progress(std::string title, int64_t total, std::string unit, int64_t done,
                   double line_every_s)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      start_(done),
      done_(done),
      line_every_s_(line_every_s),
      begun_(Clock::now()),
      drawn_(begun_),
      logged_(begun_) {}

Progress::~Progress() {
  try {
    Output& out = output();
    const std::lock_guard<std::mutex> lock(out.mutex);
    show(true);
    if (!out.bar.empty()) std::fputs("\n", stderr);
    out.bar.clear();
  } catch (...) {  // no memory for a line: nothing to tell
  }
}

void Progress::advance(int64_t count, const std::string& note) {
  const std::lock_guard<std::mutex> lock(output().mutex);
  done_ += count;
  if (!note.empty()) note_ = Error::one_line(note);
  show(false);
}

std::string Progress::describe(int64_t bar_width) const {
  const double elapsed = seconds_since(begun_);
  const double rate = elapsed > 0 ? static_cast<double>(done_ - start_) / elapsed : 0;
  std::string text = title_;
  if (total_ > 0) {
    const double fraction =
        std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0);
    if (bar_width > 0) {
      const auto full = static_cast<size_t>(fraction * static_cast<double>(bar_width));
      text += "  [" + std::string(full, '#') + std::string(bar_width - full, '-') + "]";
    }
    text += fmt::format("  {:.0f} %", std::floor(fraction * 100));
  }
  if (bar_width == 0 || total_ <= 0) {
    text += total_ > 0 ? fmt::format("  {} of {}", done_, total_) : fmt::format("  {}", done_);
    text += " " + unit_ + (done_ == 1 && total_ <= 0 ? "" : "s");
  }
  if (done_ > start_) text += "  " + rate_text(rate, unit_);
  if (total_ > 0 && done_ < total_ && rate > 0)
    text += "  " + duration_text(static_cast<double>(total_ - done_) / rate) + " left";
  else if (done_ > start_)
    text += "  " + duration_text(elapsed);
  if (!note_.empty()) text += "  " + note_;
  return text;
}

/// The caller holds the lock.
void Progress::show(bool last) {
  Output& out = output();
  if ((last || seconds_since(drawn_) >= kDrawEvery_s) && on_terminal()) {
    erase_bar(out);
    // A line that wraps could not be erased again.
    out.bar = describe(20).substr(0, terminal_columns() - 1);
    std::fputs(out.bar.c_str(), stderr);
    std::fflush(stderr);
    drawn_ = Clock::now();
  }
  if (last || seconds_since(logged_) >= line_every_s_) {
    const std::string line = describe(0);
    if (!on_terminal()) print_line(out, line);
    log_line(out, line);
    logged_ = Clock::now();
  }
}

void say(const std::string& line) { emit(line); }

void warn(const std::string& line) { emit("warning: " + line); }

void log_to(const std::filesystem::path& file) {
  std::FILE* log = nullptr;
  if (!file.empty()) {
    log = std::fopen(file.c_str(), "ae");
    require(log != nullptr, "{}: log file cannot be opened: {}", file.string(),
            std::strerror(errno));
  }
  Output& out = output();
  const std::lock_guard<std::mutex> lock(out.mutex);
  if (out.log != nullptr) std::fclose(out.log);
  out.log = log;
}

void watch_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() { return stop.load(std::memory_order_relaxed); }

void request_stop(bool stop_now) { stop.store(stop_now); }

}  // namespace scintigen
