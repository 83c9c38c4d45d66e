#include "tests/shell/terminal.h"

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace dosql::shell_test {

namespace {

// Sanitizer builds on a busy machine are slow; a missing text is noticed only then.
constexpr auto kPatience = std::chrono::seconds(20);

[[noreturn]] void become(const std::filesystem::path& folder, const std::vector<std::string>& arguments,
                         const std::map<std::string, std::string>& environment) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<char*> argument_pointers;
  std::vector<char*> variable_pointers;
  for (const std::string& argument : arguments)
    argument_pointers.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& variable : variables)
    variable_pointers.push_back(const_cast<char*>(variable.c_str()));
  argument_pointers.push_back(nullptr);
  variable_pointers.push_back(nullptr);
  if (::chdir(folder.c_str()) == 0)
    ::execve(argument_pointers[0], argument_pointers.data(), variable_pointers.data());
  ::_exit(127);
}

std::size_t escape_sequence_bytes(std::string_view text) {
  if (text.size() < 2 || text[1] != '[') return std::min<std::size_t>(2, text.size());
  std::size_t at = 2;
  while (at < text.size() && (text[at] < '@' || text[at] > '~')) ++at;
  return std::min(at + 1, text.size());
}

}  // namespace

Terminal::Terminal(const std::filesystem::path& folder, std::vector<std::string> arguments,
                   std::map<std::string, std::string> environment) {
  winsize size = {40, 100, 0, 0};
  process_ = ::forkpty(&descriptor_, nullptr, nullptr, &size);
  if (process_ < 0) throw std::runtime_error("forkpty failed");
  if (process_ == 0) become(folder, arguments, environment);
}

Terminal::~Terminal() {
  if (!ended_) {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  ::close(descriptor_);
}

void Terminal::type(std::string_view keys) {
  while (!keys.empty()) {
    const ssize_t written = ::write(descriptor_, keys.data(), keys.size());
    if (written <= 0) return;
    keys.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool Terminal::wait_for(std::string_view text) {
  for (;;) {
    const std::size_t at = plain_.find(text, found_);
    if (at != std::string::npos) {
      found_ = at + text.size();
      return true;
    }
    if (!read_some()) return false;
  }
}

// False: nothing came in time, or the program closed its side.
bool Terminal::read_some() {
  pollfd wait = {descriptor_, POLLIN, 0};
  const auto patience_ms = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count();
  if (::poll(&wait, 1, static_cast<int>(patience_ms)) <= 0) return false;
  char buffer[4096];
  const ssize_t bytes = ::read(descriptor_, buffer, sizeof buffer);
  if (bytes <= 0) {
    closed_ = true;
    return false;
  }
  append({buffer, static_cast<std::size_t>(bytes)});
  return true;
}

// Rebuilt from the start: an escape sequence may come in pieces.
void Terminal::append(std::string_view bytes) {
  raw_ += bytes;
  plain_.clear();
  for (std::size_t at = 0; at < raw_.size();) {
    if (raw_[at] == '\x1b') {
      at += escape_sequence_bytes(std::string_view(raw_).substr(at));
      continue;
    }
    if (raw_[at] != '\r' && raw_[at] != '\a') plain_ += raw_[at];
    ++at;
  }
}

int Terminal::wait_for_exit() {
  while (read_some()) {
  }
  if (!closed_) ::kill(process_, SIGKILL);
  int status = 0;
  ::waitpid(process_, &status, 0);
  ended_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace dosql::shell_test
