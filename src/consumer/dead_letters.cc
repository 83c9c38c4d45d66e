#include <dosql/database.h>
#include <dosql/dead_letters.h>
#include <fmt/format.h>

#include <mutex>
#include <utility>

#include "base/environment.h"
#include "base/time_text.h"
#include "consumer/row_from_json.h"
#include "sql/lexer.h"

namespace dosql {
namespace {

// {} is the table.
constexpr std::string_view kCreate =
    "CREATE TABLE IF NOT EXISTS {} (id INTEGER PRIMARY KEY, consumer TEXT NOT NULL, lsn INTEGER NOT NULL, "
    "txn INTEGER NOT NULL, timestamp TEXT NOT NULL, change TEXT NOT NULL, table_name TEXT NOT NULL, "
    "key BLOB NOT NULL, before TEXT, after TEXT, code TEXT NOT NULL, error TEXT NOT NULL, "
    "attempts INTEGER NOT NULL, failed_first TEXT NOT NULL, failed_last TEXT NOT NULL, "
    "UNIQUE (consumer, lsn, change, table_name, key))";
constexpr std::string_view kAdd =
    "INSERT INTO {} (consumer, lsn, txn, timestamp, change, table_name, key, before, after, code, error, "
    "attempts, failed_first, failed_last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
    "?13) "
    "ON CONFLICT (consumer, lsn, change, table_name, key) DO UPDATE SET code = excluded.code, "
    "error = excluded.error, attempts = attempts + excluded.attempts, failed_last = excluded.failed_last";
constexpr std::string_view kList =
    "SELECT id, consumer, lsn, txn, timestamp, change, table_name, key, before, after, code, error, "
    "attempts, "
    "failed_first, failed_last FROM {} WHERE consumer = ?1 AND id > ?2 ORDER BY id LIMIT ?3";

Value json_of(const std::optional<Row>& row) { return row ? Value(row->to_json()) : Value(); }

Result<ChangeType> type_named(std::string_view name) {
  for (int type = 0; type <= static_cast<int>(ChangeType::kCommit); ++type) {
    if (change_type_name(static_cast<ChangeType>(type)) == name) return static_cast<ChangeType>(type);
  }
  return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is no kind of change", name));
}

Result<std::optional<Row>> row_of(const Value& json) {
  if (json.is_null()) return std::optional<Row>();
  DOSQL_ASSIGN_OR_RETURN(Row row, consumer::row_from_json(json.text()));
  return std::optional(std::move(row));
}

Result<Timestamp> time_of(const std::string& text) {
  const auto us = timestamp_from_text(text);
  if (!us) return Error(ErrorCode::kInvalidArgument, fmt::format("'{}' is no time", text));
  return Timestamp{std::chrono::microseconds{*us}};
}

// The types that kCreate's columns have unless somebody else wrote to them.
Status check_types(const Row& row) {
  using Type = Value::Type;
  constexpr Type kTypes[] = {Type::kInteger, Type::kText, Type::kInteger, Type::kInteger, Type::kText,
                             Type::kText,    Type::kText, Type::kBlob,    Type::kText,    Type::kText,
                             Type::kText,    Type::kText, Type::kInteger, Type::kText,    Type::kText};
  for (std::size_t i = 0; i < row.size(); ++i) {
    const bool may_be_null = row.columns()[i] == "before" || row.columns()[i] == "after";
    if (row[i].type() != kTypes[i] && !(may_be_null && row[i].is_null()))
      return Error(ErrorCode::kInvalidArgument, fmt::format("its {} has another type", row.columns()[i]));
  }
  return {};
}

Result<DeadLetter> letter_of(const Row& row) {
  DOSQL_RETURN_IF_ERROR(check_types(row));
  DeadLetter letter;
  letter.id = row[0].integer();
  letter.consumer = row[1].text();
  Change& change = letter.change;
  change.lsn = static_cast<std::uint64_t>(row[2].integer());
  change.transaction = static_cast<std::uint64_t>(row[3].integer());
  DOSQL_ASSIGN_OR_RETURN(change.timestamp, time_of(row[4].text()));
  DOSQL_ASSIGN_OR_RETURN(change.type, type_named(row[5].text()));
  change.table = row[6].text();
  change.key = row[7].blob();
  DOSQL_ASSIGN_OR_RETURN(change.before, row_of(row[8]));
  DOSQL_ASSIGN_OR_RETURN(change.after, row_of(row[9]));
  letter.code = row[10].text();
  letter.error = row[11].text();
  letter.attempts = row[12].integer();
  DOSQL_ASSIGN_OR_RETURN(letter.failed_first, time_of(row[13].text()));
  DOSQL_ASSIGN_OR_RETURN(letter.failed_last, time_of(row[14].text()));
  return letter;
}

}  // namespace

class DeadLetters::Queue {
 public:
  Queue(Connection connection, const DeadLetterOptions& options)
      : table_(options.table),
        quoted_(sql::quoted(options.table)),
        clock_(options.clock != nullptr ? *options.clock : system_clock()),
        connection_(std::move(connection)) {}

  const std::string& table() const { return table_; }
  std::string now() const { return time_text(clock_.now_us()); }

  // Runs a statement with {} for the table.
  template <class... Args>
  Result<RunResult> run(std::string_view pattern, const Args&... args) {
    std::lock_guard lock(mutex_);
    return connection_.run(text(pattern), args...);
  }
  template <class... Args>
  Result<Rows> query(std::string_view pattern, const Args&... args) {
    std::lock_guard lock(mutex_);
    return connection_.query(text(pattern), args...);
  }

 private:
  std::string text(std::string_view pattern) const { return fmt::format(fmt::runtime(pattern), quoted_); }

  const std::string table_;
  const std::string quoted_;
  Clock& clock_;
  std::mutex mutex_;  // guards what follows
  Connection connection_;
};

Result<DeadLetters> DeadLetters::open(Database& database, const DeadLetterOptions& options) {
  DOSQL_ASSIGN_OR_RETURN(Connection connection, database.connect());
  DOSQL_RETURN_IF_ERROR(connection.checkout(options.branch));
  DOSQL_RETURN_IF_ERROR(connection.exec("PRAGMA synchronous = FULL"));
  auto queue = std::make_unique<Queue>(std::move(connection), options);
  DOSQL_RETURN_IF_ERROR(queue->run(kCreate));
  return DeadLetters(std::move(queue));
}

DeadLetters::DeadLetters(std::unique_ptr<Queue> queue) : queue_(std::move(queue)) {}
DeadLetters::DeadLetters(DeadLetters&&) noexcept = default;
DeadLetters& DeadLetters::operator=(DeadLetters&&) noexcept = default;
DeadLetters::~DeadLetters() = default;

const std::string& DeadLetters::table() const { return queue_->table(); }

Status DeadLetters::add(std::string_view consumer, const Change& change, const Error& error, int attempts) {
  return queue_
      ->run(kAdd, consumer, change.lsn, change.transaction,
            time_text(change.timestamp.time_since_epoch().count()), change_type_name(change.type),
            change.table, change.key, json_of(change.before), json_of(change.after),
            error_code_name(error.code()), error.message(), attempts, queue_->now())
      .and_then(ignore_result);
}

Result<std::vector<DeadLetter>> DeadLetters::list(std::string_view consumer, std::int64_t after_id,
                                                  std::int64_t count_max) {
  DOSQL_ASSIGN_OR_RETURN(const Rows rows, queue_->query(kList, consumer, after_id, count_max));
  std::vector<DeadLetter> letters;
  for (const Row& row : rows) {
    auto letter = letter_of(row);
    if (!letter)
      return std::move(letter).error().with_context(fmt::format("dead letter {}", row[0].integer()));
    letters.push_back(*std::move(letter));
  }
  return letters;
}

Result<std::uint64_t> DeadLetters::count(std::string_view consumer) {
  DOSQL_ASSIGN_OR_RETURN(const Rows rows,
                         queue_->query("SELECT count(*) FROM {} WHERE consumer = ?", consumer));
  return static_cast<std::uint64_t>(rows[0][0].integer());
}

Status DeadLetters::remove(std::int64_t id) {
  DOSQL_ASSIGN_OR_RETURN(const RunResult done, queue_->run("DELETE FROM {} WHERE id = ?", id));
  if (done.changes > 0) return {};
  return Error(ErrorCode::kNotFound, fmt::format("there is no dead letter {} in {}", id, table()));
}

Result<DeadLetterRetry> DeadLetters::retry(std::string_view consumer,
                                           const std::function<Status(const Change&)>& handler) {
  DeadLetterRetry outcome;
  std::int64_t last_id = 0;
  while (true) {
    DOSQL_ASSIGN_OR_RETURN(const auto next, list(consumer, last_id, 1));
    if (next.empty()) return outcome;
    last_id = next[0].id;
    if (const Status done = handler(next[0].change); !done) {
      DOSQL_RETURN_IF_ERROR(add(consumer, next[0].change, done.error(), 1));
      ++outcome.failed;
      continue;
    }
    // Somebody else may have taken it off meanwhile.
    DOSQL_RETURN_IF_ERROR(queue_->run("DELETE FROM {} WHERE id = ?", last_id));
    ++outcome.dealt_with;
  }
}

}  // namespace dosql
