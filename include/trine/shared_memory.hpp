// SPDX-License-Identifier: BSL-1.0
#pragma once

#if !__has_include(<boost/interprocess/managed_external_buffer.hpp>)
#error "trine/shared_memory.hpp needs the headers of Boost.Interprocess"
#endif
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/offset_ptr.hpp>
#include <boost/version.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <trine/backend/processes.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>
#include <trine/recursive_lock.hpp>
#include <trine/segment.hpp>

namespace trine {

/// The locks of a segment's memory: those of trine, which report the death of their owner instead of waiting for it.
struct SharedMemoryLocks {
  using mutex_type = Lock<shared_memory>;
  using recursive_mutex_type = RecursiveLock<shared_memory>;
};

/// The memory of a segment: that of Boost.Interprocess. What can't be given back, because a process died while it took or gave
/// memory, stays taken: destructors of containers give memory back, and must not throw.
class SharedMemoryFit
    : public boost::interprocess::rbtree_best_fit<SharedMemoryLocks, boost::interprocess::offset_ptr<void>> {
  using Base = boost::interprocess::rbtree_best_fit<SharedMemoryLocks, boost::interprocess::offset_ptr<void>>;

 public:
  using Base::Base;

  void deallocate(void* address) noexcept {
    try {
      Base::deallocate(address);
    } catch (const OwnerDied&) {
    }
  }
  void deallocate_many(multiallocation_chain& chain) noexcept {
    try {
      Base::deallocate_many(chain);
    } catch (const OwnerDied&) {
    }
  }
};

/// Memory between processes in which objects can be made and found by name: a segment (see Segment for names, permissions and
/// what is refused) with the memory management of Boost.Interprocess, whose containers and allocators go in it.
///
///     using Names = boost::interprocess::vector<int, trine::SharedMemory::Allocator<int>>;
///     trine::SharedMemory memory(trine::open_or_create, "example", 1 << 20);
///     auto* lock = memory.find_or_construct<trine::Lock<trine::shared_memory>>("lock")();
///     auto* names = memory.find_or_construct<Names>("names")(memory.get_allocator<int>());
///     { auto held = lock->guard(); names->push_back(7); }
///
/// Whatever lies in it must hold no pointer but offset_ptr and no virtual function; another process has it at another address.
/// It guards its own bookkeeping; who shares an object guards that, by a Lock<shared_memory> beside it for one.
/// Errors: boost::interprocess::bad_alloc when it is full; boost::interprocess::interprocess_exception when construct() finds
/// the name taken. std::system_error, LayoutMismatch and std::invalid_argument as with Segment.
/// Deaths: if a process dies while it takes or gives memory, or while it makes, finds or destroys an object by name (a
/// constructor that find_or_construct() runs included), that half of the bookkeeping may be torn. Then whatever needs it throws
/// OwnerDied, now and later: remove the segment and make another. Nobody hangs. What is there can still be used, and memory
/// that is given back stays taken. A death at any other time does no harm to it.
/// Lifetime: as with Segment: the objects are there until the name is removed and nobody has the segment. Pointers into it are
/// valid as long as this object, or the one it was moved to. Movable.
/// Complexity: memory is taken and given in logarithmic time, names are found in logarithmic time.
class SharedMemory {
  using Buffer = boost::interprocess::basic_managed_external_buffer<char, SharedMemoryFit, boost::interprocess::iset_index>;

 public:
  using SegmentManager = Buffer::segment_manager;
  template <class T>
  using Allocator = boost::interprocess::allocator<T, SegmentManager>;

  /// Without a name: for this process and the children that it forks. At least `bytes`, of which the bookkeeping takes some
  /// hundreds, and some for each object.
  explicit SharedMemory(std::size_t bytes) : segment_(Segment::anonymous(enough(bytes))) {
    buffer_ = Buffer(create_only, segment_.data(), segment_.size());
  }

  SharedMemory(create_only_t tag, std::string_view name, std::size_t bytes, std::uint32_t mode = 0600)
      : segment_(tag, name, layout(), enough(bytes), constructor(bytes), mode) {
    attach();
  }
  SharedMemory(open_only_t tag, std::string_view name, std::uint32_t mode = 0600)
      : segment_(tag, name, layout(), check, mode) {
    attach();
  }
  /// `bytes` are for the one who makes it; whoever opens it finds it as large as it is.
  SharedMemory(open_or_create_t tag, std::string_view name, std::size_t bytes, std::uint32_t mode = 0600)
      : segment_(tag, name, layout(), enough(bytes), constructor(bytes), check, mode) {
    attach();
  }

  /// Removes the name; those who have the memory keep it. false: there was none.
  static bool remove(std::string_view name) { return Segment::remove(name); }

  /// find_or_construct<T>(name)(arguments...): the object of that name, made of the arguments if there is none: a T*. Of several
  /// that do so at once, one makes it.
  template <class T>
  auto find_or_construct(const char* name) {
    return buffer_.find_or_construct<T>(name);
  }

  /// construct<T>(name)(arguments...): a new object, a T*.
  template <class T>
  auto construct(const char* name) {
    return buffer_.construct<T>(name);
  }

  /// The object of that name, or nullptr. A T is looked for by the name alone: it is the caller's to ask for the right one.
  template <class T>
  [[nodiscard]] T* find(const char* name) {
    return buffer_.find<T>(name).first;
  }

  /// Destroys the object of that name. false: there is none.
  template <class T>
  bool destroy(const char* name) {
    return buffer_.destroy<T>(name);
  }

  /// For the containers of Boost.Interprocess.
  template <class T>
  [[nodiscard]] Allocator<T> get_allocator() {
    return Allocator<T>(get_segment_manager());
  }
  [[nodiscard]] SegmentManager* get_segment_manager() const noexcept { return buffer_.get_segment_manager(); }

  /// How many bytes are free at this moment, in pieces perhaps.
  [[nodiscard]] std::size_t free_memory() const noexcept { return buffer_.get_free_memory(); }

  /// How many bytes there are altogether.
  [[nodiscard]] std::size_t size() const noexcept { return segment_.size(); }

  /// Where the memory lies in this process.
  [[nodiscard]] std::byte* data() const noexcept { return segment_.data(); }

 private:
  static Layout layout() { return Layout::of<SegmentManager>("SharedMemory, Boost " BOOST_LIB_VERSION, owner_kind()); }

  static std::size_t enough(std::size_t bytes) {
    if (const std::size_t least = SegmentManager::get_min_size(); bytes < least) {
      throw std::invalid_argument("trine: bytes: " + std::to_string(bytes) + " is less than " + std::to_string(least) +
                                  ", which SharedMemory needs for itself");
    }
    return bytes;
  }

  static Segment::Construct constructor(std::size_t bytes) {
    return [bytes](std::byte* data) { Buffer(create_only, data, Segment::room_for(bytes)); };
  }

  static void check(const std::byte* data, std::size_t bytes) {
    if (const std::size_t there = reinterpret_cast<const SegmentManager*>(data)->get_size(); there != bytes) {
      throw LayoutMismatch("the memory manager's size is " + std::to_string(there) + " there, " + std::to_string(bytes) +
                           " here");
    }
  }

  void attach() { buffer_ = Buffer(open_only, segment_.data(), segment_.size()); }

  Segment segment_;
  Buffer buffer_;
};

}  // namespace trine
