// SPDX-License-Identifier: Apache-2.0
#include "core/connected_components.h"

#include <algorithm>

#include "core/error.h"

namespace scintigen {
namespace {

struct Run {
  int32_t begin, end;  // along W, end exclusive
  int32_t parent;      // index of a run; its own where it is a root
};

/// Runs of all lines in raster order; line l = k * H + j holds runs [first[l], first[l + 1]).
struct Runs {
  std::vector<Run> runs;
  std::vector<int32_t> first;

  int32_t root(int32_t r) {
    while (runs[static_cast<size_t>(r)].parent != r) {
      int32_t& parent = runs[static_cast<size_t>(r)].parent;
      parent = runs[static_cast<size_t>(parent)].parent;
      r = parent;
    }
    return r;
  }

  /// The earlier root wins: labels come out in raster order.
  void join(int32_t a, int32_t b) {
    a = root(a), b = root(b);
    if (a < b) runs[static_cast<size_t>(b)].parent = a;
    if (b < a) runs[static_cast<size_t>(a)].parent = b;
  }

  /// Runs of lines `a` and `b` that overlap, or come within `reach` voxels of it.
  void join_lines(int64_t a, int64_t b, int32_t reach) {
    int32_t p = first[static_cast<size_t>(a)], q = first[static_cast<size_t>(b)];
    const int32_t p_end = first[static_cast<size_t>(a) + 1],
                  q_end = first[static_cast<size_t>(b) + 1];
    while (p < p_end && q < q_end) {
      const Run &one = runs[static_cast<size_t>(p)], &other = runs[static_cast<size_t>(q)];
      if (one.begin < other.end + reach && other.begin < one.end + reach) join(p, q);
      if (one.end < other.end)
        ++p;
      else
        ++q;
    }
  }
};

Runs find_runs(const bool* inside, int64_t lines, int64_t width) {
  Runs found;
  found.first.reserve(static_cast<size_t>(lines) + 1);
  for (int64_t l = 0; l < lines; ++l) {
    found.first.push_back(static_cast<int32_t>(found.runs.size()));
    const bool* const line = inside + l * width;
    for (int64_t i = 0; i < width;) {
      while (i < width && !line[i]) ++i;
      if (i == width) break;
      const int64_t begin = i;
      while (i < width && line[i]) ++i;
      found.runs.push_back({static_cast<int32_t>(begin), static_cast<int32_t>(i),
                            static_cast<int32_t>(found.runs.size())});
    }
  }
  found.first.push_back(static_cast<int32_t>(found.runs.size()));
  return found;
}

torch::Tensor as_bool(const torch::Tensor& mask, const char* who) {
  require(mask.defined() && mask.dim() == 3, "{}: mask has {} dimensions; expected 3 [D,H,W]", who,
          mask.defined() ? mask.dim() : 0);
  require(mask.numel() < (int64_t{1} << 31), "{}: {} voxels; expected fewer than 2^31", who,
          mask.numel());
  return mask.to(torch::kCPU).ne(0).contiguous();
}

}  // namespace

Components connected_components(const torch::Tensor& mask, Neighbours neighbours) {
  const auto inside = as_bool(mask, "connected_components");
  const int64_t depth = inside.size(0), height = inside.size(1), width = inside.size(2);
  Runs found = find_runs(inside.data_ptr<bool>(), depth * height, width);
  const int32_t by_face = neighbours == Neighbours::kFaces6 ? 0 : 1;
  const int32_t by_edge = neighbours == Neighbours::kCorners26 ? 1 : 0;
  for (int64_t k = 0; k < depth; ++k)
    for (int64_t j = 0; j < height; ++j) {
      const int64_t line = k * height + j;
      if (j > 0) found.join_lines(line, line - 1, by_face);
      if (k > 0) found.join_lines(line, line - height, by_face);
      if (k == 0 || neighbours == Neighbours::kFaces6) continue;
      if (j > 0) found.join_lines(line, line - height - 1, by_edge);
      if (j + 1 < height) found.join_lines(line, line - height + 1, by_edge);
    }

  Components result{torch::zeros(inside.sizes(), torch::kInt32), {inside.numel()}};
  std::vector<int32_t> label(found.runs.size());
  auto* const out = result.labels.data_ptr<int32_t>();
  for (int64_t line = 0; line < depth * height; ++line)
    for (int32_t r = found.first[static_cast<size_t>(line)];
         r < found.first[static_cast<size_t>(line) + 1]; ++r) {
      const int32_t root = found.root(r);
      if (root == r) {
        label[static_cast<size_t>(r)] = static_cast<int32_t>(result.sizes.size());
        result.sizes.push_back(0);
      }
      const int32_t own = label[static_cast<size_t>(r)] = label[static_cast<size_t>(root)];
      const Run& run = found.runs[static_cast<size_t>(r)];
      std::fill(out + line * width + run.begin, out + line * width + run.end, own);
      result.sizes[static_cast<size_t>(own)] += run.end - run.begin;
      result.sizes[0] -= run.end - run.begin;
    }
  return result;
}

torch::Tensor largest_component(const torch::Tensor& mask, Neighbours neighbours) {
  const auto found = connected_components(mask, neighbours);
  if (found.sizes.size() == 1) return found.labels.ne(0);
  const auto largest = std::max_element(found.sizes.begin() + 1, found.sizes.end());
  return found.labels.eq(static_cast<int64_t>(largest - found.sizes.begin()));
}

torch::Tensor fill_holes(const torch::Tensor& mask) {
  const auto outside = as_bool(mask, "fill_holes").logical_not();
  const auto found = connected_components(outside, Neighbours::kFaces6);
  std::vector<uint8_t> at_border(found.sizes.size(), 0);
  const int64_t sides[3] = {outside.size(0), outside.size(1), outside.size(2)};
  for (int64_t axis = 0; axis < 3; ++axis)
    for (const int64_t at : {int64_t{0}, sides[axis] - 1}) {
      if (sides[axis] == 0) continue;
      const auto face = found.labels.select(axis, at).contiguous();
      const auto* const label = face.data_ptr<int32_t>();
      for (int64_t v = 0; v < face.numel(); ++v) at_border[static_cast<size_t>(label[v])] = 1;
    }
  auto filled = torch::empty(outside.sizes(), torch::kBool);
  const auto* const label = found.labels.data_ptr<int32_t>();
  auto* const out = filled.data_ptr<bool>();
  for (int64_t v = 0; v < filled.numel(); ++v)
    out[v] = label[v] == 0 || !at_border[static_cast<size_t>(label[v])];
  return filled;
}

}  // namespace scintigen
