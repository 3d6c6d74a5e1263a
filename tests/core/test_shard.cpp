// SPDX-License-Identifier: Apache-2.0
// Shards: every item belongs to one, and what is no shard is refused.
#include <gtest/gtest.h>

#include "core/shard.h"
#include "core/temporary_folder.h"

namespace scintigen {
namespace {

TEST(Shard, DividesItems) {
  EXPECT_EQ(parse_shard("").count, 1);
  EXPECT_TRUE(parse_shard("").has(17));
  EXPECT_EQ(parse_shard("2/8").folder(), "shards/2-of-8");
  for (int64_t item = 0; item < 20; ++item) {
    int64_t owners = 0;
    for (const char* shard : {"1/3", "2/3", "3/3"}) owners += parse_shard(shard).has(item);
    EXPECT_EQ(owners, 1);
  }
}

TEST(Shard, RefusesWhatIsNone) {
  for (const char* text : {"0/2", "3/2", "1", "1/", "/2", "a/b", "1/2x", "-1/2", "1/100001"})
    EXPECT_REFUSED(parse_shard(text), "expected i/n with i from 1 to n, such as 2/8");
}

}  // namespace
}  // namespace scintigen
