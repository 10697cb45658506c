// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <trine/error.hpp>
#include <trine/process/heap_items.hpp>
#include <trine/process/items.hpp>
#include <trine/process/message.hpp>
#include <trine/process/message_bytes.hpp>
#include <trine/process/places.hpp>
#include <trine/queue_index.hpp>
#include <trine/queue_items.hpp>

namespace trine {

/// Bytes in shared memory, in chains of blocks. A free list says which are free; when a party has died while it changed that, it
/// is made anew from the chains that are in use.
template <class B>
class BlockPool {
 public:
  static constexpr std::uint32_t block_size = 64;

  /// A chain: its first block, and how many bytes there are in it.
  struct Chain {
    std::uint32_t first = 0;
    std::uint32_t size = 0;
  };

  explicit BlockPool(std::size_t bytes) noexcept : count_(blocks(bytes)) {}

  static std::size_t extra(std::size_t bytes) noexcept { return Next::bytes(blocks(bytes)) + Blocks::bytes(blocks(bytes)); }
  std::byte* lie_at(std::byte* memory) noexcept { return blocks_.lie_at(next_.lie_at(memory, count_), count_); }

  [[nodiscard]] bool sound(const std::byte* begin, const std::byte* end) const noexcept {
    return count_ != 0 && next_.lies_in(begin, end, count_) && blocks_.lies_in(begin, end, count_);
  }

  /// Throws ItemTooLarge if there would not be room even if nothing else were in it.
  [[nodiscard]] bool has_room_for(std::size_t bytes) const {
    if (bytes > std::size_t{count_} * block_size) fail<ItemTooLarge>();
    return needed(bytes) <= free_ + (count_ - fresh_);
  }

  Chain put(std::span<const std::byte> bytes) {
    Chain chain{0, static_cast<std::uint32_t>(bytes.size())};
    std::uint32_t last = 0;
    for (std::size_t done = 0; done < bytes.size(); done += block_size) {
      const std::uint32_t block = take_block();
      if (done == 0) {
        chain.first = block;
      } else {
        next_[last].write() = block;
      }
      last = block;
      copy(blocks_[block].write().data(), bytes.data() + done, bytes.size() - done);
    }
    return chain;
  }

  [[nodiscard]] MessageBytes get(Chain chain) {
    check(chain);
    MessageBytes bytes(chain.size);
    const std::span<std::byte> all = bytes.all();
    std::uint32_t block = chain.first;
    for (std::size_t done = 0; done < all.size(); done += block_size, block = next(block)) {
      copy(all.data() + done, blocks_[within(block)].read().data(), all.size() - done);
    }
    return bytes;
  }

  /// Its links stay as they are: if the one who frees it dies before that counts, it is still a chain.
  void free(Chain chain) {
    const std::uint32_t count = needed(chain.size);
    if (count == 0) return;
    std::uint32_t last = chain.first;
    for (std::uint32_t left = count; left > 1; --left) last = next(last);
    next_[within(last)].write() = first_free_;
    first_free_ = within(chain.first);
    free_ += count;
  }

  /// Calls use(mark), which calls mark(chain) for each chain in use. Needs no memory, and takes what is damaged as it is: with the
  /// lock held of one who died there is nobody to tell. Who dies in here leaves the links as they were, with marks.
  template <class Use>
  void mend(Use use) noexcept {
    for (std::uint32_t block = 0; block < count_; ++block) next_[block].write() &= ~in_use;
    use([this](Chain chain) {
      std::uint32_t block = chain.first;
      for (std::uint32_t left = std::min(needed(chain.size), count_); left > 0; --left) {
        std::uint32_t& link = next_[within(block)].write();
        block = link & ~in_use;
        link |= in_use;
      }
    });
    free_ = 0;
    fresh_ = count_;
    for (std::uint32_t block = 0; block < count_; ++block) {
      std::uint32_t& link = next_[block].write();
      (link & in_use) != 0 ? void(link &= ~in_use) : give_block(block);
    }
  }

 private:
  using Block = std::array<std::byte, block_size>;
  using Next = Places<typename B::template Cell<std::uint32_t>, 0>;
  using Blocks = Places<typename B::template Cell<Block>, 0>;

  // In the link of a block, while a mend goes on.
  static constexpr std::uint32_t in_use = 1U << 31;

  static std::uint32_t blocks(std::size_t bytes) noexcept {
    return std::max(1U, static_cast<std::uint32_t>(std::min<std::size_t>(bytes / block_size, 1U << 30)));
  }
  static std::uint32_t needed(std::size_t bytes) noexcept {
    return static_cast<std::uint32_t>((bytes + block_size - 1) / block_size);
  }
  // A block's number comes from shared memory: one that is damaged is taken for the first block. (A division takes longer.)
  [[nodiscard]] std::uint32_t within(std::uint32_t block) const noexcept { return block < count_ ? block : 0; }
  std::uint32_t next(std::uint32_t block) { return next_[within(block)].read(); }

  // A block, or less if that is all that is left. What is known to be a block is copied without a call.
  static void copy(std::byte* to, const std::byte* from, std::size_t left) noexcept {
    if (left >= block_size) {
      std::memcpy(to, from, block_size);
    } else {
      std::memcpy(to, from, left);
    }
  }

  // What is read from shared memory is not trusted with memory of one's own.
  void check(Chain chain) const {
    if (chain.size > std::size_t{count_} * block_size) throw Error("trine: queue: its state in shared memory is damaged");
  }

  std::uint32_t take_block() {
    if (free_ == 0) return within(fresh_++);
    const std::uint32_t block = within(first_free_);
    first_free_ = next(block);
    --free_;
    return block;
  }

  void give_block(std::uint32_t block) {
    next_[within(block)].write() = first_free_;
    first_free_ = block;
    ++free_;
  }

  const std::uint32_t count_;
  std::uint32_t fresh_ = 0;  // the blocks from here on have never been used
  std::uint32_t free_ = 0;   // how many there are in the free list
  std::uint32_t first_free_ = 0;
  Next next_;
  Blocks blocks_;
};

/// Items of any type that a Codec knows, in shared memory: bytes, in the order in which `Order` keeps their chains. They are made
/// bytes before a lock is taken, and a T again after it was released.
template <class T, class Order, class B>
class EncodedItems : public Order {
 public:
  using value_type = T;
  using Taken = MessageBytes;
  using typename Order::Cursor;
  using Chain = typename BlockPool<B>::Chain;
  static constexpr bool one_gate = true;
  static constexpr bool uneven = true;
  static constexpr bool many_at_once = false;

  template <class Reference>
  class Item {
   public:
    explicit Item(const T& item) : bytes_(Message<T>::encode(item)) {}
    [[nodiscard]] std::span<const std::byte> get() const noexcept { return bytes_; }

   private:
    std::vector<std::byte> bytes_;
  };

  /// `bytes`: how much memory there is for the items.
  template <std::integral Bytes = std::size_t>
  EncodedItems(std::size_t capacity, Cursor& put, Cursor& get, Bytes bytes = default_queue_bytes)
      : Order(places(capacity), put, get), pool_(checked(bytes)) {}

  static std::uint32_t places(std::size_t capacity) noexcept { return places_for(capacity, BlockPool<B>::block_size); }
  template <std::integral Bytes = std::size_t>
  static std::size_t extra(std::size_t capacity, Bytes bytes = default_queue_bytes) {
    return Order::extra(places(capacity)) + BlockPool<B>::extra(checked(bytes));
  }
  void lie_at(void* memory) noexcept { pool_.lie_at(Order::lie_at(memory)); }

  /// Whether what lies behind the state does lie between the two addresses: it may have been damaged.
  [[nodiscard]] bool sound(const std::byte* begin, const std::byte* end, std::uint32_t places) const noexcept {
    return Order::sound(begin, end, places) && pool_.sound(begin, end);
  }

  bool put(QueuePlace<Cursor>& at, std::span<const std::byte> bytes) {
    if (!pool_.has_room_for(bytes.size())) return false;
    const Chain chain = pool_.put(bytes);
    try {
      if (Order::put(at, chain)) return true;
    } catch (...) {
      pool_.free(chain);
      throw;
    }
    pool_.free(chain);
    return false;
  }

  template <class Sink>
  void take(QueuePlace<Cursor>& at, Sink&& sink) {
    Order::take(at, [&](const Chain& chain) {
      sink(pool_.get(chain));
      pool_.free(chain);
    });
  }

  static T finish(MessageBytes&& bytes) { return Message<T>::decode(bytes.all()); }

  void mend(std::uint32_t put, std::uint32_t got) noexcept {
    if constexpr (requires { Order::mend(put, got); }) Order::mend(put, got);
    pool_.mend([this, put, got](const auto& mark) { this->for_each(got, (put - got) % QueueIndex::positions, mark); });
  }

  /// For a heap of chains.
  template <class Less>
  bool chain_less(const Chain& left, const Chain& right) {
    return Less()(Message<T>::decode(pool_.get(left).all()), Message<T>::decode(pool_.get(right).all()));
  }

 private:
  template <std::integral Bytes>
  static std::size_t checked(Bytes bytes) {
    if (!std::in_range<std::uint32_t>(bytes) || bytes == 0)
      throw std::invalid_argument("trine: queue: bytes is out of range");
    return static_cast<std::size_t>(bytes);
  }

  BlockPool<B> pool_;
};

/// The smallest first, by what the chains hold.
template <class T, class B, class Less>
class EncodedHeap;
template <class B, class Less, class Self>
using ChainHeap = HeapItems<typename BlockPool<B>::Chain, B, Less, 0, Self>;
template <class T, class B, class Less>
class EncodedHeap : public EncodedItems<T, ChainHeap<B, Less, EncodedHeap<T, B, Less>>, B> {
 public:
  using EncodedItems<T, ChainHeap<B, Less, EncodedHeap<T, B, Less>>, B>::EncodedItems;
};

/// The items of a queue between processes: as they are where that will do, else encoded.
template <class T, class B, std::size_t N, bool AsTheyAre = std::is_trivially_copyable_v<T>>
struct ItemsBetweenProcesses {
  using Fifo = RingItems<T, B, N>;
  using Lifo = StackItems<T, B, N>;
  template <class Less>
  using Priority = HeapItems<T, B, Less, N>;
};
template <class T, class B, std::size_t N>
struct ItemsBetweenProcesses<T, B, N, false> {
  static_assert(N == 0, "a fixed capacity is for items that are trivially copyable");
  static_assert(
      requires { sizeof(Codec<T>); }, "include <trine/codec.hpp> for items that are not trivially copyable");
  using Chain = typename BlockPool<B>::Chain;
  using Fifo = EncodedItems<T, RingItems<Chain, B, 0>, B>;
  using Lifo = EncodedItems<T, StackItems<Chain, B, 0>, B>;
  template <class Less>
  using Priority = EncodedHeap<T, B, Less>;
};

}  // namespace trine
