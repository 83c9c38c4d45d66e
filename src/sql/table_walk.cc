#include "sql/table_walk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sql/sql_error.h"

namespace dosql::sql {

Status TableWalk::run(Recognition& recognition) {
  times_ = &recognition.times;
  diffs_ = &recognition.diffs;
  present_ = &recognition.present;
  frames_.assign(1, Frame{});
  begin_statement();
  while (!cursor_.at_end()) DOSQL_RETURN_IF_ERROR(step());
  return resolve_names();
}

// What no query can begin with.
void TableWalk::begin_statement() {
  if (cursor_.take_word("EXPLAIN") && cursor_.word("QUERY") && cursor_.word("PLAN", 1)) {
    cursor_.take();
    cursor_.take();
  }
  if (cursor_.word("DROP")) {
    definition_ = Definition::kChanged;
    top().clause = Clause::kRest;
  }
  if (cursor_.take_word("ALTER")) begin_alter();
  if (cursor_.take_word("CREATE")) begin_create();
}

// Behind the table's name it is the table that is meant, behind that the definition of a column.
void TableWalk::begin_alter() {
  top().clause = Clause::kRest;
  cursor_.take_word("TABLE");
  if (cursor_.name()) take_table_name();
  definition_ = cursor_.time_clause() ? Definition::kChanged : Definition::kTable;
}

void TableWalk::begin_create() {
  if (cursor_.word("TEMP") || cursor_.word("TEMPORARY")) cursor_.take();
  top().clause = Clause::kRest;
  if (cursor_.take_word("TABLE")) {
    definition_ = Definition::kTable;
    top().clause = Clause::kCreateTable;
  } else if (cursor_.take_word("VIEW")) {
    definition_ = Definition::kView;
    top().clause = Clause::kCreateView;
  } else if (cursor_.take_word("TRIGGER")) {
    definition_ = Definition::kTrigger;
    top().clause = Clause::kTriggerHead;
  } else {
    definition_ = Definition::kIndex;
  }
}

Status TableWalk::step() {
  if (misplaced_clause()) return misplaced();
  switch (cursor_.kind()) {
    case TokenKind::kOpen: return open(), Status();
    case TokenKind::kClose: return close(), Status();
    case TokenKind::kComma: return comma(), Status();
    case TokenKind::kSemicolon:  // of a trigger's body
      top().clause = Clause::kStart;
      cursor_.take();
      return {};
    default: break;
  }
  switch (top().clause) {
    case Clause::kStart: return start();
    case Clause::kCteName: return read_cte_name(), Status();
    case Clause::kCteNext: top().clause = Clause::kStart; return {};
    case Clause::kTable: return table_reference();
    default: return keyword();
  }
}

void TableWalk::open() {
  const bool query = query_follows(1);
  Frame inner{query ? Clause::kStart : Clause::kRest};
  switch (top().clause) {
    case Clause::kTable:
      top().clause = Clause::kTail;
      top().behind = query ? Behind::kSubquery : Behind::kJoin;
      if (!query) inner.clause = Clause::kTable;
      break;
    case Clause::kCteBody:
      top().clause = Clause::kCteNext;
      inner.clause = Clause::kStart;
      inner.body_of = top().cte;
      scopes_.open_body(inner.body_of, cursor_.offset());
      break;
    default: break;
  }
  frames_.push_back(inner);
  cursor_.take();
}

void TableWalk::close() {
  const std::size_t end = cursor_.take().span.end;
  if (frames_.size() == 1) return;  // one too many: SQLite will say so
  const Frame& frame = top();
  if (frame.scope != kNone) scopes_.close_scope(frame.scope, end);
  if (frame.body_of != kNone) scopes_.close_body(frame.body_of, end);
  frames_.pop_back();
}

void TableWalk::comma() {
  Clause& clause = top().clause;
  if (clause == Clause::kTail || clause == Clause::kOn) clause = Clause::kTable;
  if (clause == Clause::kCteNext) clause = Clause::kCteName;
  cursor_.take();
}

Status TableWalk::start() {
  if (with_clause(0)) return begin_with(), Status();
  top().clause = Clause::kRest;
  if (cursor_.word("SELECT")) return keyword();
  if (cursor_.take_word("INSERT") || cursor_.take_word("REPLACE")) {
    top().clause = Clause::kInsert;
  } else if (cursor_.take_word("DELETE")) {
    top().clause = Clause::kDelete;
  } else if (cursor_.take_word("UPDATE")) {
    if (cursor_.take_word("OR")) cursor_.take();
    if (cursor_.name()) return target(Clause::kUpdate);
  } else {
    cursor_.take();
  }
  return {};
}

void TableWalk::begin_with() {
  Frame& frame = top();
  if (frame.scope == kNone) frame.scope = scopes_.open_scope(cursor_.offset());
  frame.clause = Clause::kCteName;
  cursor_.take();
  cursor_.take_word("RECURSIVE");
}

void TableWalk::read_cte_name() {
  Frame& frame = top();
  frame.clause = Clause::kRest;
  if (cursor_.name()) {
    frame.cte = scopes_.add(frame.scope, cursor_.text());
    frame.clause = Clause::kCteHead;
  }
  cursor_.take();
}

// Everywhere else only reserved words matter, and those cannot be names.
Status TableWalk::keyword() {
  Clause& clause = top().clause;
  const bool from_operator =
      cursor_.has_before() && equals_ignoring_case(cursor_.before().span.of(cursor_.source()), "DISTINCT");
  if (cursor_.word("SELECT")) {
    clause = Clause::kColumns;
  } else if (cursor_.word("FROM") && !from_operator) {
    if (clause == Clause::kDelete) {
      cursor_.take();
      return target(Clause::kRest);
    }
    if (clause == Clause::kColumns || clause == Clause::kAssign) clause = Clause::kTable;
  } else if (cursor_.word("INTO") && clause == Clause::kInsert) {
    cursor_.take();
    return target(Clause::kStart);
  } else if (cursor_.word("SET") && clause == Clause::kUpdate) {
    clause = Clause::kAssign;
  } else if (cursor_.word("IN") && cursor_.name(1)) {
    cursor_.take();
    return membership();
  } else if (cursor_.word("AS")) {
    if (clause == Clause::kCteHead) clause = Clause::kCteBody;
    if (clause == Clause::kCreateTable || clause == Clause::kCreateView) clause = Clause::kStart;
    if (definition_ == Definition::kTable && clause == Clause::kStart) definition_ = Definition::kNone;
  } else if (cursor_.word("BEGIN") && clause == Clause::kTriggerHead) {
    clause = Clause::kStart;
  } else if (clause == Clause::kTail || clause == Clause::kOn) {
    end_tables();
  }
  cursor_.take();
  return {};
}

// What follows a table: another one, a condition, or a word that ends the FROM clause.
void TableWalk::end_tables() {
  static constexpr auto kEnds = std::to_array<std::string_view>(
      {"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "EXCEPT", "INTERSECT", "RETURNING"});
  Clause& clause = top().clause;
  if (cursor_.word("JOIN")) {
    clause = Clause::kTable;
  } else if (cursor_.word("ON")) {
    clause = Clause::kOn;
  } else if (window_clause() ||
             std::any_of(kEnds.begin(), kEnds.end(), [&](auto word) { return cursor_.word(word); })) {
    clause = Clause::kRest;
  }
}

// WITH is a name too: SQLite takes it for the clause where that fits.
bool TableWalk::with_clause(std::size_t n) const {
  if (!cursor_.word("WITH", n)) return false;
  if (cursor_.word("RECURSIVE", n + 1)) return cursor_.name(n + 2);
  return cursor_.name(n + 1) && (cursor_.word("AS", n + 2) || cursor_.kind(n + 2) == TokenKind::kOpen);
}

bool TableWalk::query_follows(std::size_t n) const {
  return cursor_.word("SELECT", n) || cursor_.word("VALUES", n) || with_clause(n);
}

bool TableWalk::window_clause() const {
  return cursor_.word("WINDOW") && cursor_.name(1) && cursor_.word("AS", 2);
}

// FOR SYSTEM_TIME where table_reference() did not take it. A column FOR with the alias SYSTEM_TIME is
// SQLite's own, and may have a FROM behind it; what else could follow the two words is no SQL of SQLite's
// anywhere.
bool TableWalk::misplaced_clause() {
  if (!cursor_.time_clause()) return false;
  const bool as_of = cursor_.word("AS", 2) && cursor_.word("OF", 3);
  return as_of || cursor_.word("BETWEEN", 2) || cursor_.word("ALL", 2) || top().clause == Clause::kTail ||
         top().clause == Clause::kOn;
}

TableName TableWalk::take_table_name() {
  TableName name{std::nullopt, cursor_.take().span};
  if (cursor_.kind() == TokenKind::kDot && cursor_.name(1)) {
    cursor_.take();
    name.schema = name.table;
    name.table = cursor_.take().span;
  }
  return name;
}

std::optional<Span> TableWalk::take_alias() {
  if (cursor_.word("AS") && cursor_.name(1)) {
    cursor_.take();
    return cursor_.take().span;
  }
  if (cursor_.free_name() && !cursor_.time_clause() && !window_clause()) return cursor_.take().span;
  return std::nullopt;
}

Status TableWalk::table_reference() {
  top().clause = Clause::kTail;
  top().behind = Behind::kNothing;
  if (!cursor_.name()) return keyword();
  const TableName name = take_table_name();
  if (cursor_.kind() == TokenKind::kOpen) {
    top().behind = Behind::kFunction;
    return function(name);
  }
  top().behind = Behind::kTable;
  std::optional<Span> alias = take_alias();
  if (!cursor_.time_clause()) {
    present_->push_back({name, TableRole::kRead});
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(TimeReference reference, time_clause(name));
  reference.alias = alias ? alias : take_alias();
  times_->push_back(std::move(reference));
  return {};
}

// The table of `x IN table`, which has no alias.
Status TableWalk::membership() {
  const TableName name = take_table_name();
  if (cursor_.kind() == TokenKind::kOpen) return function(name);
  if (!cursor_.time_clause()) {
    present_->push_back({name, TableRole::kRead});
    return {};
  }
  DOSQL_ASSIGN_OR_RETURN(TimeReference reference, time_clause(name));
  reference.membership = true;
  times_->push_back(std::move(reference));
  return {};
}

// At the parenthesis behind the name of a table-valued function.
Status TableWalk::function(const TableName& name) {
  if (equals_ignoring_case(unquoted(name.table.of(cursor_.source())), "dosql_diff")) return diff_call(name);
  present_->push_back({name, TableRole::kFunction});
  return {};
}

// Only looks ahead: what is inside of the arguments is walked as everything else.
Status TableWalk::diff_call(const TableName& name) {
  static constexpr std::string_view kExample = "for example dosql_diff('users', 'main@4', 'main@5')";
  if (definition_ != Definition::kNone) {
    return sql_error(name.span().begin, "dosql_diff cannot stand in a definition")
        .with_hint("stock SQLite must be able to read the schema");
  }
  if (cursor_.kind(1) != TokenKind::kString) {
    return sql_error(cursor_.peek(1).span.begin, "the table of dosql_diff is a text in single quotes")
        .with_hint(std::string(kExample));
  }
  std::vector<Span> arguments(1);
  std::size_t depth = 0;
  for (std::size_t n = 1;; ++n) {
    const Token& token = cursor_.peek(n);
    if (token.kind == TokenKind::kEnd) return sql_error(cursor_.offset(), "this '(' is never closed");
    if (token.kind == TokenKind::kClose && depth == 0) break;
    if (token.kind == TokenKind::kOpen) ++depth;
    if (token.kind == TokenKind::kClose) --depth;
    if (token.kind == TokenKind::kComma && depth == 0) {
      arguments.emplace_back();
    } else {
      Span& argument = arguments.back();
      if (argument.empty()) argument.begin = token.span.begin;
      argument.end = token.span.end;
    }
  }
  const bool complete = std::ranges::none_of(arguments, [](const Span& one) { return one.empty(); });
  if (arguments.size() != 3 || !complete || arguments[0] != cursor_.peek(1).span) {
    return sql_error(name.span().begin, "dosql_diff takes a table and two points in time")
        .with_hint(std::string(kExample));
  }
  diffs_->push_back({name.span(), arguments[0], arguments[1], arguments[2]});
  return {};
}

Status TableWalk::target(Clause next) {
  top().clause = next;
  if (!cursor_.name() || (cursor_.time_clause() && misplaced_clause())) return {};
  present_->push_back({take_table_name(), TableRole::kWritten});
  if (cursor_.word("AS") && cursor_.name(1)) take_alias();
  if (!cursor_.time_clause()) return {};
  if (definition_ != Definition::kNone) return in_definition();
  return Error(ErrorCode::kReadOnly, "the past cannot be written to")
      .with_sql_offset(cursor_.offset())
      .with_hint("INSERT INTO t SELECT ... FROM t FOR SYSTEM_TIME AS OF ... brings rows of the past back");
}

Result<TimeReference> TableWalk::time_clause(const TableName& name) {
  if (definition_ != Definition::kNone) return in_definition();
  TimeReference reference;
  reference.name = name;
  reference.clause.begin = cursor_.take().span.begin;
  cursor_.take();
  if (cursor_.word("AS") && cursor_.word("OF", 1)) {
    cursor_.take();
    cursor_.take();
    DOSQL_ASSIGN_OR_RETURN(reference.point, parse_time_point(cursor_, "AS OF", BarePoint::kNothing));
  } else if (cursor_.word("BETWEEN")) {
    reference.kind = ReferenceKind::kBetween;
    DOSQL_RETURN_IF_ERROR(time_range(reference, "BETWEEN", "AND"));
  } else if (cursor_.word("FROM")) {
    reference.kind = ReferenceKind::kFromTo;
    DOSQL_RETURN_IF_ERROR(time_range(reference, "FROM", "TO"));
  } else if (cursor_.take_word("ALL")) {
    reference.kind = ReferenceKind::kAll;
  } else {
    return sql_error(cursor_.offset(), "expected AS OF, BETWEEN, FROM or ALL after FOR SYSTEM_TIME")
        .with_hint("for example FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 12:00:00'");
  }
  reference.clause.end = cursor_.before().span.end;
  return reference;
}

Status TableWalk::time_range(TimeReference& reference, std::string_view first, std::string_view second) {
  cursor_.take();
  DOSQL_ASSIGN_OR_RETURN(reference.point, parse_time_point(cursor_, first, BarePoint::kNothing));
  if (!cursor_.take_word(second)) {
    return sql_error(cursor_.offset(), fmt::format("expected {} behind the first point of {}", second, first))
        .with_hint(fmt::format("FOR SYSTEM_TIME {} point {} point", first, second));
  }
  DOSQL_ASSIGN_OR_RETURN(reference.end_point, parse_time_point(cursor_, second, BarePoint::kNothing));
  return {};
}

Error TableWalk::misplaced() {
  if (definition_ != Definition::kNone) return in_definition();
  const bool in_from = top().clause == Clause::kTail;
  switch (in_from ? top().behind : Behind::kNothing) {
    case Behind::kSubquery:
      return sql_error(cursor_.offset(), "FOR SYSTEM_TIME must follow a table, not a subquery")
          .with_hint("put it behind the tables inside the subquery");
    case Behind::kJoin:
      return sql_error(cursor_.offset(), "FOR SYSTEM_TIME must follow a table, not a parenthesised join")
          .with_hint("put it behind each table inside the parentheses");
    case Behind::kFunction:
      return sql_error(cursor_.offset(),
                       "FOR SYSTEM_TIME must follow a table; a table-valued function has no past");
    case Behind::kTable:
      return sql_error(cursor_.offset(),
                       "FOR SYSTEM_TIME must come once and directly behind the table or its alias")
          .with_hint("FROM t FOR SYSTEM_TIME AS OF ... [AS] alias [INDEXED BY index]");
    case Behind::kNothing: break;
  }
  return sql_error(cursor_.offset(), "FOR SYSTEM_TIME must follow a table in FROM or JOIN")
      .with_hint("SELECT ... FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 12:00:00' WHERE ...");
}

// What is stored in the schema must stay readable to SQLite, wherever the database is taken.
Error TableWalk::in_definition() const {
  const auto refuse = [&](std::string_view what, std::string_view hint) {
    return sql_error(cursor_.offset(), fmt::format("FOR SYSTEM_TIME cannot stand in {}", what))
        .with_hint(std::string(hint));
  };
  switch (definition_) {
    case Definition::kChanged:
      return Error(ErrorCode::kReadOnly, "the past cannot be changed: a version keeps the schema it had")
          .with_sql_offset(cursor_.offset());
    case Definition::kView:
      return refuse("a view", "put it where the view is queried: FROM view FOR SYSTEM_TIME AS OF ...");
    case Definition::kTrigger: return refuse("a trigger", "a trigger sees the present only");
    case Definition::kTable:
      return refuse("a table's definition", "a generated column, CHECK or DEFAULT sees its own row only");
    default:
      return refuse("an index's definition",
                    "an index is of the present; the past has the index of its time");
  }
}

Status TableWalk::resolve_names() {
  if (scopes_.empty()) return {};
  std::vector<CteScopes::Use> uses;
  const auto use = [&](const TableName& name, bool in_past) {
    // A name with a schema never means a common table expression: nothing is called so.
    uses.push_back(
        {name.schema ? std::string_view() : name.table.of(cursor_.source()), name.table.begin, in_past});
  };
  for (const PresentTable& table : *present_) use(table.name, false);
  const std::vector<bool> present_found = scopes_.resolve(uses);
  std::size_t index = 0;
  std::erase_if(*present_, [&](const PresentTable& table) {
    const bool found = present_found[index++];
    return found && table.role == TableRole::kRead;
  });

  uses.clear();
  for (const TimeReference& reference : *times_) use(reference.name, true);
  const std::vector<bool> past_found = scopes_.resolve(uses);
  const auto first = std::find(past_found.begin(), past_found.end(), true);
  if (first == past_found.end()) return {};
  const TimeReference& reference = (*times_)[static_cast<std::size_t>(first - past_found.begin())];
  const std::string name = shortened(unquoted(reference.name.table.of(cursor_.source())));
  return sql_error(
             reference.clause.begin,
             fmt::format("FOR SYSTEM_TIME must follow a table; '{}' is a common table expression", name))
      .with_hint("put it behind the tables inside that expression");
}

}  // namespace dosql::sql
