#include "engine/last_changes.h"

#include <algorithm>

namespace dosql::engine {

using diff::ChangeKind;
using version::ReadPoint;
using version::VersionStore;

Result<std::unique_ptr<LastChanges>> LastChanges::of(VersionStore& store, VersionSchemas& schemas,
                                                     const ReadPoint& before, const ReadPoint& after,
                                                     const TablePairs& pairs, const TablePair& pair,
                                                     sqlite3* handle) {
  const bool is_later = pair.after != nullptr;
  const TableShape& keyed = is_later ? *pair.after : *pair.before;
  DOSQL_ASSIGN_OR_RETURN(std::vector<diff::KeyColumn> order,
                         row_order(keyed, (is_later ? pairs.after : pairs.before)->encoding, handle));
  std::unique_ptr<LastChanges> changes(new LastChanges(keyed, std::move(order)));
  const Version base =
      std::min({store.shared_version(before.branch, after.branch).version, before.version, after.version});
  // A table that one side does not have was dropped on its line, or came on the other one's.
  const TableShape& table_before = pair.before != nullptr ? *pair.before : *pair.after;
  const TableShape& table_after = pair.after != nullptr ? *pair.after : *pair.before;
  DOSQL_RETURN_IF_ERROR(changes->add_line(store, schemas, before, base, table_before, handle));
  DOSQL_RETURN_IF_ERROR(changes->add_line(store, schemas, after, base, table_after, handle));
  return changes;
}

Status LastChanges::add_line(VersionStore& store, VersionSchemas& schemas, const ReadPoint& from,
                             Version base, const TableShape& table, sqlite3* handle) {
  std::string name = table.name;
  for (std::uint64_t version = raw(from.version); version > raw(base); --version) {
    DOSQL_RETURN_IF_ERROR(check_interrupt(handle));
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, store.at_version(from.branch, Version{version}));
    DOSQL_ASSIGN_OR_RETURN(const auto events, CommitEvents::open(store, schemas, commit, handle));
    const TablePair* const pair = events->pairs().find(name);
    for (const TableEvents& changed : events->tables()) {
      if (changed.table == pair) DOSQL_RETURN_IF_ERROR(add(*events, changed));
    }
    if (pair != nullptr && pair->before != nullptr) name = pair->before->name;
  }
  return {};
}

Status LastChanges::add(CommitEvents& events, const TableEvents& table) {
  const TableShape* const before = table.table->before;
  const TableShape* const after = table.table->after;
  // It may have had another key in between.
  const bool takes_before = before != nullptr && have_same_keys(*before, keyed_);
  const bool takes_after = after != nullptr && have_same_keys(*after, keyed_);
  if (!takes_before && !takes_after) return {};
  TableEvents next = table;
  DOSQL_ASSIGN_OR_RETURN(const auto rows, events.changes_of(*table.table));
  const auto take = [](Lsn& lsn) {
    const Lsn taken = lsn;
    lsn = Lsn{raw(lsn) + 1};
    return taken;
  };
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const bool found, rows->next());
    if (!found) return {};
    const Lsn lsn = take(rows->kind() == ChangeKind::kDelete   ? next.first_delete
                         : rows->kind() == ChangeKind::kUpdate ? next.first_update
                                                               : next.first_insert);
    if (!(rows->kind() == ChangeKind::kDelete ? takes_before : takes_after)) continue;
    DOSQL_ASSIGN_OR_RETURN(RowKey key, key_of(rows->change(), order()));
    Lsn& last = last_[std::move(key)];
    last = std::max(last, lsn);
  }
}

std::optional<Lsn> LastChanges::find(const RowKey& key) const {
  const auto found = last_.find(key);
  return found != last_.end() ? std::optional(found->second) : std::nullopt;
}

}  // namespace dosql::engine
