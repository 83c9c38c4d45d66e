#include "engine/autoincrement.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <limits>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "diff/btree_page.h"
#include "diff/entries.h"
#include "diff/page_source.h"
#include "diff/record.h"
#include "diff/row_lookup.h"
#include "diff/tree.h"
#include "engine/main_file.h"
#include "engine/sqlite_running.h"

namespace dosql::engine {
namespace {

constexpr std::int64_t kLast = std::numeric_limits<std::int64_t>::max();
// A floor leaves numbers enough for all branches together: no user has ever got to the end of 10^12.
constexpr std::int64_t kHighestFloor = kLast - (std::int64_t{1} << 40);
constexpr std::uint32_t kSchemaCookieOffset = 40;

std::string table_of(const dosql_counter& counter) {
  const Bytes name(static_cast<const std::byte*>(counter.table), counter.table_bytes);
  return diff::folded(diff::utf8_text(name, static_cast<diff::TextEncoding>(counter.encoding)));
}

// 0: there is none.
std::int64_t number_in(const std::map<std::string, std::int64_t>& numbers, const std::string& table) {
  const auto found = numbers.find(table);
  return found != numbers.end() ? found->second : 0;
}

// The number that a text begins with.
std::int64_t leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return text.starts_with('-') ? 0 : kLast;
  return number;
}

// Whatever somebody wrote there, as SQLite takes it for an integer; what is below 1 is none.
std::int64_t number_of(const diff::Field& field, diff::TextEncoding encoding) {
  constexpr double kTooLarge = 9223372036854775808.0;
  switch (field.type) {
    case diff::FieldType::kInteger: return field.integer;
    case diff::FieldType::kReal:
      if (!(field.real > 0)) return 0;
      return field.real < kTooLarge ? static_cast<std::int64_t>(field.real) : kLast;
    case diff::FieldType::kText:
    case diff::FieldType::kBlob: return leading_number(diff::utf8_text(field.bytes, encoding));
    default: return 0;
  }
}

Result<std::uint32_t> schema_cookie_of(version::Reader& reader) {
  std::array<std::byte, 4> bytes{};
  DOSQL_RETURN_IF_ERROR(reader.read(PageNo{1}, kSchemaCookieOffset, bytes));
  return load_big32(bytes.data());
}

}  // namespace

// --- Statements and transactions ---

void AutoincrementCounters::transaction_begins(const MainFile& file, sqlite3* db) {
  if (is_alone()) return;
  if (sqlite3_stmt* const statement = dosql_counting_statement(db)) begin(file, statement);
}

void AutoincrementCounters::statement_begins(const MainFile& file, sqlite3_stmt* statement) {
  if (is_alone() || sqlite3_stmt_busy(statement) != 0) return;
  // SQLite would do it in the middle of the step, and nobody could tell the new program anything.
  dosql_compile_if_stale(statement);
  if (file.writes()) begin(file, statement);
}

void AutoincrementCounters::begin(const MainFile& file, sqlite3_stmt* statement) {
  dosql_counter counter{};
  if (dosql_next_counter(statement, &counter) == 0) return;
  const BranchId own = file.branch();
  std::lock_guard lock(mutex_);
  take_notice();
  Transaction& transaction = open_[&file];
  transaction.branch = own;
  do {
    const std::string table = table_of(counter);
    const std::int64_t floor = floor_of(table, own);
    dosql_count_from(statement, &counter, floor);
    // For who begins on another branch before this statement has ended.
    const std::int64_t last = std::max(floor, own_number(table, transaction));
    transaction.next[table] = last == kLast ? last : last + 1;
  } while (dosql_next_counter(statement, &counter) != 0);
}

void AutoincrementCounters::statement_gave(const MainFile& file, sqlite3_stmt* statement) {
  if (is_alone()) return;
  dosql_counter counter{};
  if (dosql_next_counter(statement, &counter) == 0) return;
  std::lock_guard lock(mutex_);
  const auto found = open_.find(&file);
  if (found == open_.end()) return;
  Transaction& transaction = found->second;
  do {
    const std::string table = table_of(counter);
    transaction.next.erase(table);
    const std::int64_t number = dosql_counted_to(statement, &counter);
    if (number > 0) transaction.given[table] = number;
  } while (dosql_next_counter(statement, &counter) != 0);
}

void AutoincrementCounters::transaction_ended(const MainFile& file) {
  if (is_alone()) return;
  std::lock_guard lock(mutex_);
  open_.erase(&file);
  moved_.insert(file.branch());
}

std::int64_t AutoincrementCounters::floor(const MainFile& file, std::string_view table) {
  if (is_alone()) return 0;
  std::lock_guard lock(mutex_);
  take_notice();
  return floor_of(diff::folded(table), file.branch());
}

std::int64_t AutoincrementCounters::floor_of(const std::string& table, BranchId own) const {
  std::int64_t floor = 0;
  if (const auto found = by_table_.find(table); found != by_table_.end()) {
    const std::set<std::pair<std::int64_t, BranchId>>& numbers = found->second;
    const auto of_others = [&](const auto& one) { return one.second != own; };
    const auto too_high = numbers.lower_bound({kHighestFloor + 1, BranchId{0}});
    const auto highest = std::find_if(std::make_reverse_iterator(too_high), numbers.rend(), of_others);
    if (highest != numbers.rend()) floor = std::max(floor, highest->first);
  }
  for (const auto& [file, transaction] : open_) {
    if (transaction.branch == own) continue;
    for (const Numbers* const numbers : {&transaction.given, &transaction.next}) {
      const std::int64_t number = number_in(*numbers, table);
      if (number <= kHighestFloor) floor = std::max(floor, number);
    }
  }
  return floor;
}

// How far the transaction's own branch has counted.
std::int64_t AutoincrementCounters::own_number(const std::string& table, const Transaction& own) const {
  std::int64_t number = 0;
  if (const auto branch = branches_.find(own.branch); branch != branches_.end())
    number = std::max(number, number_in(branch->second.numbers, table));
  for (const auto& [file, transaction] : open_) {
    if (transaction.branch != own.branch) continue;
    number = std::max(number, number_in(transaction.given, table));
    // One that is not visible yet has come to its end.
    if (&transaction != &own) number = std::max(number, number_in(transaction.next, table));
  }
  return number;
}

// --- What the branches have ---

void AutoincrementCounters::take_notice() {
  if (listed_at_ != store_.name_changes()) list_branches();
  // Alone: nobody asks.
  if (branches_.size() == 1) return;
  for (const BranchId id : std::exchange(moved_, {})) {
    const auto branch = branches_.find(id);
    if (branch == branches_.end()) continue;
    // Who cannot read another branch can write to this one all the same; a merge would report it.
    if (auto numbers = read(id, branch->second)) replace_numbers(id, branch->second, *std::move(numbers));
    reader_.unpin();
  }
}

void AutoincrementCounters::list_branches() {
  // Before they are listed: what comes meanwhile is seen the next time.
  listed_at_ = store_.name_changes();
  std::map<BranchId, Branch> branches;
  for (const version::BranchInfo& info : store_.branches()) {
    auto known = branches_.extract(info.id);
    if (known) {
      branches.insert(std::move(known));
    } else {
      branches.try_emplace(info.id);
      moved_.insert(info.id);
    }
  }
  for (const auto& [id, branch] : branches_) forget(id, branch);
  branches_ = std::move(branches);
}

void AutoincrementCounters::forget(BranchId id, const Branch& branch) {
  for (const auto& [table, number] : branch.numbers) by_table_[table].erase({number, id});
}

void AutoincrementCounters::replace_numbers(BranchId id, Branch& branch, Numbers numbers) {
  forget(id, branch);
  for (const auto& [table, number] : numbers) by_table_[table].insert({number, id});
  branch.numbers = std::move(numbers);
}

Result<AutoincrementCounters::Numbers> AutoincrementCounters::read(BranchId id, Branch& branch) {
  Numbers numbers;
  reader_.pin_head(id);
  if (reader_.point().page_count == 0) return numbers;
  DOSQL_RETURN_IF_ERROR(find_place(branch));
  const PageNo root = branch.place->root;
  if (root == PageNo{}) return numbers;
  diff::VersionPages pages(reader_);
  DOSQL_ASSIGN_OR_RETURN(diff::Tree tree, diff::Tree::open(pages, root));
  if (!tree.is_table()) return diff::malformed_page(root, "sqlite_sequence is not a table");
  DOSQL_RETURN_IF_ERROR(tree.open_where([](PageNo) { return true; }));
  diff::Entries entries(std::move(tree), {});
  std::vector<diff::Field> fields;
  while (true) {
    DOSQL_RETURN_IF_ERROR(entries.advance());
    if (entries.at_end()) return numbers;
    DOSQL_ASSIGN_OR_RETURN(const Bytes record, entries.record());
    DOSQL_RETURN_IF_ERROR(diff::decode_record(record, fields));
    if (fields.size() < 2 || fields[0].type != diff::FieldType::kText) continue;
    std::int64_t& number = numbers[diff::folded(diff::utf8_text(fields[0].bytes, branch.encoding))];
    number = std::max(number, number_of(fields[1], branch.encoding));
  }
}

Status AutoincrementCounters::find_place(Branch& branch) {
  DOSQL_ASSIGN_OR_RETURN(const bool same, has_same_place(branch));
  if (same) return {};
  branch.place.reset();
  Place place;
  DOSQL_ASSIGN_OR_RETURN(place.schema_cookie, schema_cookie_of(reader_));
  DOSQL_ASSIGN_OR_RETURN(branch.encoding, diff::text_encoding(reader_));
  DOSQL_ASSIGN_OR_RETURN(const std::vector<diff::SchemaEntry> schema, diff::read_schema(reader_));
  if (const diff::SchemaEntry* const sequence = diff::find_table(schema, "sqlite_sequence")) {
    place.root = sequence->root;
    place.schema_rowid = sequence->rowid;
    DOSQL_ASSIGN_OR_RETURN(place.schema_record, schema_record(sequence->rowid));
  }
  branch.place = std::move(place);
  return {};
}

// The schema cookie only grows, but for users who set it; so where there is a table, what the schema says of
// it is compared. VACUUM gives it another place.
Result<bool> AutoincrementCounters::has_same_place(const Branch& branch) {
  if (!branch.place) return false;
  if (branch.place->root == PageNo{}) {
    DOSQL_ASSIGN_OR_RETURN(const std::uint32_t cookie, schema_cookie_of(reader_));
    return cookie == branch.place->schema_cookie;
  }
  DOSQL_ASSIGN_OR_RETURN(const std::vector<std::byte> record, schema_record(branch.place->schema_rowid));
  return record == branch.place->schema_record;
}

// Empty: there is none.
Result<std::vector<std::byte>> AutoincrementCounters::schema_record(std::int64_t rowid) {
  diff::VersionPages pages(reader_);
  DOSQL_ASSIGN_OR_RETURN(const std::uint32_t usable_bytes, diff::usable_bytes_of(pages));
  DOSQL_ASSIGN_OR_RETURN(diff::FoundRow row,
                         diff::find_row(reader_, {.root = PageNo{1}, .usable_bytes = usable_bytes}, rowid));
  return std::move(row.record);
}

}  // namespace dosql::engine
