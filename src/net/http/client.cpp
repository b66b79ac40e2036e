#include "net/http/client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::net::http {

struct Client::Handle {
  ClientOptions options;
  const std::atomic<bool>* abort = nullptr;
  CURL* easy = nullptr;
  ClientResponse response;
  bool too_large = false;
  curl_slist* lines = nullptr;  // of the request under way
  char error[CURL_ERROR_SIZE] = {};

  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (easy != nullptr) curl_easy_cleanup(easy);
    curl_slist_free_all(lines);
  }
};

namespace {

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& handle = *static_cast<Client::Handle*>(user);
  const std::size_t bytes = size * count;
  if (handle.response.body.size() + bytes > handle.options.max_response_bytes) {
    handle.too_large = true;
    return 0;  // curl ends the transfer
  }
  handle.response.body.append(data, bytes);
  return bytes;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& handle = *static_cast<Client::Handle*>(user);
  const std::size_t bytes = size * count;
  const std::string_view line(data, bytes);
  if (line.starts_with("HTTP/")) {
    handle.response.headers.clear();  // of an interim answer
  } else if (const auto colon = line.find(':');
             colon != std::string_view::npos && handle.response.headers.size() < 200) {
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && static_cast<unsigned char>(value.back()) <= ' ') value.remove_suffix(1);
    handle.response.headers.emplace_back(std::move(name), value);
  }
  return bytes;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& handle = *static_cast<Client::Handle*>(user);
  return handle.abort != nullptr && handle.abort->load(std::memory_order_relaxed) ? 1 : 0;
}

// Whatever a name resolved to: the machine's metadata service and its neighbours are nobody's destination.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
  bool link_local = false;
  if (address->family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address->addr, sizeof v4);
    link_local = ntohl(v4.sin_addr.s_addr) >> 16U == 0xA9FEU;
  } else if (address->family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address->addr, std::min<std::size_t>(sizeof v6, address->addrlen));
    const auto* bytes = v6.sin6_addr.s6_addr;
    link_local = (bytes[0] == 0xFE && (bytes[1] & 0xC0U) == 0x80U) ||
                 (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && bytes[12] == 0xA9 && bytes[13] == 0xFE);
  }
  if (link_local) return CURL_SOCKET_BAD;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

Error error_of(CURLcode code, const Client::Handle& handle) {
  const std::string text = handle.error[0] != '\0' ? handle.error : curl_easy_strerror(code);
  if (handle.too_large) return {ErrorCode::too_large, "the answer is over the limit", {}};
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return {ErrorCode::closed, "the request was given up", {}};
    case CURLE_OPERATION_TIMEDOUT:
      return {ErrorCode::timed_out, "no answer in time", text};
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {ErrorCode::invalid_argument, "not an http URL", text};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {ErrorCode::permission_denied, "the server's certificate was not accepted", text};
    default:
      return {ErrorCode::unavailable, "no answer from the server", text};
  }
}

void set_fixed_options(CURL* easy, Client::Handle& handle) {
  const auto ms = [](std::chrono::milliseconds duration) { return static_cast<long>(duration.count()); };
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);  // an object's key may hold "." and ".."
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, ms(handle.options.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ms(handle.options.request_timeout));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, handle.options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle.error);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &handle);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &handle);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &handle);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (!handle.options.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, handle.options.ca_file.c_str());
}

void set_up(Client::Handle& handle, ClientOptions options, const std::atomic<bool>* abort) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  handle.options = std::move(options);
  handle.abort = abort;
  handle.easy = curl_easy_init();
  if (handle.easy != nullptr) set_fixed_options(handle.easy, handle);
}

void prepare(Client::Handle& handle, const ClientRequest& request) {
  handle.response = {};
  handle.too_large = false;
  handle.error[0] = '\0';
  handle.lines = curl_slist_append(nullptr, "Expect:");  // no round trip before the body
  for (const auto& [name, value] : request.headers) {
    handle.lines =
        curl_slist_append(handle.lines, value.empty() ? (name + ";").c_str() : (name + ": " + value).c_str());
  }
  const bool with_body = request.has_body || !request.body.empty();
  curl_easy_setopt(handle.easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle.easy, CURLOPT_HTTPHEADER, handle.lines);
  curl_easy_setopt(handle.easy, CURLOPT_NOBODY, request.method == "HEAD" ? 1L : 0L);
  if (with_body) {
    curl_easy_setopt(handle.easy, CURLOPT_POST, 1L);
    curl_easy_setopt(handle.easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(handle.easy, CURLOPT_POSTFIELDS,
                     request.body.empty() ? "" : reinterpret_cast<const char*>(request.body.data()));
  } else if (request.method != "HEAD") {
    curl_easy_setopt(handle.easy, CURLOPT_HTTPGET, 1L);
  }
  curl_easy_setopt(handle.easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

Result<ClientResponse> finish(Client::Handle& handle, CURLcode code) {
  curl_easy_setopt(handle.easy, CURLOPT_HTTPHEADER, nullptr);
  curl_slist_free_all(std::exchange(handle.lines, nullptr));
  if (code != CURLE_OK) return std::unexpected<Error>(error_of(code, handle));
  long status = 0;
  curl_easy_getinfo(handle.easy, CURLINFO_RESPONSE_CODE, &status);
  handle.response.status = static_cast<int>(status);
  return std::move(handle.response);
}

}  // namespace

std::string_view ClientResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

Client::Client(ClientOptions options, const std::atomic<bool>* abort) : handle_(std::make_unique<Handle>()) {
  set_up(*handle_, std::move(options), abort);
}

Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<ClientResponse> Client::perform(const ClientRequest& request) {
  Handle& handle = *handle_;
  if (handle.easy == nullptr) return fail(ErrorCode::internal, "libcurl gave no handle");
  prepare(handle, request);
  return finish(handle, curl_easy_perform(handle.easy));
}

struct Requests::Multi {
  struct Slot {
    Client::Handle handle;
    bool under_way = false;
    std::optional<CURLcode> ended;
  };
  CURLM* multi = curl_multi_init();
  std::vector<std::unique_ptr<Slot>> slots;

  Multi() = default;
  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;
  ~Multi() {
    for (const auto& slot : slots) {
      if (slot->under_way) curl_multi_remove_handle(multi, slot->handle.easy);
    }
    slots.clear();
    curl_multi_cleanup(multi);
  }
  void advance() {
    int running = 0;
    curl_multi_perform(multi, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Slot* slot = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
      slot->ended = message->data.result;
    }
  }
};

Requests::Requests(const ClientOptions& options, std::size_t most, const std::atomic<bool>* abort)
    : multi_(std::make_unique<Multi>()) {
  for (std::size_t i = 0; i < most; ++i) {
    Multi::Slot& slot = *multi_->slots.emplace_back(std::make_unique<Multi::Slot>());
    set_up(slot.handle, options, abort);
    if (slot.handle.easy != nullptr) curl_easy_setopt(slot.handle.easy, CURLOPT_PRIVATE, &slot);
  }
}

Requests::~Requests() = default;

void Requests::begin(std::size_t number, const ClientRequest& request) {
  Multi::Slot& slot = *multi_->slots[number];
  slot.ended.reset();
  if (slot.handle.easy == nullptr) return;
  prepare(slot.handle, request);
  slot.under_way = curl_multi_add_handle(multi_->multi, slot.handle.easy) == CURLM_OK;
  multi_->advance();
}

Result<ClientResponse> Requests::end(std::size_t number) {
  constexpr int kLookMs = 100;  // at `abort`, when nothing happens
  Multi::Slot& slot = *multi_->slots[number];
  if (!slot.under_way) return fail(ErrorCode::internal, "libcurl took no request");
  multi_->advance();
  while (!slot.ended) {
    curl_multi_poll(multi_->multi, nullptr, 0, kLookMs, nullptr);
    multi_->advance();
  }
  curl_multi_remove_handle(multi_->multi, slot.handle.easy);
  slot.under_way = false;
  return finish(slot.handle, *slot.ended);
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
  return out;
}

}  // namespace millrace::net::http
