// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <png.h>

#include <cmath>
#include <set>

#include "core/picture.h"
#include "core/random.h"
#include "core/temporary_folder.h"

using namespace scintigen;

namespace {

constexpr Colour kWhite = {255, 255, 255};

Colour pixel(const Picture& picture, int64_t x, int64_t y) {
  const uint8_t* at = picture.rgb.data() + (y * picture.width + x) * 3;
  return {at[0], at[1], at[2]};
}

/// Read back by libpng's low-level interface, not the one that wrote it.
Picture read_png(const std::filesystem::path& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file);
  png_read_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  EXPECT_EQ(png_get_color_type(png, info), PNG_COLOR_TYPE_RGB);
  EXPECT_EQ(png_get_bit_depth(png, info), 8);
  Picture picture(png_get_image_width(png, info), png_get_image_height(png, info), {0, 0, 0});
  png_bytepp rows = png_get_rows(png, info);
  for (int64_t y = 0; y < picture.height; ++y)
    std::copy_n(rows[y], picture.width * 3, picture.rgb.begin() + y * picture.width * 3);
  png_destroy_read_struct(&png, &info, nullptr);
  std::fclose(file);
  return picture;
}

int64_t ink(const Picture& picture) {
  int64_t count = 0;
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < picture.width; ++x) count += pixel(picture, x, y) != kWhite;
  return count;
}

}  // namespace

TEST(Picture, PngReadsBackTheSame) {
  TemporaryFolder folder;
  Random random(1, "pixels");
  Picture picture(37, 23, kWhite);
  for (uint8_t& value : picture.rgb) value = static_cast<uint8_t>(random.integer(0, 255));
  write_png(folder / "x.png", picture);
  const Picture back = read_png(folder / "x.png");
  EXPECT_EQ(back.width, 37);
  EXPECT_EQ(back.height, 23);
  EXPECT_EQ(back.rgb, picture.rgb);
  EXPECT_EQ(bytes_of(folder / "x.png"), png_bytes(picture));
  EXPECT_REFUSED(write_png(folder / "x.png/y.png", picture), "its folder cannot be made");
}

TEST(Picture, EveryLetterIsDrawnAndDiffers) {
  std::set<std::vector<uint8_t>> seen;
  for (char c = '!'; c <= '~'; ++c) {
    Picture picture(20, 24, kWhite);
    const int64_t width = picture.draw_text(2, 2, std::string(1, c), {0, 0, 0}, 2);
    EXPECT_GE(ink(picture), 4) << c;
    EXPECT_GE(width, 4) << c;
    EXPECT_LE(width, 12) << c;
    seen.insert(picture.rgb);
  }
  EXPECT_EQ(seen.size(), 93u);  // 0 and O are one
  Picture one(40, 24, kWhite), other(40, 24, kWhite);
  one.draw_text(0, 0, "\xC3\xA9!",
                {0, 0, 0});  // a letter outside ASCII counts once, whatever its bytes
  other.draw_text(0, 0, "?!", {0, 0, 0});
  EXPECT_EQ(one.rgb, other.rgb);
}

TEST(Picture, NothingIsDrawnOutside) {
  Picture picture(10, 10, kWhite);
  picture.fill(-5, -5, 8, 8, {0, 0, 0});
  picture.fill(8, 8, 100, 100, {0, 0, 0});
  picture.fill(20, 20, 5, 5, {0, 0, 0});
  EXPECT_EQ(ink(picture), 9 + 4);
  picture.draw_text(-100, -100, "text far away", {0, 0, 0}, 3);
  picture.draw_text(5, 5, "text over the edge", {0, 0, 0}, 3);
  EXPECT_REFUSED(Picture(0, 5, kWhite), "picture of 0 x 5 pixels");
  EXPECT_REFUSED(Picture(1 << 20, 1 << 20, kWhite), "expected 1 to 200000000 pixels");
}

TEST(ColourMap, EndsOrderAndSmoothness) {
  EXPECT_EQ(map_colour("perfusion", 0), (Colour{0, 0, 0}));
  EXPECT_EQ(map_colour("perfusion", 1), kWhite);
  EXPECT_EQ(map_colour("perfusion", -1), (Colour{0, 0, 0}));
  EXPECT_EQ(map_colour("perfusion", 7), kWhite);
  EXPECT_EQ(map_colour("gray", 0.5), (Colour{128, 128, 128}));
  EXPECT_EQ(map_colour("hot", 0.75), (Colour{255, 255, 0}));
  for (const char* map : {"perfusion", "gray", "hot"}) {
    EXPECT_EQ(map_colour(map, std::nan("")), (Colour{255, 0, 255}));
    Colour before = map_colour(map, 0);
    for (int i = 1; i <= 1000; ++i) {
      const Colour now = map_colour(map, i / 1000.0);
      for (size_t c = 0; c < 3; ++c) EXPECT_LE(std::abs(now[c] - before[c]), 4) << map << i;
      before = now;
    }
  }
  // The order a reader knows: blue, green, yellow, red; white last.
  const auto strongest = [](double value) {
    const Colour c = map_colour("perfusion", value);
    return std::max_element(c.begin(), c.end()) - c.begin();
  };
  EXPECT_EQ(strongest(0.25), 2);
  EXPECT_EQ(strongest(0.57), 1);
  EXPECT_EQ(strongest(0.9), 0);
  EXPECT_REFUSED(map_colour("perfusoin", 0), "did you mean 'perfusion'?");
}

TEST(Sheet, ShowsSlicesAsStored) {
  const torch::Tensor slices = torch::zeros({2, 4, 6});
  slices[0][0][0] = 1.0f;  // anterior, patient right: top left
  slices[1][3][5] = 0.5f;
  const Picture sheet = draw_sheet("t", {{"a", slices, {}}}, "f", "gray", 3);
  std::vector<std::pair<int64_t, int64_t>> full, half;
  for (int64_t y = 0; y < sheet.height; ++y)
    for (int64_t x = 1; x < sheet.width; ++x) {
      if (pixel(sheet, x - 1, y) == Colour{0, 0, 0} && pixel(sheet, x, y) == Colour{128, 128, 128})
        half.emplace_back(x, y);
      if (pixel(sheet, x - 1, y) == kWhite && pixel(sheet, x, y) == Colour{0, 0, 0})
        full.emplace_back(x, y);
    }
  ASSERT_EQ(half.size(), 3u);  // three rows of one pixel at zoom 3
  ASSERT_GE(full.size(), 1u);
  // The white pixel is the first three columns of the first slice's top rows; below it the slice
  // starts at its edge.
  const auto [x0, y0] = full.front();
  EXPECT_EQ(pixel(sheet, x0 - 3, y0 + 3), (Colour{0, 0, 0}));
  EXPECT_EQ(half.front().second, y0 + 9);
  EXPECT_EQ(half.front().first, x0 - 3 + 18 + 6 + 15);  // slice, gap, five columns
}

TEST(Sheet, BreaksRowsAndNeverCutsText) {
  const auto rows = [](int64_t n, const std::string& label) {
    return std::vector<SheetRow>{{label, torch::rand({n, 8, 8}), {}}};
  };
  const Picture one = draw_sheet("t", rows(16, "a"), "", "gray", 8);
  const Picture two = draw_sheet("t", rows(17, "a"), "", "gray", 8);
  EXPECT_LT(two.width, one.width);
  EXPECT_GT(two.height, one.height);
  const std::string lengthy(300, 'w');
  for (const Picture& sheet :
       {draw_sheet(lengthy, rows(1, "a"), ""), draw_sheet("t", rows(1, lengthy), ""),
        draw_sheet("t", rows(1, "a"), lengthy),
        draw_sheet("t", {{"a", torch::rand({1, 8, 8}), {lengthy}}}, "")}) {
    EXPECT_LT(sheet.width, 1200);
    for (int64_t y = 0; y < sheet.height; ++y)
      for (int64_t x : {int64_t{0}, int64_t{15}, sheet.width - 15, sheet.width - 1})
        ASSERT_EQ(pixel(sheet, x, y), kWhite) << "something in the margin";
    for (int64_t x = 0; x < sheet.width; ++x) {
      ASSERT_EQ(pixel(sheet, x, 10), kWhite);
      ASSERT_EQ(pixel(sheet, x, sheet.height - 5), kWhite);
    }
  }
  EXPECT_NO_THROW(draw_sheet("", {}, ""));
  EXPECT_NO_THROW(draw_sheet("none", {{"a", torch::zeros({0, 8, 8}), {}}}, ""));
}

TEST(Sheet, Refusals) {
  const torch::Tensor slices = torch::zeros({2, 4, 6});
  EXPECT_REFUSED(draw_sheet("t", {{"a", slices[0], {}}}, ""), "slices of row 'a' are not [n,H,W]");
  EXPECT_REFUSED(draw_sheet("t", {{"a", torch::Tensor(), {}}}, ""), "not [n,H,W]");
  EXPECT_REFUSED(draw_sheet("t", {{"a", slices, {}}, {"b", slices.transpose(1, 2), {}}}, ""),
                 "'b' are 6 x 4; expected 4 x 6");
  EXPECT_REFUSED(draw_sheet("t", {{"a", slices, {"one"}}}, ""), "1 captions for 2 slices");
  EXPECT_REFUSED(draw_sheet("t", {{"a", slices, {}}}, "", "jet"),
                 "expected perfusion, gray or hot");
  EXPECT_REFUSED(draw_sheet("t", {{"a", slices, {}}}, "", "gray", 0), "zoom of 0");
  EXPECT_REFUSED(
      draw_sheet("t", {{"a", torch::zeros({1}).expand({200, 2000, 2000}), {}}}, "", "gray", 64),
      "pixels");
}
