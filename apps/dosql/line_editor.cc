#include "apps/dosql/line_editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "apps/dosql/text.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// libedit 3.1 keeps the names given with EL_ADDFN for ever.
extern "C" const char* __lsan_default_suppressions() { return "leak:wcsdup"; }
#endif
#endif

namespace dosql::shell {

namespace {

constexpr int kHistoryLines = 2000;
constexpr int kIdleAfterMs = 200;
constexpr std::size_t kListColumns = 80;
constexpr std::size_t kMaxListed = 200;

class LineEditor final : public LineSource {
 public:
  LineEditor(EditorOptions options, Interrupts& interrupts)
      : options_(std::move(options)), interrupts_(interrupts) {
    editor_ = ::el_init("dosql", stdin, stdout, stderr);
    history_ = ::history_init();
    set_up_history();
    set_up_editor();
  }

  ~LineEditor() override {
    ::history_end(history_);
    ::el_end(editor_);
  }

  Result<ReadLine> next(std::string_view prompt) override {
    prompt_ = prompt;
    interrupts_.clear();
    interrupted_ = false;
    // Before the prompt is seen: otherwise a Ctrl-D typed at once is still taken by the terminal, as a NUL.
    ::el_set(editor_, EL_PREP_TERM, 1);
    int count = 0;
    const char* const line = ::el_gets(editor_, &count);
    if (interrupted_) {
      std::fputs("^C\n", stdout);
      std::fflush(stdout);
      interrupts_.clear();
      return ReadLine{ReadLine::Kind::kInterrupted, ""};
    }
    if (line == nullptr || count <= 0) {
      std::fputc('\n', stdout);
      std::fflush(stdout);
      return ReadLine{};
    }
    std::string text(line, static_cast<std::size_t>(count));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return ReadLine{ReadLine::Kind::kLine, std::move(text)};
  }

  void remember(std::string_view command) override {
    std::string entry(command);
    if (can_be_one_line(command)) std::replace(entry.begin(), entry.end(), '\n', ' ');
    std::string_view rest = entry;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      HistEvent event = {};
      ::history(history_, &event, H_ENTER, std::string(rest.substr(0, end)).c_str());
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    save_history();
  }

 private:
  // Its line ends may become spaces without changing what it means.
  static bool can_be_one_line(std::string_view command) {
    const bool comment = command.find("--") != std::string_view::npos;
    bool odd_quotes = false;
    for (const char c : command) {
      if (c == '\'' || c == '"' || c == '`') odd_quotes = !odd_quotes;
      if (c == '\n' && odd_quotes) return false;
    }
    return !comment;
  }

  void set_up_history() {
    HistEvent event = {};
    ::history(history_, &event, H_SETSIZE, kHistoryLines);
    ::history(history_, &event, H_SETUNIQUE, 1);
    if (options_.history_path.empty()) return;
    const int descriptor = ::open(options_.history_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
      options_.history_path.clear();  // a home that cannot be written is no reason to complain each time
      return;
    }
    ::fchmod(descriptor, 0600);
    ::close(descriptor);
    ::history(history_, &event, H_LOAD, options_.history_path.c_str());
  }

  void save_history() {
    HistEvent event = {};
    if (!options_.history_path.empty()) ::history(history_, &event, H_SAVE, options_.history_path.c_str());
  }

  void set_up_editor() {
    ::el_set(editor_, EL_CLIENTDATA, this);
    ::el_set(editor_, EL_PROMPT, &LineEditor::on_prompt);
    ::el_set(editor_, EL_EDITOR, "emacs");
    ::el_set(editor_, EL_HIST, ::history, history_);
    ::el_set(editor_, EL_SIGNAL, 1);
    ::el_set(editor_, EL_GETCFN, &LineEditor::on_read);
    ::el_set(editor_, EL_ADDFN, "dosql-complete", "Complete the word", &LineEditor::on_complete);
    ::el_set(editor_, EL_BIND, "^I", "dosql-complete", nullptr);
    ::el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    ::el_source(editor_, nullptr);  // the person's own ~/.editrc
  }

  static LineEditor& self(EditLine* editor) {
    void* data = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<LineEditor*>(data);
  }

  static char* on_prompt(EditLine* editor) { return self(editor).prompt_.data(); }

  static int on_read(EditLine* editor, wchar_t* character) { return self(editor).read_character(character); }

  // 1: a character was read, 0: end of input, -1: Ctrl-C or failure.
  int read_character(wchar_t* character) {
    std::string bytes;
    for (;;) {
      if (!wait_for_input()) return -1;
      char c = 0;
      const ssize_t count = ::read(STDIN_FILENO, &c, 1);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return count == 0 ? 0 : -1;
      bytes += c;
      const CodePoint point = decode_utf8(bytes, 0);
      const bool unfinished =
          point.value == 0xFFFD && bytes.size() < 4 && static_cast<unsigned char>(bytes[0]) >= 0xC2;
      if (unfinished) continue;
      *character = static_cast<wchar_t>(point.value);
      return 1;
    }
  }

  // False: Ctrl-C.
  bool wait_for_input() {
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {interrupts_.wake_descriptor(), POLLIN, 0}};
    int timeout_ms = kIdleAfterMs;
    for (;;) {
      const int ready = ::poll(waits, 2, timeout_ms);
      if (interrupts_.pending()) {
        interrupted_ = true;
        return false;
      }
      if (ready > 0) return true;
      if (ready < 0) {  // the window was resized, or the process stopped and goes on
        ::el_resize(editor_);
        ::el_set(editor_, EL_REFRESH);
        continue;
      }
      timeout_ms = options_.idle && options_.idle() ? 0 : -1;
    }
  }

  static unsigned char on_complete(EditLine* editor, int) { return self(editor).complete_word(); }

  unsigned char complete_word() {
    const LineInfo* const line = ::el_line(editor_);
    const std::string_view before(line->buffer, static_cast<std::size_t>(line->cursor - line->buffer));
    const Completion completion = options_.complete(before);
    if (completion.candidates.empty()) return CC_ERROR;
    const bool unique = completion.candidates.size() == 1;
    std::string text = common_prefix(completion.candidates);
    if (unique && !text.ends_with('/')) text += ' ';
    if (text.size() <= completion.word_bytes) {
      list(completion.candidates);
      return CC_REDISPLAY;
    }
    const std::string_view word = before.substr(before.size() - completion.word_bytes);
    ::el_deletestr(editor_, static_cast<int>(count_characters(word)));
    ::el_insertstr(editor_, text.c_str());
    return CC_REFRESH;
  }

  static std::size_t count_characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  }

  static void list(const std::vector<std::string>& candidates) {
    std::size_t widest = 0;
    for (const std::string& candidate : candidates) widest = std::max(widest, display_width(candidate));
    const std::size_t per_row = std::max<std::size_t>(1, kListColumns / (widest + 2));
    std::string text;
    for (std::size_t i = 0; i < std::min(candidates.size(), kMaxListed); ++i) {
      text += i % per_row == 0 ? "\n" : "  ";
      text += candidates[i];
      text.append(widest - display_width(candidates[i]), ' ');
    }
    if (candidates.size() > kMaxListed) text += "\n...";
    text += '\n';
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  }

  EditorOptions options_;
  Interrupts& interrupts_;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  std::string prompt_;
  bool interrupted_ = false;
};

}  // namespace

std::unique_ptr<LineSource> make_line_editor(EditorOptions options, Interrupts& interrupts) {
  return std::make_unique<LineEditor>(std::move(options), interrupts);
}

std::string default_history_path() {
  if (const char* chosen = std::getenv("DOSQL_HISTORY")) return chosen;
  const char* const home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? "" : std::string(home) + "/.dosql_history";
}

}  // namespace dosql::shell
