#include <dosql/checkpoints.h>
#include <fmt/format.h>

#include "base/environment.h"
#include "base/time_text.h"
#include "sql/lexer.h"

namespace dosql {
namespace {

Timestamp time_of(std::string_view text) {
  const TimestampUs us = timestamp_from_text(text).value_or(0);
  return Timestamp{std::chrono::microseconds{us}};
}

Checkpoint checkpoint_of(const Row& row) {
  return {.name = row[0].text(),
          .lsn = static_cast<std::uint64_t>(row[1].integer()),
          .processed = static_cast<std::uint64_t>(row[2].integer()),
          .metadata = row[3].text(),
          .saved = time_of(row[4].text())};
}

}  // namespace

Checkpoints::Checkpoints(std::string table, Clock* clock)
    : table_(std::move(table)),
      quoted_(sql::quoted(table_)),
      clock_(clock != nullptr ? clock : &system_clock()) {}

// Those that `condition` says, ?1 being `name`; none where the table was not made yet.
Result<std::vector<Checkpoint>> Checkpoints::select(Connection& connection, std::string_view condition,
                                                    std::string_view name) const {
  std::vector<Checkpoint> found;
  DOSQL_ASSIGN_OR_RETURN(
      const auto made,
      connection.query_one("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE",
                           table_));
  if (!made) return found;
  // Whoever wrote into the table by hand may have left other types.
  DOSQL_ASSIGN_OR_RETURN(
      const Rows rows,
      connection.query(
          fmt::format("SELECT CAST(name AS TEXT), CAST(lsn AS INTEGER), CAST(processed AS INTEGER), "
                      "CAST(ifnull(metadata, '') AS TEXT), CAST(saved AS TEXT) FROM {} WHERE {} "
                      "ORDER BY name",
                      quoted_, condition),
          name));
  for (const Row& row : rows) found.push_back(checkpoint_of(row));
  return found;
}

Result<std::optional<Checkpoint>> Checkpoints::load(Connection& connection, std::string_view name) const {
  DOSQL_ASSIGN_OR_RETURN(auto found, select(connection, "name = ?1", name));
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

Result<std::vector<Checkpoint>> Checkpoints::list(Connection& connection) const {
  return select(connection, "?1 = ''", "");
}

Status Checkpoints::save(Connection& connection, std::string_view name, const Checkpoint& checkpoint) const {
  return connection.transaction([&](Connection& tx) -> Status {
    DOSQL_RETURN_IF_ERROR(tx.exec(
        fmt::format("CREATE TABLE IF NOT EXISTS {} (name TEXT PRIMARY KEY NOT NULL, lsn INTEGER NOT NULL, "
                    "processed INTEGER NOT NULL, saved TEXT NOT NULL, metadata TEXT NOT NULL)",
                    quoted_)));
    return tx
        .run(fmt::format("INSERT INTO {} (name, lsn, processed, saved, metadata) VALUES (?, ?, ?, ?, ?) ON "
                         "CONFLICT (name) DO UPDATE SET lsn = excluded.lsn, processed = excluded.processed, "
                         "saved = excluded.saved, metadata = excluded.metadata",
                         quoted_),
             name, checkpoint.lsn, checkpoint.processed, time_text(clock_->now_us()), checkpoint.metadata)
        .and_then(ignore_result);
  });
}

Status Checkpoints::remove(Connection& connection, std::string_view name) const {
  DOSQL_ASSIGN_OR_RETURN(const auto found, load(connection, name));
  if (!found) return Error(ErrorCode::kNotFound, fmt::format("there is no checkpoint '{}'", name));
  return connection.run(fmt::format("DELETE FROM {} WHERE name = ?", quoted_), name).and_then(ignore_result);
}

}  // namespace dosql
