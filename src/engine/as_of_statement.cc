#include "engine/as_of_statement.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest_name.h"
#include "engine/connection_state.h"
#include "engine/diff_table.h"
#include "engine/function_arguments.h"
#include "engine/history_table.h"
#include "engine/sqlite_value.h"
#include "engine/system_tables.h"
#include "engine/time_points.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using sql::Span;
using sql::TimePoint;
using sql::TimeReference;

// Where in the text an error about what a point says is shown.
std::size_t place_of(const TimePoint& point) {
  return point.expression.empty() ? point.span.begin : point.expression.begin;
}

enum class Variables : std::uint8_t { kNone, kAllowed };

// Literals and operators only: the same value each time, or for the same values of variables.
bool is_constant(std::string_view text, const Span& expression, Variables variables = Variables::kNone) {
  sql::Lexer lexer(text.substr(0, expression.end), expression.begin);
  while (true) {
    switch (lexer.next_significant().kind) {
      case sql::TokenKind::kEnd: return true;
      case sql::TokenKind::kVariable:
        if (variables == Variables::kNone) return false;
        break;
      case sql::TokenKind::kString:
      case sql::TokenKind::kBlob:
      case sql::TokenKind::kNumber:
      case sql::TokenKind::kOpen:
      case sql::TokenKind::kClose:
      case sql::TokenKind::kMinus:
      case sql::TokenKind::kOperator: break;
      default: return false;
    }
  }
}

// Where a table of the past is looked for; two names need no schema to be those of temp.
std::string schema_of(const sql::TableName& name, std::string_view text) {
  if (name.schema) return sql::unquoted(name.schema->of(text));
  const std::string table = sql::unquoted(name.table.of(text));
  const bool temporary = sql::equals_ignoring_case(table, "sqlite_temp_schema") ||
                         sql::equals_ignoring_case(table, "sqlite_temp_master");
  return temporary ? "temp" : "main";
}

bool table_exists(ConnectionState& connection, const std::string& schema, const std::string& name) {
  return dosql_has_table(connection.db(), schema.c_str(), name.c_str()) != 0;
}

std::vector<std::string> tables_of(sqlite3* db, const std::string& schema) {
  const std::string sql = fmt::format(
      DOSQL_OWN_SQL
      "SELECT CAST(name AS TEXT) FROM {}.sqlite_schema WHERE name NOT NULL AND type IN ('table', 'view')",
      sql::quoted(schema));
  std::vector<std::string> names;
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr);
  while (sqlite3_step(statement) == SQLITE_ROW) {
    names.emplace_back(value_of_column(statement, 0).text());
  }
  sqlite3_finalize(statement);
  return names;
}

// Why the version in `schema` has no such table.
std::string missing_hint(ConnectionState& connection, const std::string& schema, const std::string& table) {
  if (dosql_is_table_function(connection.db(), table.c_str()) != 0)
    return fmt::format("{} is a table-valued function, which has no past", table);
  if (!table_exists(connection, "main", table)) {
    const std::vector<std::string> names = tables_of(connection.db(), schema);
    const std::string_view meant = nearest_name(table, names);
    if (!meant.empty()) return fmt::format("did you mean {}?", meant);
  }
  return "dosql_log shows the commits that changed sqlite_schema: it came later, or was gone by then";
}

// The schemas that a name may mean, in SQLite's order: temp, main, then as they were attached.
std::vector<std::string> schemas_of_user(ConnectionState& connection) {
  std::vector<std::string> schemas{"temp", "main"};
  for (int i = 2; const char* name = sqlite3_db_name(connection.db(), i); ++i) {
    if (!connection.need_past().number_of(name)) schemas.emplace_back(name);
  }
  return schemas;
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

Error with_offset(Error error, std::size_t offset) {
  return error.sql_offset() ? std::move(error) : std::move(error).with_sql_offset(offset);
}

}  // namespace

Result<std::unique_ptr<AsOfStatement>> AsOfStatement::make(ConnectionState& connection, std::string text,
                                                           sql::Recognition recognition,
                                                           unsigned prepare_flags) {
  std::unique_ptr<AsOfStatement> made(
      new AsOfStatement(connection, std::move(text), std::move(recognition), prepare_flags));
  DOSQL_RETURN_IF_ERROR(made->check_references());
  DOSQL_RETURN_IF_ERROR(made->find_sources(connection));
  if (made->has_variable_points()) return made;
  DOSQL_RETURN_IF_ERROR(made->evaluate_points(connection));
  DOSQL_RETURN_IF_ERROR(made->compile_as_needed(connection));
  return made;
}

AsOfStatement::AsOfStatement(ConnectionState& connection, std::string text, sql::Recognition recognition,
                             unsigned prepare_flags)
    : history_ranges_(connection.history_ranges()),
      text_(std::move(text)),
      recognition_(std::move(recognition)),
      prepare_flags_(prepare_flags),
      values_(recognition_.parameter_count),
      names_(recognition_.parameter_count) {
  for (const sql::Variable& variable : recognition_.variables) {
    if (!variable.anonymous()) names_[variable.number - 1] = variable.span.of(text_);
  }
  add_operands();
}

void AsOfStatement::add_operands() {
  const auto add_point = [&](const std::optional<TimePoint>& point) {
    if (point) operands_.push_back({&*point, point->expression, point->has_variables});
  };
  for (std::size_t i = 0; i < recognition_.times.size(); ++i) {
    const TimeReference& reference = recognition_.times[i];
    first_operand_.push_back(operands_.size());
    add_point(reference.point);
    add_point(reference.end_point);
    if (reference.kind != sql::ReferenceKind::kAsOf) ranges_[i] = history_ranges_.add();
  }
  for (const sql::DiffCall& call : recognition_.diffs) {
    for (const Span& argument : {call.from, call.to}) {
      const bool has_variables = std::ranges::any_of(recognition_.variables, [&](const sql::Variable& one) {
        return one.span.begin >= argument.begin && one.span.end <= argument.end;
      });
      operands_.push_back({nullptr, argument, has_variables});
    }
  }
}

AsOfStatement::~AsOfStatement() {
  for (const auto& [reference, number] : ranges_) history_ranges_.remove(number);
  sqlite3_finalize(evaluator_);
  sqlite3_finalize(statement_);
}

Status AsOfStatement::check_references() const {
  for (const TimeReference& reference : recognition_.times) {
    const std::string table = sql::unquoted(reference.name.table.of(text_));
    if (is_system_table(table)) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("{} has no past: it is about all versions as they are now", table))
          .with_sql_offset(reference.clause.begin);
    }
    const std::string schema = schema_of(reference.name, text_);
    if (sql::equals_ignoring_case(schema, "main")) continue;
    return Error(ErrorCode::kSql, fmt::format("only tables of main have a past, not those of '{}'", schema))
        .with_sql_offset(reference.name.span().begin);
  }
  return {};
}

bool AsOfStatement::has_variable_points() const {
  return std::ranges::any_of(operands_, [](const Operand& operand) { return operand.has_variables; });
}

bool AsOfStatement::read_only() const {
  if (statement_ != nullptr) return sqlite3_stmt_readonly(statement_) != 0;
  const std::string_view text = recognition_.span.of(text_);
  sql::Lexer lexer(text);
  if (sql::equals_ignoring_case(lexer.next_significant().span.of(text), "CREATE")) return false;
  return std::none_of(recognition_.present.begin(), recognition_.present.end(),
                      [](const sql::PresentTable& table) { return table.role == sql::TableRole::kWritten; });
}

// --- Parameters ---

const char* AsOfStatement::parameter_name(int index) const {
  if (index < 1 || index > parameter_count() || names_[index - 1].empty()) return nullptr;
  return names_[index - 1].c_str();
}

int AsOfStatement::parameter_index(std::string_view name) const {
  const auto found = name.empty() ? names_.end() : std::find(names_.begin(), names_.end(), name);
  return found == names_.end() ? 0 : static_cast<int>(found - names_.begin()) + 1;
}

int AsOfStatement::bind(int index, const Value& value) {
  if (index < 1 || index > parameter_count()) return SQLITE_RANGE;
  values_[index - 1] = value;
  if (index > sqlite3_bind_parameter_count(statement_)) return SQLITE_OK;
  return bind_value(statement_, index, value);
}

void AsOfStatement::clear_bindings() {
  std::fill(values_.begin(), values_.end(), Value());
  if (statement_ != nullptr) sqlite3_clear_bindings(statement_);
}

std::string AsOfStatement::expanded_text() const {
  std::string expanded;
  std::size_t at = 0;
  for (const sql::Variable& variable : recognition_.variables) {
    expanded += std::string_view(text_).substr(at, variable.span.begin - at);
    expanded += literal(values_[variable.number - 1]);
    at = variable.span.end;
  }
  return expanded + text_.substr(at);
}

// --- Points ---

AsOfStatement::Source AsOfStatement::source_of(const Operand& operand) const {
  Source source;
  const TimePoint* const point = operand.point;
  if (point != nullptr && point->name) return source;  // nothing to evaluate
  if (operand.expression.empty()) {
    source.constant = Value(std::int64_t{0});  // VERSION CURRENT: no offset, which NULL is not
    return source;
  }
  const Span variable_place = point != nullptr ? operand_of(text_, *point) : operand.expression;
  const auto variable = std::ranges::find_if(
      recognition_.variables, [&](const sql::Variable& one) { return one.span == variable_place; });
  if (variable != recognition_.variables.end()) {
    source.kind = variable_place == operand.expression ? Source::Kind::kParameter : Source::Kind::kNegated;
    source.index = variable->number;
  } else if (point == nullptr && !is_constant(text_, operand.expression, Variables::kAllowed)) {
    source.kind = Source::Kind::kUnknown;
  } else {
    source.kind = Source::Kind::kEvaluated;
  }
  return source;
}

Status AsOfStatement::find_sources(ConnectionState& connection) {
  std::vector<Span> evaluated;
  bool all_constant = true;
  for (Operand& operand : operands_) {
    operand.source = source_of(operand);
    if (operand.source.kind != Source::Kind::kEvaluated) continue;
    operand.source.index = evaluated.size();
    evaluated.push_back(operand.expression);
    all_constant &= is_constant(text_, operand.expression);
  }
  if (evaluated.empty()) return {};
  DOSQL_RETURN_IF_ERROR(compile_evaluator(connection, evaluated));
  if (!all_constant) return {};

  DOSQL_RETURN_IF_ERROR(evaluate(connection));
  for (Operand& operand : operands_) {
    Source& source = operand.source;
    if (source.kind != Source::Kind::kEvaluated) continue;
    source.constant = evaluated_[source.index];
    source.kind = Source::Kind::kConstant;
  }
  sqlite3_finalize(std::exchange(evaluator_, nullptr));
  return {};
}

// `SELECT (expression), ...`, with the statement's own numbers for its variables.
sql::RewrittenSql AsOfStatement::evaluator_of(const std::vector<Span>& expressions) const {
  sql::RewrittenSql out;
  std::string& text = out.text;
  const auto add = [&](std::string_view part, std::size_t original, bool copied) {
    out.pieces.push_back({text.size(), original, copied});
    text += part;
  };
  for (const Span& whole : expressions) {
    add(text.empty() ? DOSQL_OWN_SQL "SELECT (" : "), (", whole.begin, false);
    std::size_t at = whole.begin;
    for (const sql::Variable& variable : recognition_.variables) {
      if (variable.span.begin < at || variable.span.end > whole.end) continue;
      add(std::string_view(text_).substr(at, variable.span.begin - at), at, true);
      add(fmt::format("?{}", variable.number), variable.span.begin, false);
      at = variable.span.end;
    }
    add(std::string_view(text_).substr(at, whole.end - at), at, true);
  }
  add(")", expressions.back().end, false);
  return out;
}

Status AsOfStatement::compile_evaluator(ConnectionState& connection, const std::vector<Span>& expressions) {
  evaluator_text_ = evaluator_of(expressions);
  const std::string& text = evaluator_text_.text;
  const int rc = sqlite3_prepare_v3(connection.db(), text.data(), static_cast<int>(text.size()),
                                    prepare_flags_, &evaluator_, nullptr);
  if (rc == SQLITE_OK) return {};
  Error error = connection.error(rc);
  const std::size_t offset =
      error.sql_offset() ? evaluator_text_.original_offset(*error.sql_offset()) : expressions.front().begin;
  return std::move(error).with_sql_offset(offset);
}

Status AsOfStatement::evaluate(ConnectionState& connection) {
  bind_values(evaluator_);
  const int rc = sqlite3_step(evaluator_);
  if (rc != SQLITE_ROW) {
    Error error = connection.error(rc);
    sqlite3_reset(evaluator_);
    return std::move(error).with_sql_offset(failing_expression(connection).begin);
  }
  evaluated_.clear();
  for (int column = 0; column < sqlite3_column_count(evaluator_); ++column) {
    evaluated_.push_back(value_of_column(evaluator_, column));
  }
  sqlite3_reset(evaluator_);
  return {};
}

// All are evaluated at once, so that 'now' is the same in each; which of them failed SQLite does not say.
Span AsOfStatement::failing_expression(ConnectionState& connection) const {
  Span last;
  for (const Operand& operand : operands_) {
    if (operand.source.kind != Source::Kind::kEvaluated) continue;
    last = operand.expression;
    const sql::RewrittenSql alone = evaluator_of({last});
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(connection.db(), alone.text.data(), static_cast<int>(alone.text.size()), &statement,
                       nullptr);
    bind_values(statement);
    const bool fails = sqlite3_step(statement) != SQLITE_ROW;
    sqlite3_finalize(statement);
    if (fails) break;
  }
  return last;
}

void AsOfStatement::bind_values(sqlite3_stmt* statement) const {
  const int count = sqlite3_bind_parameter_count(statement);
  for (int index = 1; index <= count; ++index) bind_value(statement, index, values_[index - 1]);
}

const Value& AsOfStatement::value_of(const Source& source, Value& made) const {
  switch (source.kind) {
    case Source::Kind::kConstant: return source.constant;
    case Source::Kind::kParameter: return values_[source.index - 1];
    case Source::Kind::kNegated: return made = minus(values_[source.index - 1]);
    case Source::Kind::kEvaluated:
    case Source::Kind::kUnknown: break;
  }
  return evaluated_[source.index];
}

// Finding a version reads the log, which takes longer than a small query.
Result<version::ReadPoint> AsOfStatement::look_up(ConnectionState& connection, Operand& operand) {
  const TimePoint& point = *operand.point;
  Value made;
  const Value& value = value_of(operand.source, made);
  Meaning& last = operand.meaning;
  const version::ReadPoint now = connection.file().point();
  const std::uint64_t name_changes = connection.core().store().name_changes();
  // A branch goes on without a word to this connection.
  if (last.point && last.now == now && last.name_changes == name_changes && last.value == value &&
      point.kind != sql::PointKind::kBranch) {
    return *last.point;
  }
  last.point.reset();
  auto found = resolve_time_point(connection, point.kind, point.name, value);
  if (!found) return with_offset(std::move(found).error(), place_of(point));
  last = Meaning{value, now, name_changes, *found};
  return found;
}

// What an argument that comes of rows will say nobody knows yet: the table has the columns of the present
// then.
Result<version::ReadPoint> AsOfStatement::look_up_argument(ConnectionState& connection,
                                                           const Operand& operand) {
  if (operand.source.kind == Source::Kind::kUnknown) return connection.file().point();
  Value made;
  auto found = point_argument(connection, value_of(operand.source, made));
  if (!found) return with_offset(std::move(found).error(), operand.expression.begin);
  return found;
}

// --- An execution ---

Status AsOfStatement::begin(ConnectionState& connection, HeldHead& head) {
  const bool in_transaction = sqlite3_get_autocommit(connection.db()) == 0;
  const bool to_write = writes_main_;
  // Of one table of the past alone there is nothing that its one point could contradict.
  const bool alone = recognition_.times.size() == 1 && ranges_.empty() && recognition_.diffs.empty() &&
                     recognition_.present.empty();
  if (to_write || in_transaction || !alone) DOSQL_RETURN_IF_ERROR(head.hold(to_write));
  DOSQL_RETURN_IF_ERROR(evaluate_points(connection));
  DOSQL_RETURN_IF_ERROR(compile_as_needed(connection));
  // Whether it writes is known only once it was compiled.
  if (!to_write && writes_main_) {
    DOSQL_RETURN_IF_ERROR(head.hold(true));
    DOSQL_RETURN_IF_ERROR(compile_as_needed(connection));
  }
  return in_transaction ? head.settle_transaction() : Status();
}

Status AsOfStatement::evaluate_points(ConnectionState& connection) {
  return evaluator_ != nullptr ? evaluate(connection) : Status();
}

Status AsOfStatement::compile_as_needed(ConnectionState& connection) {
  DOSQL_RETURN_IF_ERROR(find_tables(connection));
  // A table of temp may stand in front of one whose schema was written out.
  const bool same = wanted_ == numbers_ && wanted_names_ == names_of_computed_;
  if (statement_ != nullptr && same && dosql_is_expired(statement_) == 0) return {};
  return compile(connection);
}

bool AsOfStatement::compiles(ConnectionState& connection) const {
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v2(connection.db(), rewritten_.text.data(),
                                    static_cast<int>(rewritten_.text.size()), &statement, nullptr);
  sqlite3_finalize(statement);
  return rc == SQLITE_OK;
}

Status AsOfStatement::compile_again(ConnectionState& connection) {
  DOSQL_RETURN_IF_ERROR(find_tables(connection));
  return compile(connection);
}

Status AsOfStatement::find_tables(ConnectionState& connection) {
  DOSQL_RETURN_IF_ERROR(connection.file().await_point());
  DOSQL_RETURN_IF_ERROR(find_attachments(connection));
  DOSQL_RETURN_IF_ERROR(find_histories(connection));
  return find_differences(connection);
}

Status AsOfStatement::find_histories(ConnectionState& connection) {
  wanted_names_.times.assign(recognition_.times.size(), "");
  for (const auto& [reference, number] : ranges_) {
    const TimeReference& time = recognition_.times[reference];
    auto range = range_of(connection, reference);
    if (!range) return with_offset(std::move(range).error(), time.clause.begin);
    auto name = history_table(connection, *range);
    if (!name) return with_offset(std::move(name).error(), time.name.span().begin);
    history_ranges_.set(number, *std::move(range));
    const std::string table = sql::unquoted(time.name.table.of(text_));
    const bool needs_alias = !time.alias && !time.membership;
    wanted_names_.times[reference] =
        fmt::format("{}({}){}", *name, number, needs_alias ? " AS " + sql::quoted(table) : "");
  }
  return {};
}

// Up to which version, and of which branch. The end of FROM ... TO is not in it, that of BETWEEN is.
Result<HistoryRange> AsOfStatement::range_of(ConnectionState& connection, std::size_t reference) {
  version::VersionStore& store = connection.core().store();
  const TimeReference& time = recognition_.times[reference];
  HistoryRange range{.table = table_of(reference)};
  range.line = connection.file().branch();
  range.head = range.last = connection.file().point();
  if (time.kind == sql::ReferenceKind::kAll) {
    if (raw(range.last.version) == 0) return range;
    DOSQL_ASSIGN_OR_RETURN(range.first, store.at_version(range.line, Version{1}));
    return range;
  }
  Operand& from = operands_[first_operand_[reference]];
  Operand& to = operands_[first_operand_[reference] + 1];
  DOSQL_ASSIGN_OR_RETURN(range.first, look_up(connection, from));
  DOSQL_ASSIGN_OR_RETURN(range.last, look_up(connection, to));
  DOSQL_RETURN_IF_ERROR(find_line(connection, to, range));
  if (range.first.version > range.last.version) {
    range.empty = true;
    return range;
  }
  const auto on_line = store.at_version(range.line, range.first.version);
  if (!on_line || *on_line != range.first) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{} is not on the way to {}", version_id(store, range.first).to_string(),
                             version_id(store, range.last).to_string()))
        .with_hint(
            "the range's first point is of the same branch as its last, or of one that it was made of");
  }
  if (time.kind == sql::ReferenceKind::kBetween) return range;
  DOSQL_ASSIGN_OR_RETURN(const bool excluded, is_moment_of(connection, to, range.last));
  range.empty = excluded && range.first == range.last;
  if (excluded && !range.empty) {
    DOSQL_ASSIGN_OR_RETURN(range.last, store.at_version(range.line, Version{raw(range.last.version) - 1}));
  }
  return range;
}

// The line of versions that the range's last one is on: that of the branch it names, else the connection's.
Status AsOfStatement::find_line(ConnectionState& connection, const Operand& to, HistoryRange& range) {
  version::VersionStore& store = connection.core().store();
  if (to.point->kind == sql::PointKind::kBranch) {
    Value made;
    const std::string name = to.point->name ? *to.point->name : value_of(to.source, made).text();
    const auto branch = store.find_branch(name);
    if (!branch) return branch_not_found(store, name);
    range.line = branch->id;
    range.head = range.last;
    return {};
  }
  const bool beyond = range.last.version > range.head.version;
  const auto own = store.at_version(range.line, range.last.version);
  if (!beyond && own && *own == range.last) return {};
  range.line = range.last.branch;
  range.head = store.head(range.line);
  return {};
}

// Whether the point is the very moment in which the version came; else it is one in which the version was.
Result<bool> AsOfStatement::is_moment_of(ConnectionState& connection, const Operand& operand,
                                         const version::ReadPoint& point) {
  Value made;
  const Value& value = value_of(operand.source, made);
  switch (operand.point->kind) {
    case sql::PointKind::kLsn: return static_cast<std::uint64_t>(value.integer()) <= raw(point.lsn);
    case sql::PointKind::kTimestamp: {
      DOSQL_ASSIGN_OR_RETURN(const TimestampUs timestamp_us, timestamp_of(connection, value));
      DOSQL_ASSIGN_OR_RETURN(const version::CommitInfo info,
                             connection.core().store().commit_info(point.branch, point.version));
      return timestamp_us <= info.timestamp_us;
    }
    default: return true;
  }
}

Status AsOfStatement::find_differences(ConnectionState& connection) {
  wanted_names_.diffs.clear();
  for (std::size_t i = 0; i < recognition_.diffs.size(); ++i) {
    auto name = difference(connection, i);
    if (!name) return with_offset(std::move(name).error(), recognition_.diffs[i].table.begin);
    wanted_names_.diffs.push_back(*std::move(name));
  }
  return {};
}

// The computed table that has the columns of this difference.
Result<std::string> AsOfStatement::difference(ConnectionState& connection, std::size_t call) {
  const std::size_t first = operands_.size() - 2 * recognition_.diffs.size() + 2 * call;
  const std::string table = sql::unquoted(recognition_.diffs[call].table.of(text_));
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint from, look_up_argument(connection, operands_[first]));
  DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint to, look_up_argument(connection, operands_[first + 1]));
  return difference_table(connection, table, from, to);
}

Status AsOfStatement::find_attachments(ConnectionState& connection) {
  PastDatabases& past = connection.need_past();
  PastDatabases::Set set;
  wanted_.clear();
  for (std::size_t i = 0; i < recognition_.times.size(); ++i) {
    const TimeReference& reference = recognition_.times[i];
    if (ranges_.contains(i)) {
      wanted_.push_back(kNoAttachment);
      continue;
    }
    DOSQL_ASSIGN_OR_RETURN(const version::ReadPoint point, look_up(connection, operands_[first_operand_[i]]));
    if (set.count() == PastDatabases::kMax && std::none_of(wanted_.begin(), wanted_.end(), [&](auto number) {
          return number != kNoAttachment && past.point(number) == point;
        })) {
      return Error(ErrorCode::kInvalidArgument,
                   fmt::format("one statement can read at most {} points in time", PastDatabases::kMax))
          .with_sql_offset(reference.clause.begin);
    }
    const std::size_t guess = i < numbers_.size() ? numbers_[i] : PastDatabases::kMax;
    auto number = past.get(point, guess, set);
    if (!number) return with_offset(std::move(number).error(), reference.clause.begin);
    set.set(*number);
    wanted_.push_back(*number);
  }
  attachments_ = set;
  return {};
}

Status AsOfStatement::compile(ConnectionState& connection) {
  sqlite3_finalize(std::exchange(statement_, nullptr));
  writes_main_ = false;
  ++compilation_;
  numbers_ = wanted_;
  names_of_computed_ = wanted_names_;
  PastDatabases& past = connection.need_past();
  const PastDatabases::Permission permission(past, attachments_);
  DOSQL_RETURN_IF_ERROR(find_present_schemas(connection));
  rewritten_ = sql::rewrite(text_, recognition_, {past_names(), names_of_computed_.diffs, present_names()});
  past.forget_denied();
  const int rc =
      sqlite3_prepare_v3(connection.db(), rewritten_.text.data(), static_cast<int>(rewritten_.text.size()),
                         prepare_flags_, &statement_, nullptr);
  if (rc != SQLITE_OK) return in_users_words(connection, connection.error(rc));
  if (auto missing = missing_table(connection)) {
    sqlite3_finalize(std::exchange(statement_, nullptr));
    return *std::move(missing);
  }
  writes_main_ = dosql_writes_main(statement_) != 0;
  for (int index = 1; index <= sqlite3_bind_parameter_count(statement_); ++index) {
    if (!values_[index - 1].is_null()) bind_value(statement_, index, values_[index - 1]);
  }
  return {};
}

std::vector<std::string> AsOfStatement::past_names() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const std::string_view table = recognition_.times[i].name.table.of(text_);
    names.push_back(numbers_[i] == kNoAttachment
                        ? names_of_computed_.times[i]
                        : fmt::format("{}.{}", sql::quoted(PastDatabases::schema_name(numbers_[i])), table));
  }
  return names;
}

std::vector<std::string> AsOfStatement::present_names() const {
  std::vector<std::string> names(present_schemas_.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (present_schemas_[i].empty()) continue;
    const std::string_view table = recognition_.present[i].name.table.of(text_);
    names[i] = fmt::format("{}.{}", sql::quoted(present_schemas_[i]), table);
  }
  return names;
}

// SQLite would look for a table without a schema in the attached past too, should it be nowhere else; also
// when it compiles again on its own. So the schema is written out.
Status AsOfStatement::find_present_schemas(ConnectionState& connection) {
  PastDatabases& past = connection.need_past();
  present_schemas_.assign(recognition_.present.size(), "");
  std::vector<std::string> schemas;
  for (std::size_t i = 0; i < present_schemas_.size(); ++i) {
    const sql::TableName& name = recognition_.present[i].name;
    const std::string table = sql::unquoted(name.table.of(text_));
    const auto no_such_table = [&] {
      return Error(ErrorCode::kSql, fmt::format("no such table: {}", sql::unquoted(name.span().of(text_))))
          .with_sql_offset(name.span().begin);
    };
    if (name.schema) {
      if (past.number_of(sql::unquoted(name.schema->of(text_)))) return no_such_table();
      continue;
    }
    if (sqlite3_strnicmp(table.c_str(), "sqlite_", 7) == 0 &&
        (table.ends_with("schema") || table.ends_with("master"))) {
      continue;
    }
    if (schemas.empty()) {
      DOSQL_RETURN_IF_ERROR(past.read_schemas());
      schemas = schemas_of_user(connection);
    }
    const auto found = std::find_if(schemas.begin(), schemas.end(), [&](const std::string& schema) {
      return table_exists(connection, schema, table);
    });
    if (found != schemas.end()) present_schemas_[i] = *found;
    // A table-valued function, a table that exists without being created, or none.
    for (std::size_t number = 0; present_schemas_[i].empty() && number < PastDatabases::kMax; ++number) {
      if (!attachments_.test(number)) continue;
      if (table_exists(connection, PastDatabases::schema_name(number), table)) return no_such_table();
    }
  }
  return {};
}

// --- Errors ---

std::string AsOfStatement::table_of(std::size_t reference) const {
  return sql::unquoted(recognition_.times[reference].name.table.of(text_));
}

// As in "main@3".
std::string AsOfStatement::version_of(ConnectionState& connection, std::size_t reference) const {
  const version::ReadPoint& point = connection.need_past().point(numbers_[reference]);
  return version_id(connection.core().store(), point).to_string();
}

// SQLite compiles a table-valued function in any schema.
std::optional<Error> AsOfStatement::missing_table(ConnectionState& connection) const {
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    if (numbers_[i] == kNoAttachment) continue;
    const std::string table = table_of(i);
    const std::string schema = PastDatabases::schema_name(numbers_[i]);
    const bool known = dosql_knows_schema(connection.db(), schema.c_str()) != 0;
    if (!known || table_exists(connection, schema, table)) continue;
    return Error(ErrorCode::kSql, fmt::format("no such table: {} at {}", table, version_of(connection, i)))
        .with_hint(missing_hint(connection, schema, table))
        .with_sql_offset(recognition_.times[i].name.span().begin)
        .with_sqlite_code(SQLITE_ERROR);
  }
  return std::nullopt;
}

// What is wrong inside of a view SQLite says without naming the view, in terms of a text that nobody sees
// here.
std::optional<Error> AsOfStatement::broken_view(ConnectionState& connection) const {
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    if (numbers_[i] == kNoAttachment) continue;
    const std::string sql = fmt::format(DOSQL_OWN_SQL "SELECT 1 FROM {}.{}",
                                        PastDatabases::schema_name(numbers_[i]), sql::quoted(table_of(i)));
    sqlite3_stmt* statement = nullptr;
    const int rc = sqlite3_prepare_v2(connection.db(), sql.c_str(), -1, &statement, nullptr);
    sqlite3_finalize(statement);
    if ((rc & 0xff) != SQLITE_ERROR) continue;
    return Error(ErrorCode::kSql,
                 fmt::format("{} at {} cannot be read: {}", table_of(i), version_of(connection, i),
                             without_our_schemas(sqlite3_errmsg(connection.db()))))
        .with_sql_offset(recognition_.times[i].clause.begin)
        .with_sqlite_code(rc);
  }
  return std::nullopt;
}

std::string AsOfStatement::without_our_schemas(std::string message) const {
  for (const std::size_t number : numbers_) {
    if (number == kNoAttachment) continue;
    replace_all(message, PastDatabases::schema_name(number) + ".", "");
  }
  for (std::size_t i = 0; i < present_schemas_.size(); ++i) {
    if (present_schemas_[i].empty()) continue;
    const std::string table = sql::unquoted(recognition_.present[i].name.table.of(text_));
    replace_all(message, fmt::format("table {}.{} has ", present_schemas_[i], table),
                fmt::format("table {} has ", table));
  }
  return message;
}

// The schema of a table of the past is one of ours, whatever was written before its name.
std::string AsOfStatement::hint_at(std::string_view message) const {
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    const auto& alias = recognition_.times[i].alias;
    const std::string prefix = fmt::format("no such column: main.{}.", table_of(i));
    if (!sql::equals_ignoring_case(message.substr(0, prefix.size()), prefix)) continue;
    return fmt::format("main.{} is the table of the present: write {}.{}", table_of(i),
                       alias ? sql::unquoted(alias->of(text_)) : table_of(i), message.substr(prefix.size()));
  }
  return "";
}

Error AsOfStatement::in_users_words(ConnectionState& connection, Error error) const {
  if ((error.sqlite_code() & 0xff) == SQLITE_ERROR) {
    if (auto missing = missing_table(connection)) return *std::move(missing);
    if (auto broken = broken_view(connection)) return *std::move(broken);
  }
  std::string message = without_our_schemas(error.message());
  const PastDatabases& past = connection.need_past();
  if (past.denied() && (error.sqlite_code() & 0xff) == SQLITE_AUTH) {
    message = fmt::format("no such table: {}", *past.denied());
  }
  const std::string hint = error.hint().empty() ? hint_at(message) : error.hint();
  Error result(error.code(), std::move(message));
  if (!hint.empty()) result = std::move(result).with_hint(hint);
  if (const auto offset = error.sql_offset()) {
    result = std::move(result).with_sql_offset(rewritten_.original_offset(*offset));
  }
  return std::move(result).with_sqlite_code(error.sqlite_code());
}

}  // namespace dosql::engine
