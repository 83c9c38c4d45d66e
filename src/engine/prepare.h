// The one place where SQL text enters SQLite.
#pragma once

#include <memory>
#include <string_view>

#include <dosql/result.h>

#include "engine/connection_state.h"
#include "engine/prepared_statement.h"

namespace dosql::engine {

enum class Lifetime {
  kOnce,  // run and forgotten
  kKept,  // worth keeping, by the caller or in the cache
};

// Compiles the first statement of `sql`; `tail` is the text behind it. Null: there was only space, comments
// and semicolons. An error's sql_offset counts from the beginning of `sql`.
Result<std::unique_ptr<PreparedStatement>> prepare(const std::shared_ptr<ConnectionState>& connection,
                                                   std::string_view sql, std::string_view& tail,
                                                   Lifetime lifetime);

// How many bytes at the beginning of `sql` are space, comments or semicolons.
std::size_t blank_prefix_bytes(std::string_view sql);

}  // namespace dosql::engine
