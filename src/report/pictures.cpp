// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>

#include <array>
#include <cmath>

#include "core/error.h"
#include "core/picture.h"
#include "report/page.h"

namespace scintigen {
namespace {

/// Blue, white, red with equal lightness on both sides (after ColorBrewer's RdBu): below, at and
/// above zero for value 0, 0.5, 1.
Colour difference_colour(double value) {
  if (std::isnan(value)) return {255, 0, 255};
  static constexpr std::array<std::array<double, 3>, 7> stops = {{{5, 48, 97},
                                                                  {53, 128, 185},
                                                                  {171, 208, 229},
                                                                  {247, 247, 247},
                                                                  {246, 186, 156},
                                                                  {206, 79, 69},
                                                                  {103, 0, 31}}};
  const double place = std::min(std::max(value, 0.0), 1.0) * (stops.size() - 1);
  const auto low = std::min(static_cast<size_t>(place), stops.size() - 2);
  const double part = place - static_cast<double>(low);
  Colour colour{};
  for (size_t c = 0; c < 3; ++c)
    colour[c] = static_cast<uint8_t>(
        std::lround(stops[low][c] + part * (stops[low + 1][c] - stops[low][c])));
  return colour;
}

Colour colour_of(ColourScale colours, double value) {
  return colours == ColourScale::perfusion ? map_colour("perfusion", value)
                                           : difference_colour(value);
}

std::string data_uri(const Picture& picture) {
  return "data:image/png;base64," + base64(png_bytes(picture));
}

}  // namespace

void write_image(Html& html, const torch::Tensor& plane, double low, double high,
                 ColourScale colours, const std::string& description) {
  require(plane.dim() == 2 && plane.numel() > 0, "report: a picture is not [H,W]");
  // A table of colours: the scale is asked 256 times, not once a pixel.
  static const auto tables = [] {
    std::array<std::array<Colour, 256>, 2> made{};
    for (size_t i = 0; i < 256; ++i) {
      made[0][i] = colour_of(ColourScale::perfusion, static_cast<double>(i) / 255);
      made[1][i] = colour_of(ColourScale::difference, static_cast<double>(i) / 255);
    }
    return made;
  }();
  const auto& table = tables[colours == ColourScale::perfusion ? 0 : 1];
  const torch::Tensor values = plane.detach().to(torch::kCPU, torch::kDouble).contiguous();
  const int64_t height = values.size(0), width = values.size(1);
  Picture picture(width, height, {0, 0, 0});
  const double* value = values.data_ptr<double>();
  const double reach = high > low ? high - low : 1;
  for (int64_t row = 0; row < height; ++row)
    for (int64_t column = 0; column < width; ++column, ++value) {
      const double share = (*value - low) / reach;
      const Colour colour =
          std::isnan(share)
              ? Colour{255, 0, 255}
              : table[static_cast<size_t>(std::lround(255 * std::min(std::max(share, 0.0), 1.0)))];
      picture.fill(column, row, 1, 1, colour);
    }
  html.single("img", {{"src", data_uri(picture)},
                      {"width", std::to_string(width)},
                      {"height", std::to_string(height)},
                      {"alt", description}});
}

void write_colour_bar(Html& html, ColourScale colours, const std::string& low,
                      const std::string& middle, const std::string& high) {
  Picture picture(256, 1, {0, 0, 0});
  for (int64_t i = 0; i < 256; ++i)
    picture.fill(i, 0, 1, 1, colour_of(colours, static_cast<double>(i) / 255));
  html.open("div", {{"class", "colour-bar"}});
  html.single("img",
              {{"src", data_uri(picture)}, {"alt", "Colour bar from " + low + " to " + high}});
  html.open("div", {{"class", "ends"}, {"aria-hidden", "true"}});
  html.element("span", low);
  if (!middle.empty()) html.element("span", middle);
  html.element("span", high).close("div").close("div");
}

}  // namespace scintigen
