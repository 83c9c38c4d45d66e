#include "testing/simulated_names.h"

#include "base/check.h"

namespace dosql::testing {

SimulatedNames::ContentPtr SimulatedNames::find(std::string_view name) const {
  const auto found = current_.find(name);
  return found == current_.end() ? nullptr : found->second;
}

SimulatedNames::ContentPtr SimulatedNames::create(std::string_view name) {
  CHECK(!find(name));
  const auto content = std::make_shared<SimulatedContent>();
  make({.removed = {}, .added = std::string(name), .added_content = content});
  return content;
}

void SimulatedNames::remove(std::string_view name) {
  CHECK(find(name));
  make({.removed = std::string(name), .added = {}, .added_content = nullptr});
}

void SimulatedNames::rename(std::string_view from, std::string_view to) {
  CHECK(find(from) && from != to);
  make({.removed = std::string(from), .added = std::string(to), .added_content = find(from)});
}

void SimulatedNames::sync() {
  durable_ = current_;
  unsynced_.clear();
}

SimulatedNames::Map SimulatedNames::after_power_loss(PowerLoss& loss) const {
  Map names = durable_;
  const std::size_t kept = loss.kept_prefix(unsynced_.size());
  for (std::size_t i = 0; i < kept; ++i) apply(unsynced_[i], names);
  return names;
}

SimulatedNames SimulatedNames::deep_copy() const {
  std::map<ContentPtr, ContentPtr> copies;
  const auto copy_of = [&](const ContentPtr& content) -> ContentPtr {
    if (!content) return nullptr;
    ContentPtr& copy = copies[content];
    if (!copy) copy = std::make_shared<SimulatedContent>(*content);
    return copy;
  };
  SimulatedNames result;
  for (const auto& [name, content] : current_) result.current_.emplace(name, copy_of(content));
  for (const auto& [name, content] : durable_) result.durable_.emplace(name, copy_of(content));
  for (const Change& change : unsynced_) {
    result.unsynced_.push_back({change.removed, change.added, copy_of(change.added_content)});
  }
  return result;
}

void SimulatedNames::apply(const Change& change, Map& names) {
  if (!change.removed.empty()) names.erase(change.removed);
  if (!change.added.empty()) names.insert_or_assign(change.added, change.added_content);
}

void SimulatedNames::make(Change change) {
  apply(change, current_);
  unsynced_.push_back(std::move(change));
}

}  // namespace dosql::testing
