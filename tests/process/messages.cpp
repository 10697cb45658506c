// SPDX-License-Identifier: BSL-1.0
//
// What travels encoded: each message says of what type it is, and types that only move or have bases arrive whole.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cereal/types/polymorphic.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <support/children.hpp>
#include <support/leaks.hpp>
#include <trine/codec.hpp>
#include <trine/lifo_queue.hpp>
#include <trine/manager.hpp>
#include <trine/pipe.hpp>
#include <trine/pool.hpp>
#include <trine/priority_queue.hpp>
#include <trine/process.hpp>
#include <trine/process/message.hpp>
#include <trine/queue.hpp>
#include <utility>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  [[nodiscard]] virtual int area() const = 0;
};

struct Square final : Shape {
  Square() = default;
  explicit Square(int length) : side(length) {}
  [[nodiscard]] int area() const override { return side * side; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(side);
  }
  int side = 0;
};

struct Oblong final : Shape {
  Oblong() = default;
  Oblong(int length, int breadth) : a(length), b(breadth) {}
  [[nodiscard]] int area() const override { return a * b; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(a, b);
  }
  int a = 0;
  int b = 0;
};

CEREAL_REGISTER_TYPE(Square)
CEREAL_REGISTER_TYPE(Oblong)
CEREAL_REGISTER_POLYMORPHIC_RELATION(Shape, Square)
CEREAL_REGISTER_POLYMORPHIC_RELATION(Shape, Oblong)

namespace {

using namespace trine;
using namespace trine_test;
using P = processes;
using Shapes = std::unique_ptr<Shape>;

class Messages : public Leakless {
 protected:
  const std::string name = "messages-" + std::to_string(::getpid());
};

TEST_F(Messages, OfAnotherTypeAreRefusedWhereTheBytesWouldDo) {
  // Both are a length and so many numbers.
  using Written = std::vector<std::int32_t>;
  using Read = std::vector<float>;
  const auto bytes = Message<Written>::encode({1, 2, 3});
  EXPECT_EQ(Message<Written>::decode(bytes), (Written{1, 2, 3}));
  EXPECT_THROW(Message<Read>::decode(bytes), LayoutMismatch);
  EXPECT_THROW(Message<Written>::decode(std::span(bytes).first(7)), Error);
  EXPECT_THROW(Message<Written>::decode(std::span(bytes).first(bytes.size() - 1)), LayoutMismatch);
  try {
    Message<Read>::decode(bytes);
  } catch (const LayoutMismatch& mismatch) {
    EXPECT_NE(std::string(mismatch.what()).find(typeid(Read).name()), std::string::npos) << mismatch.what();
  }
}

template <class Written, class Read>
void refuses_another_type(const std::string& name, int left) {
  Written queue(create_only, name);
  queue.put({{1, "one"}});
  queue.put({{2, "two"}});
  EXPECT_EQ(in_child([&] {
              Read other(open_only, name);  // encoded, too
              try {
                (void)other.get();
              } catch (const LayoutMismatch&) {
                return 0;
              }
              return 1;
            }),
            0);
  EXPECT_EQ(queue.size(), 1U);  // the queue is whole: what was got is gone, as with any reader that throws it away
  EXPECT_EQ(queue.get().begin()->first, left);
  EXPECT_TRUE(Written::remove(name));
}

TEST_F(Messages, OfAQueueThatIsOpenedAsAnother) {
  using Map = std::map<int, std::string>;
  using Pairs = std::vector<std::pair<int, std::string>>;
  refuses_another_type<Queue<Map, P>, Queue<Pairs, P>>(name, 2);
  refuses_another_type<LifoQueue<Map, P>, LifoQueue<Pairs, P>>(name, 1);
}

TEST_F(Messages, OfWhatOnlyMoves) {
  Queue<std::unique_ptr<int>, P> queue;
  auto [here, there] = Pipe<std::unique_ptr<int>, P>();
  Pool<P> pool(1);
  Process child([&, &to = there] {
    to.send(std::make_unique<int>(*queue.get() + 1));
    queue.put(std::make_unique<int>(7));
    queue.put(nullptr);
  });
  queue.put(std::make_unique<int>(3));
  EXPECT_EQ(*here.recv(), 4);
  EXPECT_EQ(*queue.get(), 7);
  EXPECT_EQ(queue.get(), nullptr);
  child.join();
  auto doubled = pool.apply([](const std::unique_ptr<int>& n) { return std::make_unique<int>(*n * 2); }, std::make_unique<int>(4));
  EXPECT_EQ(*doubled, 8);
}

std::string numbered(std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) text += static_cast<char>('!' + i % 89);
  return text;
}

// Around the sizes of a block and of what is kept in the operation.
template <class Queue>
void brings_texts_of_every_length() {
  Queue queue;
  for (std::size_t length = 0; length < 600; ++length) {
    queue.put(numbered(length));
    ASSERT_EQ(queue.get(), numbered(length)) << length;
  }
  for (std::size_t length = 0; length < 600; length += 7) queue.put(numbered(length));
  std::set<std::string> all;
  for (std::string& each : queue.get_many(1000)) all.insert(std::move(each));
  for (std::size_t length = 0; length < 600; length += 7) EXPECT_TRUE(all.contains(numbered(length))) << length;
}

TEST_F(Messages, OfTextsOfEveryLength) {
  brings_texts_of_every_length<Queue<std::string, P>>();
  brings_texts_of_every_length<LifoQueue<std::string, P>>();
  brings_texts_of_every_length<PriorityQueue<std::string, P>>();
  const std::u16string wide = u"\u00fcber \u4f60\u597d";
  const auto bytes = Codec<std::u16string>::encode(wide);
  EXPECT_EQ(Codec<std::u16string>::decode(bytes), wide);
  EXPECT_THROW(Codec<std::u16string>::decode(std::span(bytes).first(bytes.size() - 1)), Error);
}

struct Nothing {
  template <class Archive>
  void serialize(Archive& /*archive*/) {}
};

// A reader could not tell how many there may be.
TEST_F(Messages, OfManyNothingsAreRefusedBeforeTheyAreSent) {
  trine::Queue<std::vector<Nothing>, trine::processes> queue;
  EXPECT_THROW(queue.put(std::vector<Nothing>(5)), trine::Error);
  EXPECT_TRUE(queue.empty());
  queue.put(std::vector<Nothing>());
  EXPECT_TRUE(queue.get().empty());
}

TEST_F(Messages, OfAnyDerivedType) {
  Queue<Shapes, P> queue;
  Process child([&] {
    queue.put(std::make_unique<Square>(3));
    queue.put(std::make_unique<Oblong>(2, 5));
  });
  const Shapes first = queue.get();
  const Shapes second = queue.get();
  EXPECT_NE(dynamic_cast<const Square*>(first.get()), nullptr);
  EXPECT_EQ(first->area(), 9);
  EXPECT_NE(dynamic_cast<const Oblong*>(second.get()), nullptr);
  EXPECT_EQ(second->area(), 10);

  Pool<P> pool(2);
  std::vector<std::shared_ptr<Shape>> all{std::make_shared<Oblong>(3, 4), std::make_shared<Square>(2)};
  EXPECT_EQ(pool.map([](const std::shared_ptr<Shape>& each) { return each->area(); }, all), (std::vector{12, 4}));
  const Shapes larger = pool.apply([](int side) -> Shapes { return std::make_unique<Square>(side); }, 6);
  EXPECT_EQ(larger->area(), 36);

  auto [here, there] = Pipe<Shapes, P>();
  here.send(std::make_unique<Square>(5));
  EXPECT_EQ(there.recv()->area(), 25);

  Manager manager;
  auto dict = manager.dict<std::string, std::shared_ptr<Shape>>();
  dict.set("square", std::make_shared<Square>(4));
  EXPECT_EQ(dict.at("square")->area(), 16);
  auto space = manager.ns();
  space.set("shape", std::shared_ptr<Shape>(std::make_shared<Oblong>(1, 2)));
  EXPECT_EQ(space.get<std::shared_ptr<Shape>>("shape")->area(), 2);
  EXPECT_THROW((void)space.get<std::shared_ptr<Square>>("shape"), LayoutMismatch);
}

}  // namespace
