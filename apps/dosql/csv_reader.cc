#include "apps/dosql/csv_reader.h"

#include <cstring>

#include <fmt/format.h>

namespace dosql::shell {

namespace {
constexpr std::size_t kChunkBytes = 256 * 1024;
}

Result<bool> CsvReader::next(CsvRecord& record) {
  if (!started_) DOSQL_RETURN_IF_ERROR(skip_byte_order_mark());
  record.fields.clear();
  record.stray_quote = false;
  record.line = line_;
  text_.clear();
  field_ends_.clear();
  DOSQL_ASSIGN_OR_RETURN(const int first, peek());
  if (first == kEnd) return false;
  for (bool more = true; more;) {
    DOSQL_ASSIGN_OR_RETURN(const int c, peek());
    if (c == '"') DOSQL_RETURN_IF_ERROR(read_quoted(record));
    bare_begin_ = text_.size();
    DOSQL_RETURN_IF_ERROR(read_bare());
    DOSQL_ASSIGN_OR_RETURN(more, end_field());
  }
  std::size_t begin = 0;
  for (const std::size_t end : field_ends_) {
    record.fields.push_back(std::string_view(text_).substr(begin, end - begin));
    begin = end;
  }
  return true;
}

// The byte to come, or kEnd.
Result<int> CsvReader::peek() {
  if (at_ == buffer_.size() && !at_end_) DOSQL_RETURN_IF_ERROR(fill());
  return at_ < buffer_.size() ? static_cast<unsigned char>(buffer_[at_]) : kEnd;
}

Status CsvReader::fill() {
  buffer_.resize(kChunkBytes);
  at_ = 0;
  DOSQL_ASSIGN_OR_RETURN(const std::size_t bytes, file_.read(buffer_.data(), kChunkBytes));
  buffer_.resize(bytes);
  at_end_ = bytes == 0;
  return {};
}

Status CsvReader::skip_byte_order_mark() {
  started_ = true;
  DOSQL_RETURN_IF_ERROR(peek());
  if (buffer_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  return {};
}

// From the opening quote to behind the closing one.
Status CsvReader::read_quoted(CsvRecord& record) {
  const std::size_t opened_at_line = line_;
  advance();
  for (;;) {
    DOSQL_ASSIGN_OR_RETURN(const int c, peek());
    if (c == kEnd) {
      return Error(ErrorCode::kInvalidArgument, fmt::format("{}:{}: a quote is opened here and never closed",
                                                            file_.path(), opened_at_line));
    }
    advance();
    if (c == '\n') ++line_;
    if (c != '"') {
      text_ += static_cast<char>(c);
      continue;
    }
    DOSQL_ASSIGN_OR_RETURN(const int behind, peek());
    if (behind != '"') {
      record.stray_quote =
          record.stray_quote || (behind != separator_ && behind != '\n' && behind != '\r' && behind != kEnd);
      return {};
    }
    text_ += '"';
    advance();
  }
}

// Up to the separator, line end or end of file.
Status CsvReader::read_bare() {
  for (;;) {
    DOSQL_ASSIGN_OR_RETURN(const int c, peek());
    if (c == kEnd) return {};
    std::size_t end = at_;
    while (end < buffer_.size() && buffer_[end] != separator_ && buffer_[end] != '\n') ++end;
    text_.append(buffer_, at_, end - at_);
    at_ = end;
    if (end < buffer_.size()) return {};
  }
}

// Takes what read_bare() stopped at; false when the record ends with it.
Result<bool> CsvReader::end_field() {
  DOSQL_ASSIGN_OR_RETURN(const int c, peek());
  if (c == separator_) {
    advance();
    field_ends_.push_back(text_.size());
    return true;
  }
  if (text_.size() > bare_begin_ && text_.back() == '\r') text_.pop_back();
  field_ends_.push_back(text_.size());
  if (c == '\n') {
    advance();
    ++line_;
  }
  return false;
}

}  // namespace dosql::shell
