#include "engine/statement_cache.h"

#include <functional>

#include "engine/prepared_statement.h"

namespace dosql::engine {

StatementCache::StatementCache() { entries_.reserve(kCapacity); }
StatementCache::~StatementCache() { clear(); }

std::unique_ptr<PreparedStatement> StatementCache::take(std::string_view sql) {
  const std::size_t hash = std::hash<std::string_view>{}(sql);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if (entry->hash != hash || entry->statement->text() != sql) continue;
    std::unique_ptr<PreparedStatement> found = std::move(entry->statement);
    entries_.erase(std::next(entry).base());
    return found;
  }
  return nullptr;
}

void StatementCache::put(std::unique_ptr<PreparedStatement> statement) {
  if (entries_.size() == kCapacity) entries_.erase(entries_.begin());
  const std::size_t hash = std::hash<std::string_view>{}(statement->text());
  entries_.push_back(Entry{hash, std::move(statement)});
}

void StatementCache::clear() {
  entries_.clear();
  delete take_blank();
}

}  // namespace dosql::engine
