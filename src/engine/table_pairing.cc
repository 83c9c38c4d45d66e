#include "engine/table_pairing.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>

#include "base/bytes.h"
#include "diff/schema.h"
#include "engine/column_matching.h"
#include "sql/lexer.h"
#include "sql/stored_definition.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;
using version::VersionStore;

constexpr std::uint32_t kCookieOffset = 40;

using Names = std::map<std::string, std::size_t>;  // index of a table by its folded name

Names names_of(const VersionSchema& schema) {
  Names names;
  for (std::size_t i = 0; i < schema.tables.size(); ++i) names[diff::folded(schema.tables[i].name)] = i;
  return names;
}

bool same_names(const Names& a, const Names& b) {
  return std::ranges::equal(
      a, b, {}, [](const auto& name) { return name.first; }, [](const auto& name) { return name.first; });
}

// Whether each column of `a` is one of `b`'s, by its name.
bool has_all_columns(const TableShape& a, const TableShape& b) {
  return std::ranges::all_of(
      a.columns, [&](const ColumnShape& column) { return b.find_column(column.name).has_value(); });
}

bool may_be_same_table(const TableShape& a, const TableShape& b) {
  const bool same_kind = (a.kind == TableKind::kVirtual) == (b.kind == TableKind::kVirtual);
  return same_kind && (has_all_columns(a, b) || has_all_columns(b, a));
}

// The cookie of a version; 0: it is empty.
Result<std::uint32_t> cookie_at(version::Reader& reader, const ReadPoint& point) {
  if (point.page_count == 0) return 0U;
  std::array<std::byte, 4> bytes{};
  reader.pin(point);
  const Status read = reader.read(PageNo{1}, kCookieOffset, bytes);
  reader.unpin();
  DOSQL_RETURN_IF_ERROR(read);
  return load_big32(bytes.data());
}

// The changes in a range of versions, halved until its ends are neighbours.
class ChangeSearch {
 public:
  ChangeSearch(VersionStore& store, BranchId branch) : reader_(store), store_(store), branch_(branch) {}

  struct Place {
    ReadPoint point;
    std::uint32_t cookie = 0;
  };

  Result<Place> place(const ReadPoint& point) {
    DOSQL_ASSIGN_OR_RETURN(const std::uint32_t cookie, cookie_at(reader_, point));
    return Place{point, cookie};
  }

  Status search(const Place& first, const Place& last) {
    if (first.cookie == last.cookie) return {};
    const std::uint64_t begin = raw(first.point.version);
    const std::uint64_t end = raw(last.point.version);
    if (begin + 1 >= end) {
      found_.push_back(last.point);
      return {};
    }
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint middle,
                           store_.at_version(branch_, Version{begin + (end - begin) / 2}));
    DOSQL_ASSIGN_OR_RETURN(const Place between, place(middle));
    DOSQL_RETURN_IF_ERROR(search(first, between));
    return search(between, last);
  }

  std::vector<ReadPoint> take() { return std::move(found_); }

 private:
  version::Reader reader_;
  VersionStore& store_;
  const BranchId branch_;
  std::vector<ReadPoint> found_;
};

// Follows the tables of a version along the line of versions to a later one.
Result<std::vector<std::size_t>> follow(VersionStore& store, VersionSchemas& schemas, const ReadPoint& from,
                                        const ReadPoint& to) {
  DOSQL_ASSIGN_OR_RETURN(auto schema, schemas.of(from));
  std::vector<std::size_t> places(schema->tables.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  DOSQL_ASSIGN_OR_RETURN(const std::vector<ReadPoint> changes, schema_changes(store, from, to));
  for (const ReadPoint& change : changes) {
    DOSQL_ASSIGN_OR_RETURN(auto next, schemas.of(change));
    const std::vector<std::size_t> step = follow_tables(*schema, *next);
    for (std::size_t& place : places) {
      if (place != kNoTable) place = step[place];
    }
    schema = std::move(next);
  }
  return places;
}

class Pairing {
 public:
  Pairing(const VersionSchema& before, const VersionSchema& after)
      : before_(before),
        after_(after),
        taken_before_(before.tables.size()),
        taken_after_(after.tables.size()) {}

  void pair(std::size_t before, std::size_t after) {
    if (taken_before_[before] || taken_after_[after]) return;
    taken_before_[before] = taken_after_[after] = true;
    pairs_.push_back({&before_.tables[before], &after_.tables[after]});
  }

  void pair_by_name() {
    const Names names = names_of(after_);
    for (std::size_t i = 0; i < before_.tables.size(); ++i) {
      const auto found = names.find(diff::folded(before_.tables[i].name));
      if (found != names.end()) pair(i, found->second);
    }
  }

  // A virtual table whose content has another name now is no longer the one of its name.
  void leave_moved_alone() {
    for (std::size_t i = 0; i < before_.tables.size(); ++i) {
      const TableShape& table = before_.tables[i];
      if (table.kind != TableKind::kVirtual) continue;
      const std::string prefix = diff::folded(table.name) + "_";
      const bool moved = std::ranges::any_of(pairs_, [&](const TablePair& pair) {
        return pair.before->shadow && diff::folded(pair.before->name).starts_with(prefix) &&
               !diff::folded(pair.after->name).starts_with(prefix);
      });
      if (!moved || taken_before_[i]) continue;
      taken_before_[i] = true;
      alone_.push_back({&table, nullptr});
    }
  }

  // What is left has no other side.
  std::vector<TablePair> finish() {
    pairs_.insert(pairs_.end(), alone_.begin(), alone_.end());
    for (std::size_t i = 0; i < before_.tables.size(); ++i) {
      if (!taken_before_[i]) pairs_.push_back({&before_.tables[i], nullptr});
    }
    for (std::size_t i = 0; i < after_.tables.size(); ++i) {
      if (!taken_after_[i]) pairs_.push_back({nullptr, &after_.tables[i]});
    }
    std::ranges::sort(pairs_, {}, [](const TablePair& pair) {
      return std::pair(diff::folded(pair.name()), pair.before == nullptr);
    });
    return std::move(pairs_);
  }

 private:
  const VersionSchema& before_;
  const VersionSchema& after_;
  std::vector<bool> taken_before_;
  std::vector<bool> taken_after_;
  std::vector<TablePair> pairs_;
  std::vector<TablePair> alone_;
};

// VACUUM gives the rows of sqlite_schema new numbers, and leaves tables in their order.
std::vector<std::string> in_order(const VersionSchema& schema, bool are_virtual) {
  std::map<std::int64_t, std::string> names;
  for (const TableShape& table : schema.tables) {
    const bool is_own = sql::equals_ignoring_case(table.name.substr(0, 7), "sqlite_");
    if ((table.kind == TableKind::kVirtual) == are_virtual && !is_own)
      names[table.schema_rowid] = diff::folded(table.name);
  }
  std::vector<std::string> ordered;
  for (auto& [rowid, name] : names) ordered.push_back(std::move(name));
  return ordered;
}

bool same_columns(const TableShape& a, const TableShape& b) {
  return a.kind == b.kind &&
         std::ranges::equal(a.columns, b.columns, [](const ColumnShape& one, const ColumnShape& other) {
           return sql::equals_ignoring_case(one.name, other.name) && declared_the_same(one, other);
         });
}

// ALTER TABLE RENAME writes the new name in quotes.
bool is_written_by_rename(const VersionSchema& schema, const TableShape& table) {
  const diff::SchemaEntry* const entry = diff::find_table(schema.entries, table.name);
  return entry != nullptr && sql::with_created_name(entry->sql, sql::quoted(table.name)) == entry->sql;
}

std::vector<std::size_t> follow_step(const VersionSchema& before, const VersionSchema& after,
                                     bool may_take_names) {
  const Names names_before = names_of(before);
  const Names names_after = names_of(after);
  std::vector<std::size_t> next(before.tables.size(), kNoTable);
  std::set<std::size_t> taken;
  const auto takes_name = [&](const TableShape& table, const TableShape& other) {
    return may_take_names && diff::folded(table.name) != diff::folded(other.name) &&
           same_columns(table, other) && is_written_by_rename(after, other);
  };
  // A rename keeps the row in sqlite_schema. VACUUM gives rows new numbers, but no table a new name; a table
  // that was dropped leaves its number to the next one, which mostly has other columns.
  for (std::size_t i = 0; i < before.tables.size(); ++i) {
    const TableShape& table = before.tables[i];
    for (std::size_t j = 0; j < after.tables.size(); ++j) {
      const TableShape& other = after.tables[j];
      if (other.schema_rowid != table.schema_rowid) continue;
      const bool renamed = names_before.contains(diff::folded(other.name)) ? takes_name(table, other)
                                                                           : may_be_same_table(table, other);
      if (!renamed) continue;
      next[i] = j;
      taken.insert(j);
    }
  }
  for (std::size_t i = 0; i < before.tables.size(); ++i) {
    const auto found = names_after.find(diff::folded(before.tables[i].name));
    if (next[i] == kNoTable && found != names_after.end() && taken.insert(found->second).second)
      next[i] = found->second;
  }
  return next;
}

}  // namespace

std::vector<std::size_t> follow_tables(const VersionSchema& before, const VersionSchema& after) {
  return follow_step(before, after, false);
}

std::vector<std::size_t> follow_exchanges(const VersionSchema& before, const VersionSchema& after) {
  const bool same_order =
      in_order(before, false) == in_order(after, false) && in_order(before, true) == in_order(after, true);
  return follow_step(before, after, !same_order);
}

TablePairs pair_known(std::shared_ptr<const VersionSchema> before, std::shared_ptr<const VersionSchema> after,
                      const std::vector<std::pair<std::size_t, std::size_t>>& known) {
  TablePairs result{.before = std::move(before), .after = std::move(after), .pairs = {}};
  Pairing pairing(*result.before, *result.after);
  for (const auto& [one, other] : known) pairing.pair(one, other);
  pairing.leave_moved_alone();
  pairing.pair_by_name();
  result.pairs = pairing.finish();
  return result;
}

Result<std::vector<ReadPoint>> schema_changes(VersionStore& store, const ReadPoint& first,
                                              const ReadPoint& last) {
  ChangeSearch changes(store, last.branch);
  DOSQL_ASSIGN_OR_RETURN(const ChangeSearch::Place begin, changes.place(first));
  DOSQL_ASSIGN_OR_RETURN(const ChangeSearch::Place end, changes.place(last));
  DOSQL_RETURN_IF_ERROR(changes.search(begin, end));
  return changes.take();
}

Result<TablePairs> pair_tables(VersionStore& store, VersionSchemas& schemas, const ReadPoint& before,
                               const ReadPoint& after) {
  TablePairs result;
  DOSQL_ASSIGN_OR_RETURN(result.before, schemas.of(before));
  DOSQL_ASSIGN_OR_RETURN(result.after, schemas.of(after));
  Pairing pairing(*result.before, *result.after);
  if (!same_names(names_of(*result.before), names_of(*result.after))) {
    const Version shared =
        std::min({store.shared_version(before.branch, after.branch).version, before.version, after.version});
    // Version 0 has no tables, so that there is nothing to follow.
    if (raw(shared) > 0) {
      DOSQL_ASSIGN_OR_RETURN(const ReadPoint base, store.at_version(before.branch, shared));
      DOSQL_ASSIGN_OR_RETURN(const auto to_before, follow(store, schemas, base, before));
      DOSQL_ASSIGN_OR_RETURN(const auto to_after, follow(store, schemas, base, after));
      for (std::size_t i = 0; i < to_before.size(); ++i) {
        if (to_before[i] != kNoTable && to_after[i] != kNoTable) pairing.pair(to_before[i], to_after[i]);
      }
    }
  }
  pairing.pair_by_name();
  result.pairs = pairing.finish();
  return result;
}

const TablePair* TablePairs::find(std::string_view table) const {
  const std::string wanted = diff::folded(table);
  const auto called = [&](const TableShape* shape) {
    return shape != nullptr && diff::folded(shape->name) == wanted;
  };
  const auto later = std::ranges::find_if(pairs, [&](const TablePair& pair) { return called(pair.after); });
  if (later != pairs.end()) return &*later;
  const auto earlier =
      std::ranges::find_if(pairs, [&](const TablePair& pair) { return called(pair.before); });
  return earlier != pairs.end() ? &*earlier : nullptr;
}

}  // namespace dosql::engine
