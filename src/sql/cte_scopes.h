// Which names mean a common table expression, and where.
//
// SQLite lets a name of a WITH clause be used anywhere in the query that carries the clause, the bodies
// before and behind it included. That is known only when the query has ended, so names are collected first
// and resolved then.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sql/lexer.h"

namespace dosql::sql {

class CteScopes {
 public:
  using Id = std::size_t;

  // A query with a WITH clause begins; its names hold up to close_scope().
  Id open_scope(std::size_t begin);
  void close_scope(Id scope, std::size_t end) { scopes_[scope].end = end; }

  Id add(Id scope, std::string_view name);
  void open_body(Id cte, std::size_t begin) { ctes_[cte].body = {begin, begin}; }
  void close_body(Id cte, std::size_t end) { ctes_[cte].body.end = end; }

  bool empty() const { return ctes_.empty(); }

  // The use of a name at an offset.
  struct Use {
    std::string_view name;
    std::size_t offset = 0;
    bool in_past = false;
  };
  // For each use, given in the order of the text, whether it means a common table expression. A use in the
  // past does not inside the body of that very name: there it can only be the table that the expression
  // hides.
  std::vector<bool> resolve(const std::vector<Use>& uses) const;

 private:
  struct Cte {
    Id scope = 0;
    std::string name;
    Span body;
  };
  struct Event;

  std::vector<Event> events() const;

  std::vector<Span> scopes_;
  std::vector<Cte> ctes_;
};

}  // namespace dosql::sql
