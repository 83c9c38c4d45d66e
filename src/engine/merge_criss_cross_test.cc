// Branches that merged each other's older versions, against a model in which each row has a name of its own:
// with rows that nothing but a hidden rowid tells apart, with rows that have a key, and with those of a table
// that gets other names and more columns between the crossings.

#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "engine/engine_test_support.h"
#include "engine/merge_model_test_support.h"
#include "testing/run_length.h"

namespace dosql::engine {
namespace {

using merge::Preference;

// What versions there are, and what the model says of their rows.
class ModelVersions {
 public:
  std::size_t add(ModelRows rows, std::vector<std::size_t> parents) {
    std::set<std::size_t> contained{nodes_.size()};
    for (const std::size_t parent : parents)
      contained.insert(nodes_[parent].contained.begin(), nodes_[parent].contained.end());
    nodes_.push_back({std::move(rows), std::move(contained)});
    return nodes_.size() - 1;
  }
  const ModelRows& rows(std::size_t version) const { return nodes_[version].rows; }
  bool contains(std::size_t version, std::size_t other) const {
    return nodes_[version].contained.contains(other);
  }

  std::vector<std::size_t> bases(std::size_t a, std::size_t b) const { return common({a}, b); }

  // None: the model has no answer.
  std::optional<ModelRows> merged(std::size_t ours, std::size_t theirs) const {
    const auto base = merged_all(bases(ours, theirs));
    if (!base) return std::nullopt;
    ModelMerge result = merge_model_rows(*base, rows(ours), rows(theirs), Preference::kNone);
    return result.conflicts == 0 ? std::optional(std::move(result.rows)) : std::nullopt;
  }

 private:
  struct Node {
    ModelRows rows;
    std::set<std::size_t> contained;
  };

  std::vector<std::size_t> common(const std::vector<std::size_t>& some, std::size_t other) const {
    std::set<std::size_t> all;
    for (const std::size_t one : some) {
      for (const std::size_t version : nodes_[one].contained) {
        if (contains(other, version)) all.insert(version);
      }
    }
    std::vector<std::size_t> best;
    for (const std::size_t version : all) {
      const bool in_another = std::ranges::any_of(
          all, [&](std::size_t another) { return another != version && contains(another, version); });
      if (!in_another) best.push_back(version);
    }
    return best;
  }

  std::optional<ModelRows> merged_all(const std::vector<std::size_t>& versions) const {
    ModelRows merged = rows(versions[0]);
    std::vector<std::size_t> done{versions[0]};
    for (std::size_t i = 1; i < versions.size(); ++i) {
      const auto base = merged_all(common(done, versions[i]));
      if (!base) return std::nullopt;
      ModelMerge result = merge_model_rows(*base, merged, rows(versions[i]), Preference::kNone);
      if (result.conflicts != 0) return std::nullopt;
      merged = std::move(result.rows);
      done.push_back(versions[i]);
    }
    return merged;
  }

  std::vector<Node> nodes_;
};

enum class Kind : std::uint8_t { kNoKey, kKey, kNewNames };

// What a branch calls the table, its key and its cells; of two names the one that was given later counts.
struct Names {
  using Name = std::pair<int, std::string>;  // when it was given
  Name table{0, "t"};
  Name key{0, "token"};
  std::map<std::size_t, Name> cells{{0, {0, "v"}}, {1, {0, "w"}}};

  void merge(const Names& other) {
    table = std::max(table, other.table);
    key = std::max(key, other.key);
    for (const auto& [cell, name] : other.cells) cells[cell] = std::max(cells[cell], name);
  }
};

class CrissCross {
 public:
  // Cells that the table does not have as yet count as what they are once it has them.
  static constexpr std::size_t kCells = 6;

  CrissCross(std::mt19937_64& random, Kind kind)
      : random_(random), kind_(kind), database_(open_in_memory()), connection_(database_.connect().value()) {
    run("PRAGMA synchronous = OFF");
    const bool shows_rowid = kind == Kind::kNewNames && random() % 2 == 0;
    run(fmt::format("CREATE TABLE t(token {}, v DEFAULT 1, w DEFAULT 1)", shows_rowid ? "INTEGER PRIMARY KEY"
                                                                          : kind == Kind::kNoKey
                                                                              ? "INT"
                                                                              : "INT PRIMARY KEY"));
    run("INSERT INTO t VALUES(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)");
    heads_["main"] = versions_.add(rows("main"), {});
    run("CREATE BRANCH x");
    heads_["x"] = heads_["main"];
    names_["x"] = names_["main"];
  }

  void change(const std::string& branch) {
    run("CHECKOUT " + branch);
    run(statement(names_[branch]));
    heads_[branch] = versions_.add(rows(branch), {heads_[branch]});
  }

  // Of the sides that only one of them does until the next crossing: what several of the versions in common
  // did to the table, each otherwise, is a conflict about all of it (docs/merge.md).
  void give_names(const std::string& branch) {
    if (branch != namer_) return;
    run("CHECKOUT " + branch);
    const bool is_main = branch == "main";
    Names& names = names_[branch];
    const std::string name = fmt::format("n{}", ++ages_);
    const std::size_t cell = random_() % kCells / 2 * 2 + (is_main ? 0 : 1);
    if (!names.cells.contains(cell)) {
      run(fmt::format("ALTER TABLE {} ADD COLUMN {} DEFAULT 1", names.table.second, name));
      names.cells[cell] = {ages_, name};
    } else if (random_() % 2 == 0) {
      run(fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", names.table.second, names.cells[cell].second,
                      name));
      names.cells[cell] = {ages_, name};
    } else if (is_main) {
      run(fmt::format("ALTER TABLE {} RENAME TO {}", names.table.second, name));
      names.table = {ages_, name};
    } else {
      run(fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", names.table.second, names.key.second, name));
      names.key = {ages_, name};
    }
    heads_[branch] = versions_.add(rows(branch), {heads_[branch]});
    ++named;
  }

  // Each side merges what the other one was before.
  void cross() {
    namer_ = random_() % 2 == 0 ? "main" : "x";
    const std::string main_then = fmt::format("main{}", ++copies_);
    const std::string x_then = fmt::format("x{}", copies_);
    run(fmt::format("CREATE BRANCH {} FROM main; CREATE BRANCH {} FROM x", main_then, x_then));
    heads_[main_then] = heads_["main"];
    heads_[x_then] = heads_["x"];
    names_[main_then] = names_["main"];
    names_[x_then] = names_["x"];
    merge(x_then, "main");
    merge(main_then, "x");
  }

  void merge(const std::string& source, const std::string& target) {
    if (versions_.contains(heads_[target], heads_[source])) return;
    const bool several = versions_.bases(heads_[target], heads_[source]).size() > 1;
    const auto expected = versions_.merged(heads_[target], heads_[source]);
    const ModelRows before = rows(target);
    const auto merged = connection_.merge(source);
    DOSQL_ASSERT_OK(merged);
    if (!merged->conflicts.empty()) {
      EXPECT_EQ(rows(target), before);
      if (several) ++(expected ? doubted : refused);
      const bool may_doubt = kind_ == Kind::kNoKey || merged->conflicts[0].kind == "schema";
      EXPECT_FALSE(expected && !may_doubt)
          << source << " into " << target << ": " << merged->conflicts[0].kind << " "
          << merged->conflicts[0].key << ", but not in the model";
      return;
    }
    names_[target].merge(names_[source]);
    ASSERT_TRUE(expected) << source << " into " << target << ": the model sees a conflict";
    const ModelRows merged_rows = rows(target);
    ASSERT_EQ(merged_rows, *expected) << source << " into " << target;
    if (several) ++clean;
    const bool forward = versions_.contains(heads_[source], heads_[target]);
    heads_[target] = forward ? heads_[source] : versions_.add(merged_rows, {heads_[target], heads_[source]});
  }

  // Of merges with several bases.
  int clean = 0;
  int refused = 0;
  int doubted = 0;  // the model has an answer
  int named = 0;

 private:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }

  ModelRows rows(const std::string& branch) {
    run("CHECKOUT " + branch);
    const Names& names = names_[branch];
    std::string columns = names.key.second;
    for (std::size_t cell = 0; cell < kCells; ++cell) {
      const auto name = names.cells.find(cell);
      columns += ", " + (name == names.cells.end() ? "1" : name->second.second);
    }
    ModelRows all;
    const auto found = connection_.query(fmt::format("SELECT {} FROM {}", columns, names.table.second));
    DOSQL_EXPECT_OK(found);
    if (!found) return all;
    for (const Row& row : *found) {
      ModelCells cells;
      for (std::size_t i = 1; i <= kCells; ++i) cells.push_back(std::to_string(row[i].integer()));
      const bool is_new = all.emplace(std::to_string(row[0].integer()), std::move(cells)).second;
      EXPECT_TRUE(is_new) << branch << " has row " << row[0].integer() << " twice";
    }
    return all;
  }

  // Without a key, what a side inserts stays as it is, since the other one knows it by another rowid:
  // docs/merge.md.
  std::string statement(const Names& names) {
    int token = static_cast<int>(random_() % 4);
    if (kind_ != Kind::kNoKey && random_() % 2 == 0) token = 101 + static_cast<int>(random_() % 4);
    const std::string& table = names.table.second;
    const std::string& key = names.key.second;
    const int what = static_cast<int>(random_() % 5);
    if (what < 2) {
      const auto cell = std::next(names.cells.begin(), static_cast<int>(random_() % names.cells.size()));
      return fmt::format("UPDATE {} SET {} = {} WHERE {} = {}", table, cell->second.second, random_() % 9,
                         key, token);
    }
    if (what == 2) return fmt::format("DELETE FROM {} WHERE {} = {}", table, key, token);
    return fmt::format("INSERT INTO {}({}) VALUES({})", table, key, ++tokens_);
  }

  std::mt19937_64& random_;
  const Kind kind_;
  Database database_;
  Connection connection_;
  ModelVersions versions_;
  std::map<std::string, std::size_t> heads_;
  std::map<std::string, Names> names_;  // by branch
  std::string namer_ = "main";
  int ages_ = 0;
  int tokens_ = 100;
  int copies_ = 0;
};

void check_histories(Kind kind) {
  const std::uint64_t seed = testing::test_seed();
  int clean = 0;
  int refused = 0;
  int doubted = 0;
  int named = 0;
  for (int round = 0; round < testing::scaled(testing::soak() ? 20'000 : 600); ++round) {
    const std::uint64_t own = seed + static_cast<std::uint64_t>(round);
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} (round {})", own, round));
    std::mt19937_64 random(own);
    CrissCross history(random, kind);
    for (std::size_t steps = 4 + random() % 14; steps > 0 && !::testing::Test::HasFailure(); --steps) {
      switch (random() % 8) {
        case 0: history.merge("x", "main"); break;
        case 1: history.merge("main", "x"); break;
        case 2:
        case 3: history.cross(); break;
        default:
          if (kind == Kind::kNewNames && random() % 3 == 0)
            history.give_names(random() % 2 == 0 ? "main" : "x");
          history.change(random() % 2 == 0 ? "main" : "x");
      }
    }
    if (::testing::Test::HasFailure()) return;
    history.merge("x", "main");
    clean += history.clean;
    refused += history.refused;
    doubted += history.doubted;
    named += history.named;
    if (::testing::Test::HasFailure()) return;
  }
  // Of what the model has an answer to, most is merged.
  EXPECT_GT(clean, 4 * doubted) << refused << " refused";
  EXPECT_EQ(named > 0, kind == Kind::kNewNames);
}

TEST(MergeCrissCross, RowsWithoutAKeyAreThereOnce) { check_histories(Kind::kNoKey); }
TEST(MergeCrissCross, RowsWithAKeyAreAsTheModelHasThem) { check_histories(Kind::kKey); }
TEST(MergeCrissCross, RowsOfATableThatGetsOtherNamesAreAsTheModelHasThem) {
  check_histories(Kind::kNewNames);
}

}  // namespace
}  // namespace dosql::engine
