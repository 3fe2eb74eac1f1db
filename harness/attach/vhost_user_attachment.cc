// SPDX-License-Identifier: Apache-2.0
#include "harness/attach/vhost_user_attachment.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "harness/attach/process.h"
#include "harness/attach/spawned_peer.h"
#include "harness/transport/vhost_user/front_end.h"
#include "harness/virtio/device_id.h"

namespace vitro {
namespace {

using vhost_user::FrontEnd;
using vhost_user::FrontEndOptions;
using vhost_user::Link;
using vhost_user::NotifyMode;

struct Config {
  std::string where;
  std::string spawn;
  std::string stimulus;
  bool server = false;
  FrontEndOptions front_end;
};

Result<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Fail(ErrorKind::kUsage, "the socket path '{}' is longer than {} bytes", path,
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

// One sentence on why nothing can be attached at `path`, before trying.
Result<> CheckSocketFile(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0)
    return Fail(ErrorKind::kAttach, "there is no socket at {}: {}", path, strerror(errno));
  if (!S_ISSOCK(info.st_mode)) return Fail(ErrorKind::kAttach, "{} is not a socket", path);
  return {};
}

Result<UniqueFd> ConnectNow(const std::string& path) {
  VITRO_TRY(CheckSocketFile(path));
  VITRO_ASSIGN(sockaddr_un address, SocketAddress(path));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return Fail(ErrorKind::kHarness, "socket: {}", strerror(errno));
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == ECONNREFUSED) return Fail(ErrorKind::kAttach, "nobody listens on {}", path);
  if (errno == EAGAIN)
    return Fail(ErrorKind::kAttach, "the back-end at {} takes no further connection", path);
  return Fail(ErrorKind::kAttach, "cannot connect to {}: {}", path, strerror(errno));
}

// One back-end and the way to it: what a front-end dials, again and again if need be.
class Line {
 public:
  static Result<std::shared_ptr<Line>> Create(const Config& config) {
    auto line = std::make_shared<Line>(config);
    std::string all = config.where + config.spawn + config.stimulus;
    bool own_path = config.spawn.find("{path}") != std::string::npos;
    if (own_path || all.find("{dir}") != std::string::npos) {
      VITRO_ASSIGN(auto directory, ScratchDirectory::Create());
      line->directory_ = std::make_unique<ScratchDirectory>(std::move(directory));
      line->names_["dir"] = line->directory_->path();
    }
    line->path_ = own_path ? line->directory_->path() + "/vhost.sock"
                           : FillPlaceholders(config.where, line->names_);
    line->names_["path"] = line->path_;
    return line;
  }

  explicit Line(const Config& config) : config_(config) {}
  ~Line() {
    if (listener_) unlink(path_.c_str());
  }

  Result<Link> Dial() {
    if (config_.server) VITRO_TRY(Listen());
    bool fresh = peer_ == nullptr || !peer_->process().Running();
    if (!config_.spawn.empty() && fresh) VITRO_TRY(Spawn());
    auto socket = Reach();
    // A back-end that serves one connection ends while we knock again: start the next.
    if (!socket && !config_.spawn.empty() && !fresh && !peer_->process().Running()) {
      VITRO_TRY(Spawn());
      socket = Reach();
    }
    if (!socket) return tl::make_unexpected(socket.error());
    reached_ = true;
    return Link{std::move(*socket), peer_};
  }

  Result<> Stimulate(const std::function<void(Duration)>& serve) {
    VITRO_ASSIGN(auto argv, Command(config_.stimulus));
    VITRO_ASSIGN(Process process, Process::Start(argv));
    Deadline deadline = Deadline::After(config_.front_end.timeout);
    // The device is served meanwhile: the command may wait for it, and it for us.
    while (process.Running() && !deadline.Passed()) {
      serve(milliseconds(1));
      process.Pump();
    }
    if (process.Running()) {
      process.Kill(Duration{0});
      return Fail(ErrorKind::kHarness, "the stimulus command did not end in time");
    }
    process.Pump();
    if (process.wait_status() != 0)
      return Fail(ErrorKind::kHarness, "the stimulus command failed: {}; it printed: {}",
                  process.Ended(), process.LastWords());
    return {};
  }

 private:
  // Words are split first, so that a path with a blank stays one word.
  Result<std::vector<std::string>> Command(const std::string& text) {
    VITRO_ASSIGN(auto argv, SplitCommand(text));
    for (auto& word : argv) word = FillPlaceholders(word, names_);
    return argv;
  }

  Result<> Spawn() {
    peer_.reset();
    // Back-ends leave their socket behind, and some cannot bind where one is.
    struct stat info;
    if (!config_.server && stat(path_.c_str(), &info) == 0 && S_ISSOCK(info.st_mode))
      unlink(path_.c_str());
    VITRO_ASSIGN(auto argv, Command(config_.spawn));
    VITRO_ASSIGN(Process process, Process::Start(argv));
    peer_ = std::make_shared<SpawnedPeer>(std::move(process));
    return {};
  }

  Result<UniqueFd> Reach() {
    Deadline deadline = Deadline::After(config_.front_end.timeout);
    if (config_.server) return Accept(deadline);
    if (peer_ != nullptr) return ConnectWhenReady(path_, &peer_->process(), deadline);
    // A back-end that was there and is restarted by somebody else may take a moment.
    if (reached_) return ConnectWhenReady(path_, nullptr, deadline);
    return ConnectNow(path_);
  }

  Result<> Listen() {
    if (listener_) return {};
    VITRO_ASSIGN(sockaddr_un address, SocketAddress(path_));
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return Fail(ErrorKind::kHarness, "socket: {}", strerror(errno));
    auto* name = reinterpret_cast<sockaddr*>(&address);
    int bound = bind(fd.get(), name, sizeof address);
    if (bound != 0 && errno == EADDRINUSE) {
      // Only what nobody listens on any more is swept away.
      auto other = ConnectNow(path_);
      if (!other && other.error().message.starts_with("nobody listens") &&
          unlink(path_.c_str()) == 0)
        bound = bind(fd.get(), name, sizeof address);
      else
        errno = EADDRINUSE;
    }
    if (bound != 0 || listen(fd.get(), 1) != 0)
      return Fail(ErrorKind::kAttach, "cannot listen on {}: {}", path_, strerror(errno));
    listener_ = std::move(fd);
    return {};
  }

  Result<UniqueFd> Accept(Deadline deadline) {
    for (;;) {
      UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd) return fd;
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        return Fail(ErrorKind::kHarness, "accept: {}", strerror(errno));
      Process* process = peer_ == nullptr ? nullptr : &peer_->process();
      bool ended = process != nullptr && !process->Running();
      if (process != nullptr) process->Pump();
      std::string words = process == nullptr ? "" : process->LastWords();
      if (!words.empty()) words = "; it printed: " + words;
      if (ended)
        return Fail(ErrorKind::kAttach, "{} before it connected to {}{}", process->Ended(), path_,
                    words);
      if (deadline.Passed())
        return Fail(ErrorKind::kAttach, "no back-end connected to {} in time{}", path_, words);
      pollfd fds[] = {{listener_.get(), POLLIN, 0},
                      {process == nullptr ? -1 : process->exit_fd(), POLLIN, 0},
                      {process == nullptr ? -1 : process->output_fd(), POLLIN, 0}};
      poll(fds, 3, deadline.LeftMs());
    }
  }

  const Config config_;
  std::unique_ptr<ScratchDirectory> directory_;
  std::map<std::string, std::string> names_;
  std::string path_;
  UniqueFd listener_;
  std::shared_ptr<SpawnedPeer> peer_;  // after directory_: ends before that is removed
  bool reached_ = false;
};

class VhostUserAttachment : public Attachment {
 public:
  VhostUserAttachment(AttachString string, Config config)
      : string_(std::move(string)), config_(std::move(config)) {}

  const AttachString& string() const override { return string_; }
  bool independent() const override { return config_.spawn.find("{path}") != std::string::npos; }

  Result<std::unique_ptr<Transport>> Attach(GuestMemory& memory) override {
    VITRO_ASSIGN(auto line, Line::Create(config_));
    FrontEndOptions options = config_.front_end;
    options.dial = [line] { return line->Dial(); };
    if (!config_.stimulus.empty())
      options.stimulate = [line](const std::function<void(Duration)>& serve) {
        return line->Stimulate(serve);
      };
    if (!options.config_size && known_config_size_ != 0)
      options.config_size_hint = known_config_size_;
    VITRO_ASSIGN(auto front_end, FrontEnd::Create(memory, std::move(options)));
    known_config_size_ = front_end->identity().config_size;
    return front_end;
  }

 private:
  AttachString string_;
  Config config_;
  uint32_t known_config_size_ = 0;
};

Result<std::optional<uint32_t>> TakeNumber(AttachString& string, const char* key, uint32_t least,
                                           uint32_t most) {
  auto text = string.Take(key);
  if (!text) return std::nullopt;
  uint32_t value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < least || value > most)
    return Fail(ErrorKind::kUsage, "vhost-user: {}={} is not a number from {} to {}", key, *text,
                least, most);
  return value;
}

// The index of `key`'s value among `words`; 0 if it is not given.
Result<size_t> TakeWord(AttachString& string, const char* key,
                        std::initializer_list<std::string_view> words) {
  auto text = string.Take(key);
  if (!text) return 0;
  std::string known;
  size_t index = 0;
  for (auto word : words) {
    if (*text == word) return index;
    known += fmt::format("{}{}", index++ == 0 ? "" : ", ", word);
  }
  return Fail(ErrorKind::kUsage, "vhost-user: {}={} is none of {}", key, *text, known);
}

Result<uint32_t> TakeType(AttachString& string) {
  auto text = string.Take("type");
  if (!text) return device_id::kUnknown;
  if (auto id = DeviceTypeFromName(*text)) return *id;
  uint32_t id = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), id);
  if (error != std::errc() || end != text->data() + text->size() || id > 65535)
    return Fail(ErrorKind::kUsage, "vhost-user: type={} is neither a device type nor its id",
                *text);
  return id;
}

Result<Config> TakeConfig(AttachString& string) {
  Config config;
  config.where = string.where;
  config.spawn = string.Take("spawn").value_or("");
  config.stimulus = string.Take("stimulus").value_or("");
  FrontEndOptions& options = config.front_end;
  VITRO_ASSIGN(options.device_id, TakeType(string));
  VITRO_ASSIGN(options.queues, TakeNumber(string, "queues", 1, vhost_user::kMaxVrings));
  VITRO_ASSIGN(options.config_size,
               TakeNumber(string, "config-size", 0, vhost_user::kMaxConfigSize));
  VITRO_ASSIGN(auto queue_size, TakeNumber(string, "queue-size", 1, 32768));
  options.queue_size = queue_size.value_or(options.queue_size);
  VITRO_ASSIGN(auto timeout, TakeNumber(string, "timeout", 1, 3'600'000));
  if (timeout) options.timeout = milliseconds(*timeout);
  VITRO_ASSIGN(size_t mode, TakeWord(string, "mode", {"call", "poll", "inband"}));
  options.notify = static_cast<NotifyMode>(mode);
  VITRO_ASSIGN(size_t reset, TakeWord(string, "reset", {"rings", "reconnect"}));
  options.reset_by_reconnect = reset == 1;
  VITRO_ASSIGN(size_t server, TakeWord(string, "server", {"0", "1"}));
  config.server = server == 1;
  options.name = options.device_id == device_id::kUnknown
                     ? "vhost-user back-end"
                     : fmt::format("vhost-user {} back-end", DeviceTypeToName(options.device_id));
  if (!string.options.empty())
    return Fail(ErrorKind::kUsage, "vhost-user: there is no option '{}'",
                string.options.begin()->first);
  for (const auto* command : {&config.spawn, &config.stimulus})
    if (!command->empty()) VITRO_TRY(SplitCommand(*command));
  return config;
}

}  // namespace

Result<std::unique_ptr<Attachment>> OpenVhostUser(AttachString string) {
  AttachString rest = string;
  VITRO_ASSIGN(Config config, TakeConfig(rest));
  if (config.where.empty() && config.spawn.find("{path}") == std::string::npos)
    return Fail(ErrorKind::kUsage, "vhost-user: the path of the socket is missing");
  if (config.spawn.empty() && !config.server) VITRO_TRY(CheckSocketFile(config.where));
  return std::make_unique<VhostUserAttachment>(std::move(string), std::move(config));
}

}  // namespace vitro
