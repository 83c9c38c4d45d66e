#include "sql/cte_scopes.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

namespace dosql::sql {
namespace {

// The key under which a name is compared.
std::string folded(std::string_view name) {
  std::string key = unquoted(name);
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return key;
}

// How many scopes of a name, and how many of its bodies, are open.
struct Open {
  int scopes = 0;
  int bodies = 0;
};

}  // namespace

struct CteScopes::Event {
  std::size_t offset;
  const std::string* name;
  int scopes;
  int bodies;
};

CteScopes::Id CteScopes::open_scope(std::size_t begin) {
  scopes_.push_back({begin, std::numeric_limits<std::size_t>::max()});
  return scopes_.size() - 1;
}

CteScopes::Id CteScopes::add(Id scope, std::string_view name) {
  ctes_.push_back({scope, folded(name), {}});
  return ctes_.size() - 1;
}

std::vector<CteScopes::Event> CteScopes::events() const {
  std::vector<Event> events;
  events.reserve(ctes_.size() * 4);
  for (const Cte& cte : ctes_) {
    events.push_back({scopes_[cte.scope].begin, &cte.name, 1, 0});
    events.push_back({scopes_[cte.scope].end, &cte.name, -1, 0});
    events.push_back({cte.body.begin, &cte.name, 0, 1});
    events.push_back({cte.body.end, &cte.name, 0, -1});
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.offset < b.offset; });
  return events;
}

std::vector<bool> CteScopes::resolve(const std::vector<Use>& uses) const {
  std::vector<bool> found(uses.size());
  const std::vector<Event> all = events();
  auto event = all.begin();
  std::unordered_map<std::string_view, Open> open;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    for (; event != all.end() && event->offset <= uses[i].offset; ++event) {
      Open& name = open[*event->name];
      name.scopes += event->scopes;
      name.bodies += event->bodies;
    }
    const auto name = open.find(folded(uses[i].name));
    if (name != open.end()) found[i] = name->second.scopes > (uses[i].in_past ? name->second.bodies : 0);
  }
  return found;
}

}  // namespace dosql::sql
