// SPDX-License-Identifier: Apache-2.0
#include "core/picture.h"

#include <ATen/ATen.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/letters.h"
#include "core/table.h"

namespace scintigen {
namespace {

constexpr int64_t kMostPixels = 200'000'000;
constexpr int64_t kLetterRows = 9;
constexpr int64_t kSpaceWidth = 3;

constexpr Colour kPaper = {255, 255, 255};
constexpr Colour kInk = {45, 45, 50};
constexpr Colour kFaint = {130, 130, 138};
constexpr Colour kBlack = {0, 0, 0};

struct Stop {
  double at;
  Colour colour;
};

struct ColourMap {
  const char* name;
  std::vector<Stop> stops;
};

const std::vector<ColourMap>& colour_maps() {
  // "perfusion": the order of nuclear medicine work-stations (cold blue, green, yellow, hot red,
  // white), stops spaced so that equal steps of counts look about equally far apart.
  static const std::vector<ColourMap> maps = {
      {"perfusion",
       {{0.00, {0, 0, 0}},
        {0.12, {22, 6, 88}},
        {0.26, {28, 48, 196}},
        {0.38, {0, 138, 216}},
        {0.48, {0, 184, 150}},
        {0.58, {64, 206, 58}},
        {0.69, {238, 226, 30}},
        {0.80, {255, 140, 0}},
        {0.90, {226, 24, 24}},
        {1.00, {255, 255, 255}}}},
      {"gray", {{0, {0, 0, 0}}, {1, {255, 255, 255}}}},
      {"hot", {{0, {0, 0, 0}}, {0.375, {255, 0, 0}}, {0.75, {255, 255, 0}}, {1, {255, 255, 255}}}}};
  return maps;
}

const ColourMap& colour_map(const std::string& name) {
  std::vector<std::string> names;
  for (const ColourMap& map : colour_maps()) {
    if (map.name == name) return map;
    names.emplace_back(map.name);
  }
  const auto near = nearest_word(name, names);
  throw Error("colour map '{}' is not known; expected perfusion, gray or hot{}", name,
              near ? "; did you mean '" + *near + "'?" : std::string());
}

Colour colour_at(const ColourMap& map, double value) {
  if (std::isnan(value)) return {255, 0, 255};
  value = std::clamp(value, 0.0, 1.0);
  size_t next = 1;
  while (next + 1 < map.stops.size() && value > map.stops[next].at) ++next;
  const Stop &low = map.stops[next - 1], &high = map.stops[next];
  const double part = std::min(1.0, (value - low.at) / (high.at - low.at));
  Colour colour{};
  for (size_t c = 0; c < 3; ++c)
    colour[c] =
        static_cast<uint8_t>(std::lround(low.colour[c] + part * (high.colour[c] - low.colour[c])));
  return colour;
}

/// nullptr for a space; what is not printable ASCII is drawn as '?'.
const Letter* letter_of(char c) {
  if (c == ' ' || c == '\t') return nullptr;
  return &kLetters[c > ' ' && c <= '~' ? c - '!' : '?' - '!'];
}

/// A character of several UTF-8 bytes counts once.
bool continues(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

int64_t advance_of(char c) {
  if (continues(c)) return 0;
  const Letter* const letter = letter_of(c);
  return (letter != nullptr ? letter->width : kSpaceWidth) + 1;
}

void draw_letter(Picture& picture, int64_t x, int64_t y, const Letter& letter, Colour colour,
                 int64_t scale) {
  const auto dot = [&](int64_t column, int64_t row) {
    return column >= 0 && column < 5 && row < kLetterRows &&
           (letter.rows[static_cast<size_t>(row)] >> (4 - column) & 1) != 0;
  };
  const int64_t half = scale / 2;
  for (int64_t row = 0; row < kLetterRows; ++row) {
    for (int64_t column = 0; column < letter.width; ++column) {
      const int64_t left = x + column * scale, top = y + row * scale;
      if (dot(column, row)) picture.fill(left, top, scale, scale, colour);
      // Dots that touch at a corner only look like a broken stroke: the corner is rounded.
      const bool here = dot(column, row), right = dot(column + 1, row);
      const bool below = dot(column, row + 1), across = dot(column + 1, row + 1);
      if (here == across && right == below && here != right)
        picture.fill(left + scale - half, top + scale - half, 2 * half, 2 * half, colour);
    }
  }
}

/// Lines no wider than `width`; breaks at spaces, inside a word only where the word alone is too
/// wide.
std::vector<std::string> wrapped(const std::string& text, int64_t width, int64_t scale) {
  std::vector<std::string> lines(1);
  std::string word;
  const auto place_word = [&] {
    const std::string longer = lines.back().empty() ? word : lines.back() + " " + word;
    if (Picture::text_width(longer, scale) <= width) {
      lines.back() = longer;
    } else {
      if (!lines.back().empty()) lines.emplace_back();
      for (char c : word) {
        if (!lines.back().empty() && !continues(c) &&
            Picture::text_width(lines.back() + c, scale) > width)
          lines.emplace_back();
        lines.back() += c;
      }
    }
    word.clear();
  };
  for (char c : text) {
    if (c == '\n') {
      place_word();
      lines.emplace_back();
    } else if (c == ' ') {
      place_word();
    } else {
      word += c;
    }
  }
  place_word();
  return lines;
}

int64_t line_height(int64_t scale) { return (kLetterRows + 2) * scale; }

int64_t widest(const std::vector<std::string>& lines, int64_t scale) {
  int64_t width = 0;
  for (const std::string& line : lines) width = std::max(width, Picture::text_width(line, scale));
  return width;
}

void draw_lines(Picture& picture, int64_t x, int64_t y, const std::vector<std::string>& lines,
                Colour colour, int64_t scale) {
  for (size_t i = 0; i < lines.size(); ++i)
    picture.draw_text(x, y + static_cast<int64_t>(i) * line_height(scale), lines[i], colour, scale);
}

/// Places and sizes of a sheet, in pixels.
struct Layout {
  int64_t margin = 28, gap = 6, row_gap = 22, mark = 22, bar_width = 300, bar_height = 14;
  int64_t text_scale = 2, caption_scale = 2;
  int64_t per_line = 1, slice_width = 1, slice_height = 1, label_width = 0, width = 0, height = 0;
  std::vector<std::string> title, footer;
  std::vector<std::vector<std::string>> labels;
  struct Line {
    size_t row;
    int64_t first, count, y, height;
    std::vector<std::vector<std::string>> captions;
  };
  std::vector<Line> lines;
  int64_t left() const { return margin + label_width + mark; }
  int64_t column(int64_t i) const { return left() + i * (slice_width + gap); }
};

void check_rows(const std::vector<SheetRow>& rows, int64_t zoom) {
  require(zoom >= 1 && zoom <= 64, "sheet: zoom of {}; expected 1 to 64", zoom);
  const torch::Tensor* first = nullptr;
  for (const SheetRow& row : rows) {
    require(row.slices.defined() && row.slices.dim() == 3,
            "sheet: slices of row '{}' are not [n,H,W]", row.label);
    if (first == nullptr) first = &row.slices;
    require(row.slices.size(1) == first->size(1) && row.slices.size(2) == first->size(2) &&
                row.slices.size(1) > 0 && row.slices.size(2) > 0,
            "sheet: slices of row '{}' are {} x {}; expected {} x {} like the first row's",
            row.label, row.slices.size(1), row.slices.size(2), first->size(1), first->size(2));
    require(row.captions.empty() || static_cast<int64_t>(row.captions.size()) == row.slices.size(0),
            "sheet: row '{}' has {} captions for {} slices", row.label, row.captions.size(),
            row.slices.size(0));
  }
}

/// Breaks each row into lines of at most 16 slices, equally long over the whole sheet.
void place_lines(Layout& layout, const std::vector<SheetRow>& rows) {
  constexpr int64_t most = 16;
  int64_t longest = 1;
  for (const SheetRow& row : rows) longest = std::max(longest, row.slices.size(0));
  const int64_t parts = (longest + most - 1) / most;
  layout.per_line = (longest + parts - 1) / parts;
  int64_t y = layout.margin + static_cast<int64_t>(layout.title.size()) * line_height(3) + 14;
  for (size_t r = 0; r < rows.size(); ++r) {
    const int64_t row_top = y, count = rows[r].slices.size(0);
    for (int64_t first = 0; first < count; first += layout.per_line) {
      Layout::Line line{r, first, std::min(layout.per_line, count - first), y, layout.slice_height,
                        {}};
      size_t caption_lines = 0;
      for (int64_t i = 0; i < line.count && !rows[r].captions.empty(); ++i) {
        line.captions.push_back(wrapped(rows[r].captions[static_cast<size_t>(first + i)],
                                        layout.slice_width - 6, layout.caption_scale));
        caption_lines = std::max(caption_lines, line.captions.back().size());
      }
      if (caption_lines > 0)
        line.height += 4 + static_cast<int64_t>(caption_lines) * line_height(layout.caption_scale);
      y += line.height + layout.gap;
      layout.lines.push_back(std::move(line));
    }
    const auto label_lines = static_cast<int64_t>(layout.labels[r].size());
    y = std::max(y, row_top + label_lines * line_height(layout.text_scale)) + layout.row_gap;
  }
  layout.height = y;
}

Layout plan_sheet(const std::string& title, const std::vector<SheetRow>& rows,
                  const std::string& footer, int64_t zoom) {
  Layout layout;
  if (!rows.empty()) {
    layout.slice_height = rows[0].slices.size(1) * zoom;
    layout.slice_width = rows[0].slices.size(2) * zoom;
  }
  if (layout.slice_width < 100) layout.caption_scale = 1;
  int64_t longest = 1;
  for (const SheetRow& row : rows) {
    layout.labels.push_back(wrapped(row.label, 280, layout.text_scale));
    layout.label_width =
        std::max(layout.label_width, widest(layout.labels.back(), layout.text_scale));
    longest = std::max(longest, row.slices.size(0));
  }
  if (layout.label_width > 0) layout.label_width += 12;
  const int64_t shown = std::min<int64_t>(longest, 16);
  // The title may widen the sheet up to this; a longer one wraps.
  const int64_t grid = layout.column(shown) - layout.gap + layout.mark - layout.margin;
  const int64_t inner = std::max(grid, std::min<int64_t>(900, Picture::text_width(title, 3)));
  layout.title = wrapped(title, std::max<int64_t>(inner, 420), 3);
  place_lines(layout, rows);
  const int64_t used = layout.column(layout.per_line) - layout.gap + layout.mark - layout.margin;
  const int64_t bar = layout.left() - layout.margin + layout.bar_width;
  const int64_t text_width = std::max({used, bar, widest(layout.title, 3), int64_t{420}});
  layout.footer = wrapped(footer, text_width, layout.text_scale);
  layout.width = text_width + 2 * layout.margin;
  layout.height += layout.bar_height + 4 + line_height(2) + 12 +
                   (footer.empty() ? 0
                                   : static_cast<int64_t>(layout.footer.size()) *
                                         line_height(layout.text_scale)) +
                   layout.margin - layout.text_scale * 4;
  return layout;
}

void draw_slice(Picture& picture, int64_t left, int64_t top, const torch::Tensor& slice,
                const ColourMap& map, int64_t zoom) {
  const auto values = slice.accessor<float, 2>();
  for (int64_t row = 0; row < values.size(0); ++row)
    for (int64_t column = 0; column < values.size(1); ++column)
      picture.fill(left + column * zoom, top + row * zoom, zoom, zoom,
                   colour_at(map, values[row][column]));
}

void draw_line(Picture& picture, const Layout& layout, const Layout::Line& line,
               const torch::Tensor& slices, const ColourMap& map, int64_t zoom) {
  for (int64_t i = 0; i < line.count; ++i) {
    const int64_t x = layout.column(i);
    picture.fill(x, line.y, layout.slice_width, layout.slice_height, kBlack);
    draw_slice(picture, x, line.y, slices[line.first + i], map, zoom);
    if (line.captions.empty()) continue;
    const auto& caption = line.captions[static_cast<size_t>(i)];
    for (size_t k = 0; k < caption.size(); ++k) {
      const int64_t indent =
          (layout.slice_width - Picture::text_width(caption[k], layout.caption_scale)) / 2;
      picture.draw_text(x + std::max<int64_t>(indent, 0),
                        line.y + layout.slice_height + 6 +
                            static_cast<int64_t>(k) * line_height(layout.caption_scale),
                        caption[k], kInk, layout.caption_scale);
    }
  }
  const int64_t middle = line.y + layout.slice_height / 2 - 7;
  picture.draw_text(layout.left() - 16, middle, "R", kFaint, 2);
  picture.draw_text(layout.column(line.count) - layout.gap + 6, middle, "L", kFaint, 2);
}

void draw_colour_bar(Picture& picture, const Layout& layout, int64_t x, int64_t y,
                     const ColourMap& map) {
  picture.fill(x - 1, y - 1, layout.bar_width + 2, layout.bar_height + 2, kFaint);
  for (int64_t i = 0; i < layout.bar_width; ++i)
    picture.fill(
        x + i, y, 1, layout.bar_height,
        colour_at(map, static_cast<double>(i) / static_cast<double>(layout.bar_width - 1)));
  const int64_t text_y = y + layout.bar_height + 5;
  picture.draw_text(x, text_y, "0 %", kFaint, 2);
  const std::string full = "100 %";
  picture.draw_text(x + layout.bar_width - Picture::text_width(full), text_y, full, kFaint, 2);
}

}  // namespace

Picture::Picture(int64_t width_px, int64_t height_px, Colour background)
    : width(width_px), height(height_px) {
  require(width > 0 && height > 0 && width <= kMostPixels / height,
          "picture of {} x {} pixels; expected 1 to {} pixels in all", width, height, kMostPixels);
  rgb.resize(static_cast<size_t>(width * height * 3));
  fill(0, 0, width, height, background);
}

void Picture::fill(int64_t x, int64_t y, int64_t width_px, int64_t height_px, Colour colour) {
  const int64_t left = std::max<int64_t>(x, 0), right = std::min(width, x + width_px);
  const int64_t bottom = std::min(height, y + height_px);
  for (int64_t row = std::max<int64_t>(y, 0); row < bottom; ++row) {
    uint8_t* to = rgb.data() + (row * width + left) * 3;
    for (int64_t column = left; column < right; ++column, to += 3)
      std::copy(colour.begin(), colour.end(), to);
  }
}

int64_t Picture::draw_text(int64_t x, int64_t y, const std::string& text, Colour colour,
                           int64_t scale) {
  int64_t place = x;
  for (char c : text) {
    if (const Letter* const letter = continues(c) ? nullptr : letter_of(c))
      draw_letter(*this, place, y, *letter, colour, scale);
    place += advance_of(c) * scale;
  }
  return place - x;
}

int64_t Picture::text_width(const std::string& text, int64_t scale) {
  int64_t width = 0;
  for (char c : text) width += advance_of(c);
  return std::max<int64_t>(0, width - 1) * scale;
}

Colour map_colour(const std::string& map, double value) {
  return colour_at(colour_map(map), value);
}

Picture draw_sheet(const std::string& title, const std::vector<SheetRow>& rows,
                   const std::string& footer, const std::string& map, int64_t zoom) {
  check_rows(rows, zoom);
  const ColourMap& colours = colour_map(map);
  const Layout layout = plan_sheet(title, rows, footer, zoom);
  Picture picture(layout.width, layout.height, kPaper);
  draw_lines(picture, layout.margin, layout.margin, layout.title, kInk, 3);
  std::vector<torch::Tensor> slices;
  for (const SheetRow& row : rows)
    slices.push_back(row.slices.detach().to(torch::kCPU, torch::kFloat));
  size_t labelled = 0;
  for (const Layout::Line& line : layout.lines) {
    draw_line(picture, layout, line, slices[line.row], colours, zoom);
    if (line.first > 0) continue;
    labelled = line.row;
    const auto height =
        static_cast<int64_t>(layout.labels[labelled].size()) * line_height(layout.text_scale);
    const int64_t y = line.y + std::max<int64_t>(0, (layout.slice_height - height) / 2);
    draw_lines(picture, layout.margin, y, layout.labels[labelled], kInk, layout.text_scale);
  }
  const auto footer_lines = footer.empty() ? 0 : static_cast<int64_t>(layout.footer.size());
  const int64_t footer_y =
      layout.height - layout.margin - footer_lines * line_height(layout.text_scale) + 8;
  draw_lines(picture, layout.margin, footer_y, layout.footer, kFaint, layout.text_scale);
  draw_colour_bar(picture, layout, layout.left(),
                  footer_y - 12 - line_height(2) - layout.bar_height - 4, colours);
  return picture;
}

std::string png_bytes(const Picture& picture) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  const bool done = png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.rgb.data(), 0,
                                              nullptr) != 0;
  require(done, "picture of {} x {} pixels cannot be encoded: {}", picture.width, picture.height,
          static_cast<const char*>(image.message));
  bytes.resize(size);
  return bytes;
}

void write_png(const std::filesystem::path& path, const Picture& picture) {
  write_file(path, png_bytes(picture));
}

}  // namespace scintigen
