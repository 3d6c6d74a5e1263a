// SPDX-License-Identifier: Apache-2.0
// A part of a job that is divided among machines: --shard 2/8.
#pragma once
#include <cstdint>
#include <string>

namespace scintigen {

/// Item i belongs to shard i mod count.
struct Shard {
  int64_t index = 0, count = 1;  ///< index from 0
  bool has(int64_t item) const { return item % count == index; }
  std::string folder() const;  ///< "shards/2-of-8": where its run record and log lie
};

/// "2/8"; "" is the whole. throws Error: anything else
Shard parse_shard(const std::string& text);

}  // namespace scintigen
