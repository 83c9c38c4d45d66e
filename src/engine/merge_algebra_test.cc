// What holds of merges whatever the history: random statements on branches of tables of every kind, merged
// in every way, against a merge of maps that knows the constraints too.

#include <array>
#include <random>
#include <span>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "engine/merge_model_test_support.h"
#include "engine/merge_test_support.h"
#include "testing/random_rounds.h"

namespace dosql::engine {
namespace {

using merge::Preference;

// --- Content ---

using Content = std::map<std::string, ModelRows>;  // by table

constexpr const char* kSchema = R"(
    CREATE TABLE plain(k INTEGER PRIMARY KEY, a, b);
    CREATE INDEX plain_a ON plain(a);
    CREATE TABLE words(k TEXT COLLATE NOCASE PRIMARY KEY, a INT, b TEXT) WITHOUT ROWID;
    CREATE TABLE once(k INTEGER PRIMARY KEY, u INT UNIQUE, v);
    CREATE TABLE bounded(k INT PRIMARY KEY, lo INT NOT NULL, hi INT NOT NULL, CHECK (lo <= hi));
    CREATE TABLE parent(k INTEGER PRIMARY KEY, v);
    CREATE TABLE child(k INTEGER PRIMARY KEY, p REFERENCES parent, v);
    CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, token INT, v);
    CREATE TABLE note(token INT PRIMARY KEY, c REFERENCES counted, v) WITHOUT ROWID;
    CREATE TABLE hidden(token INT, v);)";

// By which rows are known, then their cells. Numbers that SQLite chose are not shown: a merge may choose
// others, so rows are known by a token that nobody else has.
constexpr std::array<std::pair<const char*, const char*>, 9> kRows{{
    {"plain", "SELECT k, typeof(a) || quote(a), typeof(b) || quote(b) FROM plain"},
    {"words", "SELECT lower(k), k, quote(a), quote(b) FROM words"},
    {"once", "SELECT k, quote(u), quote(v) FROM once"},
    {"bounded", "SELECT k, lo, hi FROM bounded"},
    {"parent", "SELECT k, quote(v) FROM parent"},
    {"child", "SELECT k, quote(p), quote(v) FROM child"},
    {"counted", "SELECT token, quote(v) FROM counted"},
    {"note",
     "SELECT note.token, CASE WHEN c IS NULL THEN 'NULL' ELSE ifnull(counted.token, 'none') END, "
     "quote(note.v) FROM note LEFT JOIN counted ON counted.id = c"},
    {"hidden", "SELECT token, quote(v) FROM hidden"},
}};

std::string cell_text(const Value& value) {
  return value.type() == Value::Type::kInteger ? std::to_string(value.integer()) : value.text();
}

Content content_of(Connection& connection) {
  Content content;
  for (const auto& [table, sql] : kRows) {
    ModelRows& rows = content[table];
    for (const Row& row : connection.query(sql).value()) {
      ModelCells cells;
      for (const Value& value : std::span(row.values()).subspan(1)) cells.push_back(cell_text(value));
      const bool is_new = rows.emplace(cell_text(row[0]), std::move(cells)).second;
      EXPECT_TRUE(is_new) << table << " has " << cell_text(row[0]) << " twice";
    }
  }
  return content;
}

// The first difference, for messages.
std::string difference(const Content& a, const Content& b) {
  for (const auto& [table, rows] : a) {
    ModelRows all = rows;
    all.insert(b.at(table).begin(), b.at(table).end());
    for (const auto& [key, unused] : all) {
      const auto text = [&, &name = table, &of = key](const Content& content) -> std::string {
        const auto row = content.at(name).find(of);
        return row == content.at(name).end() ? "no row" : fmt::format("({})", fmt::join(row->second, ", "));
      };
      if (text(a) != text(b)) return fmt::format("{} {}: {} against {}", table, key, text(a), text(b));
    }
  }
  return "";
}

// --- The model ---

struct Expected {
  Content content;
  bool clean = true;
};

// Whether the rows obey the constraints of kSchema.
bool is_valid(const Content& content) {
  std::map<std::string, int> values;
  for (const auto& [key, cells] : content.at("once")) {
    if (cells[0] != "NULL" && ++values[cells[0]] > 1) return false;
  }
  for (const auto& [key, cells] : content.at("bounded")) {
    if (std::stoi(cells[0]) > std::stoi(cells[1])) return false;
  }
  const auto refers = [&](const char* child, const char* parent) {
    return std::ranges::all_of(content.at(child), [&](const auto& row) {
      return row.second[0] == "NULL" || content.at(parent).contains(row.second[0]);
    });
  };
  return refers("child", "parent") && refers("note", "counted");
}

// Which row of `counted` has which number.
using Numbers = std::map<std::string, std::string>;  // the token by the number

Numbers numbers_of(Connection& connection) {
  Numbers numbers;
  for (const Row& row : connection.query("SELECT id, token FROM counted").value())
    numbers.emplace(cell_text(row[0]), cell_text(row[1]));
  return numbers;
}

// Whether theirs changed a row of base under whose number ours has another one by now. What the user gives
// again counts as the first one, changed (docs/merge.md), so that is a conflict; the model goes by tokens,
// and finds that the row is gone.
bool meets_number_given_again(const Content& base, const Content& theirs, const Numbers& in_base,
                              const Numbers& in_ours) {
  const ModelRows& before = base.at("counted");
  const ModelRows& after = theirs.at("counted");
  return std::ranges::any_of(in_base, [&](const auto& one) {
    const auto& [number, token] = one;
    const auto now = in_ours.find(number);
    if (now == in_ours.end() || now->second == token) return false;
    const auto row = after.find(token);
    return row == after.end() || row->second != before.at(token);
  });
}

// Whether theirs made a row refer to a number whose row ours took away before it merged theirs, and which
// ours gave another row since. That is a conflict (docs/merge.md); the model goes by numbers there.
bool refers_to_number_given_again(const Content& base, const Content& merged, const Content& ours,
                                  const Content& theirs) {
  return std::ranges::any_of(theirs.at("child"), [&](const auto& row) {
    const auto before = base.at("child").find(row.first);
    const std::string& parent = row.second[0];
    const bool made = before == base.at("child").end() || before->second[0] != parent;
    return made && base.at("parent").contains(parent) && !merged.at("parent").contains(parent) &&
           ours.at("parent").contains(parent);
  });
}

Expected merge_model(const Content& base, const Content& ours, const Content& theirs, Preference preference) {
  Expected expected;
  for (const auto& [table, rows] : ours) {
    ModelMerge merged = merge_model_rows(base.at(table), rows, theirs.at(table), preference);
    expected.clean = expected.clean && merged.conflicts == 0;
    expected.content[table] = std::move(merged.rows);
  }
  expected.clean = expected.clean && is_valid(expected.content);
  if (!expected.clean) expected.content = ours;
  return expected;
}

// --- Histories ---

enum class Keys { kAll, kEven, kOdd };

// Somebody who changes rows at random: any, or only those of one parity. What was never there before gets a
// token out of `tokens` on.
class Author {
 public:
  Author(std::mt19937_64& random, Keys keys, int tokens) : random_(random), keys_(keys), first_(tokens) {}

  std::vector<std::string> statements(std::size_t least, std::size_t most) {
    std::vector<std::string> all;
    for (std::size_t count = least + below(most - least + 1); count > 0; --count) all.push_back(statement());
    return all;
  }

  // Of what is renumbered by a merge, a later one of the same branches knows nothing.
  void leave_numbers_alone() { kinds_ = 6; }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  int number(int bound) {
    const int any = static_cast<int>(below(static_cast<std::uint64_t>(bound)));
    return keys_ == Keys::kAll ? any : any / 2 * 2 + (keys_ == Keys::kOdd ? 1 : 0);
  }
  // Of the same parity: what refers to a row, or has a value that is there once, is of that row's author.
  int like(int key, int bound) {
    return static_cast<int>(below(static_cast<std::uint64_t>(bound))) / 2 * 2 + key % 2;
  }
  std::string value() {
    constexpr std::array<const char*, 7> kValues{"NULL", "1", "1.0", "2.5", "'x'", "'X'", "x'01'"};
    return kValues[below(kValues.size())];
  }
  std::string word() {
    const char letter = static_cast<char>((below(2) == 0 ? 'a' : 'A') + number(14));
    return fmt::format("'{}'", letter);
  }
  // A row that was there before the branches parted, or one of this author's.
  int token() {
    return made_ == 0 || below(2) == 0 ? number(12) : first_ + static_cast<int>(below(made_)) * 2 + odd();
  }
  int new_token() { return first_ + static_cast<int>(made_++) * 2 + odd(); }
  int odd() const { return keys_ == Keys::kOdd ? 1 : 0; }

  std::string statement() {
    switch (below(kinds_)) {
      case 0: return plain();
      case 1: return words();
      case 2: return once();
      case 3: return bounded();
      case 4: return parent();
      case 5: return child();
      case 6: return counted();
      case 7: return note();
      default: return hidden();
    }
  }
  std::string plain() {
    switch (below(5)) {
      case 0: return fmt::format("DELETE FROM plain WHERE k = {}", number(20));
      case 1: return fmt::format("UPDATE OR IGNORE plain SET k = {} WHERE k = {}", number(20), number(20));
      case 2: return fmt::format("UPDATE plain SET a = {} WHERE k = {}", value(), number(20));
      case 3: return fmt::format("UPDATE plain SET b = {} WHERE k = {}", value(), number(20));
      default: return fmt::format("REPLACE INTO plain VALUES({}, {}, {})", number(20), value(), value());
    }
  }
  std::string words() {
    switch (below(5)) {
      case 0: return fmt::format("DELETE FROM words WHERE k = {}", word());
      case 1: return fmt::format("UPDATE OR IGNORE words SET k = {} WHERE k = {}", word(), word());
      case 2: return fmt::format("UPDATE words SET a = {} WHERE k = {}", value(), word());
      case 3: return fmt::format("UPDATE words SET b = {} WHERE k = {}", value(), word());
      default: return fmt::format("REPLACE INTO words VALUES({}, {}, {})", word(), value(), value());
    }
  }
  std::string once() {
    const int k = number(14);
    switch (below(5)) {
      case 0: return fmt::format("DELETE FROM once WHERE k = {}", k);
      case 1: return fmt::format("UPDATE once SET v = {} WHERE k = {}", value(), k);
      case 2: return fmt::format("UPDATE OR REPLACE once SET u = {} WHERE k = {}", like(k, 14), k);
      case 3: return fmt::format("UPDATE once SET u = NULL WHERE k = {}", k);
      default: return fmt::format("INSERT OR REPLACE INTO once VALUES({}, {}, {})", k, like(k, 14), value());
    }
  }
  std::string bounded() {
    switch (below(4)) {
      case 0: return fmt::format("DELETE FROM bounded WHERE k = {}", number(10));
      case 1: return fmt::format("UPDATE OR IGNORE bounded SET lo = {} WHERE k = {}", below(9), number(10));
      case 2: return fmt::format("UPDATE OR IGNORE bounded SET hi = {} WHERE k = {}", below(9), number(10));
      default: return fmt::format("REPLACE INTO bounded VALUES({}, 4, 5)", number(10));
    }
  }
  std::string parent() {
    switch (below(3)) {
      case 0: return fmt::format("DELETE FROM parent WHERE k = {}", number(12));
      case 1: return fmt::format("UPDATE OR IGNORE parent SET k = {} WHERE k = {}", number(12), number(12));
      default: return fmt::format("INSERT OR IGNORE INTO parent VALUES({}, {})", number(12), value());
    }
  }
  std::string child() {
    const int k = number(12);
    switch (below(4)) {
      case 0: return fmt::format("DELETE FROM child WHERE k = {}", k);
      case 1: return fmt::format("UPDATE child SET p = {} WHERE k = {}", like(k, 12), k);
      case 2: return fmt::format("UPDATE child SET v = {} WHERE k = {}", value(), k);
      default: return fmt::format("INSERT OR IGNORE INTO child VALUES({}, {}, {})", k, like(k, 12), value());
    }
  }
  std::string counted() {
    switch (below(4)) {
      case 0: return fmt::format("DELETE FROM counted WHERE token = {}", token());
      case 1: return fmt::format("UPDATE counted SET v = {} WHERE token = {}", value(), token());
      case 2: return fmt::format("INSERT INTO counted(token, v) VALUES({}, {})", new_token(), value());
      default: {
        // One that another author may have given too.
        const std::uint64_t id = 1'000 + made_;
        return fmt::format("INSERT INTO counted SELECT iif(max(id = {0}), NULL, {0}), {1}, {2} FROM counted",
                           id, new_token(), value());
      }
    }
  }
  std::string note() {
    const std::string row = fmt::format("(SELECT id FROM counted WHERE token = {})", token());
    switch (below(4)) {
      case 0: return fmt::format("DELETE FROM note WHERE token = {}", token());
      case 1: return fmt::format("UPDATE note SET c = {} WHERE token = {}", row, token());
      default: return fmt::format("INSERT INTO note VALUES({}, {}, {})", new_token(), row, value());
    }
  }
  // A rowid that was free again would make another row the same. So what the sides insert stays.
  std::string hidden() {
    switch (below(4)) {
      case 0: return fmt::format("DELETE FROM hidden WHERE token = {}", number(12));
      case 1: return fmt::format("UPDATE hidden SET v = {} WHERE token = {}", value(), token());
      default: return fmt::format("INSERT INTO hidden VALUES({}, {})", new_token(), value());
    }
  }

  std::mt19937_64& random_;
  const Keys keys_;
  const int first_;
  std::uint64_t made_ = 0;
  std::uint64_t kinds_ = 9;
};

MergeOptions with(MergeStrategy strategy, bool squash = false) {
  MergeOptions options;
  options.strategy = strategy;
  options.squash = squash;
  return options;
}

// Branches main, x and y that went different ways from branch base on.
class History {
 public:
  History(std::mt19937_64& random, Keys of_main, Keys of_x)
      : random_(random),
        database_(open_in_memory()),
        connection_(database_.connect().value()),
        main_(random, of_main, 1'000),
        x_(random, of_x, 2'000),
        y_(random, Keys::kAll, 3'000) {
    run("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON");
    run(kSchema);
    schema_version_ = connection_.version();
    begin();
    base = content("main");
    run("CREATE BRANCH base; CREATE BRANCH x; CREATE BRANCH y");
    main_statements = change("main", main_, 0, 8);
    x_statements = change("x", x_, 1, 8);
    change("y", y_, 0, 5);
    main = content("main");
    x = content("x");
    y = content("y");
  }

  Content content(const std::string& branch) {
    run("CHECKOUT " + branch);
    return content_of(connection_);
  }

  // A new branch that begins with what another has.
  std::string copy_of(const std::string& branch) {
    std::string name = fmt::format("copy{}", ++copies_);
    run(fmt::format("CREATE BRANCH {} FROM {}", name, branch));
    return name;
  }

  MergeResult merge(const std::string& source, const std::string& target, const MergeOptions& options = {}) {
    run("CHECKOUT " + target);
    auto merged = connection_.merge(source, options);
    DOSQL_EXPECT_OK(merged);
    return merged ? *std::move(merged) : MergeResult{};
  }

  // Whether a merge is the model's, and its result; on a copy of `target`, whose name is given.
  std::string check_merge(const std::string& source, const std::string& target, MergeStrategy strategy,
                          const Content& common, bool* clean = nullptr) {
    std::string name = copy_of(target);
    const Preference preference = strategy == MergeStrategy::kOurs     ? Preference::kOurs
                                  : strategy == MergeStrategy::kTheirs ? Preference::kTheirs
                                                                       : Preference::kNone;
    const Expected expected = merge_model(common, content(target), content(source), preference);
    const MergeResult merged = merge(source, name, with(strategy));
    EXPECT_EQ(merged.conflicts.empty(), expected.clean) << source << " into " << target;
    EXPECT_EQ(difference(content(name), expected.content), "") << source << " into " << target;
    if (clean != nullptr) *clean = merged.conflicts.empty();
    return name;
  }

  std::vector<std::string> change(const std::string& branch, Author& author, std::size_t least,
                                  std::size_t most) {
    std::vector<std::string> statements = author.statements(least, most);
    run_all(branch, statements);
    return statements;
  }
  void change_again(const std::string& branch, bool is_x) {
    Author& author = is_x ? x_ : main_;
    author.leave_numbers_alone();
    change(branch, author, 1, 6);
  }
  void run_all(const std::string& branch, const std::vector<std::string>& statements) {
    run_all_on(connection_, branch, statements);
  }

  void check_integrity(const std::string& branch) {
    run("CHECKOUT " + branch);
    EXPECT_EQ(rows_text(connection_, "PRAGMA integrity_check"), "ok");
    EXPECT_EQ(rows_text(connection_, "PRAGMA foreign_key_check"), "");
  }

  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }

  Connection& connection() { return connection_; }
  Database& database() { return database_; }
  std::uint64_t schema_version() const { return schema_version_; }
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  Content base;
  Content main;
  Content x;
  Content y;
  std::vector<std::string> main_statements;
  std::vector<std::string> x_statements;

 private:
  // Some rows of each table; the last one of `hidden` stays.
  void begin() {
    run(R"(BEGIN;
        INSERT INTO parent VALUES(0, 'p'), (1, 'p'), (2, 'p'), (3, 'p'), (4, 'p'), (5, 'p');
        INSERT INTO counted(token, v) SELECT k, 'c' FROM parent;
        INSERT INTO note SELECT token, id, 'n' FROM counted WHERE token < 4;
        INSERT INTO hidden SELECT k, 'h' FROM parent;
        INSERT INTO hidden VALUES(99, 'last');
        COMMIT)");
    Author author(random_, Keys::kAll, 500);
    author.leave_numbers_alone();
    change("main", author, 10, 40);
  }

  std::mt19937_64& random_;
  Database database_;
  Connection connection_;
  Author main_;
  Author x_;
  Author y_;
  std::uint64_t schema_version_ = 0;
  int copies_ = 0;
};

constexpr std::array<MergeStrategy, 3> kStrategies{MergeStrategy::kAuto, MergeStrategy::kOurs,
                                                   MergeStrategy::kTheirs};

// Runs `check` on random histories until one fails.
template <class Check>
void for_histories(const Check& check) {
  testing::for_random_rounds(1'000, 50'000, check);
}

// --- What holds ---

// The model has each row that only one side changed as that side has it, and all others as they were.
TEST(MergeAlgebra, IsTheMergeOfMapsAndTwiceIsOnce) {
  int clean_merges = 0;
  int conflicting_merges = 0;
  for_histories([&](std::mt19937_64& random) {
    History history(random, Keys::kAll, Keys::kAll);
    for (const MergeStrategy strategy : kStrategies) {
      bool clean = false;
      const std::string merged = history.check_merge("x", "main", strategy, history.base, &clean);
      ++(clean ? clean_merges : conflicting_merges);
      if (!clean || ::testing::Test::HasFailure()) continue;
      history.check_integrity(merged);
      const Content after = history.content(merged);
      EXPECT_TRUE(history.merge("x", merged).already_merged);
      EXPECT_EQ(difference(history.content(merged), after), "");
      // The other way round there is nothing to decide any more.
      const std::string back = history.copy_of("x");
      EXPECT_TRUE(history.merge(merged, back).conflicts.empty());
      EXPECT_EQ(difference(history.content(back), after), "");
    }
  });
  EXPECT_GT(clean_merges, 0);
  EXPECT_GT(conflicting_merges, 0);
}

TEST(MergeAlgebra, AMergeThatHasMergedBeforeCountsFromThere) {
  for_histories([](std::mt19937_64& random) {
    History history(random, Keys::kAll, Keys::kAll);
    const std::string target = history.copy_of("main");
    const bool squash = history.below(2) == 0;
    const MergeResult before = history.merge("x", target, with(MergeStrategy::kTheirs, squash));
    if (!before.conflicts.empty()) return;
    const Content common = history.x;
    const Content merged = history.content(target);
    history.change_again(target, false);
    history.change_again("x", true);
    // Where there was nothing to merge, they have no other version in common than before.
    if (!before.already_merged &&
        refers_to_number_given_again(common, merged, history.content(target), history.content("x"))) {
      EXPECT_FALSE(history.merge("x", target).conflicts.empty());
      return;
    }
    for (const MergeStrategy strategy : kStrategies) history.check_merge("x", target, strategy, common);
  });
}

TEST(MergeAlgebra, CleanMergesCommute) {
  int commuted = 0;
  for_histories([&](std::mt19937_64& random) {
    History history(random, Keys::kAll, Keys::kAll);
    const std::string x_first = history.copy_of("main");
    const std::string y_first = history.copy_of("main");
    const bool x_clean = history.merge("x", x_first).conflicts.empty();
    const bool y_clean = history.merge("y", y_first).conflicts.empty();
    if (!x_clean || !y_clean) return;
    const bool y_second = history.merge("y", x_first).conflicts.empty();
    const bool x_second = history.merge("x", y_first).conflicts.empty();
    EXPECT_EQ(y_second, x_second);
    if (!y_second) return;
    EXPECT_EQ(difference(history.content(x_first), history.content(y_first)), "");
    ++commuted;
  });
  EXPECT_GT(commuted, 0);
}

TEST(MergeAlgebra, DisjointChangesAreBothReplayed) {
  for_histories([](std::mt19937_64& random) {
    History history(random, Keys::kEven, Keys::kOdd);
    const std::string replayed = history.copy_of("base");
    history.run_all(replayed, history.main_statements);
    history.run_all(replayed, history.x_statements);
    const std::string merged = history.copy_of("main");
    const MergeResult result = history.merge("x", merged);
    EXPECT_TRUE(result.conflicts.empty()) << result.conflicts[0].table << " " << result.conflicts[0].key;
    EXPECT_EQ(difference(history.content(merged), history.content(replayed)), "");
  });
}

TEST(MergeAlgebra, OursHereIsTheirsThere) {
  for_histories([](std::mt19937_64& random) {
    History history(random, Keys::kAll, Keys::kAll);
    const std::string here = history.copy_of("main");
    const std::string there = history.copy_of("x");
    const bool clean = history.merge("x", here, with(MergeStrategy::kOurs)).conflicts.empty();
    EXPECT_EQ(history.merge("main", there, with(MergeStrategy::kTheirs)).conflicts.empty(), clean);
    if (clean) {
      EXPECT_EQ(difference(history.content(here), history.content(there)), "");
    }
  });
}

TEST(MergeAlgebra, UndoingWhatUndidACommitIsNothing) {
  int undone = 0;
  for_histories([&](std::mt19937_64& random) {
    History history(random, Keys::kAll, Keys::kAll);
    const std::string branch = history.copy_of("main");
    history.merge("x", branch, with(MergeStrategy::kTheirs));
    const Content before = history.content(branch);
    const std::uint64_t head = history.connection().version();
    const std::uint64_t own = head - history.schema_version();
    const std::uint64_t version = head - history.below(std::min<std::uint64_t>(own, 12));
    const auto at = [&](std::uint64_t one) {
      return history.database().as_of(snapshot(fmt::format("{}@{}", branch, one))).value();
    };
    auto commit = at(version);
    auto parent = at(version - 1);
    const Content base = content_of(commit);
    const Content theirs = content_of(parent);
    Expected expected = merge_model(base, before, theirs, Preference::kNone);
    if (meets_number_given_again(base, theirs, numbers_of(commit), numbers_of(history.connection())))
      expected = {.content = before, .clean = false};
    const auto reverted = history.connection().revert(snapshot(fmt::format("{}@{}", branch, version)));
    DOSQL_ASSERT_OK(reverted);
    EXPECT_EQ(reverted->conflicts.empty(), expected.clean);
    EXPECT_EQ(difference(history.content(branch), expected.content), "") << version << " of " << head;
    if (!reverted->conflicts.empty()) return;
    // Nothing of it was left: no commit was made, which could be undone.
    EXPECT_EQ(reverted->already_merged, difference(expected.content, before).empty());
    EXPECT_EQ(history.connection().version(), head + (reverted->already_merged ? 0 : 1));
    if (reverted->already_merged) return;
    const auto again = history.connection().revert(relative(0));
    DOSQL_ASSERT_OK(again);
    EXPECT_TRUE(again->conflicts.empty());
    EXPECT_EQ(difference(history.content(branch), before), "") << version << " of " << head;
    ++undone;
  });
  EXPECT_GT(undone, 0);
}

}  // namespace
}  // namespace dosql::engine
