#include "engine/own_changes.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "diff/pointer_map.h"
#include "diff/schema.h"
#include "engine/connection_state.h"
#include "engine/sqlite_running.h"
#include "engine/table_shape.h"

namespace dosql::engine {
namespace {

// The store keeps no counter (V5): these bytes of page 1 are the handle's.
void forget_counter(std::span<std::byte> page1) {
  constexpr std::size_t kCounter = 24;
  constexpr std::size_t kCounterCopy = 92;
  for (const std::size_t at : {kCounter, kCounterCopy}) std::ranges::fill(page1.subspan(at, 4), std::byte{0});
}

// Of those that the version has.
Result<std::vector<PageNo>> changed_pages(ConnectionState& connection) {
  sqlite3* const db = connection.db();
  MainFile& file = connection.file();
  std::vector<PageNo> changed;
  std::vector<std::byte> before(kPageBytes);
  std::vector<std::byte> now(kPageBytes);
  for (dosql_written_page page{}; dosql_next_written_page(db, &page) != 0;) {
    if (page.content != nullptr) {
      std::memcpy(now.data(), page.content, now.size());
    } else if (const int rc = file.read(std::uint64_t{page.number - 1} * kPageBytes, now); rc != SQLITE_OK) {
      return connection.error(rc);
    }
    if (const int rc = file.read_base(PageNo{page.number}, 0, before); rc != SQLITE_OK)
      return connection.error(rc);
    if (page.number == 1) {
      forget_counter(before);
      forget_counter(now);
    }
    if (before != now) changed.push_back(PageNo{page.number});
  }
  return changed;
}

// The b-trees of the version that are others by now. What comes into one, or leaves it, changes a page of
// it. None: it cannot be told.
Result<std::optional<std::set<PageNo>>> changed_trees(ConnectionState& connection,
                                                      const std::vector<PageNo>& pages) {
  std::optional<std::set<PageNo>> roots;
  version::Reader reader(connection.core().store());
  reader.pin(connection.file().point());
  if (reader.point().page_count == 0) return roots;
  DOSQL_ASSIGN_OR_RETURN(std::optional<diff::PointerMap> map, diff::PointerMap::open(reader));
  if (!map) return roots;
  roots.emplace();
  for (const PageNo page : pages) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<PageNo> root, map->root_of(page));
    if (root) roots->insert(*root);
  }
  return roots;
}

}  // namespace

Result<OwnChanges> OwnChanges::find(ConnectionState& connection) {
  OwnChanges found;
  if (dosql_has_written(connection.db()) == 0) return found;
  DOSQL_ASSIGN_OR_RETURN(const std::vector<PageNo> pages, changed_pages(connection));
  found.is_empty_ = pages.empty() && dosql_has_resized(connection.db()) == 0;
  if (found.is_empty_) return found;
  DOSQL_RETURN_IF_ERROR(connection.file().await_point());
  DOSQL_ASSIGN_OR_RETURN(const auto trees, changed_trees(connection, pages));
  if (!trees) return found;
  DOSQL_ASSIGN_OR_RETURN(const auto schema, connection.schemas().of(connection.file().point()));
  for (const TableShape& table : schema->tables) {
    if (raw(table.root) != 0 && !trees->contains(table.root))
      found.untouched_.insert(diff::folded(table.name));
  }
  return found;
}

bool OwnChanges::may_touch(std::string_view table) const {
  return !is_empty_ && !untouched_.contains(diff::folded(table));
}

}  // namespace dosql::engine
