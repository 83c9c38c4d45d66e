#include "engine/brought_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "engine/connection_state.h"
#include "engine/followed_references.h"
#include "engine/kept_references.h"
#include "engine/number_traces.h"
#include "engine/our_rows.h"
#include "engine/rebased_changes.h"
#include "engine/row_identity.h"
#include "merge/row_merge.h"
#include "sql/lexer.h"

namespace dosql::engine {
namespace {

using merge::KeyedChange;
using version::ReadPoint;

using Number = std::int64_t;
using Numbers = NumberTraces::Numbers;

// How a number can be another row on each side.
enum class Apart : std::uint8_t {
  kNever,       // rows are what their numbers say
  kIfReplaced,  // something refers to them: only where it has to be
  kAlways,      // nothing refers to them
};

KeyedChange change_of(const RowPair& row) {
  KeyedChange change{.in_base = row.base.has_value(),
                     .in_theirs = row.theirs.has_value(),
                     .rowid_base = row.rowid_base,
                     .rowid_theirs = row.rowid_theirs};
  if (row.base) change.base.assign(row.base->values().begin(), row.base->values().end());
  if (row.theirs) change.theirs.assign(row.theirs->values().begin(), row.theirs->values().end());
  return change;
}

std::span<const diff::Field> values_of(const RowCopy& row) { return row.values(); }
std::span<const diff::Field> values_of(const FoundRow& found) { return found.row.values(); }

// Rows of one table that are known by their rowids.
class MeetingRows {
 public:
  MeetingRows(MergeContext& context, const MergeSource& source, const MergedTable& table, Apart apart,
              Brought& brought, FollowedReferences& references, KeptReferences& kept)
      : context_(context),
        table_(table),
        apart_(table.known_by_rowid() ? apart : Apart::kNever),
        brought_(brought),
        references_(references),
        kept_(kept),
        traces_(context, source, table, brought),
        base_(traces_.base()),
        their_side_(traces_.theirs()),
        ours_(traces_.ours()) {}

  Status find(RebasedChanges changes) {
    KeyedChange change;
    while (true) {
      DOSQL_ASSIGN_OR_RETURN(const bool found, changes.next(change));
      if (!found) break;
      DOSQL_RETURN_IF_ERROR(look_at(change, changes.rebased()));
    }
    for (auto& [first, group] : groups_) {
      const auto is_rebased = [&](Number number) { return rebased_.contains(number); };
      DOSQL_RETURN_IF_ERROR(find_ours(group));
      DOSQL_RETURN_IF_ERROR(apart_ == Apart::kIfReplaced                     ? settle_referred(group)
                            : std::ranges::any_of(group.numbers, is_rebased) ? settle_new_rows(group)
                                                                             : take_apart(group));
    }
    return {};
  }

 private:
  using Rows = std::map<Number, RowCopy>;

  // Numbers that were given to rows of each other, and what theirs changed under them.
  struct Group {
    Numbers numbers;
    Rows base;
    Rows theirs;
    std::map<Number, FoundRow> ours = {};
    std::vector<RowPair> changes = {};  // where something refers to the numbers
  };

  // --- Which numbers belong together ---

  Status look_at(const KeyedChange& change, const RebasedRow* rebased) {
    const bool has_key = (change.in_base && table_.has_key(change.base)) ||
                         (change.in_theirs && table_.has_key(change.theirs));
    if (has_key) return {};
    const Number number = change.in_base ? change.rowid_base : change.rowid_theirs;
    if (rebased != nullptr) rebased_.insert(number);
    if (change.in_base && change.in_theirs) DOSQL_RETURN_IF_ERROR(look_for_replaced(number));
    const bool is_new = !change.in_base && change.in_theirs;
    if (!traces_.is_noted(number) && !(is_new && context_.only_changes)) return {};
    const Numbers numbers = traces_.numbers_with(number);
    DOSQL_ASSIGN_OR_RETURN(const bool changed, traces_.ours_has_changed(numbers));
    if (!changed) return look_for_taken(change, numbers);
    const bool by_itself = apart_ == Apart::kNever || (apart_ == Apart::kIfReplaced && rebased != nullptr);
    if (numbers.size() == 1 || by_itself) {
      const bool decided = rebased != nullptr && rebased->takes_theirs;
      return decided ? Status() : settle_one(change, numbers);
    }
    Group& group = groups_[std::ranges::min(numbers)];
    group.numbers = numbers;
    if (apart_ == Apart::kIfReplaced) {
      RowPair& row = group.changes.emplace_back();
      row.rowid_base = change.rowid_base;
      row.rowid_theirs = change.rowid_theirs;
      if (change.in_base) row.base.emplace(change.base);
      if (change.in_theirs) row.theirs.emplace(change.theirs);
    }
    if (change.in_base) group.base.emplace(number, change.base);
    if (change.in_theirs) group.theirs.emplace(number, change.theirs);
    return {};
  }

  // Ours gets the numbers of theirs.
  Status look_for_taken(const KeyedChange& change, const Numbers& numbers) {
    if (apart_ != Apart::kIfReplaced || !change.in_base || !change.in_theirs) return {};
    const Number number = change.rowid_base;
    DOSQL_ASSIGN_OR_RETURN(const Counterpart theirs, traces_.find_in_theirs(number, numbers));
    if (theirs.sure && theirs.number != std::optional(number)) kept_.add_taken(table_, number, theirs.number);
    return {};
  }

  Status settle_one(const KeyedChange& change, const Numbers& numbers) {
    const bool is_new = !change.in_base && change.in_theirs;
    return is_new ? settle_new(change.rowid_theirs, change.theirs, numbers)
                  : look_at_replaced(change, numbers);
  }

  // Of a merge it can be seen in what it merged that it put another row in the place of one.
  Status look_for_replaced(Number number) {
    if (!context_.only_changes || !context_.identity->may_be_others(base_, their_side_)) return {};
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, traces_.compare(base_, number, their_side_, number));
    if (same == SameRow::kNo) brought_.replaced.insert(number);
    return {};
  }

  // --- Rows that base does not have ---

  Status settle_new_rows(const Group& group) {
    for (const auto& [number, row] : group.theirs) {
      if (!group.base.contains(number))
        DOSQL_RETURN_IF_ERROR(settle_new(number, row.values(), traces_.numbers_with(number)));
    }
    return {};
  }

  Status settle_new(Number number, std::span<const diff::Field> row, const Numbers& numbers) {
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, ours_.find({.rowid = number}));
    if (here && merge::same_row(here->row.values(), row)) return {};
    DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, traces_.find_in_ours(their_side_.point, number, numbers));
    if (ours.number && *ours.number != number) {
      // A row of base: what theirs has under that number is what became of it.
      DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces_.find(base_, *ours.number));
      if (in_base.row) {
        DOSQL_ASSIGN_OR_RETURN(const SameRow same, traces_.compare(base_, *ours.number, their_side_, number));
        if (same == SameRow::kYes) return {};
      }
    }
    note_meeting(number, ours);
    return {};
  }

  // Theirs has another row under a number of base, which ours has under one that base has not. What refers to
  // the numbers cannot tell which of them it means: no strategy decides that.
  Status look_at_replaced(const KeyedChange& change, const Numbers& numbers) {
    if (!change.in_base || numbers.size() == 1) return {};
    if (!change.in_theirs) return look_at_moved(change, numbers);
    const Number number = change.rowid_base;
    DOSQL_ASSIGN_OR_RETURN(const SameRow same, traces_.compare(base_, number, their_side_, number));
    if (same == SameRow::kYes) return look_at_moved(change, numbers);
    if (same != SameRow::kNo) return {};
    DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, traces_.find_in_ours(their_side_.point, number, numbers));
    if (!ours.number || *ours.number == number) return {};
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces_.find(base_, *ours.number));
    if (in_base.row) return {};
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, ours_.find({.rowid = *ours.number}));
    const Resolution* const resolution =
        context_.settle(context_.counts_of(table_.name),
                        {.kind = merge::ConflictKind::kKeyCollision,
                         .table = table_.name,
                         .key = table_.key_json(change.base, number, context_.encoding),
                         .base = "null",
                         .main = here ? table_.row_json(here->row.values(), context_.encoding) : "null",
                         .branch = table_.row_json(change.theirs, context_.encoding)});
    if (resolution == nullptr) return {};
    if (resolution->take == Resolution::Take::kOurs) {
      brought_.taken_apart.insert(numbers.begin(), numbers.end());
      brought_.elsewhere[number] = *ours.number;
    } else if (resolution->take == Resolution::Take::kTheirs && here) {
      brought_.taken_apart.insert(*ours.number);
      brought_.instead.push_back({.base = here->row, .rowid_base = *ours.number});
    } else {
      return takes_a_side(change);
    }
    return {};
  }

  // A row of base that theirs changed or deleted, and that ours has under a number that base has not. Under
  // its own there is another row in ours, or none: there it would go on twice, or that one be deleted.
  Status look_at_moved(const KeyedChange& change, const Numbers& numbers) {
    // Each of several bases is asked by itself what it says of the row.
    if (context_.several_bases) return {};
    const Number number = change.rowid_base;
    DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, traces_.find_in_ours(base_, number, numbers));
    if (!ours.number || !ours.sure || *ours.number == number) return {};
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces_.find(base_, *ours.number));
    // Another one of theirs may take its place there.
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_theirs, traces_.find(their_side_.point, *ours.number));
    if (in_base.row || !in_theirs.known || in_theirs.row) return {};
    DOSQL_ASSIGN_OR_RETURN(const std::optional<FoundRow> here, ours_.find({.rowid = *ours.number}));
    if (!here) return {};
    brought_.taken_apart.insert(number);
    if (change.in_theirs) brought_.elsewhere[number] = *ours.number;
    DOSQL_ASSIGN_OR_RETURN(const std::optional<Resolution::Take> side, side_about_moved(change, *here));
    if (!side) return {};
    if (*side == Resolution::Take::kOurs) {
      const bool is_kept = !change.in_theirs && !context_.only_changes;
      if (is_kept) context_.moved[table_.name].brought[*ours.number] = *ours.number;
      return {};
    }
    brought_.told.insert(*ours.number);
    RowPair& pair = brought_.instead.emplace_back();
    pair.base = here->row;
    if (change.in_theirs) DOSQL_RETURN_IF_ERROR(put_in_place_of(*here, change, pair));
    pair.rowid_base = pair.rowid_theirs = *ours.number;
    return {};
  }

  // What theirs has, under the number of ours; columns that it does not have are as in ours. What it refers
  // to as base does is what that is in ours.
  Status put_in_place_of(const FoundRow& ours, const KeyedChange& change, RowPair& pair) {
    RowPair followed{.base = RowCopy(change.base), .theirs = RowCopy(change.theirs)};
    DOSQL_RETURN_IF_ERROR(references_.follow(followed));
    std::vector<diff::Field> values(ours.row.values().begin(), ours.row.values().end());
    for (std::uint32_t i = 0; i < values.size(); ++i) {
      if (table_.columns[i].in_theirs && i != table_.rowid_column) values[i] = followed.theirs->values()[i];
    }
    pair.theirs = RowCopy(values);
    pair.anew = std::move(followed.anew);
    return {};
  }

  // None: it is not decided.
  Result<std::optional<Resolution::Take>> side_about_moved(const KeyedChange& change, const FoundRow& here) {
    using Take = Resolution::Take;
    if (context_.preference == merge::Preference::kOurs) return std::optional(Take::kOurs);
    if (context_.preference == merge::Preference::kTheirs) return std::optional(Take::kTheirs);
    const Resolution* const resolution = context_.settle(
        context_.counts_of(table_.name),
        {.kind = change.in_theirs ? merge::ConflictKind::kKeyCollision : merge::ConflictKind::kUpdateDelete,
         .table = table_.name,
         .key = table_.key_json(change.base, change.rowid_base, context_.encoding),
         .base = table_.row_json(change.base, context_.encoding),
         .main = table_.row_json(here.row.values(), context_.encoding),
         .branch = change.in_theirs ? table_.row_json(change.theirs, context_.encoding) : "null"});
    if (resolution == nullptr) return std::optional<Take>();
    const bool goes = resolution->take == Take::kDelete && !change.in_theirs;
    if (resolution->take == Take::kTheirs || goes) return std::optional(Take::kTheirs);
    if (resolution->take == Take::kOurs) return std::optional(Take::kOurs);
    return takes_a_side(change);
  }

  Error takes_a_side(const KeyedChange& change) const {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("row {} of {} takes a side: each has it under a number of its own",
                    table_.key_json(change.base, change.rowid_base, context_.encoding), table_.name));
  }

  void note_meeting(Number number, const Counterpart& ours) {
    if (!ours.number) return;
    brought_.meetings[number] = ours.sure ? Meeting::kOneRow : Meeting::kUnknown;
    if (*ours.number != number) brought_.elsewhere[number] = *ours.number;
    if (!ours.sure) context_.doubts[table_.name].ours.add(*ours.number);
  }

  // --- Numbers to which something refers ---

  // Where theirs has a row of base under another number, or another row under its number, be it the one that
  // ours gives it, no change by itself says what became of a row.
  Status settle_referred(const Group& group) {
    DOSQL_ASSIGN_OR_RETURN(const Replaced replaced, find_replaced(group));
    if (!replaced.any) {
      for (const RowPair& row : group.changes) {
        const KeyedChange change = change_of(row);
        const Number number = change.in_base ? change.rowid_base : change.rowid_theirs;
        DOSQL_RETURN_IF_ERROR(settle_one(change, numbers_from(group, number)));
      }
      return {};
    }
    return replaced.is_clear ? take_apart(group) : refuse(group);
  }

  struct Replaced {
    bool any = false;
    bool is_clear = true;  // which row is which, and what refers to them can be found
  };
  Result<Replaced> find_replaced(const Group& group) {
    Replaced found;
    std::set<Number> of_base;  // in theirs
    for (const auto& [number, row] : group.base) {
      DOSQL_ASSIGN_OR_RETURN(const Counterpart theirs, may_be_in_theirs(group, number));
      DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, find_base_in_ours(group, number, row));
      if (theirs.number) of_base.insert(*theirs.number);
      found.is_clear = found.is_clear && theirs.sure && ours.sure;
      const bool moved = ours.number && *ours.number != number;
      if (moved && !found.any) {
        DOSQL_ASSIGN_OR_RETURN(found.any, has_another(*ours.number));
      }
      const bool is_other = group.theirs.contains(number) && theirs.number != std::optional(number);
      found.any = found.any || is_other || (theirs.number && *theirs.number != number);
      if (is_other && found.is_clear) {
        DOSQL_ASSIGN_OR_RETURN(found.is_clear, kept_.can_be_found(table_, number));
      }
    }
    for (const auto& [number, row] : group.theirs) {
      if (of_base.contains(number)) continue;
      DOSQL_ASSIGN_OR_RETURN(const Counterpart ours,
                             traces_.find_in_ours(their_side_.point, number, numbers_from(group, number)));
      const auto here = group.ours.find(number);
      // One of them would be lost.
      const bool are_alike = !ours.number && here != group.ours.end() &&
                             merge::same_row(here->second.row.values(), row.values());
      found.is_clear = found.is_clear && ours.sure && !are_alike;
    }
    return found;
  }

  // A row that ours has not there.
  Result<bool> has_another(Number number) {
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_base, traces_.find(base_, number));
    DOSQL_ASSIGN_OR_RETURN(const VersionRows::Found in_theirs, traces_.find(their_side_.point, number));
    return in_base.row || in_theirs.row;
  }

  // No strategy decides that.
  Status refuse(const Group& group) {
    brought_.taken_apart.insert(group.numbers.begin(), group.numbers.end());
    for (const Number number : group.numbers) context_.doubts[table_.name].ours.add(number);
    return leave_as_ours(group, group.base.begin()->first, false);
  }

  // Nothing else can be decided. `is_new`: theirs' row has nothing to do with what base has there.
  Status leave_as_ours(const Group& group, Number number, bool is_new) {
    const auto json = [&](const auto& rows) {
      const auto row = rows.find(number);
      return row == rows.end() ? "null" : table_.row_json(values_of(row->second), context_.encoding);
    };
    const auto& shown = group.base.contains(number) ? group.base : group.theirs;
    const std::string key = table_.key_json(shown.at(number).values(), number, context_.encoding);
    const Resolution* const resolution =
        context_.settle(context_.counts_of(table_.name), {.kind = merge::ConflictKind::kKeyCollision,
                                                          .table = table_.name,
                                                          .key = key,
                                                          .base = is_new ? "null" : json(group.base),
                                                          .main = json(group.ours),
                                                          .branch = json(group.theirs),
                                                          .renumber_helps = is_new});
    if (resolution == nullptr || resolution->take == Resolution::Take::kOurs) return {};
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("row {} of {} takes only main's side: what refers to the branch's by this number "
                    "would refer to another one",
                    key, table_.name));
  }

  // --- Rows by what they are, not by their numbers ---

  Status find_ours(Group& group) {
    for (const Number number : group.numbers) {
      DOSQL_ASSIGN_OR_RETURN(std::optional<FoundRow> ours, ours_.find({.rowid = number}));
      if (ours) group.ours.emplace(number, *std::move(ours));
    }
    return {};
  }

  Status take_apart(const Group& group) {
    std::set<Number> of_base;  // in theirs
    std::set<Number> stay;     // of theirs, under their numbers
    std::vector<RowPair> changed;
    for (const auto& [number, row] : group.base) {
      DOSQL_ASSIGN_OR_RETURN(const Counterpart theirs, find_in_theirs(group, number));
      DOSQL_ASSIGN_OR_RETURN(const Counterpart ours, find_base_in_ours(group, number, row));
      if (theirs.number) of_base.insert(*theirs.number);
      if (theirs.number && theirs.number == ours.number) stay.insert(*theirs.number);
      const bool is_other = group.theirs.contains(number) && theirs.number != std::optional(number);
      if (is_other && apart_ == Apart::kIfReplaced) kept_.add(table_, number);
      DOSQL_RETURN_IF_ERROR(take_base_row(group, number, theirs.number, ours, changed));
    }
    for (const auto& [number, row] : group.theirs) {
      if (of_base.contains(number)) continue;
      DOSQL_ASSIGN_OR_RETURN(const Counterpart ours,
                             traces_.find_in_ours(their_side_.point, number, numbers_from(group, number)));
      note_meeting(number, ours);
      if (ours.number == std::optional(number)) stay.insert(number);
      const bool known = ours.number && has_content(group.ours.at(*ours.number).row.values(), row);
      if (known && ours.sure) continue;
      if (!ours.number) {
        DOSQL_ASSIGN_OR_RETURN(const bool has_place, finds_place(group, number));
        if (!has_place) continue;
      }
      changed.push_back({.theirs = row, .rowid_theirs = number});
    }
    // What goes makes room.
    for (const bool comes : {false, true}) {
      for (RowPair& row : changed) {
        if (row.theirs.has_value() == comes) brought_.instead.push_back(std::move(row));
      }
    }
    brought_.taken_apart.insert(group.numbers.begin(), group.numbers.end());
    if (apart_ == Apart::kIfReplaced) note_doubts(group, stay);
    forget_told();
    return {};
  }

  // A row that ours deleted may have had the number that another one has in ours now: what theirs did to the
  // two comes there.
  void forget_told() {
    const auto doubts = context_.doubts.find(table_.name);
    if (doubts == context_.doubts.end()) return;
    std::erase_if(brought_.told, [&](Number number) { return doubts->second.strangers.contains(number); });
  }

  // Of a row that only theirs has: whether it may come, or gets a number of its own.
  Result<bool> finds_place(const Group& group, Number number) {
    const bool gets_another = context_.renumber || table_.autoincrement;
    if (apart_ != Apart::kIfReplaced || gets_another || !group.ours.contains(number)) return true;
    DOSQL_RETURN_IF_ERROR(leave_as_ours(group, number, true));
    return false;
  }

  // Of theirs under numbers that are other rows in ours: what refers to them and does not follow.
  void note_doubts(const Group& group, const std::set<Number>& stay) {
    for (const auto& [number, row] : group.theirs) {
      if (group.ours.contains(number) && !stay.contains(number))
        context_.doubts[table_.name].ours.add(number);
    }
  }

  static Numbers numbers_from(const Group& group, Number number) {
    Numbers all{number};
    std::ranges::copy_if(group.numbers, std::back_inserter(all),
                         [&](Number other) { return other != number; });
    return all;
  }

  Result<Counterpart> may_be_in_theirs(const Group& group, Number number) {
    return NumberTraces::counterpart(number, group.numbers, [&](Number there) -> Result<SameRow> {
      if (!group.theirs.contains(there)) return SameRow::kNo;
      DOSQL_ASSIGN_OR_RETURN(const SameRow same, traces_.compare(base_, number, their_side_, there));
      return same == SameRow::kUnknown && there == number ? SameRow::kYes : same;
    });
  }

  // Sure ones only: what may be another row goes, and the other one comes.
  Result<Counterpart> find_in_theirs(const Group& group, Number number) {
    DOSQL_ASSIGN_OR_RETURN(const Counterpart found, may_be_in_theirs(group, number));
    return found.sure ? found : Counterpart();
  }

  Result<Counterpart> find_base_in_ours(const Group& group, Number number, const RowCopy& row) {
    DOSQL_ASSIGN_OR_RETURN(const Counterpart found,
                           traces_.find_in_ours(base_, number, numbers_from(group, number)));
    if (!found.number || found.sure) return found;
    // Where it cannot be told, what is just as it was is the row.
    const auto here = group.ours.find(number);
    const bool is_as_in_base =
        here != group.ours.end() && merge::same_row(here->second.row.values(), row.values());
    return is_as_in_base ? Counterpart{.number = number} : found;
  }

  // What theirs did to a row of base, under the number that ours gives it.
  Status take_base_row(const Group& group, Number number, std::optional<Number> theirs,
                       const Counterpart& ours, std::vector<RowPair>& changed) {
    const RowCopy& before = group.base.at(number);
    const RowCopy* const now = theirs ? &group.theirs.at(*theirs) : nullptr;
    if (theirs && ours.number && *theirs != *ours.number) brought_.elsewhere[*theirs] = *ours.number;
    if (!ours.number && now == nullptr) return {};
    if (now != nullptr) {
      DOSQL_ASSIGN_OR_RETURN(const bool stays,
                             references_.only_follows({.base = before, .theirs = with_number(*now, number)}));
      if (stays) return {};
    }
    Number address = ours.number.value_or(number);
    // One that ours deleted would be another row there, or meet one.
    const bool is_taken =
        group.ours.contains(address) || (theirs != address && group.theirs.contains(address));
    if (!ours.number && is_taken) address = *theirs;
    const bool is_free = ours.number.has_value() || !group.ours.contains(address);
    if (theirs && !ours.number && *theirs != address) brought_.elsewhere[*theirs] = address;
    if (ours.sure && is_free) {
      brought_.told.insert(address);
    } else {
      // It may be another row of which nothing would be left.
      context_.doubts[table_.name].ours.add(address);
      context_.doubts[table_.name].strangers.add(address);
    }
    RowPair pair;
    pair.base = with_number(before, address);
    if (now != nullptr) pair.theirs = with_number(*now, address);
    pair.rowid_base = pair.rowid_theirs = address;
    DOSQL_RETURN_IF_ERROR(references_.follow(pair));
    changed.push_back(std::move(pair));
    return {};
  }

  bool has_content(std::span<const diff::Field> a, const RowCopy& b) const {
    if (!table_.rowid_column) return merge::same_row(a, b.values());
    const Number number = a[*table_.rowid_column].integer;
    return merge::same_row(a, with_number(b, number).values());
  }

  RowCopy with_number(const RowCopy& row, Number number) const {
    std::vector<diff::Field> values(row.values().begin(), row.values().end());
    if (table_.rowid_column) values[*table_.rowid_column].integer = number;
    return RowCopy(values);
  }

  MergeContext& context_;
  const MergedTable& table_;
  const Apart apart_;
  Brought& brought_;
  FollowedReferences& references_;
  KeptReferences& kept_;
  NumberTraces traces_;
  const ReadPoint& base_;
  const RowSide& their_side_;
  OurRows& ours_;
  std::map<Number, Group> groups_;  // by the lowest number
  std::set<Number> rebased_;
};

// Whether its number refers to another one, or something to it.
bool has_references(const ForeignKeys& keys, const MergedTable& table) {
  const std::string& number = table.columns[*table.rowid_column].name;
  return keys.number_is_reference(table) ||
         std::ranges::any_of(keys.to(table.name), [&](const ForeignKey* key) {
           return std::ranges::any_of(key->parent_columns, [&](const std::string& column) {
             return sql::equals_ignoring_case(column, number);
           });
         });
}

// Where several versions are in common, each says by itself what a number is.
Apart how_apart(const MergeContext& context, const ForeignKeys& keys, const MergedTable& table) {
  if (context.several_bases) return Apart::kNever;
  if (!table.rowid_column || !has_references(keys, table)) return Apart::kAlways;
  const bool may_be = !context.only_changes && !keys.number_is_reference(table);
  return may_be ? Apart::kIfReplaced : Apart::kNever;
}

}  // namespace

Status find_brought(MergeContext& context, const MergeSource& source, VersionPair& theirs,
                    const MergedSchema& merged, const ForeignKeys& keys) {
  if (context.identity == nullptr) return {};
  for (const TableTask& task : merged.tables) {
    if (context.only_changes) context.brought[task.merged.name];
  }
  KeptReferences kept(context, source, merged, keys);
  for (const TableTask& task : merged.tables) {
    if (context.by_content.contains(task.merged.name)) continue;
    FollowedReferences references(context, source, merged, keys, task.merged);
    if (references.in_key()) DOSQL_RETURN_IF_ERROR(references.find_keys(theirs, task));
    const auto found = context.brought.find(task.merged.name);
    const bool is_known = !task.merged.rowid_name.empty() || task.merged.rowid_column;
    if (found == context.brought.end() || !is_known) continue;
    DOSQL_ASSIGN_OR_RETURN(merge::KeyedChanges all, theirs.changes(task.base, task.theirs, task.merged));
    DOSQL_RETURN_IF_ERROR(MeetingRows(context, source, task.merged, how_apart(context, keys, task.merged),
                                      found->second, references, kept)
                              .find(RebasedChanges(context, task.merged, std::move(all))));
  }
  return kept.follow(theirs);
}

}  // namespace dosql::engine
