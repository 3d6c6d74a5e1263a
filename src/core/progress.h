// SPDX-License-Identifier: Apache-2.0
// Progress for people and for log files, and what stops a run politely.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

namespace scintigen {

/// A bar with rate and time left when stderr is a terminal; a line every `line_every_s` elsewhere,
/// and in the log file always:  "train  [#####-----]  41 %  8.1 step/s  12:03 left  d 1.93 g 0.41".
/// One bar at a time; any thread may advance it.
class Progress {
 public:
  /// `unit` names what is counted ("step", "image", "patient"); `done` is where a resumed run
  /// starts. `total` 0 = not known.
  Progress(std::string title, int64_t total, std::string unit, int64_t done = 0,
           double line_every_s = 10);
  ~Progress();  ///< ends the bar's line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `note` is short and current: "d 1.93 g 0.41".
  void advance(int64_t count = 1, const std::string& note = "");

 private:
  std::string describe(int64_t bar_width) const;
  void show(bool last);
  std::string title_, unit_, note_;
  int64_t total_, start_, done_;
  double line_every_s_;
  std::chrono::steady_clock::time_point begun_, drawn_, logged_;
};

/// Information for the user: one line to stderr, and to the log file once log_to() named one.
void say(const std::string& line);
/// The same, beginning with "warning: ".
void warn(const std::string& line);
/// Appends every later line of say(), warn() and Progress, with the time (UTC), to `file`. An empty
/// path ends it. throws  Error: cannot be opened.
void log_to(const std::filesystem::path& file);

/// "12:03", "1:02:03", "3 d 04 h": how long `seconds` are.
std::string duration_text(double seconds);

/// After watch_signals(), SIGINT and SIGTERM set stop_requested(); a second one ends the process at
/// once.
void watch_signals();
bool stop_requested();
/// What the signal handler does; for tests, which also take it back.
void request_stop(bool stop = true);

}  // namespace scintigen
