#include "apps/dosql/interrupts.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

namespace dosql::shell {

namespace {

constexpr int kExitByInterrupt = 130;
constexpr int kPatience = 3;

sigset_t interrupt_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

bool interrupts_are_ignored() {
  struct sigaction action = {};
  ::sigaction(SIGINT, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

Interrupts& Interrupts::start(WhenIdle when_idle) {
  static Interrupts* const instance = new Interrupts(when_idle);  // the thread uses it to the very end
  return *instance;
}

Interrupts::Interrupts(WhenIdle when_idle) : when_idle_(when_idle) {
  wake_descriptor_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (interrupts_are_ignored()) return;
  const sigset_t set = interrupt_set();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::thread([this] { wait_for_signals(); }).detach();
}

void Interrupts::watch(Connection* connection) {
  std::lock_guard lock(mutex_);
  watched_ = connection;
}

void Interrupts::unwatch() {
  std::lock_guard lock(mutex_);
  watched_ = nullptr;
}

void Interrupts::clear() {
  count_ = 0;
  std::uint64_t ignored = 0;
  while (::read(wake_descriptor_, &ignored, sizeof ignored) > 0) {
  }
}

void Interrupts::wait_for_signals() {
  const sigset_t set = interrupt_set();
  for (;;) {
    int signal = 0;
    if (::sigwait(&set, &signal) == 0) take_signal();
  }
}

void Interrupts::take_signal() {
  std::lock_guard lock(mutex_);
  const int count = ++count_;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_descriptor_, &one, sizeof one);
  if (watched_ != nullptr) {
    if (count >= kPatience) ::_exit(kExitByInterrupt);
    watched_->interrupt();
  } else if (when_idle_ == WhenIdle::kEndProcess) {
    // Dying by the signal itself tells the calling shell to stop its script too.
    ::signal(SIGINT, SIG_DFL);
    const sigset_t set = interrupt_set();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    ::raise(SIGINT);
  }
}

}  // namespace dosql::shell
