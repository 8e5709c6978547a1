// Scans sorted distinct windows as a trie: which n-grams end and which begin at each entry.
#pragma once
#include "icfast/counting.hpp"

namespace icfast {

/// Pointer into the sorted document ends, which moves along with a run.
template <int W>
class EndCursor {
 public:
  explicit EndCursor(const Ends<W>& ends) : ends_(ends) {}

  /// Whether a document may end with a window from first to last. If not, ended() need not be
  /// called for them.
  bool may_end(std::uint32_t lead, const Key<W>& first, const Key<W>& last) {
    if (!placed_) place(lead, first);
    return next_ < ends_.size && (ends_.leads[next_] < lead ||
                                  (ends_.leads[next_] == lead && !(last < ends_.keys[next_])));
  }

  /// Number of documents that end with this window. Windows must ascend from call to call.
  std::uint64_t count(std::uint32_t lead, const Key<W>& key) {
    if (!placed_) place(lead, key);
    while (next_ < ends_.size && before(next_, lead, key)) ++next_;
    const bool here = next_ < ends_.size && ends_.leads[next_] == lead && ends_.keys[next_] == key;
    return here ? ends_.counts[next_] : 0;
  }

 private:
  bool before(std::int64_t i, std::uint32_t lead, const Key<W>& key) const {
    return ends_.leads[i] < lead || (ends_.leads[i] == lead && ends_.keys[i] < key);
  }

  void place(std::uint32_t lead, const Key<W>& key) {
    std::int64_t high = ends_.size;
    while (next_ < high) {
      const std::int64_t middle = next_ + (high - next_) / 2;
      if (before(middle, lead, key)) {
        next_ = middle + 1;
      } else {
        high = middle;
      }
    }
    placed_ = true;
  }

  const Ends<W>& ends_;
  std::int64_t next_ = 0;
  bool placed_ = false;
};

/// The last window, kept between calls in `path`: [0] whether there is one, [1] its lead, [2..] its
/// key.
template <int W>
class Path {
 public:
  Path(std::uint64_t* path, const KeyShape<W>& shape) : path_(path), shape_(shape) {
    for (int w = 0; w < W; ++w) key_.word[w] = path[2 + w];
    history_ = shape.history_length(key_);
  }

  ~Path() {
    for (int w = 0; w < W; ++w) path_[2 + w] = key_.word[w];
  }

  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  bool empty() const { return path_[0] == 0; }
  int history() const { return history_; }
  void clear() { path_[0] = 0; }

  /// Number of orders that the new window shares with the last one; -1 if it does not ascend.
  int shared_orders(std::uint32_t lead, const Key<W>& key) const {
    if (empty() || path_[1] < lead) return 0;
    if (path_[1] > lead || !(key_ < key)) return -1;
    return 1 + shape_.shared_symbols(key_, key);
  }

  void move_to(std::uint32_t lead, const Key<W>& key) {
    path_[0] = 1;
    path_[1] = lead;
    key_ = key;
    history_ = shape_.history_length(key);
  }

  /// Whether the last window's n-gram is complete (tokens only) or starting (one begin mark, then
  /// tokens).
  bool complete(int n) const { return n - 1 <= history_; }
  bool starting(int n) const { return n - 1 == history_ + 1; }
  /// Highest order, at most N, at which the last window is an n-gram.
  int deepest() const { return history_ + 2 < shape_.order() ? history_ + 2 : shape_.order(); }

  std::uint32_t lead() const { return static_cast<std::uint32_t>(path_[1]); }
  /// The oldest symbol of the order-n n-gram.
  std::uint32_t oldest(int n) const { return n == 1 ? lead() : shape_.symbol(key_, n - 1); }

 private:
  std::uint64_t* path_;
  const KeyShape<W>& shape_;
  Key<W> key_{};
  int history_ = 0;
};

}  // namespace icfast
