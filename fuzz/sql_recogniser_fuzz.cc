// The recogniser on arbitrary text, with SQLite as the judge: what SQLite accepts is never ours and never
// refused, and what is rewritten differs from the text inside our spans only.
#include <sqlite3.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "sql/branch_name.h"
#include "sql/rewrite.h"
#include "sql/table_walk.h"

namespace dosql::fuzz {
namespace {

using namespace dosql::sql;

std::string folded(std::string name) {
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  return name;
}

// Long texts cost SQLite's parser much and teach nothing more.
constexpr std::size_t kSqliteBytesMax = 4'096;

// The tables that SQLite read columns of while it compiled; those of a trigger's or view's body are not the
// text's.
std::set<std::string>& tables_read() {
  static std::set<std::string> tables;
  return tables;
}

int note_read(void*, int action, const char* table, const char*, const char*, const char* inner) {
  if (action == SQLITE_READ && inner == nullptr && table != nullptr) tables_read().insert(folded(table));
  return SQLITE_OK;
}

sqlite3* sqlite() {
  static sqlite3* const db = [] {
    sqlite3* opened = nullptr;
    CHECK(sqlite3_open(":memory:", &opened) == SQLITE_OK);
    const char* schema =
        "CREATE TABLE t (a, b, lsn, branch); CREATE TABLE u (a, system_time); CREATE TABLE \"for\" (\"for\", "
        "a);";
    CHECK(sqlite3_exec(opened, schema, nullptr, nullptr, nullptr) == SQLITE_OK);
    CHECK(sqlite3_set_authorizer(opened, note_read, nullptr) == SQLITE_OK);
    return opened;
  }();
  return db;
}

// SQLite refuses the table of a trigger before it has read the body.
bool is_trigger(std::string_view text) {
  Lexer lexer(text);
  for (Token token = lexer.next_significant(); token.kind == TokenKind::kWord;
       token = lexer.next_significant()) {
    if (equals_ignoring_case(token.span.of(text), "trigger")) return true;
  }
  return false;
}

struct Compiled {
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement{nullptr, sqlite3_finalize};
  bool accepted = false;
  bool parsed = false;  // accepted, or refused for its meaning and not for its syntax
  std::size_t end = 0;
};

Compiled compile(const std::string& text) {
  Compiled out;
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  tables_read().clear();
  const int rc = sqlite3_prepare_v3(sqlite(), text.c_str(), -1, 0, &statement, &tail);
  out.statement.reset(statement);
  out.accepted = rc == SQLITE_OK;
  const std::string message = out.accepted ? "" : sqlite3_errmsg(sqlite());
  const bool unknown_name = message.starts_with("no such table") || message.starts_with("no such column") ||
                            message.starts_with("no such function");
  out.parsed = out.accepted || (unknown_name && !is_trigger(text));
  out.end = static_cast<std::size_t>(tail - text.c_str());
  return out;
}

void check_lexer(std::string_view text) {
  std::size_t at = 0;
  Lexer lexer(text);
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next()) {
    CHECK(token.span.begin == at && token.span.end > at && token.span.end <= text.size());
    at = token.span.end;
  }
  CHECK(at == text.size() || text[at] == '\0');
}

bool has_word(std::string_view text, const std::vector<Token>& tokens, std::string_view word) {
  return std::any_of(tokens.begin(), tokens.end(), [&](const Token& token) {
    return token.kind == TokenKind::kWord && equals_ignoring_case(token.span.of(text), word);
  });
}

// What could be the name of a common table expression: SQLite says of some that they are read.
std::set<std::string> possible_expressions(std::string_view text, const std::vector<Token>& tokens) {
  std::set<std::string> names;
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i) {
    const Token& next = tokens[i + 1];
    if (next.kind == TokenKind::kOpen || equals_ignoring_case(next.span.of(text), "as"))
      names.insert(folded(unquoted(tokens[i].span.of(text))));
  }
  return names;
}

// SQLite can find every table that we found, and we found every one that it read. A common table expression
// that is not used may name anything.
void check_tables(const std::string& text, std::size_t end) {
  std::vector<Token> tokens;
  Lexer lexer(std::string_view(text).substr(0, end));
  do tokens.push_back(lexer.next_significant());
  while (tokens.back().kind != TokenKind::kEnd && tokens.back().kind != TokenKind::kSemicolon);
  tokens.back().kind = TokenKind::kEnd;
  const std::string first = folded(std::string(tokens.front().span.of(text)));
  static const std::set<std::string> kQueries = {"select", "with",   "insert", "replace",
                                                 "update", "delete", "values"};
  if (!kQueries.contains(first)) return;
  const bool with = has_word(text, tokens, "with");
  const std::set<std::string> expressions =
      with ? possible_expressions(text, tokens) : std::set<std::string>();

  TokenCursor cursor(text, std::move(tokens));
  Recognition recognition;
  CHECK(TableWalk(cursor).run(recognition));
  CHECK(!recognition.reads_versions());
  const std::set<std::string> read = tables_read();
  std::set<std::string> found;
  for (const PresentTable& table : recognition.present) {
    found.insert(folded(unquoted(table.name.table.of(text))));
    if (!with) CHECK(compile("SELECT 1 FROM " + std::string(table.name.span().of(text))).accepted);
  }
  for (const std::string& table : read) {
    CHECK(found.contains(table) || expressions.contains(table) || table.empty() ||
          table.starts_with("sqlite_"));
  }
}

// Without our clauses, SQLite's view of the text is the only one: where it ends, and how its variables count.
void check_accepted(const std::string& text, const Compiled& compiled) {
  if (!compiled.accepted || compiled.statement == nullptr) return;
  CHECK(statement_end(text) == compiled.end);
  check_tables(text, compiled.end);
  std::vector<Token> tokens;
  Lexer lexer(std::string_view(text).substr(0, compiled.end));
  for (Token token = lexer.next(); token.kind != TokenKind::kEnd; token = lexer.next())
    tokens.push_back(token);
  if (has_word(text, tokens, "virtual")) return;  // the arguments of a virtual table are not compiled
  std::uint32_t largest = 0;
  for (const Variable& variable : number_variables(text, tokens)) {
    largest = std::max(largest, variable.number);
    const int found =
        sqlite3_bind_parameter_index(compiled.statement.get(), std::string(variable.span.of(text)).c_str());
    // A number that is written two ways (?1, ?01) is known to SQLite by one of them.
    CHECK(variable.anonymous() || found == static_cast<int>(variable.number) ||
          (found == 0 && text[variable.span.begin] == '?'));
  }
  CHECK(static_cast<int>(largest) == sqlite3_bind_parameter_count(compiled.statement.get()));
}

bool inside(const std::vector<Span>& spans, std::size_t at) {
  return std::any_of(spans.begin(), spans.end(),
                     [at](const Span& span) { return at >= span.begin && at < span.end; });
}

std::vector<Span> our_spans(const Recognition& recognition) {
  std::vector<Span> spans;
  for (const TimeReference& reference : recognition.times) {
    CHECK(reference.name.span().end <= reference.clause.begin &&
          reference.clause.begin < reference.clause.end);
    spans.push_back(reference.name.span());
    spans.push_back(reference.clause);
  }
  for (const DiffCall& diff : recognition.diffs) {
    CHECK(diff.name.end < diff.table.begin && diff.table.end < diff.from.begin &&
          diff.from.end < diff.to.begin && diff.from.begin < diff.from.end && diff.to.begin < diff.to.end);
    spans.push_back(diff.name);
  }
  for (const Variable& variable : recognition.variables) spans.push_back(variable.span);
  return spans;
}

// Every byte of the rewritten text that was not put in is the original's, in order; and every byte of the
// original that is not in our spans is there.
void check_rewriting(std::string_view text, const Recognition& recognition) {
  Replacements names;
  names.times.assign(recognition.times.size(), "main.t");
  names.diffs.assign(recognition.diffs.size(), "difference");
  const RewrittenSql out = rewrite(text, recognition, names);
  std::vector<bool> kept(recognition.end);
  for (std::size_t i = 0; i < out.pieces.size(); ++i) {
    const auto& piece = out.pieces[i];
    if (!piece.copied) continue;
    const std::size_t end = i + 1 < out.pieces.size() ? out.pieces[i + 1].begin : out.text.size();
    for (std::size_t at = piece.begin; at < end; ++at) {
      const std::size_t original = out.original_offset(at);
      CHECK(text[original] == out.text[at] && !kept[original]);
      kept[original] = true;
    }
  }
  const std::vector<Span> spans = our_spans(recognition);
  for (std::size_t at = 0; at < recognition.end; ++at) CHECK(kept[at] || inside(spans, at));
  const auto again = recognise(out.text);
  CHECK(!again || !again->reads_versions());
  if (text.size() > kSqliteBytesMax) return;
  const Compiled compiled = compile(out.text);
  if (!compiled.accepted || compiled.statement == nullptr) return;
  CHECK(sqlite3_bind_parameter_count(compiled.statement.get()) <=
        static_cast<int>(recognition.parameter_count));
}

// A variable stands where a text is not said, and both lie inside the statement.
void check_said(const Recognition& recognition, const std::optional<StatementText>& said) {
  if (!said) return;
  CHECK(recognition.span.begin < said->span.begin && said->span.begin < said->span.end &&
        said->span.end <= recognition.span.end);
  const bool is_variable = std::any_of(recognition.variables.begin(), recognition.variables.end(),
                                       [&](const Variable& one) { return one.span == said->span; });
  CHECK(said->text.has_value() || is_variable);
}

void check_statement(const Recognition& recognition) {
  const BranchStatement& statement = *recognition.statement;
  check_said(recognition, statement.name);
  check_said(recognition, statement.merge.message);
  check_said(recognition, statement.merge.strategy);
  if (statement.merge.strategy && statement.merge.strategy->text)
    CHECK(merge_strategy(*statement.merge.strategy->text).has_value());
}

void check_recognition(const std::string& text) {
  const auto found = recognise(text);
  if (!found) {
    CHECK(found.error().sql_offset().has_value() && *found.error().sql_offset() <= text.size());
    CHECK(!found.error().message().empty());
    return;
  }
  if (!found->ours()) return;
  CHECK(found->end == statement_end(text) && found->span.begin <= found->span.end &&
        found->span.end <= found->end);
  if (found->reads_versions()) check_rewriting(text, *found);
  if (found->statement) check_statement(*found);
}

void check_text(const std::string& text) {
  check_lexer(text);
  CHECK(statement_end(text) <= text.size());
  check_recognition(text);
  check_branch_name(text).ignore("any answer will do");
  if (text.size() > kSqliteBytesMax || text.find('\0') != std::string::npos) return;
  const Compiled compiled = compile(text);
  if (!compiled.parsed) return;
  const auto found = recognise(text);
  // The one name that is ours where SQLite's grammar has a place for it.
  if (folded(text).find("dosql_diff") != std::string::npos) return;
  CHECK(found && !found->ours());
  check_accepted(text, compiled);
}

}  // namespace
}  // namespace dosql::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dosql::fuzz::check_text(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
