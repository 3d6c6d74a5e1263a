// SPDX-License-Identifier: Apache-2.0
#include "models/tile_transforms.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "models/aligned_room.h"
#include "models/panel_product.h"
#include "models/vector_loops.h"

namespace scintigen {
namespace {

using c10::BFloat16;

// Matrices of y = kOut [(kTap g) * (kIn d)] in one direction: d the pixels that a tile sees, g the
// taps, y the outputs.

/// Two outputs of three taps, by the points 0, 1, -1 and infinity.
struct ThreeTaps {
  static constexpr int kPoints = 4, kTaps = 3, kOutputs = 2, kStride = 1;
  static constexpr float kIn[4][4] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
  static constexpr float kTap[4][3] = {
      {1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};
  static constexpr float kOut[2][4] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
};

/// Four outputs of three taps, by the points 0, 1, -1, 2, -2 and infinity.
struct ThreeTapsFourOutputs {
  static constexpr int kPoints = 6, kTaps = 3, kOutputs = 4, kStride = 1;
  static constexpr float kIn[6][6] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0},
                                      {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0},
                                      {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
  static constexpr float kTap[6][3] = {{1 / 4.f, 0, 0},
                                       {-1 / 6.f, -1 / 6.f, -1 / 6.f},
                                       {-1 / 6.f, 1 / 6.f, -1 / 6.f},
                                       {1 / 24.f, 1 / 12.f, 1 / 6.f},
                                       {1 / 24.f, -1 / 12.f, 1 / 6.f},
                                       {0, 0, 1}};
  static constexpr float kOut[4][6] = {
      {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};
};

/// Two outputs of two taps: y0 = d0 g0 + d1 g1 = (d0 - d1) g0 + d1 (g0 + g1), y1 = d1 (g0 + g1) -
/// (d1 - d2) g1.
struct TwoTaps {
  static constexpr int kPoints = 3, kTaps = 2, kOutputs = 2, kStride = 2;
  static constexpr float kIn[3][3] = {{1, -1, 0}, {0, 1, 0}, {0, 1, -1}};
  static constexpr float kTap[3][2] = {{1, 0}, {1, 1}, {0, 1}};
  static constexpr float kOut[2][3] = {{1, 1, 0}, {0, 1, -1}};
};

/// Four outputs of two taps, by the points 0, 1, -1, 2 and infinity.
struct TwoTapsFourOutputs {
  static constexpr int kPoints = 5, kTaps = 2, kOutputs = 4, kStride = 2;
  static constexpr float kIn[5][5] = {
      {2, -1, -2, 1, 0}, {0, -2, -1, 1, 0}, {0, 2, -3, 1, 0}, {0, -1, 0, 1, 0}, {0, 2, -1, -2, 1}};
  static constexpr float kTap[5][2] = {
      {1 / 2.f, 0}, {-1 / 2.f, -1 / 2.f}, {-1 / 6.f, 1 / 6.f}, {1 / 6.f, 2 / 6.f}, {0, 1}};
  static constexpr float kOut[4][5] = {
      {1, 1, 1, 1, 0}, {0, 1, -1, 2, 0}, {0, 1, 1, 4, 0}, {0, 1, -1, 8, 1}};
};

/// Four outputs of four taps, by the points 0, 1, -1, 2, -2, 1/2 and infinity.
struct FourTaps {
  static constexpr int kPoints = 7, kTaps = 4, kOutputs = 4, kStride = 1;
  static constexpr float kIn[7][7] = {{-2, 4, 2.5f, -5, -0.5f, 1, 0}, {0, 2, -2, -4.5f, 0.5f, 1, 0},
                                      {0, -2, 6, -3.5f, -1.5f, 1, 0}, {0, 1, -1.5f, -2, 1.5f, 1, 0},
                                      {0, -1, 2.5f, 0, -2.5f, 1, 0},  {0, 4, 0, -5, 0, 1, 0},
                                      {0, -2, 4, 2.5f, -5, -0.5f, 1}};
  static constexpr float kTap[7][4] = {{-1 / 2.f, 0, 0, 0},
                                       {-1 / 3.f, -1 / 3.f, -1 / 3.f, -1 / 3.f},
                                       {1 / 9.f, -1 / 9.f, 1 / 9.f, -1 / 9.f},
                                       {1 / 36.f, 1 / 18.f, 1 / 9.f, 2 / 9.f},
                                       {-1 / 60.f, 1 / 30.f, -1 / 15.f, 2 / 15.f},
                                       {32 / 45.f, 16 / 45.f, 8 / 45.f, 4 / 45.f},
                                       {0, 0, 0, 1}};
  static constexpr float kOut[4][7] = {{1, 1, 1, 1, 1, 1, 0},
                                       {0, 1, -1, 2, -2, 0.5f, 0},
                                       {0, 1, 1, 4, 4, 0.25f, 0},
                                       {0, 1, -1, 8, -8, 0.125f, 1}};
};

// One of the matrices above or its transpose, as a type.
template <class Kind>
struct In {
  static constexpr int kRows = Kind::kPoints, kColumns = Kind::kPoints;
  static constexpr float at(int row, int column) { return Kind::kIn[row][column]; }
};
template <class Kind>
struct Tap {
  static constexpr int kRows = Kind::kPoints, kColumns = Kind::kTaps;
  static constexpr float at(int row, int column) { return Kind::kTap[row][column]; }
};
template <class Kind>
struct Out {
  static constexpr int kRows = Kind::kOutputs, kColumns = Kind::kPoints;
  static constexpr float at(int row, int column) { return Kind::kOut[row][column]; }
};
template <class Matrix>
struct Transposed {
  static constexpr int kRows = Matrix::kColumns, kColumns = Matrix::kRows;
  static constexpr float at(int row, int column) { return Matrix::at(column, row); }
};

#define SCINTIGEN_INLINE_LAMBDA __attribute__((always_inline))

template <int... index, class Work>
SCINTIGEN_INLINE void unrolled(std::integer_sequence<int, index...>, const Work& work) {
  (work(std::integral_constant<int, index>{}), ...);
}
/// work(0), ... work(count - 1), each with a constant that the compiler knows.
template <int count, class Work>
SCINTIGEN_INLINE void unrolled(const Work& work) {
  unrolled(std::make_integer_sequence<int, count>{}, work);
}

/// Sum over k of Matrix(row, k) value(k), without the products by 0, 1 and -1.
template <class Matrix, int row, class Value>
SCINTIGEN_INLINE float weighted_sum(const Value& value) {
  float sum = -0.0f;  // what the first term is added to without an addition
  unrolled<Matrix::kColumns>([&](auto k) SCINTIGEN_INLINE_LAMBDA {
    constexpr float c = Matrix::at(row, k);
    if constexpr (c == 1) {
      sum += value(k);
    } else if constexpr (c == -1) {
      sum -= value(k);
    } else if constexpr (c != 0) {
      sum += c * value(k);
    }
  });
  return sum;
}

/// to = Matrix from Matrix'.
template <class Matrix>
SCINTIGEN_INLINE void sandwich(const float (&from)[Matrix::kColumns][Matrix::kColumns],
                               float (&to)[Matrix::kRows][Matrix::kRows]) {
  constexpr int R = Matrix::kRows, C = Matrix::kColumns;
  float half[R][C];
  unrolled<R>([&](auto r) SCINTIGEN_INLINE_LAMBDA {
    unrolled<C>([&](auto c) SCINTIGEN_INLINE_LAMBDA {
      half[r][c] =
          weighted_sum<Matrix, r>([&](auto k) SCINTIGEN_INLINE_LAMBDA { return from[k][c]; });
    });
  });
  unrolled<R>([&](auto r) SCINTIGEN_INLINE_LAMBDA {
    unrolled<R>([&](auto q) SCINTIGEN_INLINE_LAMBDA {
      to[r][q] =
          weighted_sum<Matrix, q>([&](auto k) SCINTIGEN_INLINE_LAMBDA { return half[r][k]; });
    });
  });
}

/// A square of elements of `count` channels: pixel (i,j) at data + i row + j column.
template <class T>
struct Grid {
  T* data;
  int64_t row, column;
};

template <class Matrix, class T>
SCINTIGEN_INLINE void to_points(Grid<const T> from, int64_t count, T* points, int64_t step) {
  constexpr int R = Matrix::kRows, C = Matrix::kColumns;
#pragma omp simd
  for (int64_t c = 0; c < count; ++c) {
    float seen[C][C], made[R][R];
    unrolled<C>([&](auto i) SCINTIGEN_INLINE_LAMBDA {
      unrolled<C>([&](auto j) SCINTIGEN_INLINE_LAMBDA {
        seen[i][j] = load(from.data + i * from.row + j * from.column + c);
      });
    });
    sandwich<Matrix>(seen, made);
    unrolled<R>([&](auto i) SCINTIGEN_INLINE_LAMBDA {
      unrolled<R>([&](auto j) SCINTIGEN_INLINE_LAMBDA {
        store(made[i][j], points + (i * R + j) * step + c);
      });
    });
  }
}

template <class Matrix, bool add, class T>
SCINTIGEN_INLINE void from_points(const float* points, int64_t step, int64_t count, Grid<T> to) {
  constexpr int R = Matrix::kRows, C = Matrix::kColumns;
#pragma omp simd
  for (int64_t c = 0; c < count; ++c) {
    float seen[C][C], made[R][R];
    unrolled<C>([&](auto i) SCINTIGEN_INLINE_LAMBDA {
      unrolled<C>([&](auto j)
                      SCINTIGEN_INLINE_LAMBDA { seen[i][j] = points[(i * C + j) * step + c]; });
    });
    sandwich<Matrix>(seen, made);
    unrolled<R>([&](auto i) SCINTIGEN_INLINE_LAMBDA {
      unrolled<R>([&](auto j) SCINTIGEN_INLINE_LAMBDA {
        T* at = to.data + i * to.row + j * to.column + c;
        store(add ? load(at) + made[i][j] : made[i][j], at);
      });
    });
  }
}

// Compiled for each instruction set. (A template cannot be multiversioned, so: one for each.)
#define SCINTIGEN_TO_POINTS(T, ...)                                                     \
  SCINTIGEN_CLONES void to_points(__VA_ARGS__, Grid<const T> from, int64_t count, T* p, \
                                  int64_t step) {                                       \
    to_points<__VA_ARGS__>(from, count, p, step);                                       \
  }
#define SCINTIGEN_FROM_POINTS(T, add, ...)                                                    \
  SCINTIGEN_CLONES void from_points(__VA_ARGS__, const float* p, int64_t step, int64_t count, \
                                    Grid<T> to) {                                             \
    from_points<__VA_ARGS__, add>(p, step, count, to);                                        \
  }
#define SCINTIGEN_MAPS_OF(Kind, T)              \
  SCINTIGEN_TO_POINTS(T, In<Kind>)              \
  SCINTIGEN_TO_POINTS(T, Transposed<Out<Kind>>) \
  SCINTIGEN_FROM_POINTS(T, false, Out<Kind>)
#define SCINTIGEN_MAPS(Kind)                               \
  SCINTIGEN_MAPS_OF(Kind, float)                           \
  SCINTIGEN_TO_POINTS(float, Tap<Kind>)                    \
  SCINTIGEN_FROM_POINTS(float, true, Transposed<In<Kind>>) \
  SCINTIGEN_FROM_POINTS(float, false, Transposed<Tap<Kind>>)
SCINTIGEN_MAPS(ThreeTaps)
SCINTIGEN_MAPS(TwoTaps)
SCINTIGEN_MAPS(FourTaps)
SCINTIGEN_MAPS(TwoTapsFourOutputs)
SCINTIGEN_MAPS(ThreeTapsFourOutputs)
SCINTIGEN_MAPS_OF(ThreeTaps, BFloat16)
SCINTIGEN_MAPS_OF(TwoTaps, BFloat16)

/// A map [N,height,width,channels].
template <class T>
struct Map {
  T* data;
  int64_t height, width, channels;
};

/// side x side pixels of a map, every step-th, from (top, left), which may lie outside.
struct Square {
  int64_t image, top, left, step, side;
  Border border = Border::zero;
  template <class T>
  bool inside(const Map<T>& map) const {
    const int64_t reach = (side - 1) * step;
    return top >= 0 && left >= 0 && top + reach < map.height && left + reach < map.width;
  }
  template <class T>
  Grid<T> grid(const Map<T>& map, int64_t channel) const {
    return {map.data + ((image * map.height + top) * map.width + left) * map.channels + channel,
            step * map.width * map.channels, step * map.channels};
  }
  /// work(offset in the map, offset in a patch [side][side][count]) of each pixel that is inside or
  /// stands for one that is.
  template <class T, class Work>
  void each_inside(const Map<T>& map, int64_t count, const Work& work) const {
    for (int64_t i = 0; i < side; ++i) {
      const int64_t row = border_pixel(top + i * step, map.height, border);
      for (int64_t j = 0; row >= 0 && j < side; ++j) {
        const int64_t column = border_pixel(left + j * step, map.width, border);
        if (column >= 0)
          work(((image * map.height + row) * map.width + column) * map.channels,
               (i * side + j) * count);
      }
    }
  }
};

/// A thread's own copy of a square that crosses the border.
template <class T>
T* patch(int64_t count) {
  static thread_local AlignedRoom<T> room;
  return room.of(count);
}

template <class Matrix, class T>
void square_to_points(Map<const T> map, const Square& square, int64_t channel, int64_t count,
                      T* points, int64_t step) {
  const auto grid = square.grid(map, channel);
  if (square.inside(map)) return to_points(Matrix{}, grid, count, points, step);
  T* own = patch<T>(square.side * square.side * count);
  std::fill_n(own, square.side * square.side * count, T(0));
  square.each_inside(map, count, [&](int64_t from, int64_t to) {
    std::copy_n(map.data + channel + from, count, own + to);
  });
  to_points(Matrix{}, Grid<const T>{own, square.side * count, count}, count, points, step);
}

template <class Matrix, bool add, class T>
void points_to_square(const float* points, int64_t step, const Square& square, int64_t channel,
                      int64_t count, Map<T> map) {
  const auto grid = square.grid(map, channel);
  if (square.inside(map)) return from_points(Matrix{}, points, step, count, grid);
  T* own = patch<T>(square.side * square.side * count);
  if (add) std::fill_n(own, square.side * square.side * count, T(0));
  from_points(Matrix{}, points, step, count, Grid<T>{own, square.side * count, count});
  square.each_inside(map, count, [&](int64_t to, int64_t from) {
    for (int64_t c = 0; c < count; ++c) {
      T& at = map.data[channel + to + c];
      at = add ? T(static_cast<float>(at) + static_cast<float>(own[from + c])) : own[from + c];
    }
  });
}

/// work(kind) with the kind of a shape, for maps of type T.
template <class T, class Work>
void with_kind(const TileShape& s, const Work& work) {
  const auto is = [&](auto kind) {
    return s.kernel == kind.kTaps * kind.kStride && s.stride == kind.kStride &&
           s.tile_outputs == kind.kOutputs;
  };
  if (is(ThreeTaps{})) return work(ThreeTaps{});
  if (is(TwoTaps{})) return work(TwoTaps{});
  if constexpr (std::is_same_v<std::remove_const_t<T>, float>) {
    if (is(FourTaps{})) return work(FourTaps{});
    if (is(ThreeTapsFourOutputs{})) return work(ThreeTapsFourOutputs{});
    if (is(TwoTapsFourOutputs{})) return work(TwoTapsFourOutputs{});
  }
  throw Error("minimal filtering: no such kernel, stride and tile");
}

/// The pixels that a tile sees of one phase.
Square seen_by(const TileShape& s, int64_t tile, int64_t phase) {
  const int64_t place = tile % s.tiles_of_image(), step = s.tile_outputs * s.stride;
  return {tile / s.tiles_of_image(),
          place / s.tile_columns() * step + phase / s.stride - 1,
          place % s.tile_columns() * step + phase % s.stride - 1,
          s.stride,
          s.points(),
          s.border};
}

/// The outputs of a tile.
Square made_by(const TileShape& s, int64_t tile) {
  const int64_t place = tile % s.tiles_of_image();
  return {tile / s.tiles_of_image(), place / s.tile_columns() * s.tile_outputs,
          place % s.tile_columns() * s.tile_outputs, 1, s.tile_outputs};
}

template <class T>
Map<T> input_map(const TileShape& s, T* x) {
  return {x, s.height, s.width, s.in};
}
template <class T>
Map<T> output_map(const TileShape& s, T* y) {
  return {y, s.out_height(), s.out_width(), s.out};
}

/// The taps of row `row` of the right sides in weight [in][k][k][out].
template <class T>
Grid<T> taps_of(const TileShape& s, T* weight, int64_t row, int64_t channel) {
  const int64_t phase = row / s.in, c = row % s.in;
  const int64_t first = (c * s.kernel + phase / s.stride) * s.kernel + phase % s.stride;
  return {weight + first * s.out + channel, s.stride * s.kernel * s.out, s.stride * s.out};
}

}  // namespace

template <class T>
void tile_input(const TileShape& s, const T* x, int64_t first, int64_t last, PointSteps steps,
                T* t) {
  with_kind<T>(s, [&](auto kind) {
    for (int64_t tile = first; tile < last; ++tile, t += steps.tile) {
      for (int64_t phase = 0; phase < s.phases(); ++phase)
        square_to_points<In<decltype(kind)>>(input_map(s, x), seen_by(s, tile, phase), 0, s.in,
                                             t + phase * s.in, steps.point);
    }
  });
}

void tile_input_adjoint(const TileShape& s, const float* t, int64_t first, int64_t last,
                        PointSteps steps, int64_t phase, int64_t channel, float* gx) {
  with_kind<float>(s, [&](auto kind) {
    for (int64_t tile = first; tile < last; ++tile, t += steps.tile)
      points_to_square<Transposed<In<decltype(kind)>>, true>(
          t, steps.point, seen_by(s, tile, phase), channel, kPanel, input_map(s, gx));
  });
}

template <class T>
void tile_output(const TileShape& s, const float* p, int64_t first, int64_t last, PointSteps steps,
                 int64_t channel, T* y) {
  with_kind<T>(s, [&](auto kind) {
    for (int64_t tile = first; tile < last; ++tile, p += steps.tile)
      points_to_square<Out<decltype(kind)>, false>(p, steps.point, made_by(s, tile), channel,
                                                   kPanel, output_map(s, y));
  });
}

template <class T>
void tile_output_adjoint(const TileShape& s, const T* gy, int64_t first, int64_t last,
                         PointSteps steps, int64_t channel, T* p) {
  with_kind<T>(s, [&](auto kind) {
    for (int64_t tile = first; tile < last; ++tile, p += steps.tile)
      square_to_points<Transposed<Out<decltype(kind)>>>(output_map(s, gy), made_by(s, tile),
                                                        channel, kPanel, p, steps.point);
  });
}

void tile_weight(const TileShape& s, const float* weight, int64_t first, int64_t last,
                 int64_t channel, float* u) {
  with_kind<float>(s, [&](auto kind) {
    for (int64_t row = first; row < last; ++row)
      to_points(Tap<decltype(kind)>{}, taps_of(s, weight, row, channel), kPanel,
                u + (row - first) * kPanel, (last - first) * kPanel);
  });
}

void tile_weight_transposed(const TileShape& s, const float* weight, int64_t row, int64_t first,
                            int64_t last, int64_t point_step, float* u) {
  const int64_t taps = s.kernel / s.stride, count = (last - first) * kPanel;
  float* turned = patch<float>(taps * taps * count);  // [taps][taps][outputs][32]
  const auto from = taps_of(s, weight, row, first);
  const int64_t next = s.kernel * s.kernel * s.out;  // from channel to channel
  for (int64_t t = 0; t < taps * taps; ++t) {
    const float* tap = from.data + t / taps * from.row + t % taps * from.column;
    float* to = turned + t * count;
    for (int64_t m = 0; m < last - first; m += 8) {  // a cache line at a time
      for (int64_t c = 0; c < kPanel; ++c) {
        const float* line = tap + c * next + m;
        for (int64_t k = 0; k < 8; ++k) to[(m + k) * kPanel + c] = line[k];
      }
    }
  }
  with_kind<float>(s, [&](auto kind) {
    to_points(Tap<decltype(kind)>{}, Grid<const float>{turned, taps * count, count}, count, u,
              point_step);
  });
}

void tile_weight_adjoint(const TileShape& s, const float* u, int64_t first, int64_t last,
                         int64_t channel, float* gweight) {
  with_kind<float>(s, [&](auto kind) {
    for (int64_t row = first; row < last; ++row)
      from_points(Transposed<Tap<decltype(kind)>>{}, u + (row - first) * kPanel,
                  (last - first) * kPanel, kPanel, taps_of(s, gweight, row, channel));
  });
}

template void tile_input(const TileShape&, const float*, int64_t, int64_t, PointSteps, float*);
template void tile_input(const TileShape&, const BFloat16*, int64_t, int64_t, PointSteps,
                         BFloat16*);
template void tile_output(const TileShape&, const float*, int64_t, int64_t, PointSteps, int64_t,
                          float*);
template void tile_output(const TileShape&, const float*, int64_t, int64_t, PointSteps, int64_t,
                          BFloat16*);
template void tile_output_adjoint(const TileShape&, const float*, int64_t, int64_t, PointSteps,
                                  int64_t, float*);
template void tile_output_adjoint(const TileShape&, const BFloat16*, int64_t, int64_t, PointSteps,
                                  int64_t, BFloat16*);

}  // namespace scintigen
