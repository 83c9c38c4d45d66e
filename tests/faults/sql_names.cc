#include "tests/faults/sql_names.h"

#include <fmt/format.h>

#include <algorithm>

namespace dosql::testing {
namespace {

// A version as a statement names it.
struct Point {
  std::string words;  // empty: the connection's newest version
  StockLine line;
};

class NameWorkload {
 public:
  NameWorkload(std::mt19937_64& random, const SqlState& state, const std::string& branch)
      : random_(random), state_(state), branch_(branch), next_{"",    std::nullopt, false,
                                                               false, branch,       state} {}

  NameStatement statement() {
    switch (below(10)) {
      case 9: merge(any_key(state_.branches)); break;
      case 0:
      case 1:
      case 2: checkout(any_key(state_.branches)); break;
      case 3:
      case 4: create_branch(some_name('b', 4)); break;
      case 5: drop_branch(below(8) == 0 ? some_name('b', 4) : any_key(state_.branches)); break;
      case 6:
      case 7: create_snapshot(some_name('s', 4)); break;
      default: drop_snapshot(some_name('s', 4)); break;
    }
    return std::move(next_);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  std::string some_name(char kind, std::uint64_t names) { return fmt::format("{}{}", kind, below(names)); }
  template <class Map>
  typename Map::key_type any_key(const Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(below(map.size())))->first;
  }
  // The line up to a version.
  static StockLine up_to(const StockLine& line, std::uint64_t version) {
    return {line.begin(), line.upper_bound(version)};
  }

  // `as_of`: behind AS OF a branch needs its keyword.
  Point any_point(bool as_of) {
    const std::string branch = any_key(state_.branches);
    const StockLine& line = state_.branches.at(branch);
    const std::uint64_t version = any_key(line);
    const std::uint64_t newest = state_.branches.at(branch_).rbegin()->first;
    switch (below(5)) {
      case 0: return {(as_of ? "BRANCH " : "") + branch, line};
      case 1:
        if (version > 0) return {fmt::format("SNAPSHOT '{}@{}'", branch, version), up_to(line, version)};
        break;
      case 2:
        if (!state_.snapshots.empty()) {
          const std::string name = any_key(state_.snapshots);
          return {fmt::format("SNAPSHOT {}", name), state_.snapshots.at(name)};
        }
        break;
      case 3:
        if (newest > 1) {
          const std::uint64_t back = below(newest);
          return {fmt::format("VERSION CURRENT - {}", back),
                  up_to(state_.branches.at(branch_), newest - back)};
        }
        break;
      default: break;
    }
    return {"", state_.branches.at(branch_)};
  }

  void checkout(const std::string& name) {
    next_.sql = "CHECKOUT " + name;
    next_.checkout = true;
    next_.branch = name;
  }

  // Whether all versions of one line are the other's too. A version may have been copied more than once: then
  // it is not seen.
  static bool leads_to(const StockLine& line, const StockLine& longer) {
    return std::ranges::all_of(line, [&](const auto& version) {
      const auto found = longer.find(version.first);
      return found != longer.end() && found->second == version.second;
    });
  }

  // Where lines part, merging is another test's.
  void merge(const std::string& name) {
    const StockLine& target = state_.branches.at(branch_);
    const StockLine& source = state_.branches.at(name);
    next_.sql = "MERGE BRANCH " + name;
    if (name == branch_) {
      next_.error = ErrorCode::kInvalidArgument;
    } else if (leads_to(source, target)) {
      next_.checkout = true;
    } else if (leads_to(target, source)) {
      next_.merge = true;
      next_.after.branches.at(branch_) = source;
    } else {
      checkout(name);
    }
  }

  void create_branch(const std::string& name) {
    const Point point = any_point(false);
    next_.sql = fmt::format("CREATE BRANCH {}{}{}", name, point.words.empty() ? "" : " FROM ", point.words);
    if (!next_.after.branches.emplace(name, point.line).second) next_.error = ErrorCode::kAlreadyExists;
  }

  void drop_branch(const std::string& name) {
    next_.sql = fmt::format("DROP BRANCH {} FORCE", name);
    if (!state_.branches.contains(name)) {
      next_.error = ErrorCode::kBranchNotFound;
    } else if (name == "main" || name == branch_) {
      next_.error = ErrorCode::kInvalidArgument;
    } else {
      next_.after.branches.erase(name);
    }
  }

  void create_snapshot(const std::string& name) {
    const Point point = any_point(true);
    next_.sql =
        fmt::format("CREATE SNAPSHOT {}{}{}", name, point.words.empty() ? "" : " AS OF ", point.words);
    if (point.line.size() == 1) {
      next_.error = ErrorCode::kVersionNotFound;
    } else if (!next_.after.snapshots.emplace(name, point.line).second) {
      next_.error = ErrorCode::kAlreadyExists;
    }
  }

  void drop_snapshot(const std::string& name) {
    next_.sql = "DROP SNAPSHOT " + name;
    if (next_.after.snapshots.erase(name) == 0) next_.error = ErrorCode::kNotFound;
  }

  std::mt19937_64& random_;
  const SqlState& state_;
  const std::string branch_;
  NameStatement next_;
};

}  // namespace

NameStatement random_name_statement(std::mt19937_64& random, const SqlState& state,
                                    const std::string& branch) {
  return NameWorkload(random, state, branch).statement();
}

}  // namespace dosql::testing
