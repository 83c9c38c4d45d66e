#include "engine/slots_table.h"

#include <sqlite3.h>

#include "base/time_text.h"
#include "engine/connection_state.h"
#include "engine/function_arguments.h"
#include "engine/slot_lag.h"

namespace dosql::engine {
namespace {

std::string text_of(Timestamp time) { return time_text(time.time_since_epoch().count()); }

}  // namespace

Status SlotRows::begin(int, const char*, std::span<sqlite3_value* const>) {
  DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(context_.session));
  DatabaseCore& core = connection->core();
  DOSQL_ASSIGN_OR_RETURN(const auto slots, core.feed_slots().list());
  std::vector<SlotInfo> rows;
  for (const auto& slot : slots) {
    DOSQL_ASSIGN_OR_RETURN(SlotInfo info, describe_slot(core, slot));
    rows.push_back(std::move(info));
  }
  begin_with(std::move(rows));
  return {};
}

Status SlotRows::count_events(sqlite3_context* out) {
  DOSQL_ASSIGN_OR_RETURN(ConnectionState* const connection, connection_of(context_.session));
  const auto branch = connection->core().store().find_branch(row().branch);
  if (!branch) return {};
  DOSQL_ASSIGN_OR_RETURN(const std::uint64_t events,
                         events_behind(*connection, branch->id, Lsn{row().acknowledged_lsn}));
  number_result(out, events);
  return {};
}

Status SlotRows::column(sqlite3_context* out, int column) {
  enum Column {
    kName,
    kBranch,
    kAcknowledgedLsn,
    kLagEvents,
    kLagCommits,
    kLagBytes,
    kLagSeconds,
    kCreated,
    kAcknowledged,
    kInUse,
    kLost
  };
  const SlotInfo& slot = row();
  switch (column) {
    case kName: text_result(out, slot.name); break;
    case kBranch:
      if (!slot.branch.empty()) text_result(out, slot.branch);
      break;
    case kAcknowledgedLsn: number_result(out, slot.acknowledged_lsn); break;
    case kLagEvents: return count_events(out);
    case kLagCommits: number_result(out, slot.lag_commits); break;
    case kLagBytes: number_result(out, slot.lag_bytes); break;
    case kLagSeconds: sqlite3_result_double(out, static_cast<double>(slot.lag.count()) / 1e6); break;
    case kCreated: text_result(out, text_of(slot.created)); break;
    case kAcknowledged: text_result(out, text_of(slot.acknowledged)); break;
    case kInUse: number_result(out, slot.in_use ? 1 : 0); break;
    case kLost: number_result(out, slot.lost ? 1 : 0); break;
    default: break;
  }
  return {};
}

}  // namespace dosql::engine
