#include <dosql/time_point.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/time_text.h"

namespace dosql {
namespace {

using Kind = TimePoint::Kind;

std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result.append(c == '\'' ? 2 : 1, c);
  return result + "'";
}

std::string relative_text(std::int64_t versions) {
  if (versions == 0) return "VERSION CURRENT";
  const std::uint64_t count = versions < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(versions)
                                           : static_cast<std::uint64_t>(versions);
  return fmt::format("VERSION CURRENT {} {}", versions < 0 ? '-' : '+', count);
}

}  // namespace

std::string VersionId::to_string() const { return fmt::format("{}@{}", branch, version); }

std::string TimePoint::to_string() const {
  switch (kind_) {
    case Kind::kLsn: return fmt::format("LSN {}", value_.integer());
    case Kind::kTimestamp: return "TIMESTAMP " + quoted(value_.text());
    case Kind::kSnapshot: return "SNAPSHOT " + quoted(value_.text());
    case Kind::kBranch: return "BRANCH " + quoted(value_.text());
    case Kind::kRelative: return relative_text(value_.integer());
    case Kind::kText: return value_.text();
  }
  return "";
}

TimePoint lsn(std::uint64_t lsn) {
  // Beyond what SQL can say, every LSN is in the future.
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  return {Kind::kLsn, Value(std::min(lsn, kMost))};
}

TimePoint timestamp(std::string_view text) { return {Kind::kTimestamp, Value(text)}; }

TimePoint timestamp(Timestamp time) {
  return {Kind::kTimestamp, Value(time_text(time.time_since_epoch().count()))};
}

TimePoint snapshot(std::string_view name) { return {Kind::kSnapshot, Value(name)}; }
TimePoint snapshot(const VersionId& version) {
  return {Kind::kSnapshot, Value(version.to_string()), version.lsn};
}
TimePoint branch(std::string_view name) { return {Kind::kBranch, Value(name)}; }
TimePoint relative(std::int64_t versions) { return {Kind::kRelative, Value(versions)}; }
TimePoint current() { return relative(0); }
TimePoint time_point(std::string_view text) { return {Kind::kText, Value(text)}; }

}  // namespace dosql
