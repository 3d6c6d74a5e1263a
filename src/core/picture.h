// SPDX-License-Identifier: Apache-2.0
// Small 8-bit pictures: sample sheets and contact sheets as PNG.
// Does: colour maps, labelled grids of slices, PNG through libpng.  Does not: plots (report/ does).
#pragma once
#include <torch/types.h>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

namespace scintigen {

using Colour = std::array<uint8_t, 3>;

/// RGB, row-major, top row first.
struct Picture {
  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  ///< width * height * 3

  Picture(int64_t width_px, int64_t height_px, Colour background);
  void fill(int64_t x, int64_t y, int64_t width_px, int64_t height_px, Colour colour);
  /// Printable ASCII with the built-in 5 x 7 letters, `scale` pixels a dot; returns the width
  /// drawn.
  int64_t draw_text(int64_t x, int64_t y, const std::string& text, Colour colour,
                    int64_t scale = 2);
  static int64_t text_width(const std::string& text, int64_t scale = 2);
};

/// Perfusion colour map of nuclear medicine work-stations: black, blue, green, yellow, red, white;
/// or "gray", "hot". value in [0,1], clamped; not a number is magenta.
Colour map_colour(const std::string& map, double value);

/// A row of a sheet: a label on its left and slices beside it.
struct SheetRow {
  std::string label;
  torch::Tensor slices;               ///< [n,H,W] float, in [0,1]
  std::vector<std::string> captions;  ///< one under each slice, or empty
};

/// Labelled grid: title, one line of rows, colour bar with 0 and 100 %, footer. Slices are shown as
/// stored (rows anterior to posterior, columns patient right to left) and marked R and L. `zoom`:
/// screen pixels a slice pixel, nearest neighbour.
Picture draw_sheet(const std::string& title, const std::vector<SheetRow>& rows,
                   const std::string& footer, const std::string& map = "perfusion",
                   int64_t zoom = 2);

/// Atomic. throws Error on any failure to write.
void write_png(const std::filesystem::path& path, const Picture& picture);
/// The same bytes in memory (TensorBoard images).
std::string png_bytes(const Picture& picture);

}  // namespace scintigen
