// Portable version of the level operations.
#include "levels.hpp"

namespace icfast {

void sums_portable(const Level& level, const std::uint64_t* sums, int n, Closed& closed) {
  const std::uint64_t complete = mark_of(0, n - 1);
  std::uint64_t ones = 0;
  std::uint64_t twos = 0;
  std::int64_t others = 0;
  std::int64_t incomplete = 0;
  for (std::int64_t i = 0; i + 1 < level.size; ++i) {
    const std::uint64_t sum = sums[i + 1] - sums[i];
    const bool whole = level.mark[i] >= complete;
    ones += whole & (sum == 1);
    twos += whole & (sum == 2);
    closed.other[others] = sum;
    others += whole & (sum > 2);
    closed.at[incomplete] = static_cast<std::uint64_t>(i);
    incomplete += !whole;
  }
  closed.ones = ones;
  closed.twos = twos;
  closed.others = others;
  closed.incomplete = incomplete;
}

void shorten_portable(Level& level, int n) {
  std::int64_t kept = 1;
  for (std::int64_t i = 1; i < level.size; ++i) {
    const std::uint64_t mark = level.mark[i];
    level.mark[kept] = mark;
    level.windows[kept] = level.windows[i];
    if (level.ended) level.followed[kept] = level.followed[i];
    level.children[kept] = static_cast<std::uint64_t>(i);
    kept += static_cast<int>(mark & 0xff) < n;
  }
  level.size = kept;
}

}  // namespace icfast
