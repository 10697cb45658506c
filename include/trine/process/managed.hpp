// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <typeinfo>
#include <utility>

#include <boost/container/throw_exception.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>

#include <trine/backend/processes.hpp>
#include <trine/backend/shared_state.hpp>
#include <trine/error.hpp>
#include <trine/lock.hpp>
#include <trine/os/process_identity.hpp>
#include <trine/recursive_lock.hpp>

namespace trine {

/// What a type is called in a manager: two programs that agree on it may share objects of it.
template <class... T>
std::uint64_t managed_type() {
  os::Fnv1a hash;
  (hash.add(std::string_view(typeid(T).name())), ...);
  (hash.add(std::uint64_t{sizeof(T)}), ...);
  return hash.value();
}

/// The objects of a manager: a table of names, and the memory, of which each object has one piece, for good. Who dies while it
/// makes an object leaves nothing behind: the object exists when it is counted.
class ManagedObjects {
 public:
  static constexpr std::string_view type_name = "Manager";
  static constexpr std::size_t most = 1000;
  static constexpr std::size_t longest_name = 63;
  static constexpr std::size_t largest = std::size_t{1} << 46;

  explicit ManagedObjects(std::size_t bytes) noexcept : bytes_(bytes) {}
  static std::size_t extra(std::size_t bytes) {
    if (bytes > largest) throw std::invalid_argument("trine: Manager: bytes: " + std::to_string(bytes) + " are too many");
    return bytes + piece;
  }
  [[nodiscard]] bool sound(std::size_t whole) const noexcept {
    return whole >= sizeof(*this) + piece && bytes_ <= whole - sizeof(*this) - piece;
  }

  /// The object of that name, which `construct(data)` makes if there is none; without a name a new one. At least so many bytes.
  template <class Construct>
  std::span<std::byte> find_or_make(std::string_view name, std::uint64_t type, std::size_t bytes, Construct construct) {
    if (name.size() > longest_name) throw std::invalid_argument("trine: name: '" + std::string(name) + "' is too long");
    const auto held = lock_.recover();
    const std::uint32_t count = std::min<std::uint32_t>(count_.load(std::memory_order_acquire), most);
    const auto first = entries_.begin();
    const auto found = std::find_if(first, first + count, [name](const Entry& entry) { return entry.has(name); });
    if (!name.empty() && found != first + count) return checked(*found, type);
    const std::size_t offset = count == 0 ? 0 : entries_[count - 1].offset + entries_[count - 1].bytes;
    const std::size_t whole = bytes > bytes_ ? bytes : (bytes + piece - 1) / piece * piece;
    if (count == most || offset > bytes_ || bytes_ - offset < whole) full(name, whole, offset);
    construct(memory() + offset);
    entries_[count] = Entry(name, type, offset, whole);
    // Release: whoever counts it finds it complete.
    count_.store(count + 1, std::memory_order_release);
    return {memory() + offset, whole};
  }

  [[nodiscard]] std::size_t free_memory() const noexcept {
    const std::uint32_t count = std::min<std::uint32_t>(count_.load(std::memory_order_acquire), most);
    const std::size_t used = count == 0 ? 0 : entries_[count - 1].offset + entries_[count - 1].bytes;
    return bytes_ - std::min(used, bytes_);
  }

 private:
  static constexpr std::size_t piece = 64;

  struct Entry {
    Entry() = default;
    Entry(std::string_view text, std::uint64_t of, std::size_t at, std::size_t size) : type(of), offset(at), bytes(size) {
      text.copy(name.data(), longest_name);
    }
    [[nodiscard]] bool has(std::string_view text) const noexcept {
      return std::string_view(name.data(), std::min(text.size() + 1, name.size())) == std::string(text) + '\0';
    }

    std::array<char, longest_name + 1> name{};
    std::uint64_t type = 0;
    std::size_t offset = 0;
    std::size_t bytes = 0;
  };

  std::byte* memory() noexcept {
    const auto end = reinterpret_cast<std::uintptr_t>(this + 1);
    return reinterpret_cast<std::byte*>((end + piece - 1) / piece * piece);
  }

  std::span<std::byte> checked(const Entry& entry, std::uint64_t type) {
    if (entry.type != type) throw LayoutMismatch(std::string(entry.name.data()) + ": the object in the manager is of another type");
    if (entry.offset > bytes_ || entry.bytes > bytes_ - entry.offset || entry.offset % piece != 0) {
      throw LayoutMismatch("the manager's table in shared memory is damaged");
    }
    return {memory() + entry.offset, entry.bytes};
  }

  [[noreturn]] void full(std::string_view name, std::size_t asked, std::size_t used) const {
    throw std::system_error(std::make_error_code(std::errc::no_buffer_space),
                            "trine: Manager: no room for '" + std::string(name) + "': " + std::to_string(asked) +
                                " bytes asked for, " + std::to_string(used) + " of " + std::to_string(bytes_) + " used");
  }

  std::size_t bytes_;
  Lock<shared_memory> lock_;
  shared_memory::Atomic<std::uint32_t> count_{0};
  std::array<Entry, most> entries_;
};

using ManagerMemory = SharedState<ManagedObjects>;

/// The memory of one container: that of Boost.Interprocess, without locks of its own, for the container's is held.
struct ManagedMemory {
  using Fit = boost::interprocess::rbtree_best_fit<boost::interprocess::null_mutex_family, boost::interprocess::offset_ptr<void>>;
  using Buffer = boost::interprocess::basic_managed_external_buffer<char, Fit, boost::interprocess::iset_index>;
  template <class T>
  using Allocator = boost::interprocess::allocator<T, Buffer::segment_manager>;
};

/// What the containers of a manager have in common: a piece of its memory that is the container's alone, guarded by its lock, so
/// that a death in there harms no other. `Root` is the container as it lies there.
template <class Root>
class ManagedContainer {
 public:
  using Lock = RecursiveLock<shared_memory>;

  /// Makes every call throw OwnerDied no more after a process died in one: true if that had only looked, or was between two
  /// calls, and all is as it was; false if it died inside a change: the container is empty now. A healthy one is left as it is.
  bool recover() {
    const auto held = region_->lock.recover();
    if (region_->changing.load(std::memory_order_acquire) == 0) return true;
    format(region_, bytes_);
    return false;
  }

  /// The lock of all calls, to be held over several of them.
  [[nodiscard]] Lock& get_lock() noexcept { return region_->lock; }

  /// Calls `function()` with the lock held: what it returned.
  template <class F>
  decltype(auto) with_lock(F&& function) {
    const auto held = region_->lock.guard();
    return std::invoke(std::forward<F>(function));
  }

 protected:
  ManagedContainer(std::shared_ptr<ManagerMemory> memory, std::string_view name, std::uint64_t type, std::size_t bytes)
      : memory_(std::move(memory)), name_(name) {
    if (bytes < least) throw std::invalid_argument("trine: bytes: less than " + std::to_string(least) + " for a container");
    const auto data = (*memory_)->find_or_make(name, type, bytes, [bytes](std::byte* at) { format(new (at) Region, bytes); });
    if (data.size() < least) throw LayoutMismatch("a container of the manager is damaged");
    region_ = std::launder(reinterpret_cast<Region*>(data.data()));
    bytes_ = data.size();
  }

  template <class F>
  auto read(F function) const {
    const auto held = region_->lock.guard();
    return function(std::as_const(root()));
  }

  /// Calls `function(root)`, which changes it, or throws and leaves it sound. Throws std::system_error if the memory is full.
  template <class F>
  auto change(F function) {
    const auto held = region_->lock.guard();
    const Changing changing(*region_);
    try {
      return function(root());
    } catch (const boost::interprocess::bad_alloc&) {
      full();
    } catch (const boost::container::length_error&) {  // larger than all the memory there is
      full();
    }
  }

 private:
  [[noreturn]] void full() const {
    throw std::system_error(std::make_error_code(std::errc::no_buffer_space),
                            "trine: Manager: the memory of '" + name_ + "' is full: " + std::to_string(bytes_) + " bytes");
  }

  struct alignas(64) Region {
    RecursiveLock<shared_memory> lock;
    shared_memory::Atomic<std::uint32_t> changing{0};  // whether its owner is inside a change
    shared_memory::Atomic<std::uint64_t> root{0};      // where the container is, from here
  };

  class Changing {
   public:
    // Release, both: a change is not seen without the mark of it, also after a death.
    explicit Changing(Region& region) noexcept : region_(region), outer_(region.changing.exchange(1, std::memory_order_acq_rel)) {}
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;
    ~Changing() { region_.changing.store(outer_, std::memory_order_release); }

   private:
    Region& region_;
    std::uint32_t outer_;
  };

  static constexpr std::size_t least = 8192;

  static void format(Region* region, std::size_t bytes) {
    ManagedMemory::Buffer buffer(boost::interprocess::create_only, region + 1, bytes - sizeof(Region));
    auto* const root = buffer.template construct<Root>(boost::interprocess::anonymous_instance)(buffer.get_segment_manager());
    region->root.store(static_cast<std::uint64_t>(reinterpret_cast<std::byte*>(root) - reinterpret_cast<std::byte*>(region)),
                       std::memory_order_relaxed);
    region->changing.store(0, std::memory_order_release);
  }

  [[nodiscard]] Root& root() const {
    const std::uint64_t offset = region_->root.load(std::memory_order_relaxed);
    if (offset < sizeof(Region) || offset > bytes_ - sizeof(Root)) throw LayoutMismatch("a container of the manager is damaged");
    return *std::launder(reinterpret_cast<Root*>(reinterpret_cast<std::byte*>(region_) + offset));
  }

  std::shared_ptr<ManagerMemory> memory_;
  Region* region_ = nullptr;
  std::size_t bytes_ = 0;
  std::string name_;
};

}  // namespace trine
