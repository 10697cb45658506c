// SPDX-License-Identifier: BSL-1.0
//
// Each system call of named memory fails in each way that it may: then either the work is done all the same, or there is an error
// that says so; nothing is left behind, and the next one works.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <support/faulty_calls.hpp>
#include <support/leaks.hpp>
#include <trine/segment.hpp>
#include <trine/segment_info.hpp>

namespace {

using namespace trine;
using namespace trine_test;

using Faulty = BasicSegment<FaultyCalls>;
using FaultyList = BasicSegmentList<FaultyCalls>;

const Layout number = Layout::of<std::uint32_t>("number");

void construct(std::byte* data) { data[0] = std::byte{7}; }

class SegmentFaults : public Leakless, public ::testing::WithParamInterface<bool> {
 protected:
  void TearDown() override {
    Faults::now() = {};
    Segment::remove(name);
    EXPECT_GT(calls, 0);
    RecordProperty("injected", injected);
    Leakless::TearDown();
  }

  /// Does `work` again and again, each time with one of its calls failing in one way.
  void each_call_fails(const std::function<void()>& prepare, const std::function<void()>& work) {
    for (calls = 0;; ++calls) {
      const char* const call = call_number(calls + 1, prepare, work);
      if (call == nullptr) break;
      for (const int error : plausible_errors(call)) {
        SCOPED_TRACE(std::string(call) + ", number " + std::to_string(calls + 1) + ": " + std::strerror(error));
        fails_once(calls + 1, error, prepare, work);
      }
    }
    Faults::now() = {};
  }

  const std::string name = unique_name("faults");
  int calls = 0;
  int injected = 0;

  void make() const {
    Segment::remove(name);
    Segment(create_only, name, number, 4, construct);
  }
  void make_stale() const {
    make();
    const int file = ::open(Segment::path_of(name).c_str(), O_WRONLY | O_CLOEXEC);
    const std::uint64_t other = 1;
    EXPECT_EQ(::pwrite(file, &other, sizeof(other), offsetof(SegmentHeader, boot)), 8);
    ::close(file);
  }

 private:
  /// Which call is the `at`th; nullptr: there are not so many.
  const char* call_number(int at, const std::function<void()>& prepare, const std::function<void()>& work) {
    Faults::now() = {};
    prepare();
    Faults::now() = {.at = at, .error = EINTR, .nameless = GetParam()};
    const auto say_nothing = [&] {
      try {
        work();
      } catch (const std::system_error&) {
      }
    };
    say_nothing();
    const Faults found = std::exchange(Faults::now(), {});
    expect_in_order(found.call);
    return found.count < at ? nullptr : found.call;
  }

  void fails_once(int at, int error, const std::function<void()>& prepare, const std::function<void()>& work) {
    Faults::now() = {};
    prepare();
    const std::size_t files = open_files();
    const std::size_t mappings = shared_mappings();
    Faults::now() = {.at = at, .error = error, .nameless = GetParam()};
    bool done = false;
    try {
      work();
      done = true;
    } catch (const std::system_error& failure) {
      // What was not there when it was looked for may as well have been removed meanwhile.
      EXPECT_TRUE(error == ENOENT || failure.code().value() == error) << failure.what();
      EXPECT_NE(std::string_view(failure.what()).find("trine: "), std::string_view::npos) << failure.what();
    }
    ++injected;
    EXPECT_EQ(open_files(), files);
    EXPECT_EQ(shared_mappings(), mappings);
    EXPECT_TRUE(done || error != EINTR);
    const std::string_view failed = std::exchange(Faults::now(), {}).call;
    expect_in_order(failed);
  }

  /// Nothing half made is there, under the name or another, and the name can be used.
  void expect_in_order(std::string_view failed) const {
    for (const auto& each : std::filesystem::directory_iterator("/dev/shm")) {
      const std::string file = each.path().filename().string();
      const bool mine = file.find("-" + std::to_string(::getpid()) + "-") != std::string::npos;
      // A temporary name that could not be removed, because the call failed that was to do so, names its maker.
      if (mine && file.starts_with(os::TemporaryName::prefix)) {
        EXPECT_EQ(failed, "unlink") << file;
        std::filesystem::remove(each.path());
      }
    }
    const Segment segment(open_or_create, name, number, 4, construct);
    EXPECT_EQ(segment.data()[0], std::byte{7});
  }
};

TEST_P(SegmentFaults, Create) {
  each_call_fails([this] { Segment::remove(name); }, [this] { Faulty(create_only, name, number, 4, construct); });
  EXPECT_GT(calls, 10);
}

TEST_P(SegmentFaults, CreateWhereItIs) {
  each_call_fails([this] { make(); },
                  [this] {
                    try {
                      Faulty(create_only, name, number, 4, construct);
                      ADD_FAILURE() << "made what was there";
                    } catch (const std::system_error& error) {
                      if (error.code() != std::errc::file_exists) throw;
                    }
                  });
}

TEST_P(SegmentFaults, Open) {
  each_call_fails([this] { make(); }, [this] { Faulty(open_only, name, number); });
  EXPECT_GT(calls, 6);
}

TEST_P(SegmentFaults, OpenOrCreate) {
  each_call_fails([this] { Segment::remove(name); }, [this] { Faulty(open_or_create, name, number, 4, construct); });
}

TEST_P(SegmentFaults, Replace) {
  each_call_fails([this] { make_stale(); }, [this] { Faulty(open_or_create, name, number, 4, construct); });
}

TEST_P(SegmentFaults, Remove) {
  each_call_fails([this] { make(); }, [this] { Faulty::remove(name); });
}

TEST_P(SegmentFaults, Anonymous) {
  each_call_fails([] {}, [] { Faulty::anonymous(100); });
  EXPECT_EQ(calls, 2);
}

TEST_P(SegmentFaults, List) {
  each_call_fails([this] { make(); }, [] { FaultyList::read(); });
}

TEST_P(SegmentFaults, RemoveStale) {
  each_call_fails([this] { make_stale(); },
                  [this] {
                    SegmentInfo info;
                    info.path = Segment::path_of(name);
                    FaultyList::remove_stale(info);
                  });
}

INSTANTIATE_TEST_SUITE_P(Files, SegmentFaults, ::testing::Values(true, false),
                         [](const auto& each) { return each.param ? "Nameless" : "Temporary"; });

}  // namespace
