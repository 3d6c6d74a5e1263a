// SPDX-License-Identifier: Apache-2.0
#include "core/shard.h"

#include <fmt/format.h>

#include <charconv>

#include "core/error.h"

namespace scintigen {

std::string Shard::folder() const { return fmt::format("shards/{}-of-{}", index + 1, count); }

Shard parse_shard(const std::string& text) {
  if (text.empty()) return {};
  Shard shard;
  const char *at = text.data(), *end = at + text.size();
  const auto [slash, first] = std::from_chars(at, end, shard.index);
  const bool divided = first == std::errc() && slash != end && *slash == '/';
  const auto [last, second] =
      divided ? std::from_chars(slash + 1, end, shard.count) : std::from_chars_result{at, first};
  require(divided && second == std::errc() && last == end && shard.count >= 1 && shard.index >= 1 &&
              shard.index <= shard.count && shard.count <= 100000,
          "--shard {}: expected i/n with i from 1 to n, such as 2/8", text);
  --shard.index;
  return shard;
}

}  // namespace scintigen
