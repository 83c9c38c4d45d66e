// Which versions a statement asks for the row history of.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/ids.h"
#include "version/version_store.h"

namespace dosql::engine {

// Of one table.
struct HistoryRange {
  std::string table = {};
  BranchId line{};                // of whose versions
  version::ReadPoint first = {};  // the range's ends, both included
  version::ReadPoint last = {};
  version::ReadPoint head = {};  // the newest version of the line
  bool empty = false;            // it has no moment; `last` still names the table
};

// The ranges of a connection's statements by a number that stands in SQL text.
class HistoryRanges {
 public:
  std::int64_t add() {
    ranges_[++newest_];
    return newest_;
  }
  void set(std::int64_t number, HistoryRange range) { ranges_[number] = std::move(range); }
  void remove(std::int64_t number) { ranges_.erase(number); }
  // Null: there is none.
  const HistoryRange* find(std::int64_t number) const {
    const auto found = ranges_.find(number);
    return found != ranges_.end() ? &found->second : nullptr;
  }

 private:
  std::map<std::int64_t, HistoryRange> ranges_;
  std::int64_t newest_ = 0;
};

}  // namespace dosql::engine
