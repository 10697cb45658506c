// SPDX-License-Identifier: BSL-1.0
//
// trine-inspect: lists the named objects and segments of this machine, and removes stale ones. `trine-inspect --help` says how.
// requires: boost

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <trine/segment_info.hpp>
#include <vector>

#include "describe.hpp"

namespace {

using trine::SegmentInfo;

constexpr std::string_view help =
    "usage: trine-inspect [--json] [--remove-stale] [NAME...]\n"
    "\n"
    "Lists the named objects and segments of trine on this machine, or those of the given names:\n"
    "type, size in bytes, user, the process that made it and whether that still runs, what state\n"
    "it is in, who owns it and whether somebody waits for it. It reads, and changes nothing.\n"
    "\n"
    "  --json          print a JSON array instead of a table\n"
    "  --remove-stale  remove what nobody can use any more: from before the machine's last start,\n"
    "                  cut off, damaged at the beginning, or left half made by a process that died\n"
    "  --help          show this\n"
    "\n"
    "Exit code: 0; 1 if a name was not found or something could not be removed; 2 for a wrong option.\n";

struct Options {
  bool json = false;
  bool remove_stale = false;
  std::vector<std::string> names;
};

/// A segment, what its words say, and what was done about it.
struct Row {
  SegmentInfo info;
  Description description;
  bool removed = false;
};

std::string_view name_of(SegmentInfo::State state) {
  switch (state) {
    case SegmentInfo::State::usable:
      return "usable";
    case SegmentInfo::State::foreign:
      return "foreign";
    case SegmentInfo::State::stale:
      return "stale";
  }
  return "";
}

std::string_view name_of(trine::os::Life life) {
  switch (life) {
    case trine::os::Life::alive:
      return "alive";
    case trine::os::Life::dead:
      return "dead";
    case trine::os::Life::unknown:
      return "unknown";
  }
  return "";
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') json += '\\';
    if (static_cast<unsigned char>(each) < ' ') {
      std::array<char, 8> code;
      std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(each));
      json += code.data();
    } else {
      json += each;
    }
  }
  return json + "\"";
}

/// One object with a member for each thing there is to say.
std::string json_of(const Row& row) {
  std::string json;
  const auto add = [&json](std::string_view key, const std::string& value) {
    json += (json.empty() ? "{" : ", ") + quoted(key) + ": " + value;
  };
  const auto truth = [](bool is) { return std::string(is ? "true" : "false"); };
  const SegmentInfo& info = row.info;
  add("name", quoted(info.name));
  add("type", info.type.empty() ? "null" : quoted(info.type));
  add("bytes", std::to_string(info.bytes));
  add("user", std::to_string(info.user));
  add("mode", std::to_string(info.mode));
  add("creator", info.creator.pid == 0 ? "null" : std::to_string(info.creator.pid));
  add("creator_life", quoted(name_of(info.creator_life)));
  add("status", quoted(name_of(info.state)));
  add("fault", info.fault.empty() ? "null" : quoted(info.fault));
  add("state", row.description.state.empty() ? "null" : quoted(row.description.state));
  add("owner", row.description.owner ? std::to_string(*row.description.owner) : "null");
  add("owner_alive", row.description.owner ? truth(row.description.owner_alive) : "null");
  add("waiters", row.description.waiters ? truth(*row.description.waiters) : "null");
  add("removed", truth(row.removed));
  return json + "}";
}

void print_json(const std::vector<Row>& rows) {
  std::string text = "[";
  for (const Row& row : rows) text += (text.size() == 1 ? "\n  " : ",\n  ") + json_of(row);
  std::printf("%s%s]\n", text.c_str(), rows.empty() ? "" : "\n");
}

using Cells = std::array<std::string, 8>;

Cells cells_of(const Row& row) {
  const SegmentInfo& info = row.info;
  const auto& waiters = row.description.waiters;
  const std::string creator = info.creator.pid == 0 ? "-" : std::to_string(info.creator.pid);
  std::string detail = info.fault.empty() ? row.description.state : info.fault;
  if (row.removed) detail += detail.empty() ? "removed" : "; removed";
  return {info.name,
          info.type.empty() ? "-" : info.type,
          std::to_string(info.bytes),
          std::to_string(info.user),
          creator + " " + std::string(name_of(info.creator_life)),
          waiters ? (*waiters ? "yes" : "no") : "-",
          std::string(name_of(info.state)),
          detail};
}

void print_table(const std::vector<Row>& rows) {
  std::vector<Cells> lines{{"NAME", "TYPE", "BYTES", "USER", "CREATOR", "WAITERS", "STATUS", "STATE"}};
  for (const Row& row : rows) lines.push_back(cells_of(row));
  std::array<std::size_t, 8> widths{};
  for (const Cells& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const Cells& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(i + 1 < line.size() ? widths[i] - line[i].size() : 0, ' ');
      const bool is_number = i == 2 || i == 3;
      text += (i == 0 ? "" : "  ") + (is_number ? space + line[i] : line[i] + space);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    std::puts(text.c_str());
  }
}

/// 0, or 2 after a message; 1: the help was asked for and printed.
int parse(int argc, char** argv, Options& options) {
  bool only_names = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (only_names || !argument.starts_with("-")) {
      options.names.emplace_back(argument);
    } else if (argument == "--") {
      only_names = true;
    } else if (argument == "--json") {
      options.json = true;
    } else if (argument == "--remove-stale") {
      options.remove_stale = true;
    } else if (argument == "--help") {
      std::fwrite(help.data(), 1, help.size(), stdout);
      return 1;
    } else {
      std::fprintf(stderr, "trine-inspect: there is no option '%s'; see --help\n", argv[i]);
      return 2;
    }
  }
  return 0;
}

/// false, after a message: it is stale and could not be removed.
bool remove_stale(Row& row) {
  if (row.info.state != SegmentInfo::State::stale) return true;
  try {
    row.removed = trine::SegmentList::remove_stale(row.info);
    return true;
  } catch (const std::system_error& error) {
    std::fprintf(stderr, "trine-inspect: %s\n", error.what());
    return false;
  }
}

int inspect(const Options& options) {
  std::vector<Row> rows;
  int code = 0;
  for (auto& info : trine::SegmentList::read()) {
    const auto& names = options.names;
    if (!names.empty() && std::find(names.begin(), names.end(), info.name) == names.end()) continue;
    Row row{.info = std::move(info), .description = {}, .removed = false};
    row.description = Describer(row.info).result();
    if (options.remove_stale && !remove_stale(row)) code = 1;
    rows.push_back(std::move(row));
  }
  for (const std::string& name : options.names) {
    if (std::any_of(rows.begin(), rows.end(), [&](const Row& row) { return row.info.name == name; })) continue;
    std::fprintf(stderr, "trine-inspect: %s: there is no segment of that name\n", name.c_str());
    code = 1;
  }
  if (options.json) {
    print_json(rows);
  } else {
    print_table(rows);
  }
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const int done = parse(argc, argv, options); done != 0) return done == 1 ? 0 : done;
  try {
    return inspect(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "trine-inspect: %s\n", error.what());
    return 1;
  }
}
