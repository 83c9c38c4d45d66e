#include "sql/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/check.h"

namespace dosql::sql {
namespace {

struct Edit {
  Span span;
  std::string text;
};

bool has_variables(const TimeReference& reference) {
  const auto has = [](const std::optional<TimePoint>& point) { return point && point->has_variables; };
  return has(reference.point) || has(reference.end_point);
}

// A space in place of a clause: what stands before and behind it must not grow together.
void add_table_edits(const Recognition& recognition, const std::vector<std::string>& tables,
                     std::vector<Edit>& edits) {
  for (std::size_t i = 0; i < tables.size(); ++i) {
    edits.push_back({recognition.times[i].name.span(), tables[i]});
    edits.push_back({recognition.times[i].clause, " "});
  }
}

// Up to the first cut variable SQLite counts as it did. Behind it a ? and a name that it has not seen before
// would get too small a number; ?NNN says its own.
void add_variable_edits(std::string_view text, const Recognition& recognition, std::vector<Edit>& edits) {
  bool counts_differ = false;
  std::unordered_set<std::string_view> seen_before;
  auto reference = recognition.times.begin();
  for (const Variable& variable : recognition.variables) {
    while (reference != recognition.times.end() && reference->clause.end <= variable.span.begin) ++reference;
    if (reference != recognition.times.end() && reference->clause.begin <= variable.span.begin) {
      counts_differ |= has_variables(*reference);
      continue;
    }
    const std::string_view name = variable.span.of(text);
    const bool says_its_number = name.size() > 1 && name[0] == '?';
    if (!counts_differ) {
      seen_before.insert(name);
    } else if (!says_its_number && (variable.anonymous() || !seen_before.contains(name))) {
      edits.push_back({variable.span, fmt::format("?{}", variable.number)});
    }
  }
}

void sort(std::vector<Edit>& edits) {
  std::sort(edits.begin(), edits.end(),
            [](const Edit& a, const Edit& b) { return a.span.begin < b.span.begin; });
}

// REQUIRES: sorted edits.
void add_column_names(std::string_view text, const Recognition& recognition, std::vector<Edit>& edits) {
  std::vector<Edit> names;
  for (const UnnamedColumn& column : recognition.unnamed) {
    const auto inside =
        std::lower_bound(edits.begin(), edits.end(), column.name.begin,
                         [](const Edit& edit, std::size_t at) { return edit.span.begin < at; });
    if (inside == edits.end() || inside->span.begin >= column.expression_end) continue;
    names.push_back({{column.expression_end, column.expression_end}, " AS " + quoted(column.name.of(text))});
  }
  edits.insert(edits.end(), names.begin(), names.end());
}

class Writer {
 public:
  explicit Writer(std::string_view original) : original_(original) {}

  void copy_to(std::size_t end) {
    if (copied_ < end) add({out_.text.size(), copied_, true}, original_.substr(copied_, end - copied_));
    copied_ = end;
  }
  void replace(const Edit& edit) {
    copy_to(edit.span.begin);
    add({out_.text.size(), edit.span.begin, false}, edit.text);
    copied_ = edit.span.end;
  }
  RewrittenSql finish(std::size_t end) {
    copy_to(end);
    out_.pieces.push_back({out_.text.size(), end, true});
    return std::move(out_);
  }

 private:
  void add(RewrittenSql::Piece piece, std::string_view text) {
    if (text.empty()) return;
    out_.pieces.push_back(piece);
    out_.text += text;
  }

  std::string_view original_;
  std::size_t copied_ = 0;  // bytes of the original that are dealt with
  RewrittenSql out_;
};

}  // namespace

std::size_t RewrittenSql::original_offset(std::size_t offset) const {
  const auto behind = std::upper_bound(pieces.begin(), pieces.end(), offset,
                                       [](std::size_t at, const Piece& piece) { return at < piece.begin; });
  if (behind == pieces.begin()) return offset;
  const Piece& piece = *std::prev(behind);
  return piece.copied ? piece.original + (offset - piece.begin) : piece.original;
}

RewrittenSql rewrite(std::string_view text, const Recognition& recognition, const Replacements& names) {
  CHECK(names.times.size() == recognition.times.size() && names.diffs.size() == recognition.diffs.size());
  CHECK(names.present.empty() || names.present.size() == recognition.present.size());
  std::vector<Edit> edits;
  add_table_edits(recognition, names.times, edits);
  for (std::size_t i = 0; i < names.diffs.size(); ++i)
    edits.push_back({recognition.diffs[i].name, names.diffs[i]});
  for (std::size_t i = 0; i < names.present.size(); ++i) {
    if (!names.present[i].empty()) edits.push_back({recognition.present[i].name.span(), names.present[i]});
  }
  add_variable_edits(text, recognition, edits);
  sort(edits);
  add_column_names(text, recognition, edits);
  sort(edits);
  Writer writer(text);
  for (const Edit& edit : edits) writer.replace(edit);
  return writer.finish(recognition.end);
}

}  // namespace dosql::sql
