#include "apps/dosql/row_writer.h"

#include <cmath>
#include <map>
#include <vector>

#include <fmt/format.h>

#include "apps/dosql/column_writer.h"
#include "apps/dosql/text.h"
#include "base/json_text.h"

namespace dosql::shell {

namespace {

// Text as the line-oriented modes print it: up to the first zero byte.
std::string_view shown_text(const Statement& statement, int column) {
  const std::string_view text = statement.text(column);
  return text.substr(0, text.find('\0'));
}

std::string_view value_or_null_text(const Statement& statement, int column, const Format& format) {
  return statement.type(column) == Value::Type::kNull ? std::string_view(format.null_text)
                                                      : shown_text(statement, column);
}

// list and tabs.
class ListWriter final : public RowWriter {
 public:
  ListWriter(const Format& format, Output& out) : format_(format), out_(out) {}

  void begin(const Statement&) override {}
  void row(const Statement& statement) override {
    if (first_ && format_.headers) write_header(statement);
    first_ = false;
    for (int column = 0; column < statement.column_count(); ++column) {
      if (column > 0) out_.write(format_.column_separator);
      out_.write(value_or_null_text(statement, column, format_));
    }
    out_.write(format_.row_separator);
  }
  void end() override {}

 private:
  void write_header(const Statement& statement) {
    for (int column = 0; column < statement.column_count(); ++column) {
      if (column > 0) out_.write(format_.column_separator);
      out_.write(statement.column_name(column));
    }
    out_.write(format_.row_separator);
  }

  const Format& format_;
  Output& out_;
  bool first_ = true;
};

class CsvWriter final : public RowWriter {
 public:
  CsvWriter(const Format& format, Output& out) : format_(format), out_(out) {}

  void begin(const Statement&) override {}
  void row(const Statement& statement) override {
    const int columns = statement.column_count();
    if (first_ && format_.headers) {
      for (int column = 0; column < columns; ++column) write_field(statement.column_name(column), column);
      out_.write(format_.row_separator);
    }
    first_ = false;
    for (int column = 0; column < columns; ++column) {
      if (statement.type(column) == Value::Type::kNull) {
        write_separator(column);
        out_.write(format_.null_text);
      } else {
        write_field(shown_text(statement, column), column);
      }
    }
    out_.write(format_.row_separator);
  }
  void end() override {}

 private:
  void write_separator(int column) {
    if (column > 0) out_.write(format_.column_separator);
  }

  void write_field(std::string_view text, int column) {
    write_separator(column);
    if (needs_quotes(text))
      out_.write(quote_identifier_always(text));
    else
      out_.write(text);
  }

  bool needs_quotes(std::string_view text) const {
    if (text.empty()) return true;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte <= ' ' || byte >= 0x7F || c == '"' || c == '\'') return true;
    }
    return text.find(format_.column_separator) != std::string_view::npos;
  }

  const Format& format_;
  Output& out_;
  bool first_ = true;
};

class JsonWriter final : public RowWriter {
 public:
  explicit JsonWriter(Output& out) : out_(out) {}

  void begin(const Statement& statement) override {
    for (int column = 0; column < statement.column_count(); ++column) {
      names_.push_back(json_string(statement.column_name(column)) + ":");
    }
  }
  void row(const Statement& statement) override {
    out_.write(first_ ? "[{" : ",\n{");
    first_ = false;
    for (int column = 0; column < statement.column_count(); ++column) {
      if (column > 0) out_.write(',');
      out_.write(names_[static_cast<std::size_t>(column)]);
      write_value(statement, column);
    }
    out_.write('}');
  }
  void end() override {
    if (!first_) out_.write("]\n");
  }

 private:
  void write_value(const Statement& statement, int column) {
    switch (statement.type(column)) {
      case Value::Type::kNull: return out_.write("null");
      case Value::Type::kInteger: return out_.write(statement.text(column));
      case Value::Type::kReal:
        return out_.write(sql_literal(statement, column, LineEnds::kKeep, Infinity::kLiteral));
      case Value::Type::kText:
      case Value::Type::kBlob: return out_.write(json_string(statement.text(column)));
    }
  }

  Output& out_;
  std::vector<std::string> names_;
  bool first_ = true;
};

class LineWriter final : public RowWriter {
 public:
  LineWriter(const Format& format, Output& out) : format_(format), out_(out) {}

  void begin(const Statement& statement) override {
    for (int column = 0; column < statement.column_count(); ++column) {
      name_width_ = std::max(name_width_, display_width(statement.column_name(column)));
    }
  }
  void row(const Statement& statement) override {
    if (!first_) out_.write(format_.row_separator);
    first_ = false;
    for (int column = 0; column < statement.column_count(); ++column) {
      const std::string_view name = statement.column_name(column);
      out_.write(std::string(name_width_ - display_width(name), ' '));
      out_.write(name);
      out_.write(" = ");
      out_.write(value_or_null_text(statement, column, format_));
      out_.write(format_.row_separator);
    }
  }
  void end() override {}

 private:
  const Format& format_;
  Output& out_;
  std::size_t name_width_ = 5;
  bool first_ = true;
};

class QuoteWriter final : public RowWriter {
 public:
  QuoteWriter(const Format& format, Output& out) : format_(format), out_(out) {}

  void begin(const Statement&) override {}
  void row(const Statement& statement) override {
    const int columns = statement.column_count();
    if (first_ && format_.headers) {
      for (int column = 0; column < columns; ++column) {
        if (column > 0) out_.write(format_.column_separator);
        out_.write(quote_text(statement.column_name(column)));
      }
      out_.write(format_.row_separator);
    }
    first_ = false;
    for (int column = 0; column < columns; ++column) {
      if (column > 0) out_.write(format_.column_separator);
      out_.write(sql_literal(statement, column, LineEnds::kKeep, Infinity::kWord));
    }
    out_.write(format_.row_separator);
  }
  void end() override {}

 private:
  const Format& format_;
  Output& out_;
  bool first_ = true;
};

class InsertWriter final : public RowWriter {
 public:
  InsertWriter(const Format& format, Output& out) : format_(format), out_(out) {}

  void begin(const Statement& statement) override {
    head_ = "INSERT INTO " + quote_identifier(format_.insert_table);
    if (format_.headers) {
      for (int column = 0; column < statement.column_count(); ++column) {
        head_ += column == 0 ? '(' : ',';
        head_ += quote_identifier(statement.column_name(column));
      }
      head_ += ')';
    }
    head_ += " VALUES(";
  }
  void row(const Statement& statement) override {
    out_.write(head_);
    for (int column = 0; column < statement.column_count(); ++column) {
      if (column > 0) out_.write(',');
      out_.write(sql_literal(statement, column, LineEnds::kEscape, Infinity::kLiteral));
    }
    out_.write(");\n");
  }
  void end() override {}

 private:
  const Format& format_;
  Output& out_;
  std::string head_;
};

class QueryPlanWriter final : public RowWriter {
 public:
  explicit QueryPlanWriter(Output& out) : out_(out) {}

  void begin(const Statement&) override {}
  void row(const Statement& statement) override {
    children_[statement.integer(1)].push_back({statement.integer(0), std::string(statement.text(3))});
  }
  void end() override {
    if (children_.empty()) return;
    out_.write("QUERY PLAN\n");
    write_level(0, "");
  }

 private:
  struct Node {
    std::int64_t id;
    std::string detail;
  };

  void write_level(std::int64_t parent, const std::string& indent) {
    const auto found = children_.find(parent);
    if (found == children_.end()) return;
    const std::vector<Node> nodes = std::move(found->second);
    children_.erase(found);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      const bool last = i + 1 == nodes.size();
      out_.write(fmt::format("{}{}{}\n", indent, last ? "`--" : "|--", nodes[i].detail));
      write_level(nodes[i].id, indent + (last ? "   " : "|  "));
    }
  }

  Output& out_;
  std::map<std::int64_t, std::vector<Node>> children_;
};

// A mark that does not occur in `text`, to stand for a line end.
std::string unused_mark(std::string_view text, std::string first, std::string second) {
  if (text.find(first) == std::string_view::npos) return first;
  std::string mark = std::move(second);
  for (unsigned number = 0; text.find(mark) != std::string_view::npos; ++number) {
    mark = fmt::format("({}{})", first, number);
  }
  return mark;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

std::string text_literal(std::string_view text, LineEnds line_ends) {
  // No SQL text can hold a zero byte.
  if (text.find('\0') != std::string_view::npos) return fmt::format("CAST(X'{}' AS TEXT)", to_hex(text));
  const bool escape = line_ends == LineEnds::kEscape;
  const bool newline = escape && text.find('\n') != std::string_view::npos;
  const bool carriage_return = escape && text.find('\r') != std::string_view::npos;
  std::string out = quote_text(text);
  if (!newline && !carriage_return) return out;
  const std::string newline_mark = unused_mark(text, "\\n", "\\012");
  const std::string return_mark = unused_mark(text, "\\r", "\\015");
  if (carriage_return) {
    replace_all(out, "\r", return_mark);
    out = fmt::format("replace({},'{}',char(13))", out, return_mark);
  }
  if (newline) {
    replace_all(out, "\n", newline_mark);
    out = fmt::format("replace({},'{}',char(10))", out, newline_mark);
  }
  return out;
}

std::string real_literal(double value, Infinity infinity) {
  if (std::isfinite(value)) return format_real(value);
  if (infinity == Infinity::kWord) return value < 0 ? "-Inf" : "Inf";
  return value < 0 ? "-1e999" : "1e999";
}

}  // namespace

// Not by text(), which takes the bytes for UTF-16 in a database that has its text so.
std::string blob_hex(const Statement& statement, int column) {
  const auto blob = statement.blob(column);
  return to_hex({reinterpret_cast<const char*>(blob.data()), blob.size()});
}

std::string sql_literal(const Statement& statement, int column, LineEnds line_ends, Infinity infinity) {
  switch (statement.type(column)) {
    case Value::Type::kNull: return "NULL";
    case Value::Type::kInteger: return std::string(statement.text(column));
    case Value::Type::kReal: return real_literal(statement.real(column), infinity);
    case Value::Type::kText: return text_literal(statement.text(column), line_ends);
    case Value::Type::kBlob: return "X'" + blob_hex(statement, column) + "'";
  }
  return {};
}

std::unique_ptr<RowWriter> make_row_writer(const Format& format, Output& out) {
  switch (format.mode) {
    case Mode::kList:
    case Mode::kTabs: return std::make_unique<ListWriter>(format, out);
    case Mode::kCsv: return std::make_unique<CsvWriter>(format, out);
    case Mode::kJson: return std::make_unique<JsonWriter>(out);
    case Mode::kLine: return std::make_unique<LineWriter>(format, out);
    case Mode::kQuote: return std::make_unique<QuoteWriter>(format, out);
    case Mode::kInsert: return std::make_unique<InsertWriter>(format, out);
    case Mode::kColumn:
    case Mode::kTable:
    case Mode::kBox:
    case Mode::kMarkdown: return make_column_writer(format, out);
  }
  return nullptr;
}

std::unique_ptr<RowWriter> make_query_plan_writer(Output& out) {
  return std::make_unique<QueryPlanWriter>(out);
}

}  // namespace dosql::shell
