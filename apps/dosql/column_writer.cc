#include "apps/dosql/column_writer.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "apps/dosql/text.h"

namespace dosql::shell {

namespace {

// What surrounds cells in one mode. An empty rule is not drawn.
struct Border {
  std::string_view left, between, right;
  struct Rule {
    std::string_view left, line, cross, right;
    bool drawn() const { return !line.empty(); }
  };
  Rule top, below_header, between_rows, bottom;
  bool headers_always = true;
};

constexpr Border::Rule kAsciiRule{"+", "-", "+", "+\n"};
constexpr Border kTable{"| ", " | ", " |\n", kAsciiRule, kAsciiRule, kAsciiRule, kAsciiRule};
constexpr Border kMarkdown{"| ", " | ", " |\n", {}, {"|", "-", "|", "|\n"}, {}, {}};
constexpr Border kBox{"│ ",
                      " │ ",
                      " │\n",
                      {"┌", "─", "┬", "┐\n"},
                      {"├", "─", "┼", "┤\n"},
                      {"├", "─", "┼", "┤\n"},
                      {"└", "─", "┴", "┘\n"}};
constexpr Border kColumn{"", "  ", "\n", {}, {}, {}, {}, false};

const Border& border_of(Mode mode) {
  switch (mode) {
    case Mode::kTable: return kTable;
    case Mode::kMarkdown: return kMarkdown;
    case Mode::kBox: return kBox;
    default: return kColumn;
  }
}

void append_repeated(std::string& out, std::string_view piece, std::size_t times) {
  for (; times > 0; --times) out += piece;
}

// Takes one line of at most `wrap_columns` from `rest`, tabs expanded. A control character ends a line, so
// that no value can move the cursor. `rest` is what follows, or empty with `more` false.
struct Line {
  std::string text;
  std::string_view rest;
  bool more = false;
};

// The byte where the line is better broken than at `end`: behind a space, else where a word meets another
// character; not in its first half.
std::size_t word_break(std::string_view text, std::size_t end) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = end; at > end / 2; --at) {
    if (is_space(text[at - 1])) return at;
  }
  for (std::size_t at = std::min(end, text.size() - 1); at > end / 2; --at) {
    const bool inside_character = (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    if (is_letter(text[at - 1]) != is_letter(text[at]) && !inside_character) return at;
  }
  return end;
}

Line take_line(std::string_view text, std::size_t wrap_columns, bool wrap_words) {
  const std::size_t limit = wrap_columns == 0 ? std::numeric_limits<std::size_t>::max() : wrap_columns;
  Line line;
  std::size_t width = 0;
  std::size_t at = 0;
  while (at < text.size() && width < limit) {
    const CodePoint point = decode_utf8(text, at);
    if (point.value == '\t') {
      do {
        line.text += ' ';
        ++width;
      } while (width % 8 != 0 && width < limit);
    } else if (point.value < ' ') {
      break;
    } else {
      const auto columns = static_cast<std::size_t>(code_point_width(point.value));
      if (width > 0 && width + columns > limit) break;
      line.text += text.substr(at, point.bytes);
      width += columns;
    }
    at += point.bytes;
  }
  if (at >= text.size()) return line;

  const bool full = static_cast<unsigned char>(text[at]) >= ' ';
  if (full && wrap_words) {
    const std::size_t better = word_break(text, at);
    if (better < at) {
      line.text = take_line(text.substr(0, better), 0, false).text;
      at = better;
      while (at < text.size() && text[at] == ' ') ++at;
    }
  }
  if (!full) at += text.compare(at, 2, "\r\n") == 0 ? 2 : 1;
  line.rest = text.substr(at);
  line.more = !line.rest.empty();
  return line;
}

// A bar inside a cell of a Markdown table would end the cell.
std::string with_escaped_bars(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

class ColumnWriter final : public RowWriter {
 public:
  ColumnWriter(const Format& format, Output& out)
      : format_(format), out_(out), border_(border_of(format.mode)) {}

  void begin(const Statement& statement) override {
    columns_ = static_cast<std::size_t>(statement.column_count());
    widths_.resize(columns_);
    for (std::size_t column = 0; column < columns_; ++column) {
      widths_[column] = minimum_width(column);
      const std::string name(statement.column_name(static_cast<int>(column)));
      header_.push_back(cell_of(take_line(name, wrap_of(column), format_.wrap_words)));
      widen(column, header_.back());
    }
  }

  void row(const Statement& statement) override {
    std::vector<std::string> values;
    for (std::size_t column = 0; column < columns_; ++column) values.push_back(value(statement, column));
    std::vector<std::string_view> rest(values.begin(), values.end());
    std::vector<bool> more(columns_, true);
    do {
      add_line(rest, more);
    } while (std::find(more.begin(), more.end(), true) != more.end());
    lines_.back().ends_row = true;
  }

  void end() override {
    if (lines_.empty()) return;
    std::string text;
    draw_rule(text, border_.top);
    draw_header(text);
    draw_rule(text, border_.below_header);
    out_.write(text);
    for (std::size_t i = 0; i < lines_.size(); ++i) draw_line(i);
    text.clear();
    draw_rule(text, border_.bottom);
    out_.write(text);
  }

 private:
  struct DisplayLine {
    std::vector<std::string> cells;
    bool ends_row = false;
  };

  int chosen_width(std::size_t column) const {
    return column < format_.widths.size() ? format_.widths[column] : 0;
  }
  std::size_t minimum_width(std::size_t column) const {
    return static_cast<std::size_t>(std::abs(chosen_width(column)));
  }
  std::size_t wrap_of(std::size_t column) const {
    return chosen_width(column) != 0 ? minimum_width(column) : format_.wrap_columns;
  }
  bool to_the_right(std::size_t column) const { return chosen_width(column) < 0; }

  std::string cell_of(const Line& line) const {
    return format_.mode == Mode::kMarkdown ? with_escaped_bars(line.text) : line.text;
  }

  void widen(std::size_t column, std::string_view cell) {
    widths_[column] = std::max(widths_[column], display_width(cell));
  }

  std::string value(const Statement& statement, std::size_t column) const {
    const int index = static_cast<int>(column);
    const Value::Type type = statement.type(index);
    if (format_.quote_values) {
      if (type == Value::Type::kBlob) return "x'" + blob_hex(statement, index) + "'";
      return sql_literal(statement, index, LineEnds::kKeep, Infinity::kLiteral);
    }
    if (type == Value::Type::kNull) return format_.null_text;
    const std::string_view text = statement.text(index);
    return std::string(text.substr(0, text.find('\0')));
  }

  // Takes the next line of each value that has one.
  void add_line(std::vector<std::string_view>& rest, std::vector<bool>& more) {
    DisplayLine line;
    for (std::size_t column = 0; column < columns_; ++column) {
      Line taken;
      if (more[column]) taken = take_line(rest[column], wrap_of(column), format_.wrap_words);
      line.cells.push_back(cell_of(taken));
      widen(column, line.cells.back());
      rest[column] = taken.rest;
      more[column] = taken.more;
      any_row_broken_ = any_row_broken_ || taken.more;
    }
    lines_.push_back(std::move(line));
  }

  void draw_rule(std::string& out, const Border::Rule& rule) const {
    if (!rule.drawn()) return;
    for (std::size_t column = 0; column < columns_; ++column) {
      out += column == 0 ? rule.left : rule.cross;
      append_repeated(out, rule.line, widths_[column] + 2);
    }
    out += rule.right;
  }

  void draw_header(std::string& out) const {
    if (!border_.headers_always) {
      if (format_.headers) draw_plain_header(out);
      return;
    }
    out += border_.left;
    for (std::size_t column = 0; column < columns_; ++column) {
      const std::size_t space = widths_[column] - display_width(header_[column]);
      out.append(space / 2, ' ');
      out += header_[column];
      out.append((space + 1) / 2, ' ');
      out += column + 1 == columns_ ? border_.right : border_.between;
    }
  }

  // Mode column: names to the left, underlined with dashes.
  void draw_plain_header(std::string& out) const {
    for (std::size_t column = 0; column < columns_; ++column) {
      append_cell(out, column, header_[column]);
      out += column + 1 == columns_ ? border_.right : border_.between;
    }
    for (std::size_t column = 0; column < columns_; ++column) {
      out.append(widths_[column], '-');
      out += column + 1 == columns_ ? border_.right : border_.between;
    }
  }

  void append_cell(std::string& out, std::size_t column, std::string_view cell) const {
    const std::size_t space = widths_[column] - display_width(cell);
    if (to_the_right(column)) out.append(space, ' ');
    out += cell;
    if (!to_the_right(column)) out.append(space, ' ');
  }

  void draw_line(std::size_t index) {
    const DisplayLine& line = lines_[index];
    std::string text(border_.left);
    for (std::size_t column = 0; column < columns_; ++column) {
      append_cell(text, column, line.cells[column]);
      text += column + 1 == columns_ ? border_.right : border_.between;
    }
    // Rows are set apart as soon as one of them takes more than one line.
    if (any_row_broken_ && line.ends_row && index + 1 < lines_.size()) {
      if (format_.mode == Mode::kColumn)
        text += '\n';
      else
        draw_rule(text, border_.between_rows);
    }
    out_.write(text);
  }

  const Format& format_;
  Output& out_;
  const Border& border_;
  std::size_t columns_ = 0;
  std::vector<std::size_t> widths_;
  std::vector<std::string> header_;
  std::vector<DisplayLine> lines_;
  bool any_row_broken_ = false;
};

}  // namespace

std::unique_ptr<RowWriter> make_column_writer(const Format& format, Output& out) {
  return std::make_unique<ColumnWriter>(format, out);
}

}  // namespace dosql::shell
