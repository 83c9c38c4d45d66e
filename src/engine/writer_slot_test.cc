#include "engine/writer_slot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace dosql::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr auto kFar = std::chrono::minutes(10);
bool never() { return false; }

TEST(WriterSlotTest, OnlyOneHasIt) {
  WriterSlot slot;
  WriterSlot::Writer writer;
  EXPECT_TRUE(slot.try_take());
  EXPECT_FALSE(slot.try_take());
  slot.give_back(writer, WriterSlot::HandOff::kAlways);
  EXPECT_TRUE(slot.try_take());
}

TEST(WriterSlotTest, WaitingEndsAtTheDeadline) {
  WriterSlot slot;
  WriterSlot::Writer writer;
  ASSERT_TRUE(slot.try_take());
  EXPECT_FALSE(slot.take_until(writer, steady_clock::now() + milliseconds(5), never));
  EXPECT_EQ(slot.waiting(), 0u);
  slot.give_back(writer, WriterSlot::HandOff::kAlways);
  EXPECT_TRUE(slot.try_take()) << "the slot was granted to someone who had gone";
}

// A timeout of 0 still gets a slot that is free: a statement that found an old snapshot tries again like
// that.
TEST(WriterSlotTest, AFreeSlotIsTakenWhateverTheDeadline) {
  WriterSlot slot;
  WriterSlot::Writer writer;
  EXPECT_TRUE(slot.take_until(writer, steady_clock::now() - milliseconds(1), never));
}

TEST(WriterSlotTest, WaitersAreServedInOrder) {
  WriterSlot slot;
  WriterSlot::Writer writer;
  ASSERT_TRUE(slot.try_take());
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&slot, &order, i] {
      WriterSlot::Writer other;
      EXPECT_TRUE(slot.take_until(other, steady_clock::now() + kFar, never));
      order.push_back(i);  // under the slot
      slot.give_back(other, WriterSlot::HandOff::kAlways);
    });
    while (slot.waiting() != static_cast<std::size_t>(i) + 1) std::this_thread::yield();
  }
  slot.give_back(writer, WriterSlot::HandOff::kAlways);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST(WriterSlotTest, WhoWaitsAwakeGetsAFreeSlotAndFallsAsleepInTheEnd) {
  WriterSlot slot;
  WriterSlot::Writer writer;
  EXPECT_TRUE(
      slot.take_until(writer, steady_clock::now() - milliseconds(1), never, WriterSlot::Wait::kAwake));
  WriterSlot::Writer late;
  EXPECT_FALSE(slot.take_until(late, steady_clock::now() + milliseconds(3), never, WriterSlot::Wait::kAwake));
  EXPECT_EQ(slot.waiting(), 0u);
  std::thread waiter([&] {
    WriterSlot::Writer other;
    EXPECT_TRUE(slot.take_until(other, steady_clock::now() + kFar, never, WriterSlot::Wait::kAwake));
    slot.give_back(other, WriterSlot::HandOff::kAlways);
  });
  while (slot.waiting() == 0) std::this_thread::yield();
  std::this_thread::sleep_for(2 * WriterSlot::kAwakeMax);  // it sleeps by now, mostly; both are right
  slot.give_back(writer, WriterSlot::HandOff::kAlways);
  waiter.join();
}

// Waiting awake is no way past somebody in the queue who cannot be called.
TEST(WriterSlotTest, AHandedOverSlotIsNotForWhoWaitsAwake) {
  WriterSlot slot;
  WriterSlot::Writer writer;
  ASSERT_TRUE(slot.try_take());
  std::vector<int> order;
  const auto wait = [&](int name, WriterSlot::Wait how) {
    WriterSlot::Writer other;
    EXPECT_TRUE(slot.take_until(other, steady_clock::now() + kFar, never, how));
    order.push_back(name);  // under the slot
    std::this_thread::sleep_for(milliseconds(1));
    slot.give_back(other, WriterSlot::HandOff::kAlways);
  };
  std::thread asleep(wait, 1, WriterSlot::Wait::kAsleep);
  while (slot.waiting() == 0) std::this_thread::yield();
  std::thread awake(wait, 2, WriterSlot::Wait::kAwake);
  while (slot.waiting() < 2) std::this_thread::yield();
  slot.give_back(writer, WriterSlot::HandOff::kAlways);
  asleep.join();
  awake.join();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

// More than may be awake at once: those in the queue are called, and nobody is kept out.
TEST(WriterSlotTest, AllWhoWaitAwakeAreServed) {
  constexpr int kThreads = 2 * WriterSlot::kAwakeMost;
  constexpr int kRounds = 50;
  WriterSlot slot;
  WriterSlot::Writer writer;
  ASSERT_TRUE(slot.try_take());
  long done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      WriterSlot::Writer other;
      for (int round = 0; round < kRounds; ++round) {
        ASSERT_TRUE(slot.take_until(other, steady_clock::now() + kFar, never, WriterSlot::Wait::kAwake));
        ++done;
        slot.give_back(other, WriterSlot::HandOff::kAlways);
      }
    });
  }
  while (slot.waiting() < kThreads) std::this_thread::yield();
  slot.give_back(writer, WriterSlot::HandOff::kAlways);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRounds);
  EXPECT_EQ(slot.waiting(), 0u);
  EXPECT_TRUE(slot.try_take());
}

// Whoever releases and takes again in a loop must not keep the others out for ever.
TEST(WriterSlotTest, AnImpatientHolderCannotStarveAWaiter) {
  WriterSlot slot;
  WriterSlot::Writer writer;
  ASSERT_TRUE(slot.try_take());
  std::atomic<bool> served = false;
  std::thread waiter([&] {
    WriterSlot::Writer other;
    EXPECT_TRUE(slot.take_until(other, steady_clock::now() + kFar, never));
    served = true;
    slot.give_back(other, WriterSlot::HandOff::kAfterPatience);
  });
  while (slot.waiting() == 0) std::this_thread::yield();
  const auto begin = steady_clock::now();
  while (!served) {
    ASSERT_LT(steady_clock::now() - begin, kFar) << "the waiter starves";
    slot.give_back(writer, WriterSlot::HandOff::kAfterPatience);
    while (!slot.try_take() && !served) std::this_thread::yield();
  }
  waiter.join();
}

// Nobody wakes it for a slot that is taken again and again: it has to see by itself that it no longer is.
TEST(WriterSlotTest, WhoeverStopsTakingItLeavesItToTheWaiter) {
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    WriterSlot slot;
    WriterSlot::Writer writer;
    ASSERT_TRUE(slot.try_take());
    bool has_had_it = false;
    std::thread waiter([&] {
      WriterSlot::Writer other;
      has_had_it = slot.take_until(other, steady_clock::now() + kFar, never);
      slot.give_back(other, WriterSlot::HandOff::kAfterPatience);
    });
    while (slot.waiting() == 0) std::this_thread::yield();
    for (int turn = 0; turn < round; ++turn) {
      slot.give_back(writer, WriterSlot::HandOff::kAfterPatience);
      ASSERT_TRUE(slot.take_until(writer, steady_clock::now() + kFar, never));
    }
    slot.give_back(writer, WriterSlot::HandOff::kAfterPatience);
    waiter.join();
    EXPECT_TRUE(has_had_it);
  }
}

TEST(WriterSlotTest, ACancelledWaiterLeavesTheQueue) {
  WriterSlot slot;
  ASSERT_TRUE(slot.try_take());
  std::atomic<bool> cancelled = false;
  std::thread waiter([&] {
    WriterSlot::Writer other;
    EXPECT_FALSE(slot.take_until(other, steady_clock::now() + kFar, [&] { return cancelled.load(); }));
  });
  while (slot.waiting() == 0) std::this_thread::yield();
  cancelled = true;
  slot.wake();
  waiter.join();
  EXPECT_EQ(slot.waiting(), 0u);
}

// How long each of five writers has the slot, of half a second in which all want it. Not all hold it equally
// long at a time.
std::array<steady_clock::duration, 5> compete() {
  WriterSlot slot;
  std::atomic<bool> over = false;
  std::array<steady_clock::duration, 5> held{};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < held.size(); ++i) {
    threads.emplace_back([&, i] {
      WriterSlot::Writer writer;
      while (!over) {
        ASSERT_TRUE(slot.take_until(writer, steady_clock::now() + kFar, never));
        const auto begin = steady_clock::now();
        while (steady_clock::now() - begin < std::chrono::microseconds(5 + 20 * i)) {
        }
        held[i] += steady_clock::now() - begin;
        slot.give_back(writer, WriterSlot::HandOff::kAfterPatience);
      }
    });
  }
  std::this_thread::sleep_for(milliseconds(500));
  over = true;
  for (std::thread& thread : threads) thread.join();
  return held;
}

// Turns end early when a waiter finds the slot free; whoever lost by that gets it back. On a machine that
// gives some of the threads no processor for a while, a try says nothing.
TEST(WriterSlotTest, AllGetAsMuchOfIt) {
  double fairest = 0;
  for (int attempt = 0; attempt < 10 && fairest <= 0.5; ++attempt) {
    const auto held = compete();
    const auto [least, most] = std::minmax_element(held.begin(), held.end());
    fairest = std::max(fairest, std::chrono::duration<double>(*least) / std::chrono::duration<double>(*most));
  }
  EXPECT_GT(fairest, 0.5) << "the least served beside the most served";
}

// After a long transaction its writer waits for its turn, and not for the others to have had as much.
TEST(WriterSlotTest, NobodyPaysForALongTransaction) {
  constexpr int kOthers = 4;
  WriterSlot slot;
  WriterSlot::Writer slow;
  ASSERT_TRUE(slot.try_take());
  std::atomic<bool> over = false;
  std::vector<std::thread> others;
  for (int i = 0; i < kOthers; ++i) {
    others.emplace_back([&] {
      WriterSlot::Writer writer;
      while (!over) {
        ASSERT_TRUE(slot.take_until(writer, steady_clock::now() + kFar, never));
        slot.give_back(writer, WriterSlot::HandOff::kAfterPatience);
      }
    });
  }
  while (slot.waiting() < kOthers) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  slot.give_back(slow, WriterSlot::HandOff::kAfterPatience);
  EXPECT_TRUE(slot.take_until(slow, steady_clock::now() + std::chrono::seconds(1), never));
  over = true;
  slot.give_back(slow, WriterSlot::HandOff::kAfterPatience);
  for (std::thread& other : others) other.join();
}

// Connections that are made for one transaction each come again and again as somebody new.
TEST(WriterSlotTest, NewcomersDoNotKeepOutWhoHasBeenThere) {
  constexpr int kNewcomers = 6;
  constexpr auto kTurn = milliseconds(2);
  WriterSlot slot;
  std::atomic<bool> over = false;
  std::vector<std::thread> newcomers;
  for (int i = 0; i < kNewcomers; ++i) {
    newcomers.emplace_back([&] {
      while (!over) {
        WriterSlot::Writer writer;
        ASSERT_TRUE(slot.take_until(writer, steady_clock::now() + kFar, never));
        std::this_thread::sleep_for(kTurn);
        slot.give_back(writer, WriterSlot::HandOff::kAfterPatience);
      }
    });
  }
  WriterSlot::Writer old;
  for (int turn = 0; turn < 20; ++turn) {
    while (slot.waiting() < kNewcomers - 1) std::this_thread::yield();
    ASSERT_TRUE(slot.take_until(old, steady_clock::now() + 200 * kTurn, never)) << turn;
    std::this_thread::sleep_for(kTurn);
    slot.give_back(old, WriterSlot::HandOff::kAfterPatience);
  }
  over = true;
  for (std::thread& newcomer : newcomers) newcomer.join();
}

// The slot is a lock: what is done under it is never done twice at once.
TEST(WriterSlotTest, ManyThreadsNeverOverlap) {
  WriterSlot slot;
  int inside = 0;
  long done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      WriterSlot::Writer writer;
      const auto wait = i < 4 ? WriterSlot::Wait::kAsleep : WriterSlot::Wait::kAwake;
      for (int round = 0; round < 250; ++round) {
        ASSERT_TRUE(slot.take_until(writer, steady_clock::now() + kFar, never, wait));
        ASSERT_EQ(++inside, 1);
        ++done;
        --inside;
        slot.give_back(writer, i % 2 ? WriterSlot::HandOff::kAlways : WriterSlot::HandOff::kAfterPatience);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 2'000);
}

}  // namespace
}  // namespace dosql::engine
