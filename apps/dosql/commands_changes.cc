// .tail: the changes of the database, as they happen. .slots: how far those who follow them have got.

#include <fmt/format.h>

#include <algorithm>

#include "apps/dosql/change_writer.h"
#include "apps/dosql/dot_command.h"
#include "apps/dosql/shell.h"
#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// How soon Ctrl-C is noticed while nothing happens.
constexpr std::chrono::milliseconds kLook(100);
constexpr std::uint64_t kAcknowledgedTogether = 1'000;

struct TailOptions {
  ChangesOptions feed;
  std::string slot;  // empty: none
  bool from_now = true;
  bool json = false;
  bool end = false;  // when all that there is has been shown
};

std::vector<std::string> split_names(std::string_view list) {
  std::vector<std::string> names;
  while (true) {
    const std::size_t comma = list.find(',');
    if (const std::string_view name = trim(list.substr(0, comma)); !name.empty()) names.emplace_back(name);
    if (comma == std::string_view::npos) return names;
    list.remove_prefix(comma + 1);
  }
}

Result<TailOptions> parse(Arguments arguments) {
  TailOptions options;
  bool has_lsn = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& option = arguments[i];
    const bool takes_value = option == "-from" || option == "-tables" || option == "-slot";
    if (takes_value && ++i == arguments.size())
      return usage_error("tail", fmt::format("{} needs a value", option));
    if (option == "-from") {
      const auto lsn = parse_unsigned(arguments[i]);
      if (!lsn) return usage_error("tail", fmt::format("'{}' is not an LSN", arguments[i]));
      options.feed.after_lsn = *lsn;
      has_lsn = true;
      options.from_now = false;
    } else if (option == "-slot") {
      options.slot = arguments[i];
      if (options.slot.empty()) return usage_error("tail", "-slot needs a name");
    } else if (option == "-tables") {
      options.feed.filter.tables = split_names(arguments[i]);
      if (options.feed.filter.tables.empty()) return usage_error("tail", "-tables needs names");
    } else if (option == "-snapshot") {
      options.feed.snapshot = true;
      options.from_now = false;
    } else if (option == "-schema") {
      options.feed.filter.schema = true;
    } else if (option == "-json") {
      options.json = true;
    } else if (option == "-end") {
      options.end = true;
    } else {
      return usage_error("tail", fmt::format("unknown option '{}'", option));
    }
  }
  if (has_lsn && options.feed.snapshot)
    return usage_error("tail", "a feed begins behind an LSN or with a snapshot");
  return options;
}

// Behind what the slot has acknowledged; a slot that is not there is made, and begins where the feed would.
Result<Changes> subscribe(Shell& shell, TailOptions& options) {
  if (options.slot.empty()) return shell.database().changes(std::move(options.feed));
  Slots slots = shell.database().slots();
  const auto there = slots.get(options.slot);
  if (there && !options.from_now)
    return usage_error("tail", fmt::format("slot '{}' is there and has a place of its own", options.slot));
  if (there && !there->branch.empty() && there->branch != options.feed.branch) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("slot '{}' follows branch '{}', this shell is on '{}'", options.slot,
                             there->branch, options.feed.branch))
        .with_hint(fmt::format("CHECKOUT {} first", there->branch));
  }
  if (!there) {
    if (there.error().code() != ErrorCode::kNotFound) return there.error();
    DOSQL_RETURN_IF_ERROR(
        slots.create(options.slot, {.branch = options.feed.branch, .after_lsn = options.feed.after_lsn}));
  }
  return slots.subscribe(options.slot, std::move(options.feed.filter));
}

// What was shown is acknowledged once it is out.
Status flush(Shell& shell, const std::string& slot, std::uint64_t shown_lsn) {
  DOSQL_RETURN_IF_ERROR(shell.out().flush());
  if (slot.empty() || shown_lsn == 0) return {};
  return shell.database().slots().acknowledge(slot, shown_lsn);
}

Status follow(Shell& shell, const TailOptions& options, Changes& changes) {
  std::uint64_t shown_lsn = 0;
  std::uint64_t shown = 0;
  while (!shell.interrupts().pending()) {
    DOSQL_ASSIGN_OR_RETURN(std::optional<Change> change, changes.next());
    if (!change) {
      // What the filter left out is dealt with, too.
      shown_lsn = std::max(shown_lsn, changes.given_lsn());
      DOSQL_RETURN_IF_ERROR(flush(shell, options.slot, shown_lsn));
      if (options.end) break;
      DOSQL_ASSIGN_OR_RETURN(change, changes.next(kLook));
    }
    if (!change) continue;
    shell.out().write(options.json ? change_json(*change) : change_text(*change));
    shell.out().write('\n');
    shown_lsn = change->lsn;
    // Catching up may take long, and be killed.
    if (++shown % kAcknowledgedTogether == 0) DOSQL_RETURN_IF_ERROR(flush(shell, options.slot, shown_lsn));
  }
  // Ctrl-C may come while more is there.
  return flush(shell, options.slot, shown_lsn);
}

Status run_tail(Shell& shell, Arguments arguments) {
  DOSQL_ASSIGN_OR_RETURN(TailOptions options, parse(arguments));
  Connection& connection = shell.connection();
  if (connection.fixed())
    return Error(ErrorCode::kInvalidArgument, "this shell stays at a version: nothing new will come");
  if (!options.slot.empty() && options.feed.snapshot)
    return usage_error("tail", "a slot begins behind an LSN, not with a snapshot");
  options.feed.branch = connection.current_branch();
  if (options.from_now) {
    DOSQL_ASSIGN_OR_RETURN(const VersionId newest, connection.resolve(current()));
    options.feed.after_lsn = newest.lsn;
  }
  DOSQL_ASSIGN_OR_RETURN(Changes changes, subscribe(shell, options));
  return follow(shell, options, changes);
}

Status run_slots(Shell& shell, Arguments arguments) {
  if (arguments.empty()) {
    Format format;
    format.switch_to(Mode::kColumn);
    return shell.show_query(
        "SELECT name, branch, acknowledged_lsn, lag_events, lag_bytes, round(lag_seconds, 1) AS lag_seconds, "
        "iif(lost, 'lost', iif(in_use, 'in use', '')) AS state FROM dosql_slots",
        {}, format);
  }
  if (arguments.size() != 2 || arguments[0] != "drop")
    return usage_error("slots", "the one thing to do with a slot here is: drop NAME");
  return shell.database().slots().drop(arguments[1]);
}

}  // namespace

std::vector<DotCommand> change_commands() {
  return {
      {"slots", "[drop NAME]", "How far the consumers of changes have got; or drop a slot",
       "The table dosql_slots has more.\n", 0, 2, run_slots},
      {"tail", "[OPTIONS]", "Show changes of rows as they are committed, until Ctrl-C",
       "-from LSN    begin behind that LSN; 0: with the first commit (without it: with what comes now)\n"
       "-slot NAME   begin where the slot is, and move it on; made if there is none\n"
       "-snapshot    begin with all rows that there are\n"
       "-tables A,B  only these tables\n"
       "-schema      also tables that come, go or are altered\n"
       "-json        one JSON object a line\n"
       "-end         end when all that there is has been shown\n"
       "It follows the branch that this shell is on, also when another process writes.\n",
       0, kAnyNumber, run_tail},
  };
}

}  // namespace dosql::shell
