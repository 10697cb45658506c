// SPDX-License-Identifier: BSL-1.0
//
// Named segments: what they do, and what they refuse.

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <support/children.hpp>
#include <support/faulty_calls.hpp>
#include <support/leaks.hpp>
#include <trine/segment.hpp>
#include <trine/segment_info.hpp>

namespace {

using namespace trine;
using namespace trine_test;
using namespace std::chrono_literals;

struct Counter {
  std::atomic<std::uint32_t> value;
};

const Layout counter = Layout::of<Counter>("Counter");
constexpr std::uint32_t first_value = 7;

void construct(std::byte* data) { new (data) Counter{first_value}; }
void check(const std::byte* data, std::size_t bytes) {
  if (bytes < sizeof(Counter) || reinterpret_cast<const Counter*>(data)->value < first_value) {
    throw LayoutMismatch("the counter is too small");
  }
}
template <class S>
std::atomic<std::uint32_t>& value(const S& segment) {
  return reinterpret_cast<Counter*>(segment.data())->value;
}

/// One name, removed before and after each test.
class SegmentTest : public Leakless {
 protected:
  void SetUp() override {
    Leakless::SetUp();
    Segment::remove(name);
  }
  void TearDown() override {
    Faults::now() = {};
    Segment::remove(name);
    Leakless::TearDown();
  }

  Segment create() const { return Segment(create_only, name, counter, sizeof(Counter), construct); }
  Segment open() const { return Segment(open_only, name, counter, check); }
  Segment open_or_make() const { return Segment(open_or_create, name, counter, sizeof(Counter), construct, check); }

  /// Overwrites a part of the file.
  template <class T>
  void forge(std::size_t at, const T& what) const {
    const int file = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_NE(file, -1);
    ASSERT_EQ(::pwrite(file, &what, sizeof(what), static_cast<off_t>(at)), static_cast<ssize_t>(sizeof(what)));
    ::close(file);
  }

  /// open and open_or_create must throw E, saying each of `parts`.
  template <class E>
  void refused(std::initializer_list<std::string_view> parts) const {
    const std::array<std::function<Segment()>, 2> ways{[this] { return open(); }, [this] { return open_or_make(); }};
    for (const auto& way : ways) {
      try {
        way();
        ADD_FAILURE() << "not refused";
      } catch (const E& error) {
        for (const auto part : parts) {
          EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
        }
      }
    }
  }

  const std::string name = unique_name("segment");
  const std::string path = Segment::path_of(name);
};

TEST_F(SegmentTest, IsMadeOpenedAndRemoved) {
  Segment made = create();
  EXPECT_TRUE(made.created());
  EXPECT_EQ(value(made), first_value);
  Segment opened = open();
  EXPECT_FALSE(opened.created());
  value(made) = 8;
  EXPECT_EQ(value(opened), 8U);
  EXPECT_NE(made.data(), opened.data());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(opened.data()) % 64, 0U);
  EXPECT_GE(opened.size(), sizeof(Counter));
  EXPECT_EQ(opened.size(), made.size());
  EXPECT_TRUE(Segment::remove(name));
  EXPECT_FALSE(Segment::remove(name));
}

TEST_F(SegmentTest, HasTheModeThatWasAskedForAndAllItsMemory) {
  const Segment made(create_only, name, counter, 100000, {});
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(static_cast<std::size_t>(status.st_size), made.size() + sizeof(SegmentHeader));
  EXPECT_GE(static_cast<std::size_t>(status.st_blocks) * 512, made.size());
  for (std::size_t i = 0; i < made.size(); i += 512) EXPECT_EQ(made.data()[i], std::byte{0});
}

TEST_F(SegmentTest, MaySharePermissionsOnRequest) {
  const Segment made(create_only, name, counter, 64, construct, 0640);
  refused<LayoutMismatch>({"mode is 0640 there", "0600 here"});
  EXPECT_NO_THROW(Segment(open_only, name, counter, check, 0640));
}

TEST_F(SegmentTest, CreateOnlyRefusesWhatIsThere) {
  const Segment made = create();
  try {
    create();
    ADD_FAILURE() << "made twice";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::file_exists);
    EXPECT_NE(std::string_view(error.what()).find(path), std::string_view::npos) << error.what();
  }
}

TEST_F(SegmentTest, OpenOnlyWantsSomething) {
  try {
    open();
    ADD_FAILURE() << "opened nothing";
  } catch (const std::system_error& error) {
    EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
    EXPECT_NE(std::string_view(error.what()).find("open " + path), std::string_view::npos) << error.what();
  }
}

TEST_F(SegmentTest, RefusesBadNames) {
  const std::string long_name(201, 'x');
  for (const std::string& bad :
       {std::string(), std::string("a/b"), std::string(".hidden"), std::string(".."), std::string("a b"),
        std::string("a\0b", 3), std::string("~"), std::string("\xc3\xa4"), long_name}) {
    EXPECT_THROW(Segment(create_only, bad, counter, 64, {}), std::invalid_argument) << bad;
    EXPECT_THROW(Segment(open_only, bad, counter), std::invalid_argument) << bad;
    EXPECT_THROW(Segment(open_or_create, bad, counter, 64, {}), std::invalid_argument) << bad;
    EXPECT_THROW(Segment::remove(bad), std::invalid_argument) << bad;
  }
  const std::string longest = name + std::string(200 - name.size(), '-');
  EXPECT_NO_THROW(Segment(create_only, longest, counter, 64, {}));
  EXPECT_TRUE(Segment::remove(longest));
}

TEST_F(SegmentTest, RefusesBadArguments) {
  EXPECT_THROW(Segment(create_only, name, counter, 0, {}), std::invalid_argument);
  EXPECT_THROW(Segment(create_only, name, counter, 1, {}), std::invalid_argument);
  EXPECT_THROW(Segment(create_only, name, counter, ~std::size_t{0}, {}), std::invalid_argument);
  EXPECT_THROW(Segment::anonymous(0), std::invalid_argument);
  EXPECT_THROW(Layout::of("", 1, 1), std::invalid_argument);
  EXPECT_THROW(Layout::of("a\n", 1, 1), std::invalid_argument);
  EXPECT_THROW(Layout::of(std::string(168, 'x'), 1, 1), std::invalid_argument);
  EXPECT_THROW(Layout::of("x", 1, 3), std::invalid_argument);
  EXPECT_NO_THROW(Layout::of(std::string(167, 'x'), 1, 64));
}

// The number is part of the format: both compilers of the tests must come to it, on every 64-bit little-endian machine with
// pages of 4 KiB.
TEST_F(SegmentTest, TheHashIsTheSameWithEveryCompiler) {
  if (machine_kind() != 0x10808 || os::page_size() != 4096) GTEST_SKIP() << "another kind of machine";
  EXPECT_EQ(counter.hash, 5055809239054361594U);
}

TEST_F(SegmentTest, NamesBothTypes) {
  const Segment made = create();
  const auto open_as = [this](const Layout& layout) { Segment(open_only, name, layout); };
  const auto says = [&](const Layout& layout, std::string_view there, std::string_view here) {
    try {
      open_as(layout);
      ADD_FAILURE() << "opened as " << layout.type;
    } catch (const LayoutMismatch& error) {
      const std::string_view text = error.what();
      EXPECT_NE(text.find(path), std::string_view::npos) << text;
      EXPECT_NE(text.find(there), std::string_view::npos) << text;
      EXPECT_NE(text.find(here), std::string_view::npos) << text;
    }
  };
  says(Layout::of<Counter>("Other"), "'Counter' there", "'Other' here");
  says(Layout::of("Counter", 8, 4), "size of the state is 4 there", "8 here");
  says(Layout::of("Counter", 4, 8), "alignment of the state is 4 there", "8 here");
  says(Layout::of("Counter", 4, 4, 3), "kind of owners is 0 there", "3 here");
  Layout changed = counter;
  ++changed.hash;
  says(changed, std::to_string(counter.hash) + " there", std::to_string(changed.hash) + " here");
}

TEST_F(SegmentTest, RefusesForgedHeaders) {
  using H = SegmentHeader;
  const Segment made = create();
  std::array<std::byte, sizeof(H)> good;
  std::memcpy(good.data(), made.data() - sizeof(H), sizeof(H));
  const auto forged = [&](std::size_t at, auto what, std::initializer_list<std::string_view> parts) {
    SCOPED_TRACE(at);
    forge(at, what);
    refused<LayoutMismatch>(parts);
    forge(0, good);
    EXPECT_NO_THROW(open());
  };
  forged(offsetof(H, magic), std::uint64_t{1}, {"no segment of trine"});
  forged(offsetof(H, version), H::current_version + 1, {"the header has version"});
  forged(offsetof(H, machine), std::uint32_t{0x10404}, {"kind", " there", " here"});
  forged(offsetof(H, bytes), std::uint64_t{8192}, {"size", "4096 there", "8192 here"});
  forged(offsetof(H, pid_namespace), std::uint64_t{1}, {"PID namespace is 1 there", " here"});
  forged(offsetof(H, page_bytes), std::uint64_t{65536}, {"65536 there"});
  forged(offsetof(H, layout_hash), std::uint64_t{1}, {"hash", "1 there"});
  forged(offsetof(H, state_bytes), std::uint64_t{1} << 40, {"size of the state"});
  forged(offsetof(H, state_align), std::uint64_t{1}, {"alignment"});
  forged(offsetof(H, owner_kind), std::uint32_t{9}, {"owners", "9 there"});
  std::array<char, H::type_bytes> endless;
  endless.fill('x');
  forged(offsetof(H, type), endless, {"type is damaged"});
  forged(offsetof(H, type), std::array<char, 3>{'\n', 'x', 0}, {"type is damaged"});
}

TEST_F(SegmentTest, RefusesDamagedData) {
  const Segment made = create();
  value(made) = 0;
  refused<LayoutMismatch>({"the counter is too small"});
}

TEST_F(SegmentTest, ReplacesWhatIsFromBeforeTheLastStartOnlyWhereItMayCreate) {
  { create(); }
  forge(offsetof(SegmentHeader, boot), std::uint64_t{1});
  EXPECT_THROW(create(), std::system_error);
  try {
    open();
    ADD_FAILURE() << "opened";
  } catch (const LayoutMismatch& error) {
    EXPECT_NE(std::string_view(error.what()).find("last start"), std::string_view::npos) << error.what();
  }
  EXPECT_TRUE(open_or_make().created());
  EXPECT_FALSE(open_or_make().created());
}

TEST_F(SegmentTest, OfManyThatReplaceOneDoes) {
  for (int round = 0; round < 100; ++round) {
    Segment::remove(name);
    { create(); }
    forge(offsetof(SegmentHeader, boot), std::uint64_t{1});
    const Segment together = Segment::anonymous(sizeof(Counter));
    in_children(4, [&](int) {
      const Segment opened = open_or_make();
      value(together) += opened.created();
      ++value(opened);
      return 0;
    });
    EXPECT_EQ(value(together), 1U);
    EXPECT_EQ(value(open()), first_value + 4);
  }
}

TEST_F(SegmentTest, RefusesFilesOfOthers) {
  const int file = ::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
  ASSERT_NE(file, -1);
  ::fchmod(file, 0666);
  ::close(file);
  refused<LayoutMismatch>({"mode is 0666 there", "0600 here"});
  ::chmod(path.c_str(), 0600);
  refused<LayoutMismatch>({"0 bytes there"});
  EXPECT_TRUE(Segment::remove(name));

  const Segment made = create();
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
    refused<LayoutMismatch>({"user 65534", "user 0"});
    ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
    EXPECT_EQ(in_child([&] {
                if (::setresuid(65534, 65534, 65534) != 0) return 1;
                try {
                  open();
                } catch (const std::system_error& error) {
                  return error.code() == std::errc::permission_denied ? 0 : 2;
                }
                return 3;
              }),
              0);
  }
}

TEST_F(SegmentTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  refused<std::system_error>({"open " + path});
  EXPECT_THROW(Segment::remove(name), std::system_error);
  ASSERT_EQ(::rmdir(path.c_str()), 0);

  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  refused<LayoutMismatch>({"not a regular file"});
  EXPECT_TRUE(Segment::remove(name));

  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ::close(socket);
  refused<std::system_error>({"open " + path});
  EXPECT_TRUE(Segment::remove(name));
}

TEST_F(SegmentTest, FollowsNoSymbolicLink) {
  const std::string other = name + ".other";
  Segment::remove(other);
  const Segment target(create_only, other, counter, 64, construct);
  ASSERT_EQ(::symlink(Segment::path_of(other).c_str(), path.c_str()), 0);
  refused<std::system_error>({"open " + path});
  EXPECT_THROW(create(), std::system_error);
  EXPECT_TRUE(Segment::remove(name));
  EXPECT_NO_THROW(Segment(open_only, other, counter, check));
  EXPECT_TRUE(Segment::remove(other));
  ASSERT_EQ(::symlink("/nowhere/at/all", path.c_str()), 0);
  refused<std::system_error>({"open " + path});
}

TEST_F(SegmentTest, RefusesASecondName) {
  const std::string other = path + ".other";
  const Segment made = create();
  ASSERT_EQ(::link(path.c_str(), other.c_str()), 0);
  refused<LayoutMismatch>({"2 names there", "1 here"});
  ASSERT_EQ(::unlink(other.c_str()), 0);
  EXPECT_NO_THROW(open());
}

TEST_F(SegmentTest, RefusesOtherSizesThanItsOwn) {
  { const Segment made(create_only, name, counter, 3 * os::page_size(), construct); }
  struct stat status;
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  const auto full = status.st_size;
  for (const off_t size :
       {off_t{0}, off_t{1}, off_t{255}, off_t{256}, off_t{257}, off_t{4096}, full - 1, full + 1, 2 * full}) {
    ASSERT_EQ(::truncate(path.c_str(), size), 0);
    refused<LayoutMismatch>({path});
    ASSERT_EQ(::truncate(path.c_str(), full), 0);
    if (size >= 256) {
      EXPECT_NO_THROW(Segment(open_only, name, counter));
    } else {
      Segment::remove(name);
      const Segment again(create_only, name, counter, 3 * os::page_size(), construct);
    }
  }
}

TEST_F(SegmentTest, RoomForLessThanTheStateIsRefused) {
  { create(); }
  // A header that agrees with itself, and with what is expected, but not with the file.
  const Layout large = Layout::of("Counter", 1 << 20, 4);
  forge(offsetof(SegmentHeader, state_bytes), large.size);
  forge(offsetof(SegmentHeader, layout_hash), large.hash);
  EXPECT_THROW(Segment(open_only, name, large), LayoutMismatch);
}

TEST_F(SegmentTest, WhatConstructAndCheckThrowComesThrough) {
  struct Mine {};
  EXPECT_THROW(Segment(create_only, name, counter, 64, [](std::byte*) { throw Mine(); }), Mine);
  EXPECT_FALSE(Segment::remove(name));
  { create(); }
  EXPECT_THROW(Segment(open_only, name, counter, [](const std::byte*, std::size_t) { throw Mine(); }), Mine);
}

TEST_F(SegmentTest, GoesOnWithoutItsName) {
  const Segment made = create();
  const Segment opened = open();
  EXPECT_TRUE(Segment::remove(name));
  const Segment other = open_or_make();
  EXPECT_TRUE(other.created());
  value(made) = 100;
  EXPECT_EQ(value(opened), 100U);
  EXPECT_EQ(value(other), first_value);
}

TEST_F(SegmentTest, Moves) {
  Segment made = create();
  std::byte* const data = made.data();
  Segment moved = std::move(made);
  EXPECT_EQ(moved.data(), data);
  Segment assigned;
  EXPECT_EQ(assigned.data(), nullptr);
  EXPECT_EQ(assigned.size(), 0U);
  assigned = std::move(moved);
  EXPECT_EQ(value(assigned), first_value);
}

TEST_F(SegmentTest, AnonymousIsSharedWithChildren) {
  const Segment shared = Segment::anonymous(100);
  EXPECT_GE(shared.size(), 100U);
  EXPECT_EQ(in_child([&] {
              value(shared) = 5;
              return 0;
            }),
            0);
  EXPECT_EQ(value(shared), 5U);
}

TEST_F(SegmentTest, OneOfManyCreatesIt) {
  for (int round = 0; round < 100; ++round) {
    const Segment together = Segment::anonymous(sizeof(Counter));
    in_children(4, [&](int i) {
      try {
        const Segment mine = i % 2 == 0 ? create() : open_or_make();
        value(together) += mine.created();
        ++value(mine);
      } catch (const std::system_error& error) {
        if (i % 2 != 0 || error.code() != std::errc::file_exists) throw;
        ++value(open());
      }
      return 0;
    });
    EXPECT_EQ(value(together), 1U);
    EXPECT_EQ(value(open()), first_value + 4);
    EXPECT_TRUE(Segment::remove(name));
  }
}

TEST_F(SegmentTest, CreatorsAndRemoversDoNotDisturbEachOther) {
  const auto end = std::chrono::steady_clock::now() + 1s;
  const Segment together = Segment::anonymous(sizeof(Counter));
  in_children(4, [&](int i) {
    for (std::uint32_t turn = 0; std::chrono::steady_clock::now() < end; ++turn) {
      if (i == 0) Segment::remove(name);
      const Segment mine = open_or_make();
      if (++value(mine) <= first_value) return 1;
      if (i == 1 && turn % 50 == 0) reinterpret_cast<SegmentHeader*>(mine.data() - sizeof(SegmentHeader))->boot = 1;
      ++value(together);
    }
    return 0;
  });
  EXPECT_GT(value(together), 100U);
}

// A creator that goes no further keeps nobody waiting: nobody sees what it has begun.
TEST_F(SegmentTest, AStoppedCreatorIsPassed) {
  Child slow([&] {
    const Segment mine(open_or_create, name, counter, 64, [](std::byte* data) {
      construct(data);
      ::raise(SIGSTOP);
    });
    return mine.created() || value(mine) != 33 ? 1 : 0;
  });
  slow.wait_until_stopped();
  const Segment made = open_or_make();
  EXPECT_TRUE(made.created());
  value(made) = 33;
  slow.signal(SIGCONT);
  EXPECT_EQ(slow.join(), 0);
}

class EachCall : public SegmentTest, public ::testing::WithParamInterface<bool> {
 protected:
  using Faulty = BasicSegment<FaultyCalls>;
  int kills = 0;

  // Kills a child that does `work` before its first, second, ... system call until it gets through, and looks after each whether
  // the next one finds everything in order.
  template <class Prepare, class Work>
  void killed_at_each_call(Prepare prepare, Work work) {
    for (int at = 1;; ++at) {
      Segment::remove(name);
      prepare();
      const int ended = in_child([&] {
        Faults::now() = {.at = at, .kill = true, .nameless = GetParam()};
        work();
        return 0;
      });
      EXPECT_EQ(value(open_or_make()), first_value);
      if (ended == 0) break;
      EXPECT_EQ(ended, -SIGKILL);
      ++kills;
      // What a dead creator left is removed by the next one, where there is a need for that.
      Faults::now() = {.nameless = false};
      EXPECT_NO_THROW(Faulty(create_only, name + ".next", counter, 64, construct));
      EXPECT_TRUE(Segment::remove(name + ".next"));
      for (const SegmentInfo& each : SegmentList::read())
        EXPECT_FALSE(each.name.starts_with(".") && each.state == SegmentInfo::State::stale) << each.name;
    }
  }
};

TEST_P(EachCall, ACreatorIsKilled) {
  killed_at_each_call([] {}, [this] { Faulty(create_only, name, counter, 64, construct); });
  EXPECT_GT(kills, 8);
}

TEST_P(EachCall, AnOpenerIsKilled) {
  killed_at_each_call([this] { create(); }, [this] { Faulty(open_or_create, name, counter, 64, construct, check); });
  EXPECT_GT(kills, 5);
}

TEST_P(EachCall, AReplacerIsKilled) {
  killed_at_each_call(
      [this] {
        create();
        forge(offsetof(SegmentHeader, boot), std::uint64_t{1});
      },
      [this] { Faulty(open_or_create, name, counter, 64, construct, check); });
  EXPECT_GT(kills, 12);
}

TEST_P(EachCall, ARemoverIsKilled) {
  killed_at_each_call([this] { create(); }, [this] { Faulty::remove(name); });
  EXPECT_GT(kills, 3);
}

TEST_P(EachCall, AReplacerIsStopped) {
  for (int at = 1;; ++at) {
    Segment::remove(name);
    { create(); }
    forge(offsetof(SegmentHeader, boot), std::uint64_t{1});
    Child slow([&] {
      Faults::now() = {.at = at, .stop = true, .nameless = GetParam()};
      const Faulty mine(open_or_create, name, counter, 64, construct, check);
      Faults::now() = {};
      return value(mine) == 33 ? 0 : 2;
    });
    int status = 0;
    ::waitpid(slow.pid(), &status, WUNTRACED);
    if (!WIFSTOPPED(status)) break;
    std::uint32_t shown = 33;
    try {
      value(open_or_make()) = shown;
    } catch (const std::system_error& error) {
      EXPECT_EQ(error.code(), std::errc::resource_unavailable_try_again) << error.what();
      shown = first_value;
    }
    slow.signal(SIGCONT);
    EXPECT_EQ(slow.join(), shown == 33 ? 0 : 2) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, EachCall, ::testing::Values(true, false),
                         [](const auto& each) { return each.param ? "Nameless" : "Temporary"; });

TEST_F(SegmentTest, WithoutFreeFileNumbersThereIsAnError) {
  const Segment made = create();
  EXPECT_EQ(in_child([&] {
              const rlimit few{.rlim_cur = 3, .rlim_max = 3};
              ::setrlimit(RLIMIT_NOFILE, &few);
              int refused = 0;
              for (const auto& way : std::array<std::function<void()>, 4>{
                       [&] { open(); }, [&] { open_or_make(); }, [&] { create(); }, [&] { Segment::remove(name); }}) {
                try {
                  way();
                } catch (const std::system_error& error) {
                  refused += error.code() == std::errc::too_many_files_open;
                }
              }
              return refused == 4 ? 0 : 1;
            }),
            0);
}

/// A folder of its own with room for next to nothing.
struct SmallFolder : os::Calls {
  static const char* folder() noexcept { return path.c_str(); }
  inline static std::string path;
};

TEST_F(SegmentTest, AFullFolderIsAnErrorAtOnce) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may mount a file system";
  std::string folder = "/tmp/trine-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const int code = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", folder.c_str(), "tmpfs", 0, "size=64k") != 0) {
      return 77;
    }
    SmallFolder::path = folder;
    using Small = BasicSegment<SmallFolder>;
    const Small fits(create_only, "fits", counter, 32 * 1024, construct);
    try {
      const Small large(create_only, "large", counter, 1 << 20, construct);
      return 1;
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::no_space_on_device) return 2;
    }
    if (BasicSegmentList<SmallFolder>::read().size() != 1) return 3;
    return Small::remove("fits") && !Small::remove("large") ? 0 : 4;
  });
  ::rmdir(folder.c_str());
  if (code == 77) GTEST_SKIP() << "mounting is not permitted";
  EXPECT_EQ(code, 0);
}

TEST_F(SegmentTest, IsListed) {
  const auto find = [this]() -> SegmentInfo {
    for (auto& each : SegmentList::read()) {
      if (each.name == name) return each;
    }
    return {};
  };
  EXPECT_EQ(find().name, "");
  EXPECT_EQ(in_child([&] {
              create();
              return 0;
            }),
            0);
  SegmentInfo info = find();
  EXPECT_EQ(info.name, name);
  EXPECT_EQ(info.type, "Counter");
  EXPECT_EQ(info.state, SegmentInfo::State::usable);
  EXPECT_EQ(info.creator_life, os::Life::dead);
  ASSERT_EQ(info.data.size(), sizeof(Counter));
  EXPECT_EQ(info.data.front(), std::byte{first_value});
  EXPECT_FALSE(SegmentList::remove_stale(info));

  Segment::remove(name);
  const Segment made = create();
  info = find();
  EXPECT_EQ(info.creator_life, os::Life::alive);
  EXPECT_EQ(info.creator, os::this_process());
  forge(offsetof(SegmentHeader, pid_namespace), std::uint64_t{1});
  EXPECT_EQ(find().state, SegmentInfo::State::foreign);
  forge(offsetof(SegmentHeader, boot), std::uint64_t{1});
  info = find();
  EXPECT_EQ(info.state, SegmentInfo::State::stale);
  EXPECT_EQ(info.creator_life, os::Life::dead);
  EXPECT_TRUE(SegmentList::remove_stale(info));
  EXPECT_FALSE(SegmentList::remove_stale(info));
  EXPECT_EQ(find().name, "");
}

}  // namespace
