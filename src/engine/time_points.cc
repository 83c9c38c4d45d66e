#include "engine/time_points.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <charconv>
#include <limits>
#include <vector>

#include "base/nearest_name.h"
#include "base/time_text.h"
#include "engine/connection_state.h"
#include "engine/merge_staging.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using version::ReadPoint;
using version::VersionStore;

constexpr std::uint64_t kVersionsBackMax = std::numeric_limits<std::int64_t>::max();

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

// 'branch@5'; none: it does not look like that.
std::optional<Result<ReadPoint>> version_of(const VersionStore& store, std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return {};
  const auto version = number_of(text.substr(at + 1));
  if (!version) return {};
  const auto branch = store.find_branch(text.substr(0, at));
  if (!branch) return branch_not_found(store, text.substr(0, at));
  return store.at_version(branch->id, Version{*version});
}

Result<ReadPoint> snapshot_point(const VersionStore& store, std::string_view name) {
  if (const auto snapshot = store.find_snapshot(name)) return snapshot->point;
  if (auto version = version_of(store, name)) return *std::move(version);
  return snapshot_not_found(store, name);
}

Result<ReadPoint> branch_point(const VersionStore& store, std::string_view name) {
  const auto branch = store.find_branch(name);
  if (!branch) return branch_not_found(store, name);
  return branch->head;
}

std::string shown(const Value& value) {
  switch (value.type()) {
    case Value::Type::kNull: return "NULL";
    case Value::Type::kInteger: return fmt::format("{}", value.integer());
    case Value::Type::kReal: return fmt::format("{:#}", value.real());
    case Value::Type::kText: return fmt::format("'{}'", value.text());
    case Value::Type::kBlob: return "a BLOB";
  }
  return "";
}

Result<ReadPoint> lsn_point(ConnectionState& connection, const Value& value) {
  if (value.type() != Value::Type::kInteger || value.integer() < 0) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("an LSN is a whole number from 0 up, not {}", shown(value)));
  }
  return connection.core().store().at_lsn(connection.file().branch(),
                                          Lsn{static_cast<std::uint64_t>(value.integer())});
}

// Who asks for a time that is still to come would get another answer then.
Status check_not_in_future(ConnectionState& connection, TimestampUs timestamp_us) {
  const TimestampUs now_us = connection.core().clock().now_us();
  if (timestamp_us <= now_us) return {};
  // The clock may have been set back behind the newest commit.
  const VersionStore& store = connection.core().store();
  const ReadPoint head = store.head(connection.file().branch());
  if (raw(head.version) > 0) {
    DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo newest, store.commit_info(head.branch, head.version));
    if (timestamp_us <= newest.timestamp_us) return {};
  }
  return Error(ErrorCode::kVersionNotFound,
               fmt::format("{} is in the future: it is {} now", time_text(timestamp_us), time_text(now_us)));
}

// While a statement begins others commit, and at a time that it calls now.
ReadPoint not_behind_held_head(ConnectionState& connection, const ReadPoint& point) {
  const MainFile& file = connection.file();
  if (!file.holds_head()) return point;
  const ReadPoint head = file.point();
  return raw(point.version) > raw(head.version) ? head : point;
}

Result<ReadPoint> timestamp_point(ConnectionState& connection, const Value& value) {
  DOSQL_ASSIGN_OR_RETURN(const TimestampUs timestamp_us, timestamp_of(connection, value));
  const VersionStore& store = connection.core().store();
  const BranchId branch = connection.file().branch();
  DOSQL_RETURN_IF_ERROR(check_not_in_future(connection, timestamp_us));
  auto point = store.at_timestamp(branch, timestamp_us);
  if (point) return not_behind_held_head(connection, *point);
  const auto first = store.at_version(branch, Version{1});
  if (!first) return point;
  DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info, store.commit_info(branch, Version{1}));
  return Error(ErrorCode::kVersionNotFound,
               fmt::format("{} is before the beginning: version 1 is of {}", time_text(timestamp_us),
                           time_text(info.timestamp_us)));
}

// Relative to the version that the open transaction sees, or that the next would.
Result<ReadPoint> relative_point(ConnectionState& connection, const Value& value) {
  DOSQL_RETURN_IF_ERROR(connection.file().await_point());
  const ReadPoint now = connection.file().point();
  if (value.type() != Value::Type::kInteger) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("VERSION CURRENT counts in whole numbers, not {}", shown(value)));
  }
  const std::int64_t offset = value.integer();
  if (offset == 0) return now;
  if (offset > 0) {
    return Error(ErrorCode::kVersionNotFound,
                 fmt::format("VERSION CURRENT + {} is in the future: this is {}@{}", offset,
                             connection.branch_name(), raw(now.version)));
  }
  const std::uint64_t back = std::uint64_t{0} - static_cast<std::uint64_t>(offset);
  if (back >= raw(now.version)) {
    return Error(ErrorCode::kVersionNotFound,
                 fmt::format("VERSION CURRENT - {} is before the beginning: this is {}@{}", back,
                             connection.branch_name(), raw(now.version)));
  }
  return connection.core().store().at_version(connection.file().branch(), Version{raw(now.version) - back});
}

Result<std::string> name_in(const std::optional<std::string>& name, const Value& value,
                            std::string_view what) {
  if (name) return *name;
  if (value.type() == Value::Type::kText) return std::string(value.text());
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("the name of a {} is text, not {}", what, shown(value)));
}

// Who writes AS OF 'main@5' forgot a word.
std::string timestamp_hint(const VersionStore& store, const Value& value) {
  if (value.type() == Value::Type::kText) {
    const std::string& text = value.text();
    if (store.find_branch(text)) return fmt::format("did you mean BRANCH '{}'?", text);
    if (snapshot_point(store, text)) return fmt::format("did you mean SNAPSHOT '{}'?", text);
  }
  return "for example '2026-01-31 12:00:00', in UTC";
}

// What follows `prefix`; none: `text` does not begin with it.
std::optional<std::string_view> behind(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix)) return {};
  return text.substr(prefix.size());
}

// 'lsn:5', 'snapshot:x', 'branch:x', 'current', 'current-5'; none: it is none of these.
std::optional<Result<ReadPoint>> prefixed_point(ConnectionState& connection, std::string_view text) {
  const VersionStore& store = connection.core().store();
  if (const auto name = behind("snapshot:", text)) return snapshot_point(store, *name);
  if (const auto name = behind("branch:", text)) return branch_point(store, *name);
  if (const auto digits = behind("lsn:", text)) {
    if (const auto number = number_of(*digits)) return resolve(connection, lsn(*number));
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("an LSN is a whole number from 0 up, not '{}'", *digits));
  }
  if (text == "current") return relative_point(connection, Value(std::int64_t{0}));
  if (const auto digits = behind("current-", text)) {
    const auto number = number_of(*digits);
    if (number && *number <= kVersionsBackMax)
      return relative_point(connection, Value(-static_cast<std::int64_t>(*number)));
  }
  return {};
}

Result<ReadPoint> point_of_kind(ConnectionState& connection, sql::PointKind kind,
                                const std::optional<std::string>& name, const Value& value) {
  const VersionStore& store = connection.core().store();
  switch (kind) {
    case sql::PointKind::kLsn: return lsn_point(connection, value);
    case sql::PointKind::kTimestamp: return timestamp_point(connection, value);
    case sql::PointKind::kVersion: return relative_point(connection, value);
    case sql::PointKind::kSnapshot: {
      DOSQL_ASSIGN_OR_RETURN(const std::string snapshot, name_in(name, value, "snapshot"));
      return snapshot_point(store, snapshot);
    }
    case sql::PointKind::kBranch: {
      DOSQL_ASSIGN_OR_RETURN(const std::string branch, name_in(name, value, "branch"));
      return branch_point(store, branch);
    }
  }
  return Error(ErrorCode::kInternal, "an unknown kind of time point");
}

Result<ReadPoint> with_log_hint(Result<ReadPoint> found) {
  if (found || found.error().code() != ErrorCode::kVersionNotFound || !found.error().hint().empty())
    return found;
  return std::move(found).error().with_hint(
      "SELECT version, lsn_last, timestamp FROM dosql_log; shows those there are");
}

Result<ReadPoint> point_of_name(ConnectionState& connection, std::string_view text) {
  const VersionStore& store = connection.core().store();
  if (auto prefixed = prefixed_point(connection, text)) return *std::move(prefixed);
  if (const auto version = number_of(text))
    return store.at_version(connection.file().branch(), Version{*version});
  if (const auto snapshot = store.find_snapshot(text)) return snapshot->point;
  if (auto version = version_of(store, text)) return *std::move(version);
  if (const auto branch = store.find_branch(text)) return branch->head;
  if (text == "now" || (!text.empty() && text[0] >= '0' && text[0] <= '9'))
    return timestamp_point(connection, Value(std::string(text)));
  return branch_not_found(store, text);
}

}  // namespace

Error snapshot_not_found(const VersionStore& store, std::string_view name) {
  Error error(ErrorCode::kNotFound, fmt::format("snapshot '{}' does not exist", name));
  std::vector<std::string> names;
  for (version::NamedSnapshot& snapshot : store.snapshots()) names.push_back(std::move(snapshot.name));
  const std::string_view meant = nearest_name(name, names);
  if (!meant.empty()) return std::move(error).with_hint(fmt::format("did you mean '{}'?", meant));
  return std::move(error).with_hint(
      "SELECT * FROM dosql_snapshots; shows those there are, and 'main@5' is a version");
}

Error branch_not_found(const VersionStore& store, std::string_view name) {
  Error error(ErrorCode::kBranchNotFound, fmt::format("branch '{}' does not exist", name));
  std::vector<std::string> names;
  for (version::BranchInfo& branch : store.branches()) {
    if (!is_hidden_branch(branch.name)) names.push_back(std::move(branch.name));
  }
  const std::string_view meant = nearest_name(name, names);
  if (meant.empty()) return std::move(error).with_hint("SELECT name FROM dosql_branches; shows all");
  return std::move(error).with_hint(fmt::format("did you mean '{}'?", meant));
}

Result<TimestampUs> timestamp_of(ConnectionState& connection, const Value& value) {
  if (value.type() == Value::Type::kText) {
    if (const auto exact = timestamp_from_text(value.text())) return *exact;
    // SQLite's own now has milliseconds, and what was committed within this one would be later than it.
    if (sqlite3_stricmp(value.text().c_str(), "now") == 0) return connection.core().clock().now_us();
  }
  // Whatever else SQLite reads, to the millisecond. Numbers are seconds since 1970 or Julian days, as it sees
  // fit.
  const bool is_number = value.type() == Value::Type::kInteger || value.type() == Value::Type::kReal;
  const char* const sql =
      is_number ? DOSQL_OWN_SQL
          "SELECT CAST(round((julianday(?1, 'auto') - 2440587.5) * 86400000.0) AS INTEGER)"
                : DOSQL_OWN_SQL "SELECT CAST(round((julianday(?1) - 2440587.5) * 86400000.0) AS INTEGER)";
  sqlite3_stmt* statement = nullptr;
  if (const int rc = sqlite3_prepare_v2(connection.db(), sql, -1, &statement, nullptr); rc != SQLITE_OK)
    return connection.error(rc);
  if (value.type() == Value::Type::kText) {
    const std::string_view text = value.text();
    sqlite3_bind_text64(statement, 1, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  } else if (value.type() == Value::Type::kInteger) {
    sqlite3_bind_int64(statement, 1, value.integer());
  } else if (value.type() == Value::Type::kReal) {
    sqlite3_bind_double(statement, 1, value.real());
  }
  std::optional<TimestampUs> timestamp_us;
  if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
    timestamp_us = sqlite3_column_int64(statement, 0) * 1000;
  sqlite3_finalize(statement);
  if (timestamp_us) return *timestamp_us;
  return Error(ErrorCode::kInvalidArgument, fmt::format("{} is not a date or time", shown(value)))
      .with_hint(timestamp_hint(connection.core().store(), value));
}

Result<ReadPoint> resolve_time_point(ConnectionState& connection, sql::PointKind kind,
                                     const std::optional<std::string>& name, const Value& value) {
  return with_log_hint(point_of_kind(connection, kind, name, value));
}

Result<ReadPoint> resolve_named_point(ConnectionState& connection, std::string_view text) {
  return with_log_hint(point_of_name(connection, text));
}

Result<ReadPoint> resolve(ConnectionState& connection, const TimePoint& point) {
  using Kind = TimePoint::Kind;
  const auto as = [&](sql::PointKind kind) {
    return resolve_time_point(connection, kind, std::nullopt, point.value());
  };
  connection.session().begin_call();
  DOSQL_RETURN_IF_ERROR(connection.catch_up());
  switch (point.kind()) {
    case Kind::kLsn: return as(sql::PointKind::kLsn);
    case Kind::kTimestamp: return as(sql::PointKind::kTimestamp);
    case Kind::kSnapshot:
      return point.commit_lsn() != 0 ? connection.core().store().at_commit(Lsn{point.commit_lsn()})
                                     : as(sql::PointKind::kSnapshot);
    case Kind::kBranch: return as(sql::PointKind::kBranch);
    case Kind::kRelative: return as(sql::PointKind::kVersion);
    case Kind::kText: {
      DOSQL_ASSIGN_OR_RETURN(const std::string text, name_in(std::nullopt, point.value(), "time point"));
      return resolve_named_point(connection, text);
    }
  }
  return Error(ErrorCode::kInternal, "an unknown kind of time point");
}

sql::Span operand_of(std::string_view text, const sql::TimePoint& point) {
  if (point.kind != sql::PointKind::kVersion) return point.expression;
  sql::Lexer lexer(text.substr(0, point.expression.end), point.expression.begin);
  const bool minus = lexer.next_significant().kind == sql::TokenKind::kMinus;
  const sql::Token operand = lexer.next_significant();
  const bool alone = lexer.next_significant().kind == sql::TokenKind::kEnd;
  return minus && alone && operand.kind == sql::TokenKind::kVariable ? operand.span : point.expression;
}

Value minus(const Value& value) {
  const bool has_negative =
      value.type() == Value::Type::kInteger && value.integer() != std::numeric_limits<std::int64_t>::min();
  return has_negative ? Value(-value.integer()) : value;
}

VersionId version_id(const VersionStore& store, const ReadPoint& point) {
  return {
      .branch = store.branch_info(point.branch).name, .version = raw(point.version), .lsn = raw(point.lsn)};
}

}  // namespace dosql::engine
