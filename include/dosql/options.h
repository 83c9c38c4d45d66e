// Options of a database. docs/limits.md lists them, with the PRAGMAs of those that can change while it is
// open.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dosql {

class Clock;
class Random;

enum class OpenMode : std::uint8_t {
  kCreateIfMissing,  // read and write; a missing or empty directory becomes a new database
  kReadWrite,        // read and write; must exist
  kReadOnly,         // must exist; changes nothing, attached files neither; needs no lock; follows a writer
};

struct Options {
  OpenMode mode = OpenMode::kCreateIfMissing;
  // Memory for the newest page images, at most.
  std::size_t pool_bytes = std::size_t{256} << 20;
  // Memory for rebuilt old page images, at most.
  std::size_t history_cache_bytes = std::size_t{16} << 20;
  // Memory for the pages that a connection keeps beside the pool, so that it need not copy them again: at
  // most so much for each, and for all of them together 256 MiB, but at least 64 KiB. Default: SQLite's own.
  std::size_t cache_bytes = std::size_t{2'000} << 10;
  // May SQL reach files outside the database (ATTACH, VACUUM INTO)? Off: DOSQL_FORBIDDEN.
  bool allow_files = false;
  // How long a statement waits for the branch's writer slot before it fails with DOSQL_BUSY.
  std::uint32_t busy_timeout_ms = 5'000;
  // Where time and randomness come from; null: the machine's. Must outlive the Database.
  Clock* clock = nullptr;
  Random* random = nullptr;
};

}  // namespace dosql
