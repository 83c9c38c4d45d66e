// Idle statements of a connection, by their text.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

namespace dosql::engine {

class PreparedStatement;

// One thread at a time. A search goes over at most kCapacity hashes.
class StatementCache {
 public:
  static constexpr std::size_t kCapacity = 32;

  StatementCache();
  ~StatementCache();

  // Takes out an idle statement of exactly this text; null when there is none.
  std::unique_ptr<PreparedStatement> take(std::string_view sql);
  // Keeps it; the one that was idle longest goes when there are too many.
  void put(std::unique_ptr<PreparedStatement> statement);
  void clear();

 private:
  struct Entry {
    std::size_t hash;
    std::unique_ptr<PreparedStatement> statement;
  };
  std::vector<Entry> entries_;  // longest idle first
};

}  // namespace dosql::engine
