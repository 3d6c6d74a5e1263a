// SPDX-License-Identifier: Apache-2.0
#include "core/overlay_picture.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/same_grid.h"

namespace scintigen {
namespace {

constexpr int64_t kGap = 8, kTitle = 26, kBar = 14;
constexpr int64_t kCrossGap = 9;  // voxels around the place that the cross-hairs leave free
constexpr double kWhitePart = 0.995;
constexpr Colour kPaper = {12, 13, 16}, kInk = {226, 229, 234}, kFaint = {150, 156, 165},
                 kCross = {90, 220, 140};

/// 0..1 of a scale that begins dark and ends light, so that more stands out more.
Colour scale_colour(bool above, double part) {
  struct Stop {
    double at;
    Colour colour;
  };
  static const std::array<Stop, 4> kHot = {
      {{0, {150, 16, 16}}, {0.35, {232, 62, 20}}, {0.7, {255, 170, 30}}, {1, {255, 250, 190}}}};
  static const std::array<Stop, 4> kCold = {
      {{0, {24, 40, 150}}, {0.35, {30, 96, 220}}, {0.7, {50, 185, 245}}, {1, {205, 250, 255}}}};
  const auto& stops = above ? kHot : kCold;
  part = std::clamp(part, 0.0, 1.0);
  size_t next = 1;
  while (next + 1 < stops.size() && part > stops[next].at) ++next;
  const auto &low = stops[next - 1], &high = stops[next];
  const double between = (part - low.at) / (high.at - low.at);
  Colour colour{};
  for (size_t c = 0; c < 3; ++c)
    colour[c] = static_cast<uint8_t>(
        std::lround(low.colour[c] + between * (static_cast<int>(high.colour[c]) - low.colour[c])));
  return colour;
}

/// The value that `part` of the voxels above 0 stay below: what is shown as white.
double white_of(const torch::Tensor& anatomy) {
  auto above = anatomy.masked_select(anatomy > 0);
  if (above.numel() == 0) return 1;
  const auto rank =
      std::max<int64_t>(1, static_cast<int64_t>(kWhitePart * static_cast<double>(above.numel())));
  return std::get<0>(above.kthvalue(rank)).item<double>();
}

/// One plane, drawn.
struct Plane {
  torch::Tensor anatomy, scores;
  int64_t row, column;  // of the place
  const char *left_mark, *right_mark;
};

class Drawing {
 public:
  Drawing(const Overlay& overlay, int64_t zoom) : overlay_(overlay), zoom_(zoom) {
    white_ = white_of(overlay.anatomy.voxels);
  }

  void draw(Picture& picture, int64_t left, int64_t top, const Plane& plane) const {
    const auto gray = plane.anatomy.accessor<float, 2>(), score = plane.scores.accessor<float, 2>();
    const int64_t rows = gray.size(0), columns = gray.size(1);
    for (int64_t y = 0; y < rows; ++y)
      for (int64_t x = 0; x < columns; ++x)
        picture.fill(left + zoom_ * x, top + zoom_ * y, zoom_, zoom_,
                     colour(static_cast<double>(gray[y][x]), static_cast<double>(score[y][x])));
    for (int64_t x = 0; x < columns; ++x)
      if (std::abs(x - plane.column) > kCrossGap)
        picture.fill(left + zoom_ * x, top + zoom_ * plane.row + zoom_ / 2, zoom_, 1, kCross);
    for (int64_t y = 0; y < rows; ++y)
      if (std::abs(y - plane.row) > kCrossGap)
        picture.fill(left + zoom_ * plane.column + zoom_ / 2, top + zoom_ * y, 1, zoom_, kCross);
    picture.draw_text(left + 4, top + 4, plane.left_mark, kInk, 2);
    picture.draw_text(left + zoom_ * columns - 14, top + 4, plane.right_mark, kInk, 2);
  }

  void draw_bar(Picture& picture, int64_t left, int64_t top, int64_t width) const {
    const int64_t half = (width - kGap) / 2;
    for (int64_t x = 0; x < half; ++x) {
      const double part = static_cast<double>(x) / static_cast<double>(half - 1);
      picture.fill(left + x, top, 1, kBar, scale_colour(false, 1 - part));
      picture.fill(left + half + kGap + x, top, 1, kBar, scale_colour(true, part));
    }
    const auto number = [](double value) { return fmt::format("{:.3g}", value); };
    const auto at = [&](int64_t x, const std::string& text) {
      picture.draw_text(x, top + kBar + 5, text, kFaint, 2);
    };
    const auto low = number(-overlay_.threshold), high = number(overlay_.threshold),
               end = number(overlay_.highest);
    at(left, number(-overlay_.highest));
    at(left + half - Picture::text_width(low) - 2, low);
    at(left + half + kGap + 2, high);
    at(left + width - Picture::text_width(end), end);
    picture.draw_text(left + width + kGap, top, overlay_.score_name, kFaint, 2);
  }

 private:
  Colour colour(double gray, double score) const {
    if (std::isfinite(score) && std::abs(score) >= overlay_.threshold)
      return scale_colour(score > 0, (std::abs(score) - overlay_.threshold) /
                                         (overlay_.highest - overlay_.threshold));
    return map_colour("gray", gray / white_);
  }
  const Overlay& overlay_;
  int64_t zoom_;
  double white_;
};

}  // namespace

std::array<torch::Tensor, 3> three_planes(const torch::Tensor& voxels,
                                          const std::array<int64_t, 3>& at) {
  return {voxels[at[0]].flip({0, 1}).contiguous(),
          voxels.select(1, at[1]).flip({0, 1}).contiguous(),
          voxels.select(2, at[2]).flip({0, 1}).contiguous()};
}

Picture overlay_picture(const Overlay& overlay, int64_t zoom) {
  for (const auto* volume : {&overlay.anatomy, &overlay.scores})
    require(volume->voxels.defined() && volume->voxels.dim() == 3 &&
                volume->voxels.scalar_type() == torch::kFloat,
            "overlay: anatomy or scores are not float32 [D,H,W]");
  require_same_grid(overlay.anatomy, "anatomy", overlay.scores, "scores");
  require(overlay.highest > overlay.threshold && overlay.threshold >= 0,
          "overlay: colours from {} to {}; expected 0 <= threshold < highest", overlay.threshold,
          overlay.highest);
  const auto& shape = overlay.anatomy.voxels.sizes();
  const Point place = transform_point(inverse(overlay.anatomy.voxel_to_world), overlay.at);
  std::array<int64_t, 3> at{};
  for (size_t d = 0; d < 3; ++d)
    at[d] = static_cast<int64_t>(
        std::clamp(std::round(place[2 - d]), 0.0, static_cast<double>(shape[d] - 1)));
  const auto gray = three_planes(overlay.anatomy.voxels, at),
             score = three_planes(overlay.scores.voxels, at);
  const int64_t k = shape[0] - 1 - at[0], j = shape[1] - 1 - at[1], i = shape[2] - 1 - at[2];
  const Plane planes[3] = {{gray[0], score[0], j, i, "R", "L"},
                           {gray[1], score[1], k, i, "R", "L"},
                           {gray[2], score[2], k, j, "A", "P"}};
  int64_t width = kGap, tallest = 0;
  for (const auto& plane : planes) {
    width += zoom * plane.anatomy.size(1) + kGap;
    tallest = std::max(tallest, zoom * plane.anatomy.size(0));
  }
  const int64_t title = overlay.title.empty() ? 0 : kTitle;
  Picture picture(width, kGap + title + tallest + kGap + kBar + 5 + 18 + kGap, kPaper);
  picture.draw_text(kGap, kGap, overlay.title, kInk, 2);
  const Drawing drawing(overlay, zoom);
  int64_t left = kGap;
  for (const auto& plane : planes) {
    const int64_t top = kGap + title + (tallest - zoom * plane.anatomy.size(0)) / 2;
    drawing.draw(picture, left, top, plane);
    left += zoom * plane.anatomy.size(1) + kGap;
  }
  drawing.draw_bar(picture, kGap, kGap + title + tallest + kGap, std::min<int64_t>(360, width / 2));
  return picture;
}

}  // namespace scintigen
