// SPDX-License-Identifier: BSL-1.0
//
// Bad input of Process, TaskGroup, Pipe, Value, Array, Manager and Pool: each error of the documentation, by its type and by what
// its text names; afterwards the object is as it was, and works.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/array.hpp>
#include <trine/backend/processes.hpp>
#include <trine/codec.hpp>
#include <trine/error.hpp>
#include <trine/manager.hpp>
#include <trine/pipe.hpp>
#include <trine/pool.hpp>
#include <trine/process.hpp>
#include <trine/task_group.hpp>
#include <trine/value.hpp>

#include "process/killing/children.hpp"

namespace {

using namespace trine;
using namespace trine_test;
using P = processes;

constexpr auto huge = std::numeric_limits<std::size_t>::max();

class BadInput : public LeavesNothing {
 protected:
  /// It throws an E whose text has `part`.
  template <class E, class F>
  static ::testing::AssertionResult throws(const std::string& part, F function) {
    try {
      function();
    } catch (const E& e) {
      if (std::string(e.what()).find(part) != std::string::npos) return ::testing::AssertionSuccess();
      return ::testing::AssertionFailure() << "the text says '" << e.what() << "', and not '" << part << "'";
    } catch (const std::exception& e) {
      return ::testing::AssertionFailure() << "another exception: " << e.what();
    }
    return ::testing::AssertionFailure() << "nothing was thrown";
  }

  template <class F>
  static ::testing::AssertionResult refuses(const std::string& argument, F function) {
    return throws<std::invalid_argument>(argument, function);
  }

  template <class F>
  static ::testing::AssertionResult fails_with(std::errc code, F function) {
    try {
      function();
    } catch (const std::system_error& e) {
      if (e.code() == code) return ::testing::AssertionSuccess();
      return ::testing::AssertionFailure() << e.what();
    }
    return ::testing::AssertionFailure() << "nothing was thrown";
  }

  // Made by the test, not by a child, whose number is another.
  void SetUp() override {
    name = own_name();
    LeavesNothing::SetUp();
  }

  std::string name;
};

/// As long as it lives this process gets no more descriptors.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;
  ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(BadInput, NamesOfEverything) {
  const std::vector<std::string> bad{"", "a/b", "/a", ".hidden", "a b", "\xc3\xa4", std::string("a\0b", 3), std::string(201, 'x')};
  for (const std::string& each : bad) {
    EXPECT_TRUE(refuses("name", [&] { trine::Value<int, P> value(create_only, each); })) << each;
    EXPECT_TRUE(refuses("name", [&] { trine::Value<int, P> value(open_only, each); })) << each;
    EXPECT_TRUE(refuses("name", [&] { trine::Array<int, P> array(open_or_create, each, 3); })) << each;
    EXPECT_TRUE(refuses("name", [&] { trine::Manager manager(create_only, each); })) << each;
    EXPECT_TRUE(refuses("name", [&] { trine::Manager manager(open_or_create, each); })) << each;
    EXPECT_TRUE(refuses("name", [&] { trine::Value<int, P>::remove(each); })) << each;
    EXPECT_TRUE(refuses("name", [&] { trine::Manager::remove(each); })) << each;
  }
}

TEST_F(BadInput, NamesThatAreTakenOrNot) {
  EXPECT_TRUE(fails_with(std::errc::no_such_file_or_directory, [&] { trine::Value<int, P> value(open_only, name); }));
  EXPECT_TRUE(fails_with(std::errc::no_such_file_or_directory, [&] { trine::Array<int, P> array(open_only, name); }));
  EXPECT_TRUE(fails_with(std::errc::no_such_file_or_directory, [&] { trine::Manager manager(open_only, name); }));
  {
    trine::Value<int, P> value(create_only, name, 7);
    EXPECT_TRUE(fails_with(std::errc::file_exists, [&] { trine::Value<int, P> again(create_only, name, 8); }));
    EXPECT_TRUE(fails_with(std::errc::file_exists, [&] { trine::Manager manager(create_only, name); }));
    EXPECT_TRUE(throws<LayoutMismatch>("Value", [&] { trine::Value<double, P> other(open_only, name); }));
    EXPECT_TRUE(throws<LayoutMismatch>("Array", [&] { trine::Array<int, P> other(open_only, name); }));
    EXPECT_TRUE(throws<LayoutMismatch>("Manager", [&] { trine::Manager manager(open_or_create, name); }));
    EXPECT_EQ(value.load(), 7);
  }
  EXPECT_TRUE((trine::Value<int, P>::remove(name)));
  EXPECT_FALSE((trine::Value<int, P>::remove(name)));
}

TEST_F(BadInput, Processes) {
  using Spawned = trine::Process::Options<start_method::Spawn>;
  EXPECT_TRUE(refuses("function", [] {
    trine::Process child(Spawned{.start_method = start_method::spawn}, static_cast<unsigned (*)(unsigned)>(&::sleep), 1U);
  }));
  {
    const NoMoreFiles none;
    EXPECT_TRUE(throws<std::system_error>("pidfd_open", [] { trine::Process child([] {}); }));
  }
  trine::Process child([] {});
  EXPECT_TRUE(child.join(hang));
  trine::Process other([&] {
    EXPECT_TRUE(throws<std::logic_error>("started", [&] { child.join(); }));
    EXPECT_TRUE(throws<std::logic_error>("started", [&] { (void)child.exit_code(); }));
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_TRUE(other.join(hang));
  EXPECT_EQ(other.exit_code(), 0);
  child.terminate();
  child.kill();
  EXPECT_EQ(child.exit_code(), 0);
}

TEST_F(BadInput, TaskGroups) {
  trine::TaskGroup<P> group;
  group.spawn([] { throw std::runtime_error("the text"); });
  EXPECT_TRUE(throws<RemoteError>("the text", [&] { group.join(); }));
  group.spawn([] { ::raise(SIGKILL); });
  EXPECT_TRUE(throws<WorkerDied>("signal 9", [&] { group.join(); }));
  group.spawn([] { ::_exit(3); });
  EXPECT_TRUE(throws<WorkerDied>("exit code 3", [&] { group.join(); }));
  EXPECT_TRUE(group.join());
}

TEST_F(BadInput, Pipes) {
  using Lines = trine::Pipe<std::string, P>;
  EXPECT_TRUE(refuses("capacity", [] { Lines pipe(true, std::size_t{1} << 30); }));
  EXPECT_TRUE(refuses("capacity", [] { Lines pipe(true, huge); }));
  {
    const NoMoreFiles none;
    EXPECT_TRUE(throws<std::system_error>("socketpair", [] { Lines pipe; }));
  }
  Lines pipe(false);
  EXPECT_TRUE(throws<Error>("one-way", [&] { pipe.first.send("x"); }));
  EXPECT_TRUE(throws<Error>("one-way", [&] { (void)pipe.second.recv(); }));
  EXPECT_TRUE(throws<Error>("one-way", [&] { (void)pipe.second.poll(); }));
  std::string large(std::size_t{8} << 20, 'x');
  EXPECT_TRUE(throws<ItemTooLarge>("larger", [&] { pipe.second.send(std::move(large)); }));
  EXPECT_EQ(large.size(), std::size_t{8} << 20) << "the message is not with its sender any more";
  pipe.second.send("small");
  EXPECT_EQ(pipe.first.recv(), "small");
  EXPECT_EQ(pipe.first.recv(std::chrono::milliseconds(1)), std::nullopt);
  pipe.second.send("last");
  pipe.second.close();
  EXPECT_TRUE(throws<Error>("closed", [&] { pipe.second.send("x"); }));
  pipe.second.close();
  EXPECT_EQ(pipe.first.recv(), "last");
  EXPECT_TRUE(pipe.first.poll());
  EXPECT_TRUE(throws<EndOfStream>("closed", [&] { (void)pipe.first.recv(); }));
  pipe.first.close();
  EXPECT_TRUE(throws<Error>("closed here", [&] { (void)pipe.first.recv(); }));
  EXPECT_TRUE(throws<Error>("closed here", [&] { (void)pipe.first.recv(std::chrono::milliseconds(1)); }));
  EXPECT_TRUE(throws<Error>("closed here", [&] { (void)pipe.first.poll(); }));
}

// The reader of another type of message has another pipe; bytes that are no message are an Error of the one who decodes them.
TEST_F(BadInput, BytesThatAreNoMessage) {
  std::vector<std::byte> bytes = Codec<std::vector<std::string>>::encode({"one", "two"});
  EXPECT_EQ(Codec<std::vector<std::string>>::decode(bytes), (std::vector<std::string>{"one", "two"}));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<std::byte> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_TRUE(throws<Error>("", [&] { (void)Codec<std::vector<std::string>>::decode(part); })) << length;
  }
  bytes.push_back(std::byte{0});
  EXPECT_TRUE(throws<Error>("", [&] { (void)Codec<std::vector<std::string>>::decode(bytes); }));
}

TEST_F(BadInput, ValuesAndArrays) {
  trine::Value<int, P> value(7);
  EXPECT_TRUE(throws<std::runtime_error>("mine", [&] { value.update([](int& v) { v = 8, throw std::runtime_error("mine"); }); }));
  EXPECT_EQ(value.load(), 7);
  EXPECT_TRUE(throws<std::runtime_error>("mine", [&] { value.with_lock([](int&) { throw std::runtime_error("mine"); }); }));
  EXPECT_TRUE(throws<NotLocked>("unlock", [&] { value.get_lock().unlock(); }));
  trine::Process other([&] { return value.get_lock().try_lock() ? 0 : 1; });
  EXPECT_TRUE(other.join(hang));
  EXPECT_EQ(other.exit_code(), 0) << "the lock stayed locked";

  EXPECT_TRUE(refuses("count", [] { trine::Array<int, P> array(0); }));
  EXPECT_TRUE(refuses("count", [] { trine::Array<int, P> array(std::size_t{1} << 30); }));
  EXPECT_TRUE(refuses("count", [] { trine::Array<int, P> array(huge); }));
  EXPECT_TRUE(refuses("count", [this] { trine::Array<int, P> array(create_only, name, 0); }));
  EXPECT_FALSE((trine::Array<int, P>::remove(name))) << "something was made";
  trine::Array<int, P> array{1, 2, 3};
  EXPECT_TRUE(throws<std::out_of_range>("3", [&] { (void)array.load(3); }));
  EXPECT_TRUE(throws<std::out_of_range>("3", [&] { array.store(3, 1); }));
  EXPECT_TRUE(throws<std::out_of_range>("array", [&] { array.update(huge, [](int&) {}); }));
  EXPECT_EQ(array.load(), (std::vector{1, 2, 3}));
  EXPECT_TRUE(array.get_lock().try_lock());
  array.get_lock().unlock();
}

TEST_F(BadInput, ManagersAndTheirMemory) {
  for (const std::size_t bytes : {huge, huge - 63, huge - 4096, huge / 2}) {
    EXPECT_TRUE(refuses("bytes", [bytes] { trine::Manager manager(bytes); })) << bytes;
    EXPECT_TRUE(refuses("bytes", [this, bytes] { trine::Manager manager(create_only, name, bytes); })) << bytes;
  }
  EXPECT_FALSE(trine::Manager::remove(name)) << "something was made";
  trine::Manager manager(std::size_t{1} << 18);
  const std::size_t before = manager.free_memory();
  EXPECT_TRUE(refuses("bytes", [&] { (void)manager.dict<int, int>("d", 100); }));
  for (const std::size_t bytes : {before + 1, huge / 2, huge - 62, huge}) {
    EXPECT_TRUE(fails_with(std::errc::no_buffer_space, [&] { (void)manager.list<int>("l", bytes); })) << bytes;
  }
  EXPECT_TRUE(refuses("name", [&] { (void)manager.ns(std::string(64, 'x')); }));
  EXPECT_TRUE(refuses("name", [&] { (void)manager.event(std::string(64, 'x')); }));
  EXPECT_EQ(manager.free_memory(), before) << "what was refused took memory";
  (void)manager.ns(std::string(63, 'x'), 10000);
}

TEST_F(BadInput, ObjectsOfAManager) {
  trine::Manager manager(std::size_t{1} << 18);
  const std::size_t before = manager.free_memory();
  EXPECT_TRUE(refuses("initial", [&] { (void)manager.semaphore(-1, "s"); }));
  EXPECT_TRUE(refuses("initial", [&] { (void)manager.bounded_semaphore(-1, "s"); }));
  EXPECT_TRUE(refuses("parties", [&] { (void)manager.barrier(0, "b"); }));
  EXPECT_TRUE(refuses("parties", [&] { (void)manager.barrier(-3, "b"); }));
  EXPECT_TRUE(refuses("count", [&] { (void)manager.latch(-1, "l"); }));
  EXPECT_EQ(manager.free_memory(), before) << "what was refused took memory";
  (void)manager.semaphore(1, "s");
  (void)manager.barrier(1, "b");
  EXPECT_TRUE(throws<LayoutMismatch>("s", [&] { (void)manager.event("s"); }));
  EXPECT_TRUE(throws<LayoutMismatch>("s", [&] { (void)manager.dict<int, int>("s", 10000); }));
  auto dict = manager.dict<int, int>("d", 10000);
  EXPECT_TRUE(throws<LayoutMismatch>("d", [&] { (void)manager.dict<int, double>("d", 10000); }));
  EXPECT_TRUE(throws<LayoutMismatch>("d", [&] { (void)manager.list<int>("d", 10000); }));
  dict.set(1, 1);
  EXPECT_EQ(manager.semaphore(1, "s").value(), 1);
}

TEST_F(BadInput, Containers) {
  trine::Manager manager(std::size_t{1} << 18);
  auto dict = manager.dict<std::string, std::string>("dict", 10000);
  auto list = manager.list<std::string>("list", 10000);
  auto space = manager.ns("space", 10000);
  const std::string large(20000, 'x');

  dict.set("a", "1");
  EXPECT_TRUE(throws<std::out_of_range>("key", [&] { (void)dict.at("b"); }));
  EXPECT_EQ(dict.get("b"), std::nullopt);
  EXPECT_FALSE(dict.erase("b"));
  EXPECT_TRUE(fails_with(std::errc::no_buffer_space, [&] { dict.set("a", large); }));
  EXPECT_TRUE(fails_with(std::errc::no_buffer_space, [&] { dict.set(large, "1"); }));
  EXPECT_EQ(dict.items(), (std::vector<std::pair<std::string, std::string>>{{"a", "1"}}));

  EXPECT_TRUE(throws<std::out_of_range>("list", [&] { (void)list.pop(); }));
  EXPECT_TRUE(throws<std::out_of_range>("list", [&] { (void)list.at(0); }));
  list.append("a");
  EXPECT_TRUE(throws<std::out_of_range>("1", [&] { (void)list.at(1); }));
  EXPECT_TRUE(throws<std::out_of_range>("1", [&] { list.set(1, "b"); }));
  EXPECT_TRUE(throws<std::out_of_range>("2", [&] { list.insert(2, "b"); }));
  EXPECT_TRUE(throws<std::out_of_range>("1", [&] { (void)list.pop(1); }));
  EXPECT_TRUE(throws<std::out_of_range>("list", [&] { (void)list.pop(huge); }));
  EXPECT_FALSE(list.remove("b"));
  EXPECT_TRUE(fails_with(std::errc::no_buffer_space, [&] { list.append(large); }));
  EXPECT_TRUE(fails_with(std::errc::no_buffer_space, [&] { list.insert(0, large); }));
  EXPECT_TRUE(fails_with(std::errc::no_buffer_space, [&] { list.set(0, large); }));
  EXPECT_EQ(list.items(), std::vector<std::string>{"a"});

  space.set("x", 1);
  EXPECT_TRUE(throws<NoSuchAttribute>("missing", [&] { (void)space.get<int>("missing"); }));
  EXPECT_TRUE(throws<LayoutMismatch>("x", [&] { (void)space.get<double>("x"); }));
  EXPECT_TRUE(fails_with(std::errc::no_buffer_space, [&] { space.set("x", large); }));
  EXPECT_FALSE(space.erase("missing"));
  EXPECT_EQ(space.get<int>("x"), 1);
}

// A container that is full to the brim gives all its memory back.
TEST_F(BadInput, AFullContainerForgetsNothing) {
  trine::Manager manager(std::size_t{1} << 18);
  auto dict = manager.dict<int, std::string>("dict", 20000);
  const auto fill = [&] {
    int n = 0;
    try {
      for (;; ++n) dict.set(n, std::string(300, 'x'));
    } catch (const std::system_error&) {
    }
    return n;
  };
  const int first = fill();
  EXPECT_GT(first, 10);
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(dict.size(), static_cast<std::size_t>(first));
    dict.clear();
    EXPECT_EQ(fill(), first) << "memory is lost";
  }
}

int square(int n) { return n * n; }

TEST_F(BadInput, Pools) {
  using Pool = trine::Pool<P>;
  for (const std::ptrdiff_t workers : {std::ptrdiff_t{0}, std::ptrdiff_t{-1}, std::ptrdiff_t{1025}}) {
    EXPECT_TRUE(refuses("workers", [workers] { Pool pool(workers); }));
  }
  {
    const NoMoreFiles none;
    EXPECT_TRUE(throws<std::system_error>("eventfd", [] { Pool pool(1); }));
  }
  Pool pool(1);
  const std::vector numbers{1, 2, 3};
  EXPECT_TRUE(refuses("chunk", [&] { (void)pool.imap(square, numbers, 0); }));
  EXPECT_TRUE(refuses("chunk", [&] { (void)pool.imap_unordered(square, numbers, 0); }));
  EXPECT_EQ(pool.map(square, numbers, huge), (std::vector{1, 4, 9}));
  EXPECT_TRUE(throws<Error>("close", [&] { pool.join(); }));
  EXPECT_TRUE(throws<RemoteError>("the text", [&] { pool.apply([] { throw std::runtime_error("the text"); }); }));
  EXPECT_TRUE(throws<WorkerDied>("signal 9", [&] { (void)pool.apply([] { return ::raise(SIGKILL); }); }));
  EXPECT_TRUE(throws<WorkerDied>("exit code 3", [&] { pool.apply([] { ::_exit(3); }); }));
  {
    Event<P> gate;
    auto later = pool.submit([](int n) { return n; }, 1);
    EXPECT_EQ(later.get(hang), 1);
  }
  auto long_one = pool.submit([] { return Event<P>().wait(std::chrono::milliseconds(300)); });
  EXPECT_TRUE(throws<TimedOut>("in time", [&] { (void)long_one.get(std::chrono::milliseconds(1)); }));
  EXPECT_TRUE(throws<Error>("", [&] { (void)long_one.successful(); }));
  EXPECT_FALSE(long_one.get(hang));
  pool.close();
  EXPECT_TRUE(throws<Error>("closed", [&] { (void)pool.submit(square, 1); }));
  EXPECT_TRUE(throws<Error>("closed", [&] { (void)pool.apply(square, 1); }));
  EXPECT_TRUE(throws<Error>("closed", [&] { (void)pool.map(square, numbers); }));
  EXPECT_TRUE(pool.join(hang));
  EXPECT_TRUE(pool.join(hang));
}

}  // namespace
