// Numbers of rows that belong together: by what commits say (version/moved_numbers.h) a row may have one of
// them on the one side and another one on the other, and what has its number there is another row. What is
// done to the row under one of them alone may leave it twice, or nowhere.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "version/moved_numbers.h"

namespace dosql::engine {

// One thread at a time.
class NumberGroups {
 public:
  // Of a table, by its merged name. What says nothing of other numbers is no matter.
  void add(const std::string& table, const version::MovedRun& run);

  struct Group {
    std::vector<std::int64_t> numbers;  // ascending; one: it is a group of its own
    bool is_whole = true;               // false: others may belong to it, and nobody knows which
  };
  Group find(const std::string& table, std::int64_t number) const;

 private:
  std::map<std::string, std::vector<version::MovedRun>>
      runs_;  // those that say another number, or none at all
};

}  // namespace dosql::engine
