// Branches that merged each other's older versions, with rows that nothing but a hidden rowid tells apart,
// against a model in which each row has a name of its own.

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

class CrissCross {
 public:
  CrissCross(std::mt19937_64& random, bool has_key)
      : random_(random),
        has_key_(has_key),
        database_(open_in_memory()),
        connection_(database_.connect().value()) {
    run("PRAGMA synchronous = OFF");
    run(has_key ? "CREATE TABLE t(token INT PRIMARY KEY, v, w)" : "CREATE TABLE t(token INT, v, w)");
    run("INSERT INTO t VALUES(0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)");
    heads_["main"] = versions_.add(rows("main"), {});
    run("CREATE BRANCH x");
    heads_["x"] = heads_["main"];
  }

  void change(const std::string& branch) {
    run("CHECKOUT " + branch);
    run(statement());
    heads_[branch] = versions_.add(rows(branch), {heads_[branch]});
  }

  // Each side merges what the other one was before.
  void cross() {
    const std::string main_then = fmt::format("main{}", ++copies_);
    const std::string x_then = fmt::format("x{}", copies_);
    run(fmt::format("CREATE BRANCH {} FROM main; CREATE BRANCH {} FROM x", main_then, x_then));
    heads_[main_then] = heads_["main"];
    heads_[x_then] = heads_["x"];
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
    const ModelRows after = rows(target);
    if (!merged->conflicts.empty()) {
      EXPECT_EQ(after, before);
      if (several) ++(expected ? doubted : refused);
      EXPECT_FALSE(expected && has_key_) << source << " into " << target << ": " << merged->conflicts[0].kind
                                         << " " << merged->conflicts[0].key << ", but not in the model";
      return;
    }
    ASSERT_TRUE(expected) << source << " into " << target << ": the model sees a conflict";
    ASSERT_EQ(after, *expected) << source << " into " << target;
    if (several) ++clean;
    const bool forward = versions_.contains(heads_[source], heads_[target]);
    heads_[target] = forward ? heads_[source] : versions_.add(after, {heads_[target], heads_[source]});
  }

  // Of merges with several bases.
  int clean = 0;
  int refused = 0;
  int doubted = 0;  // the model has an answer

 private:
  void run(const std::string& sql) { DOSQL_EXPECT_OK(connection_.exec(sql)); }

  ModelRows rows(const std::string& branch) {
    run("CHECKOUT " + branch);
    ModelRows all;
    for (const Row& row : connection_.query("SELECT token, v, w FROM t").value()) {
      const bool is_new =
          all.emplace(std::to_string(row[0].integer()),
                      ModelCells{std::to_string(row[1].integer()), std::to_string(row[2].integer())})
              .second;
      EXPECT_TRUE(is_new) << branch << " has row " << row[0].integer() << " twice";
    }
    return all;
  }

  // Without a key, what a side inserts stays as it is, since the other one knows it by another rowid:
  // docs/merge.md.
  std::string statement() {
    int token = static_cast<int>(random_() % 4);
    if (has_key_ && random_() % 2 == 0) token = 101 + static_cast<int>(random_() % 4);
    switch (random_() % 5) {
      case 0: return fmt::format("UPDATE t SET v = {} WHERE token = {}", random_() % 9, token);
      case 1: return fmt::format("UPDATE t SET w = {} WHERE token = {}", random_() % 9, token);
      case 2: return fmt::format("DELETE FROM t WHERE token = {}", token);
      default: return fmt::format("INSERT INTO t VALUES({}, 1, 1)", ++tokens_);
    }
  }

  std::mt19937_64& random_;
  const bool has_key_;
  Database database_;
  Connection connection_;
  ModelVersions versions_;
  std::map<std::string, std::size_t> heads_;
  int tokens_ = 100;
  int copies_ = 0;
};

void check_histories(bool has_key) {
  const std::uint64_t seed = testing::test_seed();
  int clean = 0;
  int refused = 0;
  int doubted = 0;
  for (int round = 0; round < testing::scaled(testing::soak() ? 20'000 : 600); ++round) {
    const std::uint64_t own = seed + static_cast<std::uint64_t>(round);
    SCOPED_TRACE(fmt::format("DOSQL_SEED={} (round {})", own, round));
    std::mt19937_64 random(own);
    CrissCross history(random, has_key);
    for (std::size_t steps = 4 + random() % 14; steps > 0 && !::testing::Test::HasFailure(); --steps) {
      switch (random() % 8) {
        case 0: history.merge("x", "main"); break;
        case 1: history.merge("main", "x"); break;
        case 2:
        case 3: history.cross(); break;
        default: history.change(random() % 2 == 0 ? "main" : "x");
      }
    }
    if (::testing::Test::HasFailure()) return;
    history.merge("x", "main");
    clean += history.clean;
    refused += history.refused;
    doubted += history.doubted;
    if (::testing::Test::HasFailure()) return;
  }
  // Of what the model has an answer to, most is merged.
  EXPECT_GT(clean, 4 * doubted) << refused << " refused";
}

TEST(MergeCrissCross, RowsWithoutAKeyAreThereOnce) { check_histories(false); }
TEST(MergeCrissCross, RowsWithAKeyAreAsTheModelHasThem) { check_histories(true); }

}  // namespace
}  // namespace dosql::engine
