#include "apps/dosql/line_source.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace dosql::shell {

namespace {

class TextSource final : public LineSource {
 public:
  explicit TextSource(std::string_view text) : rest_(text) {}

  Result<ReadLine> next(std::string_view) override {
    if (rest_.empty()) return ReadLine{};
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return ReadLine{ReadLine::Kind::kLine, std::string(line)};
  }

 private:
  std::string_view rest_;
};

class DescriptorSource : public LineSource {
 public:
  DescriptorSource(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  Result<ReadLine> next(std::string_view) override {
    std::size_t searched = begin_;
    for (;;) {
      const std::size_t end = buffer_.find('\n', searched);
      if (end != std::string::npos) return take(end, end + 1);
      searched = buffer_.size();
      if (at_end_) return begin_ < buffer_.size() ? take(buffer_.size(), buffer_.size()) : ReadLine{};
      const std::size_t moved = begin_;
      DOSQL_RETURN_IF_ERROR(fill());
      searched -= moved;
    }
  }

 private:
  static constexpr std::size_t kChunkBytes = 64 * 1024;

  ReadLine take(std::size_t end, std::size_t next) {
    std::string line = buffer_.substr(begin_, end - begin_);
    begin_ = next;
    if (line.ends_with('\r')) line.pop_back();
    return {ReadLine::Kind::kLine, std::move(line)};
  }

  // Drops what was taken and appends what there is to read.
  Status fill() {
    buffer_.erase(0, begin_);
    begin_ = 0;
    const std::size_t size = buffer_.size();
    buffer_.resize(size + kChunkBytes);
    ssize_t bytes;
    do {
      bytes = ::read(descriptor_, buffer_.data() + size, kChunkBytes);
    } while (bytes < 0 && errno == EINTR);
    buffer_.resize(size + static_cast<std::size_t>(bytes < 0 ? 0 : bytes));
    if (bytes < 0)
      return Error(ErrorCode::kIo, fmt::format("cannot read {}: {}", name_, std::strerror(errno)));
    at_end_ = bytes == 0;
    return {};
  }

  int descriptor_;
  std::string name_;
  std::string buffer_;
  std::size_t begin_ = 0;
  bool at_end_ = false;
};

class PromptingSource final : public DescriptorSource {
 public:
  PromptingSource() : DescriptorSource(STDIN_FILENO, "standard input") {}

  Result<ReadLine> next(std::string_view prompt) override {
    show(prompt);
    auto line = DescriptorSource::next(prompt);
    if (line && line->kind == ReadLine::Kind::kEnd) show("\n");
    return line;
  }

 private:
  static void show(std::string_view text) {
    [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
  }
};

}  // namespace

std::unique_ptr<LineSource> make_text_source(std::string_view text) {
  return std::make_unique<TextSource>(text);
}

std::unique_ptr<LineSource> make_descriptor_source(int descriptor, std::string name) {
  return std::make_unique<DescriptorSource>(descriptor, std::move(name));
}

std::unique_ptr<LineSource> make_prompting_source() { return std::make_unique<PromptingSource>(); }

}  // namespace dosql::shell
