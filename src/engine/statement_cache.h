// Idle statements of a connection, by their text.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace dosql::engine {

class PreparedStatement;

// One thread at a time. A search goes over at most kCapacity hashes.
class StatementCache {
 public:
  static constexpr std::size_t kCapacity = 32;

  StatementCache();
  ~StatementCache();
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  // Takes out an idle statement of exactly this text; null when there is none.
  std::unique_ptr<PreparedStatement> take(std::string_view sql);
  // Keeps it; the one that was idle longest goes when there are too many.
  void put(std::unique_ptr<PreparedStatement> statement);
  // One that stands for no statement any more, to save who compiles next the making of another; may be null.
  PreparedStatement* take_blank() { return std::exchange(blank_, nullptr); }
  // False: there is one already.
  bool put_blank(PreparedStatement* blank) {
    if (blank_ != nullptr) return false;
    blank_ = blank;
    return true;
  }
  void clear();

 private:
  struct Entry {
    std::size_t hash;
    std::unique_ptr<PreparedStatement> statement;
  };
  std::vector<Entry> entries_;          // longest idle first
  PreparedStatement* blank_ = nullptr;  // its own
};

}  // namespace dosql::engine
