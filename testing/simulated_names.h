// The names in the simulated disk's directory: what is seen now, and what is durable.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "testing/simulated_content.h"

namespace dosql::testing {

// Not synchronised by itself.
class SimulatedNames {
 public:
  using ContentPtr = std::shared_ptr<SimulatedContent>;
  using Map = std::map<std::string, ContentPtr, std::less<>>;

  SimulatedNames() = default;
  // All of `names` durable.
  explicit SimulatedNames(Map names) : current_(names), durable_(std::move(names)) {}
  SimulatedNames(const SimulatedNames&) = delete;
  SimulatedNames& operator=(const SimulatedNames&) = delete;
  SimulatedNames(SimulatedNames&&) = default;
  SimulatedNames& operator=(SimulatedNames&&) = default;

  const Map& current() const { return current_; }
  // Null when there is no such name.
  ContentPtr find(std::string_view name) const;

  // REQUIRES: no such name.
  ContentPtr create(std::string_view name);
  // REQUIRES: there is such a name.
  void remove(std::string_view name);
  // REQUIRES: there is such a name; `from` and `to` differ.
  void rename(std::string_view from, std::string_view to);
  void sync();

  // The names that survive; with the very contents of this object, of which the caller makes survivors.
  Map after_power_loss(PowerLoss& loss) const;

  // With contents of its own, also those that only a power loss would bring back.
  SimulatedNames deep_copy() const;

 private:
  struct Change {
    std::string removed;  // empty: none
    std::string added;    // empty: none
    ContentPtr added_content;
  };
  static void apply(const Change& change, Map& names);
  void make(Change change);

  Map current_;
  Map durable_;
  std::vector<Change> unsynced_;  // in the order they were made
};

}  // namespace dosql::testing
