// SPDX-License-Identifier: Apache-2.0
#include "models/tile_convolution.h"

#include <algorithm>
#include <type_traits>

#include "models/aligned_room.h"
#include "models/panel_product.h"
#include "models/parallel_parts.h"
#include "models/vector_loops.h"

namespace scintigen {
namespace {

using c10::BFloat16;
// Tiles at a time. Point by point: the transformed pixels of one point stay in a core's cache while
// they meet the weights of all outputs.
constexpr int64_t kGroup = 64;
constexpr int64_t kSquare = kPanel * kPanel;

/// A thread's own memory.
template <class T>
struct Own {
  AlignedRoom<T> left, left_pairs, right, right_pairs, packed;
  AlignedRoom<float> block, products;
};
template <class T>
Own<T>& own() {
  static thread_local Own<T> memory;
  return memory;
}

/// Tiles first..last-1 and the room for their rows: whole register tiles, the last ones zero.
struct Group {
  Group(int64_t first_tile, int64_t end) : first(first_tile), last(std::min(first + kGroup, end)) {}
  int64_t tiles() const { return last - first; }
  int64_t rows() const { return (tiles() + kTile - 1) / kTile * kTile; }
  template <class T>
  void clear_rest(int64_t products, int64_t columns, T* points) const {
    for (int64_t p = 0; p < products; ++p)
      std::fill_n(points + (p * rows() + tiles()) * columns, (rows() - tiles()) * columns, T(0));
  }
  PointSteps steps(int64_t columns) const { return {rows() * columns, columns}; }
  int64_t first, last;
};

/// The transformed pixels of a group, [products][rows][depth].
template <class T>
const T* seen_points(const TileShape& s, const T* x, const Group& group, AlignedRoom<T>& room) {
  T* points = room.of(s.products() * group.rows() * s.depth());
  tile_input(s, x, group.first, group.last, group.steps(s.depth()), points);
  group.clear_rest(s.products(), s.depth(), points);
  return points;
}

/// The transformed gradients of 32 outputs from `channel`, [products][rows][32].
template <class T>
void spread_points(const TileShape& s, const T* gy, const Group& group, int64_t channel,
                   T* points) {
  tile_output_adjoint(s, gy, group.first, group.last, group.steps(kPanel), channel, points);
  group.clear_rest(s.products(), kPanel, points);
}

/// Right sides [products][depth][32] for 32 outputs from `channel`.
template <class T>
void pack_weight(const TileShape& s, const float* weight, int64_t channel, T* packed) {
  if constexpr (std::is_same_v<T, float>) {
    tile_weight(s, weight, 0, s.depth(), channel, packed);
  } else {
    float* block = own<T>().block.of(s.products() * s.depth() * kPanel);
    tile_weight(s, weight, 0, s.depth(), channel, block);
    pack_panel(block, s.products() * s.depth(), kPanel, 0, packed);
  }
}

/// Right sides for the gradient of x, [products][out][32], for 32 rows of depth from `row`.
template <class T>
void pack_transposed_weight(const TileShape& s, const float* weight, int64_t row, T* packed) {
  if constexpr (std::is_same_v<T, float>) {
    for (int64_t m = 0; m < s.out; m += kPanel)
      tile_weight_transposed(s, weight, row, m, m + kPanel, s.out * kPanel, packed + m * kPanel);
  } else {
    float* block = own<T>().block.of(s.products() * kSquare);
    for (int64_t m = 0; m < s.out; m += kPanel) {
      tile_weight_transposed(s, weight, row, m, m + kPanel, kSquare, block);
      for (int64_t p = 0; p < s.products(); ++p)
        pack_panel(block + p * kSquare, kPanel, kPanel, 0, packed + (p * s.out + m) * kPanel);
    }
  }
}

/// What units first..last-1 (in_even_parts()) of rows of `columns` are: work(row, columns
/// from..to-1), and of which columns any row of them has.
struct Units {
  int64_t first, last, columns;
  int64_t from() const { return one_row() ? first % columns : 0; }
  int64_t to() const { return one_row() ? (last - 1) % columns + 1 : columns; }
  template <class Work>
  void each_row(const Work& work) const {
    for (int64_t row = first / columns; row * columns < last; ++row)
      work(row, std::max<int64_t>(first - row * columns, 0),
           std::min(last - row * columns, columns));
  }

 private:
  bool one_row() const { return first / columns == (last - 1) / columns; }
};

/// Whether threads had better share the columns alone: what is done for rows is done by each of
/// them, and what is done for columns is more.
bool share_columns(int64_t rows, int64_t columns) {
  return rows < columns && columns / kPanel >= at::get_num_threads();
}

/// Adds to gx, float32. A thread takes whole images or some of their channels, because tiles
/// overlap.
template <class T>
void data_gradient(const TileShape& s, const T* gy, const float* weight, float* gx) {
  const int64_t products = s.products(), size = products * s.out * kPanel;
  // Images that fill a group at least.
  const int64_t bundle = share_columns(s.tiles(), s.depth())
                             ? s.images
                             : std::max<int64_t>(1, kGroup / s.tiles_of_image());
  const int64_t bundles = (s.images + bundle - 1) / bundle;
  in_even_parts(bundles, s.depth() / kPanel, [&](int64_t first_unit, int64_t last_unit) {
    auto& memory = own<T>();
    const Units units{first_unit, last_unit, s.depth() / kPanel};
    T* packed = memory.packed.of((units.to() - units.from()) * size);
    for (int64_t k = units.from(); k < units.to(); ++k)
      pack_transposed_weight(s, weight, k * kPanel, packed + (k - units.from()) * size);
    units.each_row([&](int64_t b, int64_t from, int64_t to) {
      const int64_t end = std::min((b + 1) * bundle, s.images) * s.tiles_of_image();
      for (int64_t first = b * bundle * s.tiles_of_image(); first < end; first += kGroup) {
        const Group group(first, end);
        const int64_t rows = group.rows(), spread_size = products * rows * kPanel;
        T* spread = memory.left.of(s.out / kPanel * spread_size);
        float* sums = memory.products.of((to - from) * spread_size);
        for (int64_t m = 0; m < s.out; m += kPanel)
          spread_points(s, gy, group, m, spread + m / kPanel * spread_size);
        for (int64_t p = 0; p < products; ++p) {
          const LeftSide<T> left{spread + p * rows * kPanel, kPanel, kStep<T>, kTile * kPanel,
                                 spread_size};
          for (int64_t k = from; k < to; ++k)
            multiply_panel(left, packed + (k - units.from()) * size + p * s.out * kPanel,
                           kPanel / kStep<T>, s.out / kPanel, rows / kTile,
                           sums + (k - from) * spread_size + p * rows * kPanel, kPanel,
                           kTile * kPanel, false);
        }
        for (int64_t k = from; k < to; ++k)
          tile_input_adjoint(s, sums + (k - from) * spread_size, group.first, group.last,
                             group.steps(kPanel), k * kPanel / s.in, k * kPanel % s.in, gx);
      }
    });
  });
}

/// The transformed pixels and gradients of some tiles as the two sides of products over tiles.
template <class T>
const T* as_pairs(const T* rows, int64_t products, int64_t tiles, int64_t columns,
                  AlignedRoom<T>& room) {
  if constexpr (kStep<T> == 1) {
    return rows;
  } else {
    T* pairs = room.of(products * tiles * columns);
    interleave_rows(rows, products * tiles, columns, pairs);
    return pairs;
  }
}

template <class T>
void weight_gradient(const TileShape& s, const T* gy, const T* x, float* gweight) {
  const int64_t products = s.products(), depth = s.depth();
  in_parts(s.out / kPanel, depth / kPanel,
           [&](int64_t from, int64_t to, int64_t first_row, int64_t last_row) {
             auto& memory = own<T>();
             const int64_t rows = (last_row - first_row) * kPanel, size = products * rows * kPanel;
             float* sums = memory.products.of((to - from) * size);
             for (int64_t first = 0; first < s.tiles(); first += kGroup) {
               const Group group(first, s.tiles());
               const int64_t tiles = group.rows();
               const T* left = as_pairs(seen_points(s, x, group, memory.left), products, tiles,
                                        depth, memory.left_pairs);
               const int64_t panel = products * tiles * kPanel;
               T* spread = memory.right.of((to - from) * panel);
               for (int64_t m = from; m < to; ++m)
                 spread_points(s, gy, group, m * kPanel, spread + (m - from) * panel);
               const T* right =
                   as_pairs(spread, (to - from) * products, tiles, kPanel, memory.right_pairs);
               for (int64_t p = 0; p < products; ++p) {
                 const LeftSide<T> side{left + p * tiles * depth + first_row * kPanel * kStep<T>,
                                        kStep<T>, kStep<T> * depth, kStep<T> * kTile, 0};
                 for (int64_t m = 0; m < to - from; ++m)
                   multiply_panel(side, right + m * panel + p * tiles * kPanel, tiles / kStep<T>, 1,
                                  rows / kTile, sums + m * size + p * rows * kPanel, kPanel,
                                  kTile * kPanel, first > 0);
               }
             }
             for (int64_t m = from; m < to; ++m) {
               tile_weight_adjoint(s, sums + (m - from) * size, first_row * kPanel,
                                   last_row * kPanel, m * kPanel, gweight);
             }
           });
}

SCINTIGEN_CLONES void round_all(const float* from, int64_t count, BFloat16* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) store(from[i], to + i);
}

}  // namespace

bool tile_convolution_applies(const TileShape& s, bool bfloat16) {
  return panel_product_runs() && !(bfloat16 && s.points() > 4) && s.in % kPanel == 0 &&
         s.out % kPanel == 0 && s.images > 0 && s.height > 1 && s.width > 1 &&
         s.height % s.stride == 0 && s.width % s.stride == 0;
}

template <class T>
void tile_convolution_forward(const TileShape& s, const T* x, const float* weight, T* y) {
  const int64_t products = s.products(), depth = s.depth();
  const int64_t bundle = share_columns(s.tiles(), s.out) ? s.tiles() : kGroup;
  const int64_t bundles = (s.tiles() + bundle - 1) / bundle;
  in_even_parts(bundles, s.out / kPanel, [&](int64_t first_unit, int64_t last_unit) {
    auto& memory = own<T>();
    const Units units{first_unit, last_unit, s.out / kPanel};
    const int64_t size = products * depth * kPanel;
    T* packed = memory.packed.of((units.to() - units.from()) * size);
    for (int64_t m = units.from(); m < units.to(); ++m)
      pack_weight(s, weight, m * kPanel, packed + (m - units.from()) * size);
    units.each_row([&](int64_t b, int64_t from, int64_t to) {
      const int64_t end = std::min((b + 1) * bundle, s.tiles());
      for (int64_t first = b * bundle; first < end; first += kGroup) {
        const Group group(first, end);
        const int64_t rows = group.rows(), panel = products * rows * kPanel;
        const T* seen = seen_points(s, x, group, memory.left);
        float* sums = memory.products.of((to - from) * panel);
        for (int64_t p = 0; p < products; ++p) {
          const LeftSide<T> left{seen + p * rows * depth, depth, kStep<T>, kTile * depth, 0};
          for (int64_t m = from; m < to; ++m)
            multiply_panel(left, packed + (m - units.from()) * size + p * depth * kPanel,
                           depth / kStep<T>, 1, rows / kTile,
                           sums + (m - from) * panel + p * rows * kPanel, kPanel, kTile * kPanel,
                           false);
        }
        for (int64_t m = from; m < to; ++m)
          tile_output(s, sums + (m - from) * panel, group.first, group.last, group.steps(kPanel),
                      m * kPanel, y);
      }
    });
  });
}

template <class T>
void tile_convolution_backward(const TileShape& s, const T* gy, const T* x, const float* weight,
                               T* gx, float* gweight) {
  if (gx != nullptr) {
    // Tiles overlap, so they add, in float32.
    const int64_t image = s.height * s.width * s.in;
    constexpr bool direct = std::is_same_v<T, float>;
    static thread_local AlignedRoom<float> room;
    float* sums = nullptr;
    if constexpr (direct) {
      sums = gx;
    } else {
      sums = room.of(s.images * image);
    }
    in_parts(s.images, 1, [&](int64_t from, int64_t to, int64_t, int64_t) {
      std::fill_n(sums + from * image, (to - from) * image, 0.0f);
    });
    data_gradient(s, gy, weight, sums);
    if constexpr (!direct) {
      in_parts(s.images, 1, [&](int64_t from, int64_t to, int64_t, int64_t) {
        round_all(sums + from * image, (to - from) * image, gx + from * image);
      });
    }
  }
  if (gweight != nullptr) weight_gradient(s, gy, x, gweight);
}

template void tile_convolution_forward(const TileShape&, const float*, const float*, float*);
template void tile_convolution_forward(const TileShape&, const BFloat16*, const float*, BFloat16*);
template void tile_convolution_backward(const TileShape&, const float*, const float*, const float*,
                                        float*, float*);
template void tile_convolution_backward(const TileShape&, const BFloat16*, const BFloat16*,
                                        const float*, BFloat16*, float*);

}  // namespace scintigen
