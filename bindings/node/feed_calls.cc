// Feeds of changes, and the slots of their consumers.

#include <fmt/format.h>

#include "bindings/node/call.h"

namespace dosql::node {
namespace {

Error refused(std::string message) { return Error(ErrorCode::kInvalidArgument, std::move(message)); }

Result<Feed*> find_feed(Call& call) {
  Feed* feed = call.instance().feeds().find(call.number(0));
  if (feed == nullptr) return refused("the feed is closed");
  return feed;
}

// Has `work(feed, outcome)` done by the feed in the first argument; returns the task's number.
napi_value submit_to_feed(Call& call, std::function<Status(OpenFeed&, Outcome&)> work,
                          std::function<void()> when_taken = {}) {
  auto feed = find_feed(call);
  if (!feed) return call.fail(feed.error());
  auto bound = [open_feed = (*feed)->open_feed(), work = std::move(work)](Outcome& outcome) {
    return work(*open_feed, outcome);
  };
  return call.number_value(static_cast<double>(
      call.instance().submit((*feed)->worker(), "", std::move(bound), std::move(when_taken))));
}

// Undefined: all. An array of INSERT, UPDATE and DELETE.
Status read_operations(Call& call, std::size_t index, ChangeFilter& filter) {
  if (call.is_undefined(index)) return {};
  DOSQL_ASSIGN_OR_RETURN(const std::vector<std::string> names, call.texts(index, "the operations"));
  filter.inserts = filter.updates = filter.deletes = false;
  for (const std::string& name : names) {
    if (name == "INSERT") {
      filter.inserts = true;
    } else if (name == "UPDATE") {
      filter.updates = true;
    } else if (name == "DELETE") {
      filter.deletes = true;
    } else {
      return refused(fmt::format("'{}' is no operation: INSERT, UPDATE and DELETE are", name));
    }
  }
  return {};
}

// slot, branch, LSN, snapshot, tables, operations, transactions, schema
Result<FeedSource> read_source(Call& call, std::size_t index) {
  FeedSource source;
  if (!call.is_undefined(index)) {
    DOSQL_ASSIGN_OR_RETURN(source.slot, call.text(index, "a slot's name"));
  } else {
    DOSQL_ASSIGN_OR_RETURN(source.branch, call.text(index + 1, "a branch's name"));
    DOSQL_ASSIGN_OR_RETURN(source.after_lsn, call.lsn(index + 2));
    source.snapshot = call.truth(index + 3);
  }
  if (!call.is_undefined(index + 4)) {
    DOSQL_ASSIGN_OR_RETURN(source.filter.tables, call.texts(index + 4, "the tables"));
  }
  DOSQL_RETURN_IF_ERROR(read_operations(call, index + 5, source.filter));
  source.filter.transactions = call.truth(index + 6);
  source.filter.schema = call.truth(index + 7);
  return source;
}

// makeFeed(handle): a number for openFeed(); the feed ends with the handle
napi_value make_feed(Call& call) {
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error());
  Instance& instance = call.instance();
  return call.number_value(static_cast<double>(
      instance.feeds().add(instance.make_feed(call.number(0), opened->connection->share().another()))));
}

// openFeed(feed, slot, branch, lsn, snapshot, tables, operations, transactions, schema): of a slot that is
// given the changes behind what was acknowledged, else those of the branch behind the LSN
napi_value open_feed(Call& call) {
  auto source = read_source(call, 1);
  if (!source) return call.fail(source.error());
  return submit_to_feed(
      call, [source = *std::move(source)](OpenFeed& feed, Outcome&) { return feed.open(source); });
}

// nextChanges(feed, waits): a list of values; it is empty when the feed was stopped, or where there are none
// now and it does not wait
napi_value next_changes(Call& call) {
  return submit_to_feed(call, [waits = call.truth(1)](OpenFeed& feed, Outcome& outcome) {
    outcome.columns = one_column();
    return feed.next(waits, outcome.rows);
  });
}

// closeFeed(feed): ends a call of nextChanges() that waits, and lets go of the slot and of the database
napi_value close_feed(Call& call) {
  auto feed = find_feed(call);
  if (!feed) return call.fail(feed.error());
  (*feed)->open_feed()->stop();
  auto forget = [&instance = call.instance(), number = call.number(0)] { instance.feeds().take(number); };
  return submit_to_feed(
      call, [](OpenFeed& open_feed, Outcome&) { return open_feed.close(); }, std::move(forget));
}

// Has `work(slots, outcome)` done by the handle in the first argument.
napi_value submit_to_slots(Call& call, std::function<Status(Slots, Outcome&)> work) {
  // They are no part of the transaction that may be open.
  auto opened = open_handle(call);
  if (!opened) return call.fail(opened.error());
  auto bound = [connection = std::move(opened->connection), work = std::move(work)](Outcome& outcome) {
    return work(connection->share().database().slots(), outcome);
  };
  return call.number_value(
      static_cast<double>(call.instance().submit(opened->handle->worker(), "", std::move(bound))));
}

// Undefined: 0.
Result<std::int64_t> read_limit(Call& call, std::size_t index, std::string_view name) {
  if (call.is_undefined(index)) return std::int64_t{0};
  const auto limit = integer_of(call.env(), call.argument(index));
  if (!limit || *limit < 0) return refused(fmt::format("{} must be a whole number from 0 on", name));
  return *limit;
}

Result<SlotOptions> read_slot_options(Call& call, std::size_t index) {
  constexpr std::int64_t kMostSeconds = 1'000'000'000;
  SlotOptions options;
  DOSQL_ASSIGN_OR_RETURN(options.branch, call.text(index, "a branch's name"));
  if (!call.is_undefined(index + 1)) {
    DOSQL_ASSIGN_OR_RETURN(options.after_lsn, call.lsn(index + 1));
  }
  DOSQL_ASSIGN_OR_RETURN(const std::int64_t seconds, read_limit(call, index + 2, "lagSecondsMax"));
  DOSQL_ASSIGN_OR_RETURN(const std::int64_t bytes, read_limit(call, index + 3, "lagBytesMax"));
  options.lag_max = std::chrono::seconds(std::min(seconds, kMostSeconds));
  options.lag_bytes_max = static_cast<std::uint64_t>(bytes);
  return options;
}

// createSlot(handle, name, branch, lsn, lagSecondsMax, lagBytesMax): of no LSN, with what comes now
napi_value create_slot(Call& call) {
  auto name = call.text(1, "a slot's name");
  if (!name) return call.fail(name.error());
  auto options = read_slot_options(call, 2);
  if (!options) return call.fail(options.error());
  return submit_to_slots(call, [name = *std::move(name), options = *std::move(options)](
                                   Slots slots, Outcome&) { return slots.create(name, options); });
}

// acknowledge(handle, name, lsn)
napi_value acknowledge(Call& call) {
  auto name = call.text(1, "a slot's name");
  if (!name) return call.fail(name.error());
  auto lsn = call.lsn(2);
  if (!lsn) return call.fail(lsn.error());
  return submit_to_slots(call, [name = *std::move(name), lsn = *lsn](Slots slots, Outcome&) {
    return slots.acknowledge(name, lsn);
  });
}

// dropSlot(handle, name)
napi_value drop_slot(Call& call) {
  auto name = call.text(1, "a slot's name");
  if (!name) return call.fail(name.error());
  return submit_to_slots(call, [name = *std::move(name)](Slots slots, Outcome&) { return slots.drop(name); });
}

void put_slot(const SlotInfo& slot, RowBatch& rows) {
  rows.text(slot.name);
  rows.text(slot.branch);
  put_unsigned(slot.acknowledged_lsn, rows);
  put_time(slot.created, rows);
  put_time(slot.acknowledged, rows);
  put_unsigned(slot.lag_commits, rows);
  put_unsigned(slot.lag_bytes, rows);
  rows.number(std::chrono::duration<double>(slot.lag).count());
  put_integer(slot.lag_max.count(), rows);
  put_unsigned(slot.lag_bytes_max, rows);
  put_truth(slot.in_use, rows);
  put_truth(slot.lost, rows);
}

const ColumnNames& slot_columns() {
  static const ColumnNames kNames =
      column_names({"name", "branch", "acknowledgedLSN", "created", "acknowledged", "lagCommits", "lagBytes",
                    "lagSeconds", "lagSecondsMax", "lagBytesMax", "inUse", "lost"});
  return kNames;
}

// listSlots(handle)
napi_value list_slots(Call& call) {
  return submit_to_slots(call, [](Slots slots, Outcome& outcome) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const std::vector<SlotInfo> found, slots.list());
    outcome.columns = slot_columns();
    for (const SlotInfo& slot : found) put_slot(slot, outcome.rows);
    return {};
  });
}

// getSlot(handle, name)
napi_value get_slot(Call& call) {
  auto name = call.text(1, "a slot's name");
  if (!name) return call.fail(name.error());
  return submit_to_slots(call, [name = *std::move(name)](Slots slots, Outcome& outcome) -> Status {
    DOSQL_ASSIGN_OR_RETURN(const SlotInfo slot, slots.get(name));
    outcome.columns = slot_columns();
    put_slot(slot, outcome.rows);
    return {};
  });
}

}  // namespace

std::span<const NamedFunction> feed_functions() {
  static constexpr NamedFunction kFunctions[] = {
      {"makeFeed", make_feed},   {"openFeed", open_feed},     {"nextChanges", next_changes},
      {"closeFeed", close_feed}, {"createSlot", create_slot}, {"acknowledge", acknowledge},
      {"dropSlot", drop_slot},   {"listSlots", list_slots},   {"getSlot", get_slot},
  };
  return kFunctions;
}

}  // namespace dosql::node
