#include "engine/table_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "diff/btree_page.h"
#include "diff/page_source.h"
#include "engine/row_changes.h"
#include "engine/sqlite_value.h"
#include "engine/table_pairing.h"

namespace dosql::engine {

using version::Reader;
using version::ReadPoint;
using version::VersionStore;

namespace {

std::string version_name(const VersionStore& store, BranchId line, std::uint64_t version) {
  return fmt::format("{}@{}", store.branch_info(line).name, version);
}

// The table of the segment before that became `table`.
const TableShape* earlier(const VersionSchema& before, const VersionSchema& after, const TableShape& table) {
  const std::vector<std::size_t> next = follow_tables(before, after);
  for (std::size_t i = 0; i < next.size(); ++i) {
    if (next[i] != kNoTable && &after.tables[next[i]] == &table) return &before.tables[i];
  }
  return nullptr;
}

const TableShape* later(const VersionSchema& before, const VersionSchema& after, const TableShape& table) {
  const auto index = static_cast<std::size_t>(&table - before.tables.data());
  const std::size_t next = follow_tables(before, after)[index];
  return next != kNoTable ? &after.tables[next] : nullptr;
}

}  // namespace

Result<TableLine> TableLine::open(VersionStore& store, VersionSchemas& schemas, const std::string& name,
                                  const ReadPoint& shown, const ReadPoint& head, BranchId line,
                                  sqlite3* handle) {
  TableLine table;
  table.line_ = line;
  DOSQL_RETURN_IF_ERROR(table.add_segments(store, schemas, head));
  DOSQL_RETURN_IF_ERROR(table.find_tables(store, name, raw(shown.version)));
  table.encoding_ = table.at(raw(shown.version)).schema->encoding;
  DOSQL_ASSIGN_OR_RETURN(table.order_, row_order(*table.shown_, table.encoding_, handle));
  DOSQL_RETURN_IF_ERROR(table.place_tables(store));
  return table;
}

Status TableLine::add_segments(VersionStore& store, VersionSchemas& schemas, const ReadPoint& head) {
  DOSQL_ASSIGN_OR_RETURN(const ReadPoint first, store.at_version(line_, Version{1}));
  DOSQL_ASSIGN_OR_RETURN(std::vector<ReadPoint> starts, schema_changes(store, first, head));
  starts.insert(starts.begin(), first);
  for (const ReadPoint& start : starts) {
    LineSegment segment;
    segment.first = raw(start.version);
    segment.last = raw(head.version);
    DOSQL_ASSIGN_OR_RETURN(segment.schema, schemas.of(start));
    if (!segments_.empty()) segments_.back().last = segment.first - 1;
    segments_.push_back(std::move(segment));
  }
  return {};
}

const LineSegment& TableLine::at(std::uint64_t version) const {
  const auto behind = std::ranges::upper_bound(segments_, version, {}, &LineSegment::first);
  return *std::prev(behind);
}

// Where a table was dropped its name is what is followed, until there is one of the name again.
Status TableLine::find_tables(VersionStore& store, const std::string& name, std::uint64_t shown) {
  const auto start = static_cast<std::size_t>(&at(shown) - segments_.data());
  tables_.resize(segments_.size());
  shown_ = tables_[start] = segments_[start].schema->find(name);
  if (shown_ == nullptr)
    return Error(ErrorCode::kSql,
                 fmt::format("no such table: {} at {}", name, version_name(store, line_, shown)));
  if (shown_->kind == TableKind::kVirtual)
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is a virtual table: it has no rows of its own", name));
  std::string called = shown_->name;
  for (std::size_t i = start; i-- > 0;) {
    const TableShape* const next = tables_[i + 1];
    tables_[i] = next != nullptr ? earlier(*segments_[i].schema, *segments_[i + 1].schema, *next) : nullptr;
    if (tables_[i] == nullptr) tables_[i] = segments_[i].schema->find(called);
    if (tables_[i] != nullptr) called = tables_[i]->name;
  }
  called = shown_->name;
  for (std::size_t i = start + 1; i < segments_.size(); ++i) {
    const TableShape* const before = tables_[i - 1];
    tables_[i] = before != nullptr ? later(*segments_[i - 1].schema, *segments_[i].schema, *before) : nullptr;
    if (tables_[i] == nullptr) tables_[i] = segments_[i].schema->find(called);
    if (tables_[i] != nullptr) called = tables_[i]->name;
  }
  return {};
}

Status TableLine::place_tables(VersionStore& store) {
  Reader reader(store);
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    LineSegment& segment = segments_[i];
    const TableShape* const table = tables_[i];
    if (table == nullptr || !have_same_keys(*table, *shown_)) continue;
    segment.table = table;
    segment.stored = table->stored_columns();
    for (const ColumnShape& column : shown_->columns)
      segment.columns.push_back(table->find_column(column.name));
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint start, store.at_version(line_, Version{segment.first}));
    reader.pin(start);
    diff::VersionPages pages(reader);
    segment.place.root = table->root;
    DOSQL_ASSIGN_OR_RETURN(segment.place.usable_bytes, diff::usable_bytes_of(pages));
  }
  return {};
}

bool TableLine::read_otherwise(const LineSegment& a, const LineSegment& b) const {
  if (a.table == nullptr || b.table == nullptr) return false;
  const std::uint32_t values = std::min(diff::record_values(a.stored), diff::record_values(b.stored));
  for (std::size_t i = 0; i < shown_->columns.size(); ++i) {
    const auto column = [&](const LineSegment& segment) {
      const auto& place = segment.columns[i];
      return place ? segment.stored[*place] : diff::absent_column(shown_->columns[i].stored.missing);
    };
    if (diff::read_otherwise(column(a), column(b), values)) return true;
  }
  return false;
}

std::vector<Value> TableLine::values(const LineSegment& segment, std::span<const diff::Field> fields) const {
  std::vector<Value> values;
  values.reserve(segment.columns.size());
  for (std::size_t i = 0; i < segment.columns.size(); ++i) {
    const auto& place = segment.columns[i];
    values.push_back(value_of(place ? fields[*place] : shown_->columns[i].stored.missing, encoding_));
  }
  return values;
}

Result<std::vector<Value>> TableLine::values(const LineSegment& segment, Bytes record,
                                             std::int64_t rowid) const {
  std::vector<diff::Field> fields;
  std::vector<diff::Field> decoded;
  DOSQL_RETURN_IF_ERROR(diff::decode_record(record, fields));
  diff::decode_row(fields, rowid, segment.stored, decoded);
  return values(segment, decoded);
}

// --- One row ---

namespace {

// A row in some version, and the first version since which it has been so.
struct Sighting {
  RowState state;
  std::uint64_t since = 0;
};

class RowWatch {
 public:
  RowWatch(VersionStore& store, const TableLine& table, const RowKey& key)
      : store_(store), table_(table), key_(key), reader_(store) {}

  Result<Sighting> look(std::uint64_t version) {
    const LineSegment& segment = table_.at(version);
    if (segment.table == nullptr) return Sighting{std::nullopt, segment.first};
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint point, store_.at_version(table_.line(), Version{version}));
    reader_.pin(point);
    DOSQL_ASSIGN_OR_RETURN(const diff::FoundRow found,
                           table_.order().empty()
                               ? diff::find_row(reader_, segment.place, key_.rowid)
                               : diff::find_row(reader_, segment.place, key_.fields, table_.order()));
    Sighting sighting;
    DOSQL_ASSIGN_OR_RETURN(sighting.since, since(segment, found.written));
    if (found.exists) {
      DOSQL_ASSIGN_OR_RETURN(sighting.state, table_.values(segment, found.record, key_.rowid));
    }
    return sighting;
  }

 private:
  // The version that the commit with this LSN made, or the segment's first.
  Result<std::uint64_t> since(const LineSegment& segment, Lsn written) {
    if (raw(written) == 0) return segment.first;
    DOSQL_ASSIGN_OR_RETURN(const ReadPoint commit, store_.at_lsn(table_.line(), written));
    return std::max(segment.first, raw(commit.version));
  }

  VersionStore& store_;
  const TableLine& table_;
  const RowKey& key_;
  Reader reader_;
};

}  // namespace

Result<std::vector<RowPeriod>> row_periods(VersionStore& store, const TableLine& table, const RowKey& key,
                                           std::uint64_t first, std::uint64_t last) {
  RowWatch watch(store, table, key);
  std::vector<RowPeriod> periods;
  RowState state;                    // in the versions from `begin` up to the one before `end`
  std::optional<std::uint64_t> end;  // none: nothing was looked at, or it is so still
  std::uint64_t begin = table.head_version() + 1;
  const auto keep = [&] {
    const bool overlaps = begin <= last && (!end || *end > first);
    if (state && overlaps) periods.push_back({begin, end, *std::move(state)});
  };
  for (std::uint64_t version = table.head_version(); version > 0; version = begin - 1) {
    DOSQL_ASSIGN_OR_RETURN(Sighting seen, watch.look(version));
    const bool is_first_look = begin > table.head_version();
    if (!is_first_look && seen.state != state) {
      keep();
      end = begin;
      if (begin <= first) return periods;
    }
    state = std::move(seen.state);
    begin = seen.since;
    if (!state && begin <= first) return periods;
  }
  keep();
  return periods;
}

}  // namespace dosql::engine
