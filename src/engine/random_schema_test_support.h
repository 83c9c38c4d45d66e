// Random tables for tests of merging: keys and columns of every kind, and statements that change their rows.
//
// What a row is known by is a number below RandomSchema::kNumbers, however its table stores it; what refers
// to another row, or may be there once only, goes with numbers of the same parity. So an author of even
// numbers and one of odd ones have nothing to do with each other. Rows of a table without a key have a token
// instead, which nobody gives twice: those that base has are below kNumbers, too.
#pragma once

#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace dosql::engine {

enum class Numbers : std::uint8_t { kAll, kEven, kOdd };

struct RandomColumn {
  enum class Kind : std::uint8_t { kPlain, kBounded, kOnce, kReference };
  std::string name;
  Kind kind = Kind::kPlain;
  std::size_t parent = 0;  // of a reference: which table
};

struct RandomTable {
  enum class Key : std::uint8_t { kInteger, kText, kNocase, kReal, kNumeric, kNone, kBlob, kPair, kToken };
  std::string name;
  Key key = Key::kInteger;
  std::vector<RandomColumn> columns;  // but the key and what is generated

  // SQL for the value by which row `number` is known; of a pair for both of its columns.
  std::string key_value(std::mt19937_64& random, int number) const {
    switch (key) {
      case Key::kInteger: return std::to_string(number);
      case Key::kText: return fmt::format("'k{}'", number);
      case Key::kNocase: return fmt::format("'{}{}'", random() % 2 == 0 ? 'k' : 'K', number);
      case Key::kReal: return fmt::format("{}", number * 0.5);
      case Key::kNumeric:
        return random() % 2 == 0 ? fmt::format("'{}'", number) : fmt::format("{}.0", number);
      case Key::kNone: return random() % 2 == 0 ? std::to_string(number) : fmt::format("{}.0", number);
      case Key::kBlob: return fmt::format("x'{:02x}'", number);
      case Key::kPair: return fmt::format("'{}', {}", "aAbBcCdD"[number / 4 * 2 + random() % 2], number % 4);
      default: return std::to_string(number);
    }
  }
  std::string where(std::mt19937_64& random, int number) const {
    return key == Key::kPair ? fmt::format("(k, k2) = ({})", key_value(random, number))
                             : fmt::format("k = {}", key_value(random, number));
  }
  const char* key_columns() const { return key == Key::kPair ? "k, k2" : "k"; }
  // What is the same for all ways to write a key.
  const char* known_by() const {
    switch (key) {
      case Key::kNocase: return "lower(k)";
      case Key::kNone: return "quote(k + 0.0)";
      case Key::kPair: return "lower(k) || k2";
      default: return "quote(k)";
    }
  }
};

class RandomSchema {
 public:
  static constexpr int kNumbers = 16;

  explicit RandomSchema(std::mt19937_64& random) : random_(random) {
    for (std::size_t count = 2 + below(3); count > 0; --count) add_table();
  }

  // A change of the schema, and what the tables are like after it. What is new has `mark` in its name. It is
  // about a column only with `may_take_away`: else another author may drop that.
  struct Alteration {
    std::string sql;
    std::vector<RandomTable> tables;
  };
  Alteration alter(char mark, bool may_take_away) {
    Alteration change{.sql = "", .tables = tables_};
    const std::size_t which = below(tables_.size());
    RandomTable& table = change.tables[which];
    const std::string name = fmt::format("{}{}", mark, ++altered_);
    switch (below(may_take_away ? 11 : 4)) {
      case 0: {
        constexpr const char* kColumns[] = {"INT DEFAULT 7", "TEXT NOT NULL DEFAULT 'd'", "REAL DEFAULT 1",
                                            ""};
        change.sql = fmt::format("ALTER TABLE {} ADD COLUMN {} {}", table.name, name, kColumns[below(4)]);
        table.columns.push_back({.name = name});
        break;
      }
      case 1: change.sql = fmt::format("ALTER TABLE {} ADD COLUMN {} AS (k || 1)", table.name, name); break;
      case 2:
        change.sql = fmt::format("CREATE INDEX {} ON {}({})", name, table.name,
                                 may_take_away ? table.columns[0].name : "k");
        break;
      case 3: {
        RandomTable fresh{.name = name, .key = static_cast<Key>(below(2)), .columns = {}};
        change.sql = fmt::format("CREATE TABLE {}(k {} PRIMARY KEY NOT NULL", name,
                                 fresh.key == Key::kInteger ? "INTEGER" : "TEXT");
        change.sql += ", " + column_text(fresh) + ")";
        change.tables.push_back(fresh);
        break;
      }
      case 4:
        if (table.columns.size() > 1) {
          const std::size_t gone = below(table.columns.size());
          change.sql = fmt::format("ALTER TABLE {} DROP COLUMN {}", table.name, table.columns[gone].name);
          table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(gone));
        }
        break;
      case 5: {
        RandomColumn& column = table.columns[below(table.columns.size())];
        change.sql = fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table.name, column.name, name);
        column.name = name;
        break;
      }
      case 6:
        change.sql = fmt::format("ALTER TABLE {} RENAME TO {}", table.name, name);
        table.name = name;
        break;
      case 7: give_name_of_dropped(table, change.sql); break;
      case 8:
        change.sql = fmt::format("CREATE VIEW {} AS SELECT {}, {} AS other FROM {}", name, any_column(table),
                                 any_column(table), table.name);
        break;
      case 9:
        // What is only set does not hinder DROP COLUMN in SQLite, and no INSERT runs behind that.
        change.sql = fmt::format(
            "CREATE TRIGGER {0} AFTER INSERT ON {1} BEGIN UPDATE {2} SET {3} = {4} WHERE {3} AND 0; END",
            name, any_name(), table.name, any_column(table), any_column(table));
        break;
      default:
        change.sql = fmt::format(
            "DROP VIEW IF EXISTS v_t{}; DROP TRIGGER IF EXISTS tr_t{}; DROP INDEX IF EXISTS t{}_c0", which,
            below(3), below(3));
    }
    return change;
  }
  // A view that SQLite makes, but mostly cannot compile: both tables may have the column.
  std::string broken_view(char mark) {
    const RandomTable& table = tables_[below(tables_.size())];
    return fmt::format("CREATE VIEW broken_{}{} AS SELECT {}, q.{} FROM {} AS p JOIN {} AS q ON 1", mark,
                       ++altered_, any_column(table), any_column(table), table.name, any_name());
  }
  // Of an alteration that was done.
  void take(std::vector<RandomTable> tables) { tables_ = std::move(tables); }
  std::string any_statement(Numbers numbers) { return statement(tables_[below(tables_.size())], numbers); }

  const std::vector<RandomTable>& tables() const { return tables_; }
  // Tables and indexes, then triggers and views.
  const std::string& tables_text() const { return tables_text_; }
  const std::string& rest_text() const { return rest_text_; }

  // Rows of all tables. The last one of a table without a key stays, so that its rowid is not given again.
  std::vector<std::string> first_rows() {
    std::vector<std::string> all;
    for (const RandomTable& table : tables_) {
      for (int of = 0; of < kNumbers; ++of) {
        if (!sometimes(3)) all.push_back(insert(table, of, "INSERT OR IGNORE"));
      }
      if (table.key == Key::kToken) all.push_back(fmt::format("INSERT INTO {}(k) VALUES(99)", table.name));
    }
    return all;
  }

  std::vector<std::string> statements(Numbers numbers, std::size_t most) {
    std::vector<std::string> all;
    for (std::size_t count = below(most + 1); count > 0; --count)
      all.push_back(statement(tables_[below(tables_.size())], numbers));
    return all;
  }

 private:
  using Key = RandomTable::Key;
  using Kind = RandomColumn::Kind;

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool sometimes(std::uint64_t one_in) { return below(one_in) == 0; }

  const std::string& any_name() { return tables_[below(tables_.size())].name; }
  const std::string& any_column(const RandomTable& table) {
    return table.columns[below(table.columns.size())].name;
  }

  // Of two of its columns one goes, and the other one gets its name.
  void give_name_of_dropped(RandomTable& table, std::string& sql) {
    if (table.columns.size() < 2) return;
    const std::size_t gone = below(table.columns.size());
    const std::string name = table.columns[gone].name;
    sql = fmt::format("ALTER TABLE {} DROP COLUMN {}", table.name, name);
    table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(gone));
    RandomColumn& column = table.columns[below(table.columns.size())];
    sql += fmt::format("; ALTER TABLE {} RENAME COLUMN {} TO {}", table.name, column.name, name);
    column.name = name;
  }

  void add_table() {
    RandomTable table;
    table.name = fmt::format("t{}", tables_.size());
    table.key = static_cast<Key>(below(9));
    constexpr const char* kTypes[] = {"INTEGER", "TEXT", "TEXT COLLATE NOCASE", "REAL", "NUMERIC",
                                      "",        "BLOB"};
    std::string text = "k INTEGER";
    std::string end;
    if (table.key == Key::kPair) {
      text = "k TEXT COLLATE NOCASE, k2 INT";
      end = sometimes(2) ? ", PRIMARY KEY(k, k2)" : ", PRIMARY KEY(k2 DESC, k)";
    } else if (table.key != Key::kToken) {
      text = fmt::format("k {} PRIMARY KEY", kTypes[static_cast<std::size_t>(table.key)]);
    }
    const bool without_rowid = table.key != Key::kToken && table.key != Key::kInteger && sometimes(2);
    if (!without_rowid && table.key != Key::kInteger && table.key != Key::kToken) not_null(text, end, table);
    for (std::size_t count = 1 + below(4); count > 0; --count) text += ", " + column_text(table);
    if (sometimes(3))
      text += fmt::format(", g AS (ifnull({}, 0) || 'g') {}", table.columns[0].name,
                          sometimes(2) ? "STORED" : "VIRTUAL");
    tables_text_ += fmt::format("CREATE TABLE {}({}{}){};\n", table.name, text, end,
                                without_rowid ? " WITHOUT ROWID" : "");
    add_indexes(table);
    add_code(table);
    tables_.push_back(std::move(table));
  }

  // A NULL in it would be no key.
  static void not_null(std::string& text, std::string& end, const RandomTable& table) {
    if (table.key == Key::kPair) {
      end += ", CHECK (k IS NOT NULL AND k2 IS NOT NULL)";
    } else {
      text += " NOT NULL";
    }
  }

  std::string column_text(RandomTable& table) {
    RandomColumn column{.name = fmt::format("c{}", table.columns.size())};
    constexpr const char* kTypes[] = {"", "INT", "TEXT", "REAL", "NUMERIC", "TEXT COLLATE NOCASE", "BLOB"};
    std::string text = fmt::format("{} {}", column.name, kTypes[below(std::size(kTypes))]);
    switch (below(7)) {
      case 0:
        column.kind = Kind::kBounded;
        text = fmt::format("{} INT NOT NULL DEFAULT 3", column.name);
        if (!table.columns.empty() && table.columns.back().kind == Kind::kBounded)
          text += fmt::format(" CHECK ({} + {} < 14)", column.name, table.columns.back().name);
        break;
      case 1:
        column.kind = Kind::kOnce;
        text += sometimes(4) ? " UNIQUE ON CONFLICT REPLACE" : " UNIQUE";
        break;
      case 2:
        column.kind = Kind::kReference;
        column.parent = below(tables_.size() + 1);
        if (column.parent == tables_.size() || !can_be_parent(tables_[column.parent])) {
          column.kind = Kind::kPlain;
          break;
        }
        text = fmt::format("{} REFERENCES {}{}", column.name, tables_[column.parent].name, action());
        break;
      default: break;
    }
    table.columns.push_back(column);
    return text;
  }

  static bool can_be_parent(const RandomTable& table) {
    return table.key != Key::kPair && table.key != Key::kToken;
  }

  const char* action() {
    constexpr const char* kActions[] = {"", "", " ON DELETE CASCADE ON UPDATE CASCADE",
                                        " ON DELETE SET NULL"};
    return kActions[below(std::size(kActions))];
  }

  void add_indexes(const RandomTable& table) {
    for (const RandomColumn& column : table.columns) {
      if (sometimes(3)) tables_text_ += index_text(table, column);
    }
  }

  std::string index_text(const RandomTable& table, const RandomColumn& column) {
    const std::string name = fmt::format("{}_{}", table.name, column.name);
    switch (below(4)) {
      case 0: return fmt::format("CREATE INDEX {} ON {}({} DESC);\n", name, table.name, column.name);
      case 1:
        return fmt::format("CREATE INDEX {} ON {}({}) WHERE {} > 3;\n", name, table.name, column.name,
                           column.name);
      case 2: return fmt::format("CREATE INDEX {} ON {}(lower({}), k);\n", name, table.name, column.name);
      default:
        if (column.kind != Kind::kOnce)
          return fmt::format("CREATE INDEX {} ON {}({} COLLATE NOCASE);\n", name, table.name, column.name);
        return fmt::format("CREATE UNIQUE INDEX {} ON {}({} COLLATE NOCASE) WHERE {} IS NOT 7;\n", name,
                           table.name, column.name, column.name);
    }
  }

  // A trigger writes a row for each of the table's, by its key.
  void add_code(const RandomTable& table) {
    if (sometimes(3)) {
      rest_text_ += fmt::format("CREATE VIEW v_{} AS SELECT k, {} AS c FROM {};\n", table.name,
                                table.columns[0].name, table.name);
    }
    if (!sometimes(4) || table.key == Key::kToken) return;
    tables_text_ +=
        fmt::format("CREATE TABLE audit_{}(k TEXT PRIMARY KEY, n INT) WITHOUT ROWID;\n", table.name);
    rest_text_ += fmt::format(
        "CREATE TRIGGER tr_{0} AFTER UPDATE ON {0} BEGIN INSERT INTO audit_{0} VALUES({1}, 1) "
        "ON CONFLICT DO UPDATE SET n = n + 1; END;\n",
        table.name, table.key == Key::kPair ? "lower(new.k) || new.k2" : "lower(quote(new.k))");
  }

  int number(Numbers numbers) {
    const int any = static_cast<int>(below(kNumbers));
    return numbers == Numbers::kAll ? any : any / 2 * 2 + (numbers == Numbers::kOdd ? 1 : 0);
  }
  int like(int number) { return static_cast<int>(below(kNumbers)) / 2 * 2 + number % 2; }

  std::string value(const RandomColumn& column, int of) {
    constexpr const char* kValues[] = {
        "NULL", "1", "1.0", "2.5", "'x'", "'X'", "x'01'", "'1'", "9007199254740993"};
    switch (column.kind) {
      case Kind::kBounded: return std::to_string(below(10));
      case Kind::kOnce: return sometimes(4) ? "NULL" : std::to_string(like(of));
      case Kind::kReference:
        return sometimes(5) ? "NULL" : tables_[column.parent].key_value(random_, like(of));
      default: return kValues[below(std::size(kValues))];
    }
  }

  std::string insert(const RandomTable& table, int of, const char* verb) {
    std::string names = table.key_columns();
    std::string values = table.key_value(random_, of);
    for (const RandomColumn& column : table.columns) {
      names += ", " + column.name;
      values += ", " + value(column, of);
    }
    return fmt::format("{} INTO {}({}) VALUES({})", verb, table.name, names, values);
  }

  std::string statement(const RandomTable& table, Numbers numbers) {
    const int of = number(numbers);
    const RandomColumn& column = table.columns[below(table.columns.size())];
    const bool has_key = table.key != Key::kToken;
    if (!has_key && sometimes(3)) {
      tokens_ += 2;
      return insert(table, 100 + tokens_ + (numbers == Numbers::kOdd ? 1 : 0), "INSERT OR REPLACE");
    }
    switch (below(8)) {
      case 0: return fmt::format("DELETE FROM {} WHERE {}", table.name, table.where(random_, of));
      case 1:
        if (!has_key) break;
        return fmt::format("UPDATE OR IGNORE {} SET ({}) = ({}) WHERE {}", table.name, table.key_columns(),
                           table.key == Key::kPair ? "SELECT " + table.key_value(random_, number(numbers))
                                                   : table.key_value(random_, number(numbers)),
                           table.where(random_, of));
      case 2:
        if (!has_key) break;
        return insert(table, of, "REPLACE");
      case 3:
        if (!has_key) break;
        return insert(table, of, "INSERT OR IGNORE");
      case 4:
        return fmt::format("UPDATE OR REPLACE {} SET {} = {} WHERE {}", table.name, column.name,
                           value(column, of), table.where(random_, of));
      default: break;
    }
    return fmt::format("UPDATE {} SET {} = {} WHERE {}", table.name, column.name, value(column, of),
                       table.where(random_, of));
  }

  std::mt19937_64& random_;
  std::vector<RandomTable> tables_;
  std::string tables_text_;
  std::string rest_text_;
  int tokens_ = 0;
  int altered_ = 0;
};

}  // namespace dosql::engine
